"""Buckets, codes and the statics that join covariates."""

from __future__ import annotations

import polars as pl
from tests.raw_panels import spec_of

from lakecast.core.panel.plan import resolve
from lakecast.core.panel.roster import ambiguous, buckets_of, divided, parts_of, roster

PLAN = resolve(
    spec_of(
        sources="""
[[sources]]
table = "clima"
path = "c.csv"
on = ["cidade"]
time = "dia"
columns.chuva = { role = "known-future" }
"""
    ),
    {
        "sales": {
            "loja": pl.String(),
            "data": pl.Date(),
            "quantidade": pl.Float64(),
            "cidade": pl.String(),
        },
        "clima": {"cidade": pl.String(), "dia": pl.Date(), "chuva": pl.Float64()},
    },
)


def combinations(*rows: tuple[str, str | None, int]) -> pl.DataFrame:
    return pl.DataFrame(
        rows, schema={"loja": pl.String, "cidade": pl.String, "first": pl.Int32}, orient="row"
    )


def test_buckets_are_golden() -> None:
    # A change of these numbers moves every series of every lake there is.
    frame = pl.DataFrame({"a": ["S", None], "b": ["0012", None]})
    assert buckets_of(frame, ["a", "b"], 1000).tolist() == [180, 785]
    texts = pl.DataFrame({"a": ["centro", "ação", "12"]})
    assert buckets_of(texts, ["a"], 1000).tolist() == [609, 407, 77]
    assert buckets_of(pl.DataFrame({"a": [12]}), ["a"], 1000).tolist() == [77]
    assert buckets_of(texts, ["a"], 8).tolist() == [1, 7, 5]


def test_codes_follow_the_sorted_series() -> None:
    found = roster(combinations(("c", "x", 1), ("a", "x", 1), ("b", "y", 1)), PLAN, None, 4)
    assert found["loja"].to_list() == ["a", "b", "c"]
    assert found["series_code"].to_list() == [0, 1, 2]
    assert found["series_code"].dtype == pl.Int32
    assert found["bucket"].to_list() == buckets_of(found, ["loja"], 4).tolist()


def test_known_series_keep_their_codes_and_new_ones_follow() -> None:
    known = pl.DataFrame(
        {"loja": ["b", "d"], "series_code": [4, 2]}, schema_overrides={"series_code": pl.Int32}
    )
    found = roster(
        combinations(("c", "x", 1), ("a", "x", 1), ("b", "y", 1), ("d", "x", 1)), PLAN, known, 4
    )
    assert dict(found.select("loja", "series_code").iter_rows()) == {"a": 5, "b": 4, "c": 6, "d": 2}


def test_a_static_with_several_values_is_the_earliest_then_the_smallest() -> None:
    seen = combinations(("a", "y", 5), ("a", "x", 5), ("a", "b", 6), ("b", None, 1), ("b", "w", 9))
    found = roster(seen, PLAN, None, 4)
    assert found["cidade"].to_list() == ["x", "w"]
    assert ambiguous(seen, PLAN).rows() == [("ambiguous", "cidade", 1)]


def test_a_static_that_is_never_known_is_null() -> None:
    found = roster(combinations(("a", None, 5)), PLAN, None, 4)
    assert found["cidade"].to_list() == [None]
    assert ambiguous(combinations(("a", None, 5)), PLAN).is_empty()


def test_a_bucket_is_divided_between_series_by_the_rows_they_may_have() -> None:
    seen = combinations(("a", "x", 1), ("b", "x", 51), ("c", "y", 51), ("c", "x", 99))
    found = divided(roster(seen, PLAN, None, 1), seen, PLAN, cutoff=200, rows=300)
    assert found["_part"].to_list() == [0, 0, 1]  # 200 + 150 rows, then 150
    assert parts_of(found, [0]) == {0: [0, 1]}
    alone = divided(roster(seen, PLAN, None, 1), seen, PLAN, cutoff=200, rows=1)
    assert alone["_part"].to_list() == [0, 1, 2]


def test_many_short_series_do_not_share_a_part() -> None:
    seen = combinations(*((shop, "x", 10) for shop in "abcde"))
    found = divided(roster(seen, PLAN, None, 1), seen, PLAN, cutoff=10, rows=128)
    assert found["_part"].to_list() == [0, 0, 1, 1, 2]


def test_parts_are_numbered_bucket_after_bucket_by_code() -> None:
    known = pl.DataFrame(
        {"loja": ["h", "g"], "series_code": [0, 1]}, schema_overrides={"series_code": pl.Int32}
    )
    seen = combinations(*((shop, "x", 1) for shop in "abcdefgh"))
    found = divided(roster(seen, PLAN, known, 3), seen, PLAN, cutoff=10, rows=128)
    ordered = found.sort("bucket", "series_code")
    numbers = ordered["_part"].to_list()
    assert numbers == sorted(numbers)
    assert all(len(set(part["bucket"])) == 1 for _, part in ordered.group_by("_part"))
    assert ordered.group_by("_part").len()["len"].max() == 2


def test_a_bucket_without_series_has_a_part_that_nothing_is_in() -> None:
    seen = combinations(("a", "x", 1))
    found = divided(roster(seen, PLAN, None, 8), seen, PLAN, cutoff=1, rows=5)
    (own,) = found["bucket"]
    parts = parts_of(found, range(8))
    assert parts == {bucket: [0 if bucket == own else -1] for bucket in range(8)}
