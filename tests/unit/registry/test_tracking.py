"""Runs in a sqlite store, read back with MLflow's own client."""

from __future__ import annotations

import json
import logging
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from lakecast.errors import LakecastError, Unreachable, UsageError
from lakecast.registry import connection
from lakecast.registry.connection import talking
from lakecast.registry.tracking import RunLog, Tracking, TrainingLog, open_tracking

NAN = float("nan")


def training(fingerprint: str = "f" * 32, candidates: int = 2) -> TrainingLog:
    return TrainingLog(
        fingerprint=fingerprint,
        run=RunLog(
            name="2026-03-01",
            params={"horizon": 28, "metric": "rmsse"},
            metrics={"rmsse": [0.5]},
            tags={"table.sales": "abc"},
            files={"leaderboard.json": b"[1, 2]", "plots/bars.svg": b"<svg/>"},
        ),
        candidates=[
            RunLog(
                name=f"gradient_boosting/{i}",
                params={"num_leaves": 31},
                metrics={"rmsse": [0.5, None, 0.7, NAN], "loja=Pão": [1.0]},
            )
            for i in range(candidates)
        ],
    )


def runs(tracking: Tracking) -> list:
    return list(tracking.client.search_runs([tracking.experiment]))


def children(tracking: Tracking, parent: str) -> dict:
    return {
        run.data.tags["lakecast.candidate"]: run
        for run in runs(tracking)
        if run.data.tags.get("mlflow.parentRunId") == parent
    }


def test_a_parent_and_a_child_a_candidate(tracking: Tracking) -> None:
    parent = tracking.log(training())
    made = tracking.client.get_run(parent)
    assert made.info.status == "FINISHED"
    assert made.info.run_name == "2026-03-01"
    assert made.data.params == {"horizon": "28", "metric": "rmsse"}
    assert made.data.tags["lakecast.fingerprint"] == "f" * 32
    assert made.data.tags["table.sales"] == "abc"
    found = children(tracking, parent)
    assert sorted(found) == ["gradient_boosting/0", "gradient_boosting/1"]
    child = found["gradient_boosting/0"]
    assert child.info.status == "FINISHED"
    assert child.data.params == {"num_leaves": "31"}
    assert child.data.metrics == {"rmsse": 0.7, "loja_Pão": 1.0}


def test_steps_are_windows_and_nulls_are_left_out(tracking: Tracking) -> None:
    child = children(tracking, tracking.log(training()))["gradient_boosting/0"]
    points = tracking.client.get_metric_history(child.info.run_id, "rmsse")
    assert sorted((point.step, point.value) for point in points) == [(0, 0.5), (2, 0.7)]


def test_files_lie_beside_the_database(tracking: Tracking) -> None:
    made = tracking.client.get_run(tracking.log(training()))
    folder = Path(unquote(urlsplit(made.info.artifact_uri).path))
    assert json.loads((folder / "leaderboard.json").read_bytes()) == [1, 2]
    assert (folder / "plots" / "bars.svg").read_bytes() == b"<svg/>"
    home = Path(tracking.uri.removeprefix("sqlite:///")).parent
    assert folder.is_relative_to(home / "mlartifacts")


def test_the_same_fingerprint_makes_no_second_run(tracking: Tracking) -> None:
    parent = tracking.log(training())
    assert tracking.find("f" * 32) == parent
    assert tracking.log(training()) == parent
    assert len(runs(tracking)) == 3
    assert tracking.log(training("0" * 32)) != parent


class Killed(BaseException):
    """As a kill: nothing of ours catches it."""


@pytest.mark.parametrize("after", range(8))
def test_killed_anywhere_and_run_again_leaves_what_an_undisturbed_run_leaves(
    tracking: Tracking, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    calls = 0

    def dies(name: str) -> None:
        original = getattr(type(tracking.client), name)

        def call(self: object, *args: object, **more: object) -> object:
            nonlocal calls
            calls += 1
            if calls > after:
                raise Killed
            return original(self, *args, **more)

        monkeypatch.setattr(type(tracking.client), name, call)

    with monkeypatch.context():
        for name in ("create_run", "log_batch", "log_artifacts", "set_terminated"):
            dies(name)
        with pytest.raises(Killed):
            tracking.log(training())
        monkeypatch.undo()
    assert tracking.find("f" * 32) is None
    parent = tracking.log(training())
    assert len(runs(tracking)) == 3
    assert {run.info.status for run in runs(tracking)} == {"FINISHED"}
    child = children(tracking, parent)["gradient_boosting/1"]
    points = tracking.client.get_metric_history(child.info.run_id, "rmsse")
    assert sorted((point.step, point.value) for point in points) == [(0, 0.5), (2, 0.7)]


def test_more_than_a_call_may_carry(tracking: Tracking) -> None:
    big = RunLog(
        name="big",
        params={f"p{i}": "x" * 7000 for i in range(150)},
        metrics={f"m{i}": [float(s) for s in range(60)] for i in range(40)},
    )
    parent = tracking.log(replace(training(candidates=0), candidates=[big]))
    child = children(tracking, parent)["big"]
    assert len(child.data.params) == 150
    assert len(child.data.metrics) == 40
    assert len(tracking.client.get_metric_history(child.info.run_id, "m39")) == 60


def test_opening_twice_finds_the_same_experiment(tracking: Tracking) -> None:
    assert open_tracking(tracking.uri, "lojas").experiment == tracking.experiment


def test_a_deleted_experiment_comes_back(tracking: Tracking) -> None:
    tracking.client.delete_experiment(tracking.experiment)
    again = open_tracking(tracking.uri, "lojas")
    assert again.experiment == tracking.experiment
    assert again.log(training())


def test_a_moved_project_still_opens(tracking: Tracking, tmp_path: Path) -> None:
    parent = tracking.log(training())
    home = Path(tracking.uri.removeprefix("sqlite:///")).parent
    moved = tmp_path / "moved"
    shutil.move(home, moved)
    again = open_tracking(f"sqlite:///{moved}/mlflow.db", "lojas")
    assert again.find("f" * 32) == parent
    found = again.client.get_run(parent).info.artifact_uri
    assert found == f"{moved.as_uri()}/mlartifacts/{parent}/artifacts"
    assert [item.path for item in again.client.list_artifacts(parent, "plots")] == [
        "plots/bars.svg"
    ]


def test_nothing_global_is_left_behind(tracking: Tracking) -> None:
    import mlflow

    before = (dict(os.environ), mlflow.get_tracking_uri(), logging.getLogger("mlflow").level)
    tracking.log(training())
    after = (dict(os.environ), mlflow.get_tracking_uri(), logging.getLogger("mlflow").level)
    assert before == after


def test_mlflow_says_nothing(uri: str, capfd: pytest.CaptureFixture[str]) -> None:
    open_tracking(uri, "quiet").log(training())
    assert capfd.readouterr() == ("", "")


def test_importing_the_room_loads_no_mlflow() -> None:
    code = "import sys, lakecast.registry.tracking; assert 'mlflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ})


def test_first_use_by_several_processes_at_once(tmp_path: Path) -> None:
    code = (
        "from lakecast.registry.tracking import *; import sys;"
        "t = open_tracking(sys.argv[1], 'shared');"
        "t.log(TrainingLog(fingerprint=sys.argv[2], run=RunLog(name='r')))"
    )
    uri = f"sqlite:///{tmp_path}/new/mlflow.db"
    started = [
        subprocess.Popen([sys.executable, "-c", code, uri, str(i)], stderr=subprocess.PIPE)
        for i in range(2)
    ]
    ended = [(process.communicate(timeout=240)[1], process.returncode) for process in started]
    assert ended == [(b"", 0), (b"", 0)]
    assert len(runs(open_tracking(uri, "shared"))) == 2


def test_a_first_set_up_that_was_killed_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mlflow.db"
    uri = f"sqlite:///{path}"
    whole = connection._client

    def killed(address: str) -> None:
        with closing(sqlite3.connect(address.removeprefix("sqlite:///"))) as half:
            half.execute("CREATE TABLE experiments (half INTEGER)")
        raise KeyboardInterrupt

    monkeypatch.setattr(connection, "_client", killed)
    with pytest.raises(KeyboardInterrupt):
        open_tracking(uri, "shared")
    assert not path.exists()
    monkeypatch.setattr(connection, "_client", whole)
    open_tracking(uri, "shared").log(TrainingLog(fingerprint="f", run=RunLog(name="r")))
    assert [item.name for item in tmp_path.iterdir() if item.name.startswith(".")] == []


def test_a_server_that_does_not_answer() -> None:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(Unreachable, match="does not answer") as caught:
        open_tracking(f"http://ana:s3cret@127.0.0.1:{port}", "lojas")
    assert caught.value.exit_code == 5
    assert "s3cret" not in str(caught.value)


def test_a_store_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(UsageError, match="not a tracking URI"):
        open_tracking("teapot://here", "lojas")


def test_a_missing_driver_is_named() -> None:
    with pytest.raises(UsageError, match="no_such_driver"), talking("mysql://ana:pw@host/db"):
        raise ModuleNotFoundError("No module", name="no_such_driver")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("TEMPORARILY_UNAVAILABLE", Unreachable),
        ("PERMISSION_DENIED", UsageError),
        ("BAD_REQUEST", LakecastError),
    ],
)
def test_errors_of_mlflow_become_ours(code: str, kind: type[LakecastError]) -> None:
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import ErrorCode

    failure = MlflowException(
        "asked http://ana:s3cret@host/api\nlong trace", error_code=ErrorCode.Value(code)
    )
    with pytest.raises(LakecastError) as caught, talking("http://ana:s3cret@host"):
        raise failure
    assert type(caught.value) is kind
    assert "s3cret" not in str(caught.value)
    assert "long trace" not in str(caught.value)
    assert caught.value.cure
