"""What the panel notices about rows and series."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
import pytest
from tests.raw_panels import Whole, spec_of, whole_panel

from lakecast.columns import CODE
from lakecast.core.panel.findings import FINDINGS, KINDS, inactive, no_sale, summary, together
from lakecast.core.panel.plan import resolve

DAY = date(2024, 1, 1)
SALES = {"data": pl.Date(), "quantidade": pl.Float64()}


def rows(**series: list[tuple[int, float]]) -> pl.DataFrame:
    return pl.DataFrame(
        [(s, DAY + timedelta(days=d), v) for s, sold in series.items() for d, v in sold],
        schema=["loja", "data", "quantidade"],
        orient="row",
    )


def every(days: int, step: int = 1, start: int = 0) -> list[tuple[int, float]]:
    return [(d, 1.0 + d % 3) for d in range(start, days, step)]


def panel(frame: pl.DataFrame, **spec: str) -> Whole:
    return whole_panel(spec_of(**spec), {"sales": frame})


def test_a_healthy_panel_has_no_findings() -> None:
    assert panel(rows(a=every(40), b=every(40))).findings.is_empty()


@pytest.mark.parametrize(
    ("kind", "sold", "count"),
    [
        ("gaps", [*every(30), *every(40, start=33)], 3),
        ("short", every(40, start=30), 10),
        ("constant", [(d, 2.0) for d in range(40)], 40),
        ("ended", every(11), 29),
        ("no_sale", [(3, 0.0)], 1),
    ],
)
def test_an_odd_series_is_named(kind: str, sold: list[tuple[int, float]], count: int) -> None:
    whole = panel(rows(a=every(40), odd=sold))
    assert [(series, n) for series, _, n in whole.found(kind)] == [('{"loja":"odd"}', count)]


def test_a_series_that_sells_rarely_has_not_ended() -> None:
    monthly = [(d, 1.0) for d in range(0, 100, 30)]
    assert panel(rows(a=every(106), rare=monthly)).found("ended") == []


def test_inactive_series_are_left_out_and_counted() -> None:
    frame = rows(a=every(40), rare=[(0, 1.0), (20, 1.0), (39, 1.0)])
    whole = panel(frame, panel="min_active = 0.5")
    assert whole.series["loja"].to_list() == ["a"]
    assert whole.found("inactive") == [('{"loja":"rare"}', "7.5% of its periods have sales", 1)]
    assert whole.named()["loja"].unique().to_list() == ["a"]


def test_activity_is_judged_by_rows_up_to_the_cutoff() -> None:
    late = [(39, 1.0), (45, 1.0)]
    from datetime import datetime

    end = datetime(2024, 2, 10)  # noqa: DTZ001
    whole = whole_panel(
        spec_of(panel="min_active = 1.0"), {"sales": rows(a=every(50), b=late)}, as_of=end
    )
    assert whole.series["loja"].sort().to_list() == ["a", "b"]


def test_excluded_values_are_counted_one_by_one() -> None:
    frame = rows(a=every(40), x=every(7), y=every(9))
    whole = panel(frame, panel='exclude = { loja = ["x", "y", "z"] }')
    assert whole.series["loja"].to_list() == ["a"]
    assert whole.found("excluded") == [(None, "loja = x", 7), (None, "loja = y", 9)]


def test_rows_without_time_or_series_are_counted() -> None:
    frame = pl.concat(
        [
            rows(a=every(40)),
            pl.DataFrame({"loja": ["a", None], "data": [None, DAY], "quantidade": [1.0, 1.0]}),
        ]
    )
    whole = panel(frame)
    assert (whole.found("no_time"), whole.found("no_series")) == ([(None, "", 1)], [(None, "", 1)])


def test_an_unfinished_last_week_is_named_with_its_rows() -> None:
    whole = panel(rows(a=every(38)), panel='frequency = "W-SUN"\nseasons = [1]')
    assert whole.found("incomplete_period") == [(None, "2024-02-05", 3)]
    assert whole.panel.height == 5


def test_a_series_beside_the_grid_of_the_others_is_misaligned() -> None:
    frame = rows(
        a=every(100, step=7),
        b=every(100, step=7),
        odd=every(100, step=7, start=2),
        mixed=every(100),
    )
    whole = panel(frame, panel='frequency = "W-SUN"\nseasons = [1]')
    assert whole.found("misaligned") == [
        ('{"loja":"mixed"}', "its rows lie 0.0 days beside the others'", 1),
        ('{"loja":"odd"}', "its rows lie 2.0 days beside the others'", 1),
    ]


def test_daily_rows_in_weeks_are_not_misaligned() -> None:
    frame = rows(a=every(100), b=every(100), c=every(100, step=7))
    assert panel(frame, panel='frequency = "W-SUN"').found("misaligned") == []


def test_each_kind_said_is_documented() -> None:
    frame = rows(
        a=every(40), odd=[(3, 0.0)], rare=[(0, 1.0), (39, 1.0)], same=[(38, 1.0), (39, 1.0)]
    )
    whole = panel(frame, panel="min_active = 0.2")
    said = set(whole.findings["kind"])
    assert len(said) >= 4
    assert said <= set(KINDS)


def test_the_summary_adds_up_and_shows_twenty() -> None:
    findings = pl.DataFrame(
        [("gaps", f"s{i:02d}", "d", 2) for i in range(30)] + [("later", None, "after x", 7)],
        schema=FINDINGS,
        orient="row",
    )
    gaps, later = summary(findings).to_dicts()
    assert (gaps["count"], gaps["series"], len(gaps["examples"])) == (60, 30, 20)
    assert gaps["examples"][0] == "s00: d"
    assert (later["count"], later["series"], later["examples"]) == (7, 0, ["after x"])


def test_the_series_may_be_called_like_our_columns() -> None:
    spec = spec_of(series=("count", "share"), panel="min_active = 0.9")
    plan = resolve(spec, {"sales": {"count": pl.String(), "share": pl.String(), **SALES}})
    roster = pl.DataFrame({"count": ["a", "b"], "share": ["x", "y"], CODE: [0, 1]})
    spans = pl.DataFrame({CODE: [0], "_share": [0.5]})
    assert no_sale(roster, spans, plan)["series"].to_list() == ['{"count":"b","share":"y"}']
    assert inactive(roster, spans, plan)["count"].to_list() == [1]


def test_findings_of_parts_are_those_of_the_bucket() -> None:
    def part(*rows: tuple[str, str | None, str, int]) -> pl.DataFrame:
        found = pl.DataFrame(rows, schema=FINDINGS, orient="row")
        return found.with_columns(pl.lit(3, pl.Int32).alias("bucket"))

    cells = [("uncovered_future", f"s{n:02}", "promo at 1", 1) for n in range(30)]
    first = part(("no_covariates", None, "promo", 2), ("ended", "a", "long", 7), *cells[15:])
    second = part(
        ("no_covariates", None, "promo", 3), *cells[:15],
        ("uncovered_future", None, "further cells", 40),
    )  # fmt: skip
    found = together([first, second])
    assert found["bucket"].to_list() == [3] * found.height
    rows = found.drop("bucket").rows()
    assert rows[:21] == [("ended", "a", "long", 7), *cells[:20]]
    assert sorted(rows[21:]) == [
        ("no_covariates", None, "promo", 5), ("uncovered_future", None, "further cells", 50),
    ]  # fmt: skip
    assert together([first]).sort("kind", "series").equals(first.sort("kind", "series"))
