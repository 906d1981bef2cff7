"""Exit codes by real causes, one message each, and never a secret or an unasked traceback."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.projects import write_project

from lakecast import Project
from lakecast.cli.main import main
from lakecast.flows.lease import lease

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Call = Callable[..., tuple[int, str, str]]

SECRET = "hunter2-do-not-show"


@pytest.fixture
def new(tmp_path: Path) -> Path:
    return write_project(tmp_path / "p")


@pytest.fixture
def closed() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def change(folder: Path, old: str, new: str) -> None:
    path = folder / "lakecast.toml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


# --- 2: usage and spec


def test_no_spec(call: Call, tmp_path: Path) -> None:
    assert call("run", "--project", tmp_path) == (
        2,
        "",
        (
            f"lakecast: {tmp_path}/lakecast.toml: no spec here\n"
            "  cure: run `lakecast init --source FILE` in this folder, or name another with "
            "--project\n"
        ),
    )


def test_an_unknown_key(call: Call, new: Path) -> None:
    change(new, "horizon = 7", "horizn = 7")
    assert call("plan", "--project", new) == (
        2,
        "",
        (
            "lakecast: lakecast.toml: forecast: unknown key `horizn`\n"
            "  cure: did you mean `horizon`?\n"
        ),
    )


def test_a_spec_error_as_json(call: Call, new: Path) -> None:
    change(new, "horizon = 7", "horizn = 7")
    code, out, err = call("plan", "--project", new, "--json")
    assert (code, out) == (2, "")
    assert json.loads(err) == {
        "error": "unknown key `horizn`",
        "where": "lakecast.toml: forecast",
        "cure": "did you mean `horizon`?",
        "exit": 2,
    }


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        (
            "--engine",
            "pigeons",
            "--engine: unknown engine 'pigeons'\n  cure: use one of: local, ray, dask\n",
        ),
        ("--workers", "0", "--workers: not a number of workers: '0'\n  cure: use 1 or more\n"),
        (
            "--memory",
            "lots",
            "--memory: not an amount of memory: 'lots'\n  cure: write it like 4GB or 512MiB\n",
        ),
        (
            "--lake",
            "ftp://x",
            "lake: no store of this kind: ftp://\n  cure: use a folder or s3://bucket/prefix\n",
        ),
        (
            "--as-of",
            "yesterday",
            "--as-of: not a time: 'yesterday'\n  cure: write it like 2024-05-31\n",
        ),
    ],
)
def test_an_option_that_cannot_be(
    option: str, value: str, said: str, call: Call, new: Path
) -> None:
    assert call("plan", "--project", new, option, value) == (2, "", f"lakecast: {said}")


def test_arguments_that_do_not_parse(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["run", "--no-such-option"])
    assert stop.value.code == 2
    assert capsys.readouterr().err.endswith("unrecognized arguments: --no-such-option\n")


# --- 1: the rest that was foreseen


def test_before_the_first_run(call: Call, new: Path) -> None:
    code, _, err = call("forecast", "--project", new)
    assert (code, err.splitlines()[-1]) == (1, "  cure: run `lakecast run`")
    code, _, err = call("export", "sales", "--project", new, "--out", new / "x.csv")
    assert code == 1
    assert "table `sales` does not exist" in err
    assert call("rollback", "--project", new)[0] == 2


# --- 3: data refused


def test_a_rejected_file(call: Call, new: Path) -> None:
    path = new / "raw" / "vendas.csv"
    path.write_text(path.read_text("utf-8").replace("quantidade", "qtd", 1), encoding="utf-8")
    code, out, err = call("run", "--project", new)
    assert code == 3
    assert out.startswith("memory budget: ")
    assert "report" not in out
    said = [line for line in err.splitlines() if line.startswith(("lakecast:", "  cure:"))]
    assert "vendas.csv" in said[0]
    assert "quantidade" in said[0]
    assert len(said) == 2
    assert not Project.open(new).context.lake.table("sales").exists()


# --- 4: gate not passed


def test_select_when_nothing_passes(call: Call, project: Path) -> None:
    change(project, "windows = 2\n", "windows = 2\n\n[gate]\nmax_bias = 0.0\n")
    code, out, _ = call("select", "--project", project, "--json")
    said = json.loads(out)
    assert (code, said["passed"]) == (4, False)
    assert "therefore   the champion stays" in said["decision"]
    code, out, _ = call("select", "--project", project)
    assert code == 4
    assert "not due" in out
    assert call("run", "--project", project)[0] == 0


# --- 5: something does not answer


def test_a_held_lease(call: Call, project: Path) -> None:
    with lease(Project.open(project).context.lake) as holder:
        before = call("status", "--project", project)[1]
        assert f"lease     {holder}\n" in before
        assert call("run", "--project", project) == (
            5,
            "",
            (
                f"lakecast: {holder}: another run holds this project\n"
                "  cure: wait for it to end, or call again with --wait SECONDS\n"
            ),
        )
    assert call("run", "--project", project)[0] == 0


def test_a_tracking_server_that_is_not_there(call: Call, project: Path, closed: int) -> None:
    uri = f"http://maria:{SECRET}@127.0.0.1:{closed}"
    code, out, err = call("run", "--retrain", "--project", project, "--tracking-uri", uri)
    assert code == 5
    last = err[err.index("lakecast: ") :]
    assert last.startswith(f"lakecast: http://127.0.0.1:{closed}: the MLflow tracking store does")
    assert "cure: start it, or set LAKECAST_TRACKING_URI" in last
    assert SECRET not in out + err


def test_a_store_that_is_not_there(
    call: Call, new: Path, closed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{closed}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "someone")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    code, out, err = call("status", "--project", new, "--lake", "s3://bucket/prefix")
    assert code == 5
    assert err.startswith("lakecast: s3://bucket/prefix")
    assert f"http://127.0.0.1:{closed} did not answer or refused" in err
    assert SECRET not in out + err


@pytest.mark.parametrize("command", ["status", "run"])
def test_passwords_are_not_printed(command: str, call: Call, project: Path) -> None:
    uri = f"postgresql://maria:{SECRET}@127.0.0.1:1/db"
    for more in ([], ["--json"]):
        code, out, err = call(command, "--project", project, "--tracking-uri", uri, *more)
        assert code == 0
        assert SECRET not in out + err


# --- what nobody foresaw


def broken(*_: object, **__: object) -> None:
    raise ZeroDivisionError(f"at postgresql://maria:{SECRET}@host/db\nand more")


def test_any_other_failure_is_one_line(
    call: Call, new: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Project, "status", broken)
    assert call("status", "--project", new) == (
        1,
        "",
        (
            "lakecast: unexpected ZeroDivisionError: at postgresql://maria:***@host/db and more\n"
            "  cure: call the same command with --debug to see where it came from\n"
        ),
    )
    code, out, err = call("status", "--project", new, "--json")
    assert (code, out) == (1, "")
    assert json.loads(err)["exit"] == 1


def test_debug_shows_where_it_came_from(new: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Project, "status", broken)
    with pytest.raises(ZeroDivisionError):
        main(["status", "--project", str(new), "--debug"])


def test_a_spec_that_is_a_folder(call: Call, tmp_path: Path) -> None:
    (tmp_path / "lakecast.toml").mkdir()
    code, _, err = call("status", "--project", tmp_path)
    assert code in (1, 2)
    assert "lakecast.toml" in err


def test_a_damaged_lake_is_told_in_one_line(call: Call, project: Path) -> None:
    log = project / "lake" / "panel" / "_delta_log" / "00000000000000000000.json"
    log.write_text("{ not json", encoding="utf-8")
    code, _, err = call("run", "--project", project)
    assert code == 1
    assert err.startswith("lakecast: ")


def test_a_lost_file_of_the_lake_is_told_in_one_line(call: Call, project: Path) -> None:
    shutil.rmtree(project / "lake" / "models")
    code, _, err = call("forecast", "--project", project)
    assert code == 1
    assert "the champion's bundle is gone" in err


def test_a_reader_that_stops_reading(project: Path) -> None:
    """As in `lakecast status | head -1`."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "lakecast", "status", "--project", str(project)],
        stdout=write, stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    os.close(write)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
