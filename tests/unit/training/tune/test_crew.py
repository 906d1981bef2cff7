"""Processes: the same trials as one, also when one of them is killed."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from tests.unit.training.test_train import JOB
from tests.unit.training.tune.stand_ins import seen

from lakecast.errors import LakecastError
from lakecast.logs import Silent
from lakecast.training.tune import crew as crews
from lakecast.training.tune.court import Case, Verdict, make_case
from lakecast.training.tune.crew import Alone, Processes, Share, Task
from lakecast.training.tune.log import open_log
from lakecast.training.tune.search import Found, Limits, search

if TYPE_CHECKING:
    from pathlib import Path

    from lakecast.training.tune.crew import Crew

SHARE = Share(threads=1, budget=10**9)


@pytest.fixture(scope="module")
def case() -> Case:
    return make_case(JOB.panel, JOB.spec)


class Killing(Processes):
    """Kills one of its processes after the third verdict."""

    judged = 0

    def next(self) -> tuple[Task, Verdict]:
        told = super().next()
        self.judged += 1
        if self.judged == 3:
            os.kill(next(iter(self._pool._processes)), signal.SIGKILL)
        return told


def found(path: Path, case: Case, crew: Crew) -> Found:
    with open_log(path, "study") as log:
        return search(case, log, crew, Limits(trials=10), Silent())


@pytest.mark.slow
@pytest.mark.crash
def test_two_processes_of_which_one_is_killed_find_what_one_does(
    tmp_path: Path, case: Case
) -> None:
    with Alone(case, SHARE) as alone:
        expected = found(tmp_path / "one", case, alone)
    with Killing(case, SHARE, 2) as crew:
        assert seen(found(tmp_path / "two", case, crew)) == seen(expected)
        assert crew.judged > 3
    assert any(one.outcome == "pruned" for one in expected.tried) or expected.chosen


def _die(*_: object) -> None:
    os._exit(9)


def test_processes_that_keep_dying_end_the_search(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crews, "_begin", _die)
    with Processes(case, SHARE, 1) as crew:
        crew.submit(Task(0, case.space.point(case.space.default(0) or {}, 0), 0))
        with pytest.raises(LakecastError, match="died 3 times"):
            crew.next()
