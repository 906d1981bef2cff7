"""Promotions on a real Delta table in a folder, and what happens when others write too."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from lakecast.errors import Conflict, GateNotPassed, LakecastError, UsageError
from lakecast.lake.store import Store
from lakecast.lake.tables import Lake, Table
from lakecast.registry.promotions import (
    TABLE,
    Promotion,
    Proposal,
    champion,
    history,
    promote,
    rollback,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return Lake(Store.open(tmp_path)).table(TABLE)


def proposal(name: str, kind: Any = "replacement", **more: Any) -> Proposal:
    given = {
        "recipe": f"recipe-{name}",
        "fingerprint": f"print-{name}",
        "cutoff": "2026-02-28",
        "model_version": name,
        "figures": {"rmsse": 0.5},
    }
    return Proposal(kind=kind, **{**given, **more})


def put(table: Any, name: str, kind: Any = "replacement") -> Promotion:
    now = champion(table)
    replacing = None if now is None else now.version
    return promote(table, proposal(name, kind), replacing=replacing, by="ana", at=AT)


class Meddled:
    """A table where others commit just before we do, as often as given."""

    def __init__(self, table: Table, *meddlers: Callable[[], object]) -> None:
        self.table = table
        self.meddlers = list(meddlers)
        self.commits = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.table, name)

    def commit(self, **change: Any) -> bool:
        self.commits += 1
        if self.meddlers:
            self.meddlers.pop(0)()
        return self.table.commit(**change)


def test_without_a_table_there_is_no_champion(table: Table) -> None:
    assert champion(table) is None
    assert history(table) == ()
    assert not table.exists()


def test_a_row_comes_back_as_it_was_written(table: Table) -> None:
    local = datetime(2026, 3, 1, 9, tzinfo=timezone(timedelta(hours=-3)))
    first = proposal("1", "first", figures={"rmsse": 0.5, "by_class": {"smooth": [1, 2.5]}})
    made = promote(table, first, replacing=None, by="ana", at=local)
    assert champion(table) == made
    assert (made.version, made.previous, made.by, made.at) == (1, None, "ana", AT)
    assert made.figures["by_class"] == {"smooth": [1, 2.5]}
    columns = table.scan().collect_schema()
    assert columns["at"] == pl.Datetime("us", "UTC")
    assert columns["previous"] == pl.Int64


def test_figures_without_a_value_become_null(table: Table) -> None:
    promote(
        table,
        proposal("1", figures={"mase": float("nan"), "gain": [float("inf"), 1.0]}),
        replacing=None,
        by="ana",
        at=AT,
    )
    stored = table.scan().collect()["figures"][0]
    assert json.loads(stored) == {"gain": [None, 1.0], "mase": None}


def test_the_last_row_is_champion(table: Table) -> None:
    put(table, "1", "first")
    second = put(table, "2")
    assert champion(table) == second
    assert second.previous == 1
    assert [row.model_version for row in history(table)] == ["1", "2"]


def test_the_same_model_again_is_no_second_promotion(table: Table) -> None:
    first = put(table, "1", "first")
    again = promote(table, proposal("1", "first"), replacing=None, by="bia", at=AT)
    assert again == first
    assert len(history(table)) == 1


def test_a_champion_that_changed_since_the_gate_is_not_replaced(table: Table) -> None:
    put(table, "1", "first")
    put(table, "2")
    with pytest.raises(GateNotPassed, match="promotion 2 by ana is champion, not 1"):
        promote(table, proposal("3"), replacing=1, by="bia", at=AT)
    assert len(history(table)) == 2


def test_a_first_promotion_needs_that_there_is_no_champion(table: Table) -> None:
    put(table, "1", "first")
    with pytest.raises(GateNotPassed, match="not none"):
        promote(table, proposal("2", "first"), replacing=None, by="bia", at=AT)


def test_a_champion_that_vanished_is_not_replaced(table: Table) -> None:
    with pytest.raises(GateNotPassed, match="there is no champion"):
        promote(table, proposal("2"), replacing=4, by="bia", at=AT)


def test_another_promotion_in_the_same_moment_wins_and_ours_is_refused(table: Table) -> None:
    put(table, "1", "first")
    racing = Meddled(table, lambda: put(table, "2"))
    with pytest.raises(GateNotPassed, match="promotion 2"):
        promote(racing, proposal("3"), replacing=1, by="bia", at=AT)
    assert [row.model_version for row in history(table)] == ["1", "2"]


def test_a_commit_that_changes_no_champion_is_only_a_reason_to_try_again(table: Table) -> None:
    put(table, "1", "first")

    def compact() -> None:
        data = table.scan().head(0).collect().to_arrow(compat_level=pl.CompatLevel.oldest())
        table.commit(add=[table.stage(data)], schema=data.schema, fingerprint="nothing new")

    racing = Meddled(table, compact, compact)
    made = promote(racing, proposal("2"), replacing=1, by="bia", at=AT)
    assert champion(table) == made
    assert racing.commits == 3


def test_endless_conflicts_end(table: Table) -> None:
    class Losing(Meddled):
        def commit(self, **change: Any) -> bool:
            del change
            raise Conflict("somebody was faster")

    with pytest.raises(Conflict, match="kept changing"):
        promote(Losing(table), proposal("1"), replacing=None, by="ana", at=AT)


def test_rollback_returns_to_the_one_before_and_again_one_further(table: Table) -> None:
    for name in ("1", "2", "3"):
        put(table, name)
    back = rollback(table, by="bia", at=AT)
    assert (back.model_version, back.recipe, back.fingerprint) == ("2", "recipe-2", "print-2")
    assert (back.kind, back.version, back.previous, back.by) == ("rollback", 4, 1, "bia")
    assert champion(table) == back
    assert rollback(table, by="bia", at=AT).model_version == "1"
    with pytest.raises(UsageError, match="no earlier champion"):
        rollback(table, by="bia", at=AT)


def test_after_a_rollback_the_next_promotion_rolls_back_to_it(table: Table) -> None:
    for name in ("1", "2"):
        put(table, name)
    rollback(table, by="bia", at=AT)
    put(table, "3")
    assert rollback(table, by="bia", at=AT).model_version == "1"


def test_rollback_needs_a_champion(table: Table) -> None:
    with pytest.raises(UsageError) as caught:
        rollback(table, by="bia", at=AT)
    assert caught.value.exit_code == 2
    assert caught.value.cure


def test_a_rollback_overtaken_by_a_promotion_takes_nothing_away(table: Table) -> None:
    for name in ("1", "2"):
        put(table, name)
    racing = Meddled(table, lambda: put(table, "3"))
    with pytest.raises(GateNotPassed):
        rollback(racing, by="bia", at=AT)
    now = champion(table)
    assert now is not None
    assert now.model_version == "3"


def test_a_table_of_another_shape_is_refused(table: Table) -> None:
    other = pl.DataFrame({"version": ["one"]}).to_arrow(compat_level=pl.CompatLevel.oldest())
    table.commit(add=[table.stage(other)], schema=other.schema, fingerprint="x")
    with pytest.raises(LakecastError, match="columns are") as caught:
        promote(table, proposal("1"), replacing=None, by="ana", at=AT)
    assert "another version" in caught.value.cure
