"""The outline of a training tells what the training then does."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from tests.unit.training.test_train import JOB

from lakecast.models.rows import Census
from lakecast.models.workbench import Workbench
from lakecast.spec import Spec
from lakecast.training.outline import Ground, Outline, outline
from lakecast.training.screen import GO_ON
from lakecast.training.train import train

GROUND = Ground(JOB.panel.info, np.concatenate([block.first for block in JOB.panel.blocks()]))


def with_train(**part: Any) -> Spec:
    return replace(JOB.spec, train=replace(JOB.spec.train, **part))


def fitted(spec: Spec, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Rows and columns of every regressor that a training fits."""
    seen: list[tuple[int, int]] = []
    made = Workbench._made

    def look(bench: Workbench, key: Any) -> Any:
        rows = made(bench, key)
        seen.append((rows.rows, len(rows.columns)))
        return rows

    monkeypatch.setattr(Workbench, "_made", look)
    train(dataclasses.replace(JOB, spec=spec))
    return seen


@pytest.mark.parametrize("lead", [1, 7, 400])
def test_rows_by_period_are_those_that_train(lead: int) -> None:
    cutoff = GROUND.info.cutoff
    counted, told = Census.take(JOB.panel, lead, cutoff), GROUND.census(lead)
    for back in (0, 1, 10, 60, 1000):
        assert told.rows(None, cutoff - back) >= counted.rows(None, cutoff - back)
        assert told.rows(cutoff - back, cutoff) >= counted.rows(cutoff - back, cutoff)
    nulls = sum(int(np.isnan(block.target).sum()) for block in JOB.panel.blocks())
    assert told.rows(None, cutoff) - counted.rows(None, cutoff) <= nulls + lead * len(GROUND.first)


def test_shared_rows_and_columns_are_those_that_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = with_train(families=("linear_regression",), strategy="recursive", search=False)
    told = outline(spec, GROUND)
    rows, columns = max(fitted(spec, monkeypatch))
    assert columns == told.columns
    assert rows <= told.shared <= 1.1 * rows


def test_the_largest_member_of_models_apart() -> None:
    info = GROUND.info
    first = np.array([info.cutoff - 99_999, *[info.cutoff - 49_999] * 2, info.cutoff - 8], np.int32)
    owners = {"loja": np.array([0, 1, -1, 2], np.int32)}
    ground = Ground(info, first, owners)
    assert ground.largest("loja") == pytest.approx(100_000 / 200_009)
    assert ground.largest("outra") == 1


def test_no_more_go_on_than_screening_lets() -> None:
    told = outline(with_train(search=True), GROUND)
    for window in range(told.windows):
        assert len([fit for fit in told.fits if fit.window == window]) >= GO_ON
        backtest = [f for f in told.fits if f.purpose == "window" and f.window == window]
        assert len(backtest) <= GO_ON
    assert len([fit for fit in told.fits if fit.purpose == "final"]) <= GO_ON
    assert {fit.window for fit in told.fits if fit.purpose == "screen"} == {0}


def test_fewer_rows_make_smaller_fits() -> None:
    whole, small = outline(JOB.spec, GROUND), outline(with_train(rows=100), GROUND)
    assert small.rows <= 100 < whole.rows
    assert small.shared < whole.shared
    assert [fit.model for fit in small.fits] == [fit.model for fit in whole.fits]


def test_a_direct_model_is_a_fit_a_group_of_horizons() -> None:
    def told(strategy: str) -> Outline:
        return outline(with_train(strategy=strategy, families=("random_forest",)), GROUND)

    horizon, season = JOB.spec.forecast.horizon, JOB.panel.info.season
    assert {fit.models for fit in told("recursive").fits} == {1}
    assert {fit.models for fit in told("direct").fits} == {-(-horizon // season)}
    assert told("direct").plans == -(-horizon // season)
