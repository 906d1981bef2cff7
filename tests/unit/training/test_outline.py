"""The outline of a training tells what the training then does."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import polars as pl
import pytest
from msgspec.structs import replace
from tests.unit.training.stage import SERIES
from tests.unit.training.test_train import JOB

from lakecast.models.groups import Groups
from lakecast.models.rows import Census
from lakecast.models.workbench import Workbench
from lakecast.spec import Spec
from lakecast.training.bench import splits_from
from lakecast.training.hierarchy import by_code
from lakecast.training.outline import LEVELS, Fit, Ground, Outline, outline
from lakecast.training.screen import GO_ON
from lakecast.training.train import train

GROUND = Ground(JOB.panel.info, np.concatenate([block.first for block in JOB.panel.blocks()]))
STATES = pl.DataFrame(
    {"series_code": range(SERIES), "uf": [("SP", "RJ")[i % 2] for i in range(SERIES)]}
)
TREE = by_code(STATES, [(), ("uf",)])
WITH_LEVELS = dataclasses.replace(GROUND, tree=TREE)


def with_train(**part: Any) -> Spec:
    return replace(JOB.spec, train=replace(JOB.spec.train, **part))


def watched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Rows and columns of every regressor that is fit from now on."""
    seen: list[tuple[int, int]] = []
    made = Workbench._made

    def look(bench: Workbench, key: Any) -> Any:
        rows = made(bench, key)
        seen.append((rows.rows, len(rows.columns)))
        return rows

    monkeypatch.setattr(Workbench, "_made", look)
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
    seen = watched(monkeypatch)
    train(dataclasses.replace(JOB, spec=spec))
    rows, columns = max(seen)
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


def above(spec: Spec) -> list[Fit]:
    return [fit for fit in outline(spec, WITH_LEVELS).fits if fit.model == LEVELS]


def test_the_learner_of_the_levels_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    *windows, final = above(JOB.spec)
    assert [fit.window for fit in windows] == list(range(outline(JOB.spec, GROUND).windows))
    assert (final.purpose, final.window, final.models) == ("final", None, 1)

    cutoffs = [
        split.cutoff
        for split in splits_from(int(GROUND.first.min()), GROUND.info, JOB.spec).windows
    ]
    cutoffs.append(GROUND.info.cutoff)
    groups = Groups.of(JOB.panel, TREE, JOB.spec)
    assert groups is not None
    assert final.rounds == groups.recipe.params["num_iterations"]
    seen = watched(monkeypatch)
    for told, cutoff in zip([*windows, final], cutoffs, strict=True):
        groups.bench([cutoff]).fit(groups.recipe, cutoff)
        rows, columns = seen.pop()
        assert rows <= told.rows <= 1.1 * rows
        # That each series has promotions of its own shows only where they are read.
        assert columns == told.columns - len(GROUND.info.known_future)


def test_what_the_series_fits_share_is_not_changed_by_levels() -> None:
    with_levels, without = outline(JOB.spec, WITH_LEVELS), outline(JOB.spec, GROUND)
    assert len(with_levels.fits) > len(without.fits)
    assert dataclasses.replace(with_levels, fits=without.fits) == without


@pytest.mark.parametrize("why", ["added up", "too many groups"])
def test_no_learner_of_levels_is_told_where_none_is_fit(
    why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if why == "added up":
        spec = replace(JOB.spec, hierarchy=replace(JOB.spec.hierarchy, method="bottom_up"))
    else:
        spec = JOB.spec
        monkeypatch.setattr("lakecast.models.groups.MOST", 10)
    assert above(spec) == []
