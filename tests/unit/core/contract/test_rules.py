"""Each rule by hand on a few rows: who breaks it, and what that leads to."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from lakecast.columns import REPAIRED, ROW
from lakecast.core.contract.judge import Facts, Judged, guess, judge
from lakecast.core.contract.names import rename
from lakecast.core.contract.plan import Plan, Writing
from lakecast.core.contract.rules import RULES, level_of
from lakecast.core.contract.settle import Settled, merge, settle
from lakecast.spec.model import Bound

NULLS = ("", "NA")


def plan(**changes: Any) -> Plan:
    given: dict[str, Any] = {
        "table": "sales",
        "required": ("p", "t", "q"),
        "filled": ("p", "t", "q"),
        "numbers": ("q", "r"),
        "time": "t",
        "target": "q",
        "writing": Writing(nulls=NULLS),
    }
    return Plan(**{**given, **changes})


def chunk(**columns: list[Any]) -> pl.DataFrame:
    size = max([len(values) for values in columns.values()], default=1)
    filled = {"p": ["a"] * size, "t": ["2024-01-01"] * size, "q": ["1"] * size, **columns}
    return pl.DataFrame({**filled, ROW: range(1, size + 1)}).with_columns(
        pl.col(ROW).cast(pl.Int64)
    )


def look(rows: pl.DataFrame, contract: Plan, **facts: Any) -> Judged:
    return judge(rows, contract, Facts(**{"textual": True, **facts}))


def broken(judged: Judged) -> dict[str, list[int]]:
    """Row numbers by rule."""
    found: dict[str, list[int]] = {}
    for finding in judged.findings:
        found.setdefault(finding.rule, []).extend(judged.raw.filter(finding.mask)[ROW].to_list())
    return found


def settled(rows: pl.DataFrame, contract: Plan, **facts: Any) -> Settled:
    return settle(look(rows, contract, **facts))


def test_a_sound_chunk_lands_whole() -> None:
    result = settled(chunk(p=["a", "b"], q=["1", "2.5"]), plan())
    assert result.kept["q"].to_list() == [1.0, 2.5]
    assert result.kept["q"].dtype == pl.Float64
    assert result.kept["t"].dtype == pl.Datetime("us", "UTC")
    assert result.apart.height == 0
    assert result.tallies == ()
    assert not result.clock


@pytest.mark.parametrize(
    ("columns", "rule", "rows"),
    [
        ({"q": ["1", "x"]}, "unparseable", [2]),
        ({"t": ["yesterday", "2024-01-01"]}, "unparseable", [1]),
        ({"r": ["1", "x"]}, "unparseable", [2]),
        ({"q": ["1", "", "NA", " "]}, "null", [2, 3, 4]),
        ({"p": ["a", None]}, "null", [2]),
        ({"q": ["inf", "1"]}, "not_finite", [1]),
        ({"r": ["inf", "-inf", "1"]}, "not_finite", [1, 2]),
        ({"t": ["1889-01-01", "2024-01-01"]}, "absurd", [1]),
        ({"t": ["2201-01-01", "2024-01-01"]}, "absurd", [1]),
        ({"t": ["2024-01-01", "2024-01-01T00:00:00Z"]}, "mixed_timezone", [2]),
        ({"t": ["2024-01-01T00:00:00Z", "2024-01-01"]}, "mixed_timezone", [2]),
    ],
)
def test_quarantined_by_default(columns: dict[str, list[Any]], rule: str, rows: list[int]) -> None:
    judged = look(chunk(**columns), plan())
    assert broken(judged) == {rule: rows}
    result = settle(judged)
    assert result.apart[ROW].to_list() == rows
    assert result.apart["rules"].to_list() == [rule] * len(rows)
    assert result.kept.height + result.apart.height == judged.raw.height


def test_nan_is_not_finite_where_it_must_be_filled_and_null_elsewhere() -> None:
    rows = chunk(q=[1.0, math.nan], r=[math.nan, 1.0])
    judged = look(rows, plan(), textual=False)
    assert broken(judged) == {"not_finite": [2]}
    assert judged.values["r"].to_list() == [None, 1.0]


def test_numbers_whose_sum_overflows_are_finite() -> None:
    judged = look(chunk(q=[1.5e308, 1.5e308]), plan(), textual=False)
    assert broken(judged) == {}
    assert judged.values["q"].to_list() == [1.5e308, 1.5e308]


def test_a_row_is_quarantined_once_with_all_its_rules_and_its_original_text() -> None:
    rows = chunk(p=[""], t=["x"], q=['a"b'], r=["1,5"])
    result = settled(rows, plan())
    assert result.apart.height == 1
    row = result.apart.row(0, named=True)
    assert set(row["rules"].split(",")) == {"unparseable", "null"}
    assert json.loads(row["raw"]) == {"p": "", "t": "x", "q": 'a"b', "r": "1,5"}
    assert 'unparseable q=a"b' in row["detail"]
    assert "null p=" in row["detail"]


def test_repair_empties_what_may_be_empty_and_keeps_the_old_text() -> None:
    contract = plan(levels={"unparseable": "repair"}, numbers=("q", "r", "s"))
    rows = chunk(q=["1", "x", "3"], r=["x", "1", "2"], s=["5", "6", 'é"'])
    result = settled(rows, contract)
    assert result.kept[ROW].to_list() == [1, 3]
    assert result.kept["r"].to_list() == [None, 2.0]
    assert [json.loads(text) for text in result.kept[REPAIRED]] == [{"r": "x"}, {"s": 'é"'}]
    assert result.repaired == 2
    assert result.apart[ROW].to_list() == [2]


def test_two_repairs_of_a_row_are_both_told() -> None:
    contract = plan(levels={"unparseable": "repair"}, numbers=("q", "r", "s"))
    result = settled(chunk(r=["x"], s=["y"]), contract)
    assert json.loads(result.kept[REPAIRED][0]) == {"r": "x", "s": "y"}


def test_warn_counts_only() -> None:
    contract = plan(levels={"absurd": "warn"})
    result = settled(chunk(t=["1889-01-01"]), contract)
    assert result.kept.height == 1
    assert [(t.rule, t.level, t.count) for t in result.tallies] == [("absurd", "warn", 1)]


def test_no_level_lets_a_hole_pass() -> None:
    contract = plan(levels={"unparseable": "warn", "null": "warn", "not_finite": "repair"})
    result = settled(chunk(q=["x", "", "inf", "1"]), contract)
    assert result.kept[ROW].to_list() == [4]


@pytest.mark.parametrize(
    ("negative", "kept", "level"),
    [("net", 2, "warn"), ("drop", 0, "quarantine"), ("refuse", 0, "reject")],
)
def test_negatives_and_cancellations(negative: str, kept: int, level: str) -> None:
    contract = plan(negative=negative, cancelled={"p": "C"})
    result = settled(chunk(p=["a", "C1"], q=["-1", "2"]), contract)
    assert result.kept.height == kept
    assert {(t.rule, t.level, t.count) for t in result.tallies} == {
        ("negative", level, 1),
        ("cancelled", level, 1),
    }


def test_the_future_is_judged_only_against_an_as_of() -> None:
    rows = chunk(t=["2024-01-01", "2024-01-02", "2024-01-03"])
    assert broken(look(rows, plan())) == {}
    as_of = datetime(2024, 1, 2, tzinfo=UTC)
    assert broken(look(rows, plan(), as_of=as_of)) == {"future": [3]}


def test_a_source_that_states_the_future_may() -> None:
    rows = chunk(t=["2024-01-01", "2024-01-03"])
    moment = datetime(2024, 1, 2, tzinfo=UTC)
    assert broken(look(rows, plan(ahead=True), as_of=moment)) == {}


def test_bytes_and_durations_land_as_texts() -> None:
    rows = chunk(b=[b"P\xc3\xa3o", b"\xff", None], d=[timedelta(hours=1), None, timedelta(days=2)])
    kept = settled(rows, plan(), textual=False).kept
    assert kept["b"].to_list() == ["P\u00e3o", "\\xff", None]
    assert kept["d"].to_list() == ["PT1H", None, "P2D"]


def test_an_as_of_without_a_zone_is_in_the_panels() -> None:
    contract = plan(zone="America/Sao_Paulo", writing=Writing(timezone="America/Sao_Paulo"))
    rows = chunk(t=["2024-01-02 00:00", "2024-01-02 00:01"])
    assert broken(look(rows, contract, as_of=datetime(2024, 1, 2))) == {"future": [2]}  # noqa: DTZ001


@pytest.mark.parametrize(
    ("bound", "rows"),
    [
        (Bound(minimum=1), [1, 2]),
        (Bound(maximum=1), [4]),
        (Bound(above=1), [1, 2, 3]),
        (Bound(minimum=0, maximum=1), [1, 4]),
    ],
)
def test_bounds(bound: Bound, rows: list[int]) -> None:
    found = broken(look(chunk(r=["-1", "0", "1", "2"]), plan(bounds={"r": bound})))
    assert found == {"out_of_range": rows}


def test_a_bound_has_its_own_level() -> None:
    contract = plan(bounds={"r": Bound(above=0, level="repair")})
    result = settled(chunk(r=["0", "1"]), contract)
    assert result.kept["r"].to_list() == [None, 1.0]
    contract = plan(bounds={"q": Bound(above=0, level="repair")})
    assert settled(chunk(q=["0", "1"]), contract).kept[ROW].to_list() == [2]


def test_a_null_is_outside_no_bound() -> None:
    assert broken(look(chunk(r=["", "1"]), plan(bounds={"r": Bound(above=0)}))) == {}


def test_texts_mean_null_everywhere_in_a_csv_and_nowhere_in_typed_texts() -> None:
    rows = chunk(p=["NA"], other=["NA"])
    assert broken(look(rows, plan())) == {"null": [1]}
    judged = look(rows, plan(), textual=False)
    assert broken(judged) == {}
    assert judged.values["other"].to_list() == ["NA"]


def test_the_zone_of_the_first_chunk_counts_for_the_next() -> None:
    first = look(chunk(t=["2024-01-01T00:00:00Z"]), plan())
    assert first.aware is True
    assert broken(look(chunk(t=["2024-01-01"]), plan(), aware=first.aware)) == {
        "mixed_timezone": [1]
    }


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "2.5", ""], "number"),
        (["1"] * 19 + ["x"], "number"),
        (["sim", "não"], "boolean"),
        (["a", "1"], "text"),
        ([True, None], "boolean"),
        ([1, 2], "number"),
    ],
)
def test_kinds_of_covariates(values: list[Any], kind: str) -> None:
    contract = plan(guessed=("c",))
    assert guess(chunk(c=values), contract) == {"c": kind}


def test_guessed_covariates_are_read_and_judged() -> None:
    contract = plan(guessed=("c", "d"))
    rows = chunk(c=["1", "x"], d=["sim", "não"])
    judged = look(rows, contract, kinds={"c": "number", "d": "boolean"})
    assert broken(judged) == {"unparseable": [2]}
    assert judged.values["d"].to_list() == [True, False]


def test_examples_are_the_first_five_rows() -> None:
    result = settled(chunk(q=["x"] * 7), plan())
    assert [example.row for example in result.tallies[0].examples] == [1, 2, 3, 4, 5]
    assert result.tallies[0].examples[0].value == "x"
    both = merge([*result.tallies, *result.tallies])
    assert both[0].count == 14
    assert len(both[0].examples) == 5


def test_the_input_is_not_modified() -> None:
    rows = chunk(q=["x", ""], r=["1", "2"])
    before = rows.clone()
    settled(rows, plan())
    assert rows.equals(before)


def test_every_rule_says_what_and_how_to_cure() -> None:
    for name, rule in RULES.items():
        assert name == rule.name
        assert rule.description.endswith(".")
        assert rule.cure
        assert level_of(name, plan()) in ("reject", "quarantine", "repair", "warn")


def test_repeated_keys_that_are_summed_are_only_counted() -> None:
    assert level_of("repeated_key", plan()) == "quarantine"
    assert level_of("repeated_key", plan(repeated="sum")) == "warn"


@pytest.mark.parametrize(
    ("declared", "found", "renames"),
    [
        (["data_venda"], ["Data Venda"], {"Data Venda": "data_venda"}),
        (["categoria"], ["Catégoria"], {"Catégoria": "categoria"}),
        (["q"], ["q", "Q"], {}),
        (["q"], ["Q", "q "], {}),
        (["Quantity"], ["quantity", "x"], {"quantity": "Quantity"}),
        (["a"], ["b"], {}),
    ],
)
def test_names_that_nearly_match(
    declared: list[str], found: list[str], renames: dict[str, str]
) -> None:
    assert rename(declared, found) == renames


def test_a_plans_hash_follows_what_decides_what_lands() -> None:
    same = plan().digest()
    assert plan().digest() == same
    changes = [
        {"earliest": date(2000, 1, 1)},
        {"writing": Writing(decimal=",", nulls=NULLS)},
        {"bounds": {"r": Bound(above=0)}},
        {"levels": {"null": "reject"}},
        {"row_key": ("p",)},
    ]
    assert len({plan(**change).digest() for change in changes} | {same}) == len(changes) + 1
