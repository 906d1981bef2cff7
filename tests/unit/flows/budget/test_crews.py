"""Predictions for a cluster: this process, each worker, and what fits into either."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.unit.flows.budget.test_budget import GB, LARGE, SMALL, SPEC, STAGES

from lakecast.engines.protocol import Footprint
from lakecast.errors import UsageError
from lakecast.flows.budget.facts import Crew
from lakecast.flows.budget.resolve import LEAST_ROWS, predict
from lakecast.spec.model import Hierarchy

if TYPE_CHECKING:
    from lakecast.flows.budget.facts import Facts
    from lakecast.flows.budget.needs import Need
    from lakecast.flows.budget.resolve import Prediction

MB = 10**6


def crew(workers: int = 2, **changes: Any) -> Crew:
    together = changes.pop("together", False)
    told = {"service": 300 * MB, "worker": 50 * MB, "whole": False, **changes}
    return Crew(workers=workers, footprint=Footprint(**told), together=together)


def on(facts: Facts, **changes: Any) -> Facts:
    made = crew(**changes)
    return replace(facts, crew=made, threads=made.workers)


def need(found: Prediction, stage: str) -> Need:
    one = found.need(stage)
    assert one is not None
    return one


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("budget", [4 * GB, 6 * GB, 12 * GB])
def test_all_processes_go_into_the_budget(budget: int, whole: bool, together: bool) -> None:
    found = predict(on(LARGE, whole=whole, together=together), SPEC, budget)
    found.check(STAGES)
    for one in found.needs:
        assert one.memory <= budget
        assert one.memory == one.here + one.beside * one.worker
    assert LEAST_ROWS < found.rows <= SPEC.train.rows


def test_every_stage_but_ingest_has_workers() -> None:
    found = predict(on(SMALL), SPEC, 8 * GB)
    assert [one.stage for one in found.needs if one.workers] == STAGES[1:]
    assert need(found, "train").worker > need(found, "report").worker


def test_more_workers_in_the_same_budget_train_fewer_rows_each() -> None:
    rows = [predict(on(LARGE, workers=n), SPEC, 6 * GB).rows for n in (1, 2, 4)]
    assert rows == sorted(rows, reverse=True)
    assert rows[-1] < rows[0]


def test_together_they_train_more_than_any_of_them() -> None:
    apart = predict(on(LARGE, workers=2), SPEC, 5 * GB)
    together = predict(on(LARGE, workers=2, together=True), SPEC, 5 * GB)
    assert apart.rows < together.rows


def test_what_is_held_whole_is_counted() -> None:
    """Dask's worker holds all of a bucket, and the matrix of its share."""
    pieces = predict(on(LARGE, together=True, room=64 * GB), SPEC, 16 * GB)
    whole = predict(on(LARGE, together=True, room=64 * GB, whole=True), SPEC, 16 * GB)
    assert whole.rows == pieces.rows
    fits = [fit for fit in whole.fits if fit.purpose == "final"]
    cells = max(fit.rows for fit in fits) // 2 * max(fit.columns for fit in fits)
    more = need(whole, "train").worker - need(pieces, "train").worker
    assert more == pytest.approx(2 * 4 * cells, rel=1e-3)
    assert need(whole, "panel").each["parts"] > need(pieces, "panel").each["parts"]


def test_levels_are_forecast_here() -> None:
    levels = msgspec.structs.replace(SPEC, hierarchy=Hierarchy(levels=((),)))
    here = need(predict(on(SMALL), levels, 8 * GB), "forecast").parts
    assert "state" in here
    assert "state" not in need(predict(on(SMALL), SPEC, 8 * GB), "forecast").parts


def test_workers_of_a_cluster_joined_have_a_room_of_their_own() -> None:
    large = predict(on(LARGE, workers=16, room=64 * GB), SPEC, 4 * GB)
    assert large.spec == SPEC, "all rows go into a worker"
    large.check(STAGES)
    assert need(large, "train").beside == 0
    small = predict(on(LARGE, workers=16, room=GB // 2), SPEC, 4 * GB)
    with pytest.raises(UsageError, match=r"workers have 500 MB each: `\w+` takes"):
        small.check(STAGES)


def test_a_budget_too_small_for_all_says_what_would_do() -> None:
    found = predict(on(LARGE, workers=4), SPEC, 2 * GB)
    with pytest.raises(UsageError, match="too little") as refused:
        found.check(STAGES)
    assert "--workers 1" in refused.value.cure


def test_it_is_told_as_json() -> None:
    told = predict(on(SMALL), SPEC, 8 * GB).to_dict()
    train = next(one for one in told["stages"] if one["stage"] == "train")
    assert train["workers"] == train["beside"] == 2
    assert train["worker"] == sum(train["each"].values())
    assert train["memory"] == sum(train["parts"].values()) + 2 * train["worker"]
