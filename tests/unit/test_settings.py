"""Settings: flags, then the environment, then the project's file, then defaults."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from lakecast import machine
from lakecast.errors import UsageError
from lakecast.settings import LOCAL_FILE, resolve

if TYPE_CHECKING:
    from pathlib import Path


def local(folder: Path, text: str) -> Path:
    (folder / LOCAL_FILE).write_text(text, encoding="utf-8")
    return folder


def test_defaults_lie_inside_the_project(tmp_path: Path) -> None:
    found = resolve(tmp_path, environ={})
    assert found.project == tmp_path.resolve()
    assert found.lake == str(tmp_path.resolve() / "lake")
    assert found.tracking_uri == f"sqlite:///{tmp_path.resolve()}/mlflow.db"
    assert (found.engine, found.workers, found.memory) == ("local", None, None)
    assert found.threads == len(os.sched_getaffinity(0))


def test_there_is_always_a_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "memory", lambda: 10 * 10**9)
    assert resolve(tmp_path, environ={}).budget == 6 * 10**9
    assert resolve(tmp_path, flags={"memory": "4GB"}, environ={}).budget == 4 * 10**9


def test_the_order(tmp_path: Path) -> None:
    local(tmp_path, 'lake = "from-file"\nworkers = 1\nmemory = "1GB"\n')
    environ = {"LAKECAST_LAKE": "from-environment", "LAKECAST_WORKERS": "2"}
    found = resolve(tmp_path, environ=environ, flags={"lake": "from-flag", "workers": None})
    assert found.lake == str(tmp_path.resolve() / "from-flag")
    assert found.workers == found.threads == 2
    assert found.memory == 10**9


def test_an_empty_variable_is_none(tmp_path: Path) -> None:
    assert resolve(tmp_path, environ={"LAKECAST_WORKERS": ""}).workers is None


def test_places_elsewhere(tmp_path: Path) -> None:
    assert resolve(tmp_path, flags={"lake": "s3://b/p"}, environ={}).lake == "s3://b/p"
    assert resolve(tmp_path, flags={"lake": "/abs"}, environ={}).lake == "/abs"


@pytest.mark.parametrize(
    ("text", "amount"),
    [("4GB", 4 * 10**9), ("512MiB", 512 * 2**20), ("1.5 gb", 15 * 10**8), ("2048", 2048),
     ("64kb", 64_000), ("1GiB", 2**30)],
)  # fmt: skip
def test_amounts_of_memory(text: str, amount: int, tmp_path: Path) -> None:
    assert resolve(tmp_path, flags={"memory": text}, environ={}).memory == amount


@pytest.mark.parametrize(
    ("name", "value"),
    [("memory", "lots"), ("memory", "4TB"), ("memory", "0"), ("memory", "-1"), ("memory", ""),
     ("workers", "0"), ("workers", "-1"), ("workers", "two"), ("engine", "spark ")],
)  # fmt: skip
def test_what_cannot_be_is_refused_by_name(name: str, value: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        resolve(tmp_path, flags={name: value}, environ={})
    assert refused.value.where == f"--{name}"
    assert refused.value.cure


def test_the_file_is_checked(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown setting `lak`") as refused:
        resolve(local(tmp_path, 'lak = "x"'), environ={})
    assert "known: lake, tracking_uri" in refused.value.cure
    with pytest.raises(UsageError, match="not valid TOML"):
        resolve(local(tmp_path, "lake = "), environ={})
    with pytest.raises(UsageError, match="workers") as refused:
        resolve(local(tmp_path, "workers = 0"), environ={})
    assert refused.value.where == f"{LOCAL_FILE}: workers"
