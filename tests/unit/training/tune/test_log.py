"""The study's file: what a killed process leaves behind does no harm."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import optuna
import pytest
from tests.unit.training.tune.stand_ins import Judges, run, seen

from lakecast.errors import UsageError
from lakecast.training.tune.log import open_log

if TYPE_CHECKING:
    from pathlib import Path

    from lakecast.training.tune.search import Found


TRIALS = 10


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """A search that nobody disturbed."""
    return run(tmp_path_factory.mktemp("log") / "whole", Judges(), TRIALS)


@pytest.fixture
def whole(tmp_path: Path) -> bytes:
    """The file of that search."""
    run(tmp_path / "whole", Judges(), TRIALS)
    return (tmp_path / "whole").read_bytes()


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.83, 0.99])
def test_a_file_cut_off_anywhere(
    tmp_path: Path, whole: bytes, expected: Found, share: float
) -> None:
    path = tmp_path / "cut"
    path.write_bytes(whole[: int(len(whole) * share)])
    assert seen(run(path, Judges(), TRIALS)) == seen(expected)


def test_a_file_cut_off_after_any_of_its_last_lines(
    tmp_path: Path, whole: bytes, expected: Found
) -> None:
    """Whatever was being written: values, a loss, an outcome, a state."""
    lines = whole.splitlines(keepends=True)
    for count in range(1, 9):
        path = tmp_path / f"cut{count}"
        path.write_bytes(b"".join(lines[:-count]) + b'{"op_co')
        assert seen(run(path, Judges(), TRIALS)) == seen(expected)


def test_a_lock_left_behind_does_not_block(tmp_path: Path) -> None:
    path = tmp_path / "a"
    run(path, Judges(), 4)
    (tmp_path / "a.lock").symlink_to(path)
    assert len(run(path, Judges(), 6).tried) == 6


def test_running_trials_of_the_dead_are_failed_and_repeated(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with pytest.raises(KeyboardInterrupt):
        run(path, Judges(stop=4))
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(path)))
    running = (optuna.trial.TrialState.RUNNING, optuna.trial.TrialState.WAITING)
    dead = optuna.load_study(study_name="study", storage=storage)
    slots = {trial.user_attrs["slot"] for trial in dead.get_trials(states=running)}
    assert slots
    with open_log(path, "study") as log:
        assert log.tried() == ()
        study = optuna.load_study(study_name="study", storage=storage)
        assert study.get_trials(states=running) == []
    found = run(path, Judges())
    assert slots <= {one.slot for one in found.tried}


def test_a_trial_that_was_asked_for_but_never_began(tmp_path: Path) -> None:
    path = tmp_path / "a"
    run(path, Judges(), 4)
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(path)))
    optuna.load_study(study_name="study", storage=storage).enqueue_trial(
        {"family": "linear_regression"}, user_attrs={"slot": 4}
    )
    assert seen(run(path, Judges(), 6)) == seen(run(tmp_path / "b", Judges(), 6))


def test_other_tools_can_read_the_study(tmp_path: Path) -> None:
    found = run(tmp_path / "a", Judges())
    storage = optuna.storages.JournalStorage(
        optuna.storages.journal.JournalFileBackend(str(tmp_path / "a"))
    )
    study = optuna.load_study(study_name="study", storage=storage)
    assert found.best is not None
    assert study.best_value == found.best.loss
    assert study.best_params == found.best.values


def test_without_optuna(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with (
        pytest.raises(UsageError, match=r"pip install 'lakecast\[tune\]'"),
        open_log(tmp_path / "a", "study"),
    ):
        pass
