"""Clusters that are not there, extras that are not installed, and engines that stay apart."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.projects import write_project

from lakecast import Project
from lakecast.cli.main import main
from lakecast.engines import known
from lakecast.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

CLUSTERS = {"ray", "dask", "distributed"}


@pytest.mark.parametrize(
    ("engine", "address"), [("ray", "127.0.0.1:1"), ("dask", "tcp://127.0.0.1:1")]
)
@pytest.mark.parametrize("command", ["run", "plan", "panel"])
def test_an_unreachable_cluster(
    command: str, engine: str, address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_project(tmp_path / "loja")
    arguments = ["--project", str(folder), "--engine", engine, "--cluster", address]
    assert main([command, *arguments]) == 5
    told = capsys.readouterr().err
    assert f"{address}: the" in told
    assert "does not answer" in told
    assert "mend `cluster`" in told
    project = Project.open(folder)
    if command == "panel":
        assert project.table("sales").height > 0  # what landed before is whole
    else:
        assert not project.context.lake.table("sales").exists()  # it is asked before work begins
    assert not project.context.lake.table("panel").exists()
    assert project.status()["lease"] is None


@pytest.mark.parametrize("extra", ["ray", "dask"])
def test_a_missing_extra(extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "find_spec", lambda name: None)
    folder = write_project(tmp_path / "loja")
    with pytest.raises(UsageError) as caught:
        Project.open(folder, flags={"engine": extra})
    assert caught.value.cure == f"pip install 'lakecast[{extra}]'"


@pytest.mark.parametrize(
    "code",
    [
        "from lakecast import Project; Project.open({folder!r}).stage('panel')",
        "import lakecast.engines.ray",
        "import lakecast.engines.dask",
        "from lakecast import Project; Project.open({folder!r}, flags={{'engine': 'ray'}})",
        "from lakecast import Project; Project.open({folder!r}, flags={{'engine': 'dask'}})",
    ],
)
def test_no_cluster_is_loaded_before_it_works(code: str, tmp_path: Path) -> None:
    folder = str(write_project(tmp_path / "loja"))
    asked = f"import sys; {code.format(folder=folder)}; print(*sys.modules)"
    assert modules(asked) & CLUSTERS == set()


@pytest.mark.servers
@pytest.mark.parametrize(("engine", "other"), [("ray", "distributed"), ("dask", "ray")])
def test_no_engine_loads_another(engine: str, other: str, tmp_path: Path) -> None:
    folder = str(write_project(tmp_path / "loja"))
    asked = f"""
import sys
from lakecast import Project
if __name__ == "__main__":
    flags = {{"engine": {engine!r}, "workers": "1", "memory": "1GB"}}
    project = Project.open({folder!r}, flags=flags)
    project.stage("panel")
    project.context.engine.close()
    print(*sys.modules)
"""
    script = tmp_path / "script.py"
    script.write_text(asked, encoding="utf-8")
    found = modules(str(script), file=True)
    assert {"ray": "ray", "dask": "distributed"}[engine] in found
    assert other not in found


def modules(code: str, *, file: bool = False) -> set[str]:
    """Names of the modules that are loaded when a program ends."""
    command = [sys.executable, code] if file else [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())
