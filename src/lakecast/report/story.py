"""What the top of the page says: headline, lead, tiles, the facts of the spec, the next steps."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from lakecast.columns import ACTUAL, CANDIDATE, FORECAST, interval_columns
from lakecast.report import tables, words
from lakecast.report.data import Step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lakecast.report.data import ReportData
    from lakecast.spec import Spec


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure to take away; `tone` is good, bad or plain."""

    title: str
    value: str
    note: str
    tone: str = "plain"


@dataclass(frozen=True, slots=True)
class Check:
    """How the forecasts did on periods that no model saw; null where it cannot be said."""

    rows: int
    wape: float | None
    bias: float | None
    coverage: float | None


def lead(data: ReportData, known: int, span: tuple[str, str] | None) -> str:
    """What data, what for, and where the figures come from. `span`: first and last day known."""
    spec = data.spec
    asked = words.periods(spec.panel.frequency, spec.forecast.horizon)
    if not known or span is None:
        return f"No series reached the panel, so there is nothing to forecast for {asked} yet."
    kind = "One series" if known == 1 else f"{words.count(known)} series"
    return (
        f"{kind} of {words.every(spec.panel.frequency)} {spec.panel.target}, {span[0]} to "
        f"{span[1]}, forecast for the {asked} that follow. {_versus(data)}Every figure about "
        f"errors comes from stretches of the past that the models had not seen."
    )


def _versus(data: ReportData) -> str:
    champion, baseline = data.decision.champion, data.decision.baseline
    if champion is None or baseline is None or champion == baseline:
        return f"They come from {words.made_of(data.decision)}. " if champion else ""
    return (
        f"They come from {words.made_of(data.decision)}; the best simple rule would have been "
        f"{words.inside(baseline)}. "
    )


def tiles(data: ReportData, total: dict[str, list[Any]], check: Check | None) -> tuple[Tile, ...]:
    """The figures to take away, in order of weight; what is not known has no tile.

    `total` is the curve of all series, `check` what `held_back` found.
    """
    found = (_gain(data), _wape(data), _bias(data), _coverage(data), _next(data, total),
             _saved(data), _held(data, check))  # fmt: skip
    return tuple(tile for tile in found if tile is not None)


def _champion(data: ReportData) -> dict[str, Any]:
    rows = data.leaderboard.filter(pl.col(CANDIDATE).eq_missing(data.decision.champion)).to_dicts()
    return rows[0] if rows else {}


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _gain(data: ReportData) -> Tile | None:
    decision, gain = data.decision, tables.champion_gain(data)
    if gain is None:
        return None
    title = words.METRICS[data.spec.gate.metric].title
    note = f"{title} against {words.inside(decision.baseline)}, the best simple rule"
    if decision.interval and all(map(math.isfinite, decision.interval)):
        low, high = (words.percent(-end, sign=True) for end in reversed(decision.interval))
        note += f"; 95% interval {low} to {high}"
    return Tile("Error", words.percent(-gain, sign=True), note, "good" if gain > 0 else "bad")


def _wape(data: ReportData) -> Tile | None:
    value = _finite(_champion(data).get("wape"))
    if value is None:
        return None
    return Tile("Missed in all", words.percent(value), "of what was sold, all in all (WAPE)")


def _bias(data: ReportData) -> Tile | None:
    value = _finite(_champion(data).get("bias"))
    if value is None:
        return None
    side = "too much" if value > 0 else "too little"
    note = "neither too much nor too little" if abs(value) < 0.005 else f"{side} in total"
    tone = "plain" if abs(value) <= data.spec.gate.max_bias else "bad"
    return Tile("Bias", words.percent(value, sign=True), note, tone)


def _coverage(data: ReportData) -> Tile | None:
    value, levels = _finite(_champion(data).get("coverage")), data.spec.forecast.levels
    if value is None or not levels:
        return None
    note = f"of actual values inside the interval; {levels[0]}% were asked for"
    return Tile("Interval holds", words.percent(value), note)


def _next(data: ReportData, total: dict[str, list[Any]]) -> Tile | None:
    ahead = [value for value in total.get("f", [0])[1:] if value is not None]
    if not ahead:
        return None
    asked = words.periods(data.spec.panel.frequency, len(ahead))
    before = [value for value in total.get("h", [0])[1:] if value is not None][-len(ahead) :]
    note = f"{data.spec.panel.target}, all series together"
    if len(before) == len(ahead) and sum(before):
        change = words.percent(sum(ahead) / sum(before) - 1, sign=True)
        note += f": {change} on the {asked} before"
    return Tile(f"Next {asked}", words.number(sum(ahead)), note)


def _saved(data: ReportData) -> Tile | None:
    if data.money is None or data.decision.champion == data.decision.baseline:
        return None
    rows = data.money.by_candidate.with_columns(total=pl.col("over") + pl.col("under"))
    found = dict(rows.select(CANDIDATE, "total").iter_rows())
    ours, base = found.get(data.decision.champion), found.get(data.decision.baseline)
    if ours is None or not base:
        return None
    side, tone = ("less", "good") if ours <= base else ("more", "bad")
    share = words.percent(abs(1 - ours / base))
    amount = words.money(abs(base - ours), data.money.currency)
    return Tile(
        "Saved" if ours <= base else "Lost",
        amount,
        f"{share} {side} than the simple rule's misses cost in the backtest, at selling price",
        tone,
    )


def _held(data: ReportData, check: Check | None) -> Tile | None:
    if check is None or check.wape is None:
        return None
    note = f"of sales missed, on {_units(data)} that no stage of the run saw"
    if check.coverage is not None:
        note += f"; {words.percent(check.coverage)} of values inside the interval"
    return Tile(f"On {_units(data)} kept back", words.percent(check.wape), note)


def _units(data: ReportData) -> str:
    return words.periods(data.spec.panel.frequency, 2).split()[1]


def held_back(data: ReportData) -> Check | None:
    """The forecasts against actuals that were kept from every stage."""
    if data.held_back is None or data.forecasts is None:
        return None
    keys = [*data.spec.panel.series, data.spec.panel.time]
    kinds = pl.Schema({name: data.forecasts.schema[name] for name in keys})
    actual = data.held_back.select(*keys, pl.col(ACTUAL).cast(pl.Float64).fill_nan(None))
    pairs = data.forecasts.join(actual.cast(kinds), on=keys, how="inner", nulls_equal=True)
    pairs = pairs.drop_nulls([ACTUAL, FORECAST])
    if not pairs.height:
        return None
    miss, sold = pairs[FORECAST] - pairs[ACTUAL], float(pairs[ACTUAL].sum())
    ends = [n for n in interval_columns(data.spec.forecast.levels[:1]) if n in pairs.columns]
    within = pl.col(ACTUAL).is_between(pl.col(ends[0]), pl.col(ends[1])) if ends else None
    return Check(
        rows=pairs.height,
        wape=float(miss.abs().sum()) / sold if sold else None,
        bias=float(miss.sum()) / sold if sold else None,
        coverage=None if within is None else pairs.filter(within).height / pairs.height,
    )


def facts(spec: Spec) -> tuple[tuple[str, str], ...]:
    """What was asked, as terms and descriptions."""
    return tuple(_facts(spec))


def _facts(spec: Spec) -> Iterator[tuple[str, str]]:
    panel, gate = spec.panel, spec.gate
    yield "Target", f"{panel.target}, {panel.aggregate} a period"
    yield "Series", "one for each " + " and ".join(panel.series)
    yield "Periods", f"{words.every(panel.frequency)}, cut in {panel.timezone}"
    yield "Periods without sales", _GAPS[panel.gaps]
    if panel.available:
        yield "Out of stock", f"where {panel.available} is false, sales are unknown, not zero"
    known = [name for source in spec.sources for name in source.columns]
    yield "Further columns used", ", ".join(known) or "none"
    yield "Forecast", f"{words.periods(panel.frequency, spec.forecast.horizon)} ahead"
    yield "Backtest", _backtest(spec)
    title = words.METRICS[gate.metric].title
    gain, bias = words.percent(gate.min_gain), words.percent(gate.max_bias)
    yield (
        "Gate",
        f"a new model must lower {title} by {gain} beyond chance, with a bias of at most {bias}",
    )


_GAPS = {
    "zero": "count as zero",
    "null": "are unknown",
    "forward": "repeat the last value",
    "refuse": "are refused",
}


def _backtest(spec: Spec) -> str:
    step = spec.backtest.step or spec.forecast.horizon
    return (
        f"{spec.backtest.windows} windows, {words.periods(spec.panel.frequency, step)} apart, "
        f"{spec.backtest.mode}"
    )


def next_steps(data: ReportData) -> tuple[Step, ...]:
    """The runner's steps, or what anybody can do."""
    if data.next_steps:
        return data.next_steps
    return tuple(Step(text=text, command=command) for text, command in _STEPS)


_STEPS = (
    ("Run again when new sales have arrived; nothing old is computed twice.", "lakecast run"),
    ("Write the forecasts to a file.", "lakecast forecast --out forecasts.xlsx"),
    ("Work on the same analysis in a notebook.", "lakecast report --notebook"),
)


def verdict(data: ReportData) -> tuple[tuple[str, str], ...]:
    """The decision's lines as (term, text); the term is empty where a line has none."""
    parts = (re.split(r"\s{2,}", line.strip(), maxsplit=1) for line in data.decision.reasons)
    return tuple(_told(*part) if len(part) == 2 else ("", part[0]) for part in parts)


def _told(term: str, text: str) -> tuple[str, str]:
    """A line of the gate in the page's own words: who, in which metric, how much."""
    if term in ("challenger", "champion"):
        text = words.candidate(text)
    if term == "decision":
        text = text.partition(" (")[0]
    known = words.METRICS.get(term)
    if known and term != "bias":
        text = re.sub(r"\d+\.\d+", lambda found: words.metric(term, float(found[0])), text)
    said = _TERMS.get(term) or (known.title if known else term.capitalize())
    return said, re.sub(r"-(?=\d)", "\N{MINUS SIGN}", text)


_TERMS = {"decision": "Gate", "challenger": "Candidate", "champion": "Judged against"}
