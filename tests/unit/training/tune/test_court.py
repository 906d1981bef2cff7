"""Judging: real fits, on windows before all that are scored."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from msgspec.structs import replace as changed
from tests.unit.training.stage import CUTOFF, HORIZON, INFO
from tests.unit.training.test_train import JOB

from lakecast.core.block import MemoryPanel
from lakecast.errors import SpecError, UsageError
from lakecast.spec import Tune
from lakecast.training import bench as benches
from lakecast.training.backtest import run_backtest
from lakecast.training.candidates import lineup
from lakecast.training.tune import court as courts
from lakecast.training.tune.court import Case, Court, make_case
from lakecast.training.tune.crew import Alone, Share, Task
from lakecast.training.tune.points import Points, first_scored, join
from lakecast.training.tune.share import BASE, divide
from lakecast.training.tune.space import Point

if TYPE_CHECKING:
    from lakecast.spec import Spec

POINT = Point(family="linear_regression", params={"alpha": 0.5})
SHARE = Share(threads=1, budget=10**9)


@pytest.fixture(scope="module")
def case() -> Case:
    return make_case(JOB.panel, JOB.spec)


def windows(spec: Spec, **more: object) -> Spec:
    return changed(spec, backtest=changed(spec.backtest, **more))


@pytest.mark.parametrize("more", [{}, {"windows": 2}, {"windows": 1}, {"windows": 4, "step": 5}])
def test_windows_end_before_what_training_scores(more: dict[str, int]) -> None:
    spec = windows(JOB.spec, **more)
    made = make_case(JOB.panel, spec)
    found = benches.splits(JOB.panel, spec)
    folds = benches.make_folds(JOB.panel, spec, found)
    bench = benches.FittingBench(benches.workbench(JOB.panel, found), spec, found, {})
    scored = run_backtest(bench, (), folds, (HORIZON,)).scored[0].window.cutoff
    assert made.until == first_scored(found, HORIZON) == scored
    assert len(made.windows) == 2
    assert [one.cutoff for one in made.windows] == sorted(
        (one.cutoff for one in made.windows), reverse=True
    )
    assert made.windows[0].cutoff + HORIZON == scored


def test_nothing_later_is_seen(case: Case) -> None:
    held = []
    for one in JOB.panel.blocks():
        later = one.ordinals() > case.until
        assert later.any()
        held.append(replace(one, target=one.target + later * np.float32(1e4)))
    other = make_case(MemoryPanel(JOB.panel.info, tuple(held)), JOB.spec)
    assert Court(other).judge(POINT, 0).loss == Court(case).judge(POINT, 0).loss
    assert all(int(one.ordinals().max()) <= case.until for one in case.panel.blocks())


def test_each_window_has_a_loss_of_its_own(case: Case) -> None:
    court = Court(case)
    assert court.judge(POINT, 0).loss != court.judge(POINT, 1).loss
    assert court.judge(POINT, 0).loss == Court(case, threads=2).judge(POINT, 0).loss


def test_a_case_can_be_sent_to_another_process(case: Case) -> None:
    sent = pickle.loads(pickle.dumps(case))
    assert Court(sent).judge(POINT, 1).loss == Court(case).judge(POINT, 1).loss


def test_too_short_a_history() -> None:
    spec = changed(JOB.spec, forecast=changed(JOB.spec.forecast, horizon=4 * HORIZON))
    with pytest.raises(SpecError, match=r"tune\.windows: no window lies before the scored ones"):
        make_case(JOB.panel, spec)


def test_as_many_windows_as_there_are() -> None:
    made = make_case(JOB.panel, changed(JOB.spec, tune=Tune(windows=30)))
    assert 2 < len(made.windows) < 10


def test_a_large_panel_is_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courts, "MOST", JOB.panel.info.rows // 2)
    made = make_case(JOB.panel, JOB.spec)
    series = sum(len(one.codes) for one in made.panel.blocks())
    assert 5 < series < 35


def test_what_cannot_be_fit_has_no_loss(case: Case) -> None:
    alone = Alone(case, SHARE)
    features = changed(JOB.spec.features, encodings=("nobody",))
    alone.submit(Task(0, replace(POINT, features=features), 0))
    _, verdict = alone.next()
    assert verdict.loss != verdict.loss


# --- memory


def test_memory_decides_how_many_processes(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    assert divide(case, memory=10**10, threads=4)[0] == 1  # too small to be worth it
    monkeypatch.setattr("lakecast.training.tune.share._SMALL", 0)
    assert divide(case, memory=10**10, threads=4) == (4, Share(threads=1, budget=2 * 10**9))
    size, share = divide(case, memory=3 * BASE + 30_000_000, threads=4)
    assert (size, share.threads) == (2, 2)
    assert 0 < share.budget < BASE


def test_too_little_memory_is_refused(case: Case) -> None:
    with pytest.raises(UsageError, match=r"takes about 45\d MB"):
        divide(case, memory=BASE, threads=1)


# --- what training takes of it


def test_points_join_the_lineup() -> None:
    model = POINT.candidate("direct")
    other = replace(model, family="random_forest")
    found = benches.splits(JOB.panel, JOB.spec)
    tried = lineup(JOB.spec, INFO)
    until = first_scored(found, HORIZON)
    joined = join(tried, Points(models=(model, other), until=until), found, JOB.spec)
    assert joined.tuned == (model,)
    assert joined.notes == tried.notes
    assert join(tried, None, found, JOB.spec) is tried


def test_points_that_saw_what_is_scored_are_left_out() -> None:
    found = benches.splits(JOB.panel, JOB.spec)
    tried = lineup(JOB.spec, INFO)
    points = Points(models=(POINT.candidate("direct"),), until=CUTOFF)
    joined = join(tried, points, found, JOB.spec)
    assert joined.tuned == ()
    assert "the search saw periods that this backtest scores" in joined.notes[-1]
