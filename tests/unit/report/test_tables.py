"""The tables, the tiles and the samples behind the page."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import polars as pl
import pytest

from lakecast.errors import LakecastError
from lakecast.report import ledger, residuals, story, tables
from lakecast.report.data import ColumnSize, Decision, Load, Money, ReportData, Rule, Stage
from lakecast.spec import loads

if TYPE_CHECKING:
    from collections.abc import Callable

    from lakecast.report.tables import Table


@pytest.fixture(scope="module")
def full(retailer: Callable[..., ReportData]) -> ReportData:
    return retailer(4)


def cells(table: Table) -> list[tuple[str, ...]]:
    return [row.cells for row in table.rows]


def board(metric: str, **figures: float | None) -> ReportData:
    text = (
        'spec = 1\n[[sources]]\ntable = "sales"\npath = "s.csv"\n[panel]\nseries = ["a"]\n'
        f'time = "t"\ntarget = "y"\n[gate]\nmetric = "{metric}"\n'
    )
    frame = pl.DataFrame(
        {
            "candidate": list(figures),
            "family": ["f"] * len(figures),
            metric: list(figures.values()),
        },
        schema_overrides={metric: pl.Float64},
    )
    decision = Decision(kind="first", champion="good", baseline="base")
    when = date(2024, 1, 1)
    return ReportData(
        spec=loads(text), cutoff=when, as_of=when, leaderboard=frame, decision=decision
    )


def test_the_leaderboard_is_ranked_and_marked(full: ReportData) -> None:
    shuffled = replace(full, leaderboard=full.leaderboard.reverse())
    table = tables.leaderboard(shuffled)
    assert [head.title for head in table.heads] == [
        "Candidate", "RMSSE", "MASE", "RMSE", "MAE", "WAPE", "Bias", "R²", "Coverage", "Gain",
    ]  # fmt: skip
    assert cells(table)[0] == (
        "Gradient boosting (direct)", "0.712", "0.726", "17.2", "7.97", "19.2%", "1.1%", "0.929",
        "80.7%", "+15.0%",
    )  # fmt: skip
    assert cells(tables.settings(shuffled))[0] == (
        "Gradient boosting (direct)", "rounds 300, leaves 31",
    )  # fmt: skip
    assert [row.mark for row in table.rows] == ["champion", *[""] * 5, *["baseline"] * 5]
    assert cells(table)[-1][0] == "Naive"


@pytest.mark.parametrize(
    ("metric", "order"),
    [("rmsse", ["good", "base", "none"]), ("r2", ["base", "good", "none"]),
     ("bias", ["good", "base", "none"])],
)  # fmt: skip
def test_ranking_follows_the_metric(metric: str, order: list[str]) -> None:
    data = board(metric, none=None, base=0.8, good=-0.1 if metric == "bias" else 0.6)
    assert tables.ranked(data)["candidate"].to_list() == order


def test_the_gain_comes_from_the_decision_else_the_leaderboard() -> None:
    data = board("rmsse", good=0.6, base=0.8)
    assert tables.champion_gain(data) == pytest.approx(0.25)
    assert tables.champion_gain(replace(data, decision=replace(data.decision, gain=0.2))) == 0.2
    assert tables.champion_gain(board("r2", good=0.6, base=0.8)) is None
    assert tables.champion_gain(board("rmsse", good=0.6, base=0.0)) is None
    assert tables.champion_gain(board("rmsse", good=None, base=0.8)) is None
    beaten = replace(data.decision, champion="base")
    assert tables.champion_gain(replace(data, decision=beaten)) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [('{"alpha": 0.1, "max_depth": 5}', "alpha 0.1, max depth 5"), ("{}", ""), (None, ""),
     ("as it is", "as it is"), ("[1]", "[1]")],
)  # fmt: skip
def test_settings(text: str | None, said: str) -> None:
    assert tables.params(text) == said


def test_errors_by_horizon_and_segment(full: ReportData) -> None:
    table = tables.horizons(full, ["gradient_boosting/direct", "weekday_mean", "unknown"])
    assert [head.title for head in table.heads] == [
        "Horizon", "Gradient boosting (direct)", "Weekday mean",
    ]  # fmt: skip
    assert [row[0] for row in cells(table)] == [str(h) for h in range(1, 29)]
    classes, departments = tables.segments(full)
    assert [row[0] for row in cells(classes)] == ["smooth", "erratic", "intermittent", "lumpy"]
    assert len(departments.rows) == 7
    assert all(len(row) == 4 and "\u2013" not in row for row in cells(classes))


def test_money_by_hand(full: ReportData) -> None:
    frame = pl.DataFrame(
        {
            "candidate": ["weekday_mean", "gradient_boosting/direct", "naive"],
            "over": [60.0, 30.0, 100.0],
            "under": [40.0, 50.0, 100.0],
        }
    )
    table = tables.money(full, Money(by_candidate=frame, currency="R$"))
    assert [[cell.replace("\u202f", "") for cell in row] for row in cells(table)] == [
        ["Gradient boosting (direct)", "R$30", "R$50", "R$80", "R$20", "+20.0%"],
        ["Weekday mean", "R$60", "R$40", "R$100", "\u2013", "\u2013"],
        ["Naive", "R$100", "R$100", "R$200", "\u2212R$100", "\u2212100%"],
    ]


def test_rules_add_up_over_loads_worst_first() -> None:
    def load(source: str, *rules: Rule) -> Load:
        return Load(table="sales", source=source, read=9, landed=9, quarantined=0, rules=rules)

    null = Rule(name="null", level="quarantine", count=2, examples=("row 1", "row 2"))
    table = ledger.rules(
        [
            load("a", null, Rule(name="negative", level="warn", count=50)),
            load("b", replace(null, count=3, examples=("row 7", "row 8"))),
            load("c", Rule(name="future", level="reject", count=1), replace(null, count=0)),
        ]
    )
    assert cells(table) == [
        ("future", "sales", "File refused", "1", ""),
        ("null", "sales", "Row set aside", "5", "row 1\nrow 2\nrow 7"),
        ("negative", "sales", "Row kept, noted", "50", ""),
    ]


def test_many_loads_are_cut_and_counted() -> None:
    given = [
        Load(table="sales", source=f"{n}.csv", read=1, landed=1, quarantined=0) for n in range(40)
    ]
    table = ledger.loads(given)
    assert (len(table.rows), table.more) == (30, 10)


def test_findings_are_grouped_with_their_series() -> None:
    frame = pl.DataFrame(
        {
            "kind": ["gaps", "gaps", "no_such_kind"],
            "series": ['{"shop": "A", "item": "x"}', '["B"]', None],
            "detail": ["3 days", None, "once"],
            "count": [3, 4, None],
        }
    )
    assert cells(ledger.findings(frame)) == [
        (
            "gaps", "7", "periods of a series without rows, filled as panel.gaps says",
            "A · x: 3 days\nB",
        ),
        ("no such kind", "1", "", "once"),
    ]  # fmt: skip
    assert ledger.series_name("not json") == "not json"
    assert ledger.series_name("7") == "7"


def test_stages_and_sizes(full: ReportData) -> None:
    stages = ledger.stages(
        [
            Stage(name="panel", seconds=2.0, cpu_seconds=3.5, peak_memory=10**9, rows=1000),
            Stage(name="train", seconds=0.0, skipped=True),
        ]
    )
    assert cells(stages) == [
        ("panel", "2.0 s", "3.5 s", "1 GB", "1,000", "500"),
        ("train", "nothing to do", "\u2013", "\u2013", "\u2013", "\u2013"),
    ]
    size = ColumnSize(table="sales", column="a", rows=10, before=80, after=20, dtype="int16")
    data = replace(full, sizes=(replace(size, column="b", after=80), size))
    assert cells(ledger.sizes(data)) == [
        ("sales.a", "int16", "8", "2", "\u221275.0%"),
        ("sales.b", "int16", "8", "8", "0.0%"),
    ]
    assert ledger.total_size(data) == (
        "All columns together take 100 B in the lake; as read they take 160 B in memory "
        "(\u221237.5%)."
    )
    assert ledger.total_size(replace(data, sizes=())) == ""


def test_the_held_back_check_by_hand() -> None:
    day = date(2024, 1, 1)
    spec = loads(
        'spec = 1\n[[sources]]\ntable = "sales"\npath = "s.csv"\n[panel]\nseries = ["a"]\n'
        'time = "t"\ntarget = "y"\n'
    )
    forecasts = pl.DataFrame(
        {
            "a": ["x", "y", "z"], "t": [day] * 3, "forecast": [10.0, 4.0, 1.0],
            "forecast-lo-80": [8.0, 3.0, 0.0], "forecast-hi-80": [12.0, 5.0, 2.0],
        }
    )  # fmt: skip
    kept = pl.DataFrame({"a": ["x", "y", "z"], "t": [day] * 3, "actual": [8, 8, None]})
    data = ReportData(spec=spec, cutoff=day, as_of=day, forecasts=forecasts, held_back=kept)
    assert story.held_back(data) == story.Check(rows=2, wape=6 / 16, bias=-2 / 16, coverage=0.5)
    bare = replace(data, forecasts=forecasts.select("a", "t", "forecast"))
    found = story.held_back(bare)
    assert found is not None
    assert found.coverage is None
    assert story.held_back(replace(data, held_back=kept.clear())) is None
    nothing_sold = kept.with_columns(actual=pl.lit(0))
    zero = story.held_back(replace(data, held_back=nothing_sold))
    assert zero is not None
    assert (zero.wape, zero.bias) == (None, None)


def test_the_verdict_is_split_into_terms(full: ReportData) -> None:
    reasons = (
        "decision    passed (first)",
        "challenger  linear_regression/direct",
        "champion    seasonal_naive",
        "rmsse       0.7 against 0.8",
        "difference  -12.5%, 95% interval -20.0% to -5.0%",
        "because  one-off; two  three",
        "a plain line",
    )
    data = replace(full, decision=replace(full.decision, reasons=reasons))
    assert story.verdict(data) == (
        ("Gate", "passed"),
        ("Candidate", "Linear regression (direct)"),
        ("Judged against", "Seasonal naive"),
        ("RMSSE", "0.700 against 0.800"),
        ("Difference", "−12.5%, 95% interval −20.0% to −5.0%"),  # noqa: RUF001
        ("Because", "one-off; two  three"),
        ("", "a plain line"),
    )


def test_residuals_by_hand() -> None:
    frame = pl.DataFrame(
        {"forecast": [2.0, 1.0, 5.0, None, float("nan")], "actual": [1.0, 3.0, 5.0, 1.0, 2.0]}
    )
    found = residuals.residuals(frame)
    assert found is not None
    assert (found["rows"], found["median"]) == (3, 0)
    assert (found["over"], found["under"]) == (pytest.approx(1 / 3), pytest.approx(1 / 3))
    assert found["points"] == [[1, 2], [3, 1], [5, 5]]
    assert not found["log"]
    assert sum(found["counts"]) + found["outside"] == 3
    assert len(found["edges"]) == len(found["counts"]) + 1
    assert residuals.residuals(frame.clear()) is None
    assert residuals.residuals(None) is None


def test_residuals_of_a_perfect_and_of_a_skewed_forecast() -> None:
    same = pl.DataFrame({"forecast": [1.0, 1.0, 900.0], "actual": [1.0, 1.0, 900.0]})
    found = residuals.residuals(same)
    assert found is not None
    assert found["log"]
    assert (max(found["counts"]), found["outside"]) == (3, 0)


def test_the_sample_is_bounded_and_spread() -> None:
    values = pl.Series(range(10_000), dtype=pl.Float64)
    found = residuals.residuals(pl.DataFrame({"forecast": values, "actual": values}).reverse())
    assert found is not None
    assert len(found["points"]) <= residuals.MOST_POINTS
    assert found["points"][0] == [0, 0]
    assert found["points"][-1][0] > 9_900


@pytest.mark.parametrize(
    ("part", "column"),
    [("leaderboard", "family"), ("by_horizon", "horizon"), ("by_segment", "value"),
     ("findings", "detail"), ("importances", "feature"), ("backtest", "actual"),
     ("forecasts", "day"), ("held_back", "category")],
)  # fmt: skip
def test_a_missing_column_is_named(part: str, column: str, full: ReportData) -> None:
    frame = getattr(full, part).drop(column)
    with pytest.raises(LakecastError, match=rf"report: {part}: lacks the column `{column}`"):
        replace(full, **{part: frame})


def test_a_missing_column_of_history_or_money_is_named(full: ReportData) -> None:
    assert full.history is not None
    with pytest.raises(LakecastError, match="report: history: lacks the column `quantity`"):
        replace(full, history=full.history.drop("quantity"))
    with pytest.raises(LakecastError, match="report: money: lacks the columns `over`, `under`"):
        replace(full, money=Money(by_candidate=pl.DataFrame({"candidate": ["a"]})))
