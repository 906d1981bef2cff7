"""The summary of all rows: the same however they come in pieces, and however they are piled."""

from __future__ import annotations

from functools import reduce

import polars as pl
import pytest

from lakecast.core.panel import survey as surveys
from lakecast.core.panel.keys import interned
from lakecast.core.panel.roster import buckets_of
from lakecast.core.panel.rows import COUNTS
from lakecast.core.panel.survey import Pile, Survey, merge_surveys


def survey(series: str, first: int) -> Survey:
    names = list(series)
    return Survey(
        periods=pl.DataFrame(
            {"_period": [first], "rows": [len(names)], "last": [first % 3]},
            schema={"_period": pl.Int32, "rows": pl.Int64, "last": pl.Int64},
        ),
        series=interned(
            pl.DataFrame({"loja": names, "first": first, "_low": 5 - first, "_high": first}),
            ["loja"],
        ),
        loads=pl.DataFrame({"bucket": [first % 2], "_load": ["L"]}),
        texts=pl.DataFrame(schema={"column": pl.String, "text": pl.String, "first": pl.Int32}),
        counts=pl.DataFrame([("no_time", "", 1)], schema=COUNTS, orient="row"),
        kinds=pl.Schema({"loja": pl.String()}),
    )


PIECES = [survey("ab", 3), survey("b", 1), survey("ca", 2), survey("d", 3), survey("ad", 0)]


def told(found: Survey) -> list[list[tuple[object, ...]]]:
    frames = (found.periods, found.series.sort("loja"), found.loads, found.texts, found.counts)
    return [frame.rows() for frame in frames]


@pytest.mark.parametrize("few", [1, 3, 100])
def test_a_pile_holds_what_merging_one_by_one_gives(
    monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(surveys, "_PILE", few)
    piled = reduce(Pile.add, [Pile(piece) for piece in PIECES]).merged()
    assert told(piled) == told(reduce(merge_surveys, PIECES).told())
    assert piled.series.sort("loja").rows() == [
        ("a", 0, 2, 3), ("b", 1, 2, 3), ("c", 2, 3, 2), ("d", 0, 2, 3),
    ]  # fmt: skip


def test_a_pile_waits_until_it_is_worth_merging(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surveys, "_PILE", 3)
    some = Pile(PIECES[0]).add(Pile(PIECES[1]))
    assert len(some.waiting) == 1
    assert not some.add(Pile(PIECES[2])).waiting


def test_touched_buckets_are_those_of_all_series_however_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(surveys, "_ENOUGH", 2)
    series = pl.DataFrame({"loja": [f"s{n}" for n in range(40)]})
    for buckets in (1, 7, 200):
        coded = interned(series, ["loja"])
        found = surveys._touched(coded, series.schema, ["loja"], buckets)["bucket"].to_list()
        assert found == sorted(set(buckets_of(series, ["loja"], buckets).tolist()))


def test_what_tells_nothing_new_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surveys, "_PILE", 2)
    settled = Pile(survey("ab", 3)).add(Pile(survey("abc", 2)))
    told = settled.add(Pile(survey("abd", 2))).add(Pile(survey("a", 1)))
    assert [waits.series["loja"].to_list() for waits in told.waiting] == [["d"], ["a"]]


def test_many_that_wait_wait_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surveys, "_MANY", 3)
    some = reduce(Pile.add, [Pile(piece) for piece in PIECES[:4]])
    assert len(some.waiting) == 1
    assert told(some.add(Pile(PIECES[4])).merged()) == told(reduce(merge_surveys, PIECES).told())
