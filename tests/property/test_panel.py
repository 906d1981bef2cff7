"""What holds for any sales: order, pieces, buckets, zones, and nothing from after the cutoff."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.raw_panels import Whole, spec_of, whole_panel

from lakecast.core.calendar import Frequency
from lakecast.core.panel.periods import UTC_TIME, Clock

START = datetime(2024, 1, 29, tzinfo=UTC)
SPAN = 40 * 86_400
ZONES = ("UTC", "America/Sao_Paulo", "America/New_York", "Europe/Berlin", "Asia/Kathmandu",
         "Pacific/Chatham")  # fmt: skip
SALES = """
columns.nota = { role = "past-only", aggregate = "mean" }
columns.faixa = { role = "past-only" }
"""

# Quarters add up exactly in any order; sums of other floats agree to the last bits only.
quarters = st.integers(-8, 40).map(lambda number: number / 4)


@st.composite
def sales(draw: st.DrawFn) -> pl.DataFrame:
    """Rows at distinct instants, so that "last" does not depend on the order of the rows."""
    seconds = draw(st.lists(st.integers(0, SPAN), min_size=2, max_size=60, unique=True))
    size = len(seconds)
    return pl.DataFrame(
        {
            "loja": draw(st.lists(st.sampled_from("abcd"), min_size=size, max_size=size)),
            "data": [START + timedelta(seconds=s) for s in seconds],
            "quantidade": draw(st.lists(quarters, min_size=size, max_size=size)),
            "valor": draw(st.lists(quarters, min_size=size, max_size=size)),
            "nota": draw(st.lists(st.none() | quarters, min_size=size, max_size=size)),
            "faixa": draw(
                st.lists(st.none() | st.sampled_from("pmg"), min_size=size, max_size=size)
            ),
        },
        schema_overrides={
            "data": UTC_TIME, "nota": pl.Float64, "faixa": pl.String,
        },
    )  # fmt: skip


def build(rows: pl.DataFrame, *, pieces: int = 1, buckets: int = 2, panel: str = "") -> Whole:
    spec = spec_of(sales=SALES, panel=f'revenue = "valor"\n{panel}')
    return whole_panel(spec, {"sales": rows}, pieces=pieces, buckets=buckets)


frequencies = st.sampled_from(["h", "D", "W-SUN", "W-WED", "M"])
zones = st.sampled_from(ZONES)


@settings(deadline=None, max_examples=20)
@given(rows=sales(), seed=st.integers(0, 99), frequency=frequencies)
def test_the_order_of_rows_is_irrelevant(rows: pl.DataFrame, seed: int, frequency: str) -> None:
    panel = f'frequency = "{frequency}"'
    shuffled = rows.sample(fraction=1.0, shuffle=True, seed=seed)
    assert build(rows, panel=panel).named().equals(build(shuffled, panel=panel).named())


@settings(deadline=None, max_examples=20)
@given(rows=sales(), pieces=st.integers(1, 7), buckets=st.integers(1, 9))
def test_pieces_and_buckets_change_nothing(rows: pl.DataFrame, pieces: int, buckets: int) -> None:
    one, many = build(rows, buckets=1), build(rows, pieces=pieces, buckets=buckets)
    assert one.named().equals(many.named())
    assert one.series.sort("series_code").equals(many.series.sort("series_code"))
    plain = ["kind", "series", "detail", "count"]
    assert one.findings.select(plain).sort(plain).equals(many.findings.select(plain).sort(plain))


@settings(deadline=None, max_examples=20)
@given(rows=sales(), zone=zones, frequency=frequencies)
def test_nothing_is_lost_and_nothing_made(rows: pl.DataFrame, zone: str, frequency: str) -> None:
    """The target adds up to the rows of the periods that count."""
    whole = build(rows, panel=f'frequency = "{frequency}"\ntimezone = "{zone}"')
    periods = whole.plan.clock.ordinals(rows["data"])
    counted = rows.filter(pl.Series(periods <= whole.cut.cutoff))
    sums = counted.group_by("loja").agg(pl.col("quantidade").sum())
    sold = dict(sums.iter_rows())
    found = whole.named().group_by("loja").agg(pl.col("quantidade").sum())
    for shop, total in found.iter_rows():
        assert total == sold[shop]
    left = set(sold) - set(found["loja"])
    assert all(sold[shop] == 0 for shop in left)


@settings(deadline=None, max_examples=20)
@given(rows=sales(), zone=zones, frequency=frequencies)
def test_series_have_no_gaps_and_end_together(
    rows: pl.DataFrame, zone: str, frequency: str
) -> None:
    whole = build(rows, panel=f'frequency = "{frequency}"\ntimezone = "{zone}"')
    for (_,), series in whole.named().group_by("loja"):
        periods = whole.plan.clock.ordinals(_instants(series["data"], whole.plan.clock))
        assert (periods[1:] - periods[:-1] == 1).all()
        assert periods[-1] == whole.cut.cutoff
        assert series["quantidade"][0] != 0


def _instants(time: pl.Series, clock: Clock) -> pl.Series:
    return time.cast(clock.time_type)


@settings(deadline=None, max_examples=20)
@given(rows=sales(), later=sales(), day=st.integers(5, 35))
def test_nothing_after_the_cutoff_matters(
    rows: pl.DataFrame, later: pl.DataFrame, day: int
) -> None:
    """The past of the panel is the same, whatever is sold (and to whom) afterwards."""
    as_of = START + timedelta(days=day)
    past = rows.filter(pl.col("data") < as_of)
    if past.is_empty():
        return
    other = pl.concat([past, later.filter(pl.col("data") >= as_of)])
    spec = spec_of(sales=SALES, panel='revenue = "valor"')
    known = whole_panel(spec, {"sales": past}, as_of=as_of)
    changed = whole_panel(spec, {"sales": other}, as_of=as_of)
    assert known.named().equals(changed.named())
    assert known.series.equals(changed.series)


@settings(deadline=None, max_examples=50)
@given(
    seconds=st.lists(st.integers(0, 400 * 86_400), min_size=1, max_size=50),
    zone=zones,
)
def test_days_are_those_of_the_standard_library(seconds: list[int], zone: str) -> None:
    moments = [datetime(2017, 1, 1, tzinfo=UTC) + timedelta(seconds=s) for s in seconds]
    clock = Clock(Frequency("D"), zone)
    days = clock.ordinals(pl.Series(moments, dtype=UTC_TIME))
    local = [moment.astimezone(ZoneInfo(zone)).date() for moment in moments]
    assert days.tolist() == [(day - date(1970, 1, 1)).days for day in local]


@settings(deadline=None, max_examples=50)
@given(day=st.dates(date(2015, 1, 1), date(2025, 1, 1)), zone=zones)
def test_a_day_has_one_period_however_long(day: date, zone: str) -> None:
    """From local midnight to local midnight, clock changes or not."""
    clock = Clock(Frequency("D"), zone)
    noon = datetime.combine(day, datetime.min.time(), ZoneInfo(zone)) + timedelta(hours=12)
    instants = [noon.astimezone(UTC) + timedelta(minutes=30 * step) for step in range(-40, 41)]
    expected = [
        (moment.astimezone(ZoneInfo(zone)).date() - date(1970, 1, 1)).days for moment in instants
    ]
    assert clock.ordinals(pl.Series(instants, dtype=UTC_TIME)).tolist() == expected
    assert sorted(set(expected)) == list(range(expected[0], expected[-1] + 1))
