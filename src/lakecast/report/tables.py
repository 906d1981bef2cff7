"""The tables about candidates: one form of table that the skeleton writes, whatever is in it."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from lakecast.columns import CANDIDATE, HORIZON
from lakecast.report import words
from lakecast.report.data import BASELINE_FAMILY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakecast.report.data import Money, ReportData

MOST_ROWS: Final = 30


@dataclass(frozen=True, slots=True)
class Head:
    """A column: its title, whether it holds numbers, and what it means."""

    title: str
    numeric: bool = False
    help: str = ""


_GAIN_HEAD: Final = Head("Gain", numeric=True, help="Less error than the best simple rule")


@dataclass(frozen=True, slots=True)
class Pair:
    """One value of a segment column: how many series, and the error of both."""

    value: str | None
    series: int | None
    champion: float | None
    baseline: float | None


@dataclass(frozen=True, slots=True)
class Row:
    """Cells as text; the first names the row. `mark` is a style: champion, baseline or none."""

    cells: tuple[str, ...]
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A caption (read aloud, not always shown), columns and rows."""

    caption: str
    heads: tuple[Head, ...]
    rows: tuple[Row, ...]
    more: int = 0


def leaderboard(data: ReportData) -> Table:
    """Every candidate, best first by the gate's metric."""
    frame = ranked(data)
    shown = known_metrics(frame)
    heads = [Head("Candidate"), *(_metric_head(name) for name in shown), _GAIN_HEAD]
    rows = []
    for row in frame.iter_rows(named=True):
        cells = [
            words.candidate(row[CANDIDATE]),
            *(words.metric(name, row[name]) for name in shown),
        ]
        cells.append(words.percent(gain(data, row), sign=True))
        rows.append(Row(tuple(cells), mark(row, data)))
    return Table("All candidates and their errors in the backtest", tuple(heads), tuple(rows))


def nested(frame: pl.DataFrame) -> bool:
    """Whether some candidate is a choice among others, made anew in each window."""
    return "nested" in frame.columns and bool(frame["nested"].any())


def settings(data: ReportData) -> Table:
    """What was found for each candidate that has parameters, in the leaderboard's order."""
    found = [(row, params(row.get("best_params"))) for row in ranked(data).iter_rows(named=True)]
    rows = (Row((words.candidate(row[CANDIDATE]), text)) for row, text in found if text)
    return Table("Settings of the candidates", (Head("Candidate"), Head("Settings")), tuple(rows))


def gain(data: ReportData, row: dict[str, Any]) -> float | None:
    """How much less error a row has than the best baseline, as a share; None where it cannot be.

    Bias and R² are not amounts of error, so they give none.
    """
    metric, baseline = data.spec.gate.metric, data.decision.baseline
    if metric in ("bias", "r2") or metric not in row or row[CANDIDATE] == baseline:
        return None
    same = data.leaderboard.filter(pl.col(CANDIDATE).eq_missing(baseline))[metric].to_list()
    if not same or not same[0] or row[metric] is None:
        return None
    share = 1 - float(row[metric]) / float(same[0])
    return share if math.isfinite(share) else None


def champion_gain(data: ReportData) -> float | None:
    """The decision's gain, else the leaderboard's; None where the champion is the baseline."""
    decision = data.decision
    if decision.champion in (None, decision.baseline) or decision.kind == "baseline":
        return None
    if decision.gain is not None and math.isfinite(decision.gain):
        return decision.gain
    rows = data.leaderboard.filter(pl.col(CANDIDATE).eq_missing(decision.champion)).to_dicts()
    return gain(data, rows[0]) if rows else None


def ranked(data: ReportData) -> pl.DataFrame:
    """The leaderboard, best first by the gate's metric (as given, where that has no figures)."""
    frame, metric = data.leaderboard, data.spec.gate.metric
    if metric not in frame.columns:
        return frame
    key = pl.col(metric).abs() if metric == "bias" else pl.col(metric)
    return frame.sort(
        key.fill_nan(None), descending=metric == "r2", nulls_last=True, maintain_order=True
    )


def known_metrics(frame: pl.DataFrame) -> tuple[str, ...]:
    """The metrics of a frame that have a figure somewhere, in the report's order."""
    return tuple(
        name
        for name in words.METRICS
        if name in frame.columns and frame[name].null_count() < frame.height
    )


def mark(row: dict[str, object], data: ReportData) -> str:
    """`champion`, `baseline` or nothing."""
    if row[CANDIDATE] == data.decision.champion:
        return "champion"
    return "baseline" if row.get("family") == BASELINE_FAMILY else ""


def params(text: str | None) -> str:
    """`{"alpha": 0.1}` as "alpha 0.1"; other text as it is."""
    if not text:
        return ""
    try:
        found = json.loads(text)
    except ValueError:
        return text
    if not isinstance(found, dict):
        return text
    return ", ".join(f"{name.replace('_', ' ')} {_plain(value)}" for name, value in found.items())


def horizons(data: ReportData, names: Sequence[str]) -> Table:
    """The named candidates by horizon, in the gate's metric or the first there is."""
    metric = chart_metric(data.by_horizon, data.spec.gate.metric)
    if metric is None:
        return Table("Error by horizon", (), ())
    wide = data.by_horizon.filter(pl.col(CANDIDATE).is_in(list(names))).pivot(
        CANDIDATE, index=HORIZON, values=metric, aggregate_function="first"
    )
    shown = [name for name in names if name in wide.columns]
    rows = tuple(
        Row((str(row[HORIZON]), *(words.metric(metric, row[name]) for name in shown)))
        for row in wide.sort(HORIZON).iter_rows(named=True)
    )
    heads = (Head("Horizon"), *(Head(words.candidate(name), numeric=True) for name in shown))
    return Table(f"{words.METRICS[metric].title} by horizon", heads, rows)


def chart_metric(frame: pl.DataFrame, wanted: str) -> str | None:
    """The wanted metric where the frame has it, else the first metric it has."""
    known = known_metrics(frame)
    return wanted if wanted in known else next(iter(known), None)


def segments(data: ReportData) -> tuple[Table, ...]:
    """One table a segment column: champion against baseline."""
    metric = chart_metric(data.by_segment, data.spec.gate.metric)
    if metric is None:
        return ()
    names = data.by_segment["segment"].unique(maintain_order=True).to_list()
    return tuple(_segment(data, name, metric) for name in names)


def _segment(data: ReportData, segment: str, metric: str) -> Table:
    title = words.METRICS[metric].title
    heads = [Head(segment.replace("_", " ")), Head("Series", numeric=True)]
    heads += [Head(f"{title}, champion", numeric=True), Head(f"{title}, baseline", numeric=True)]
    rows = tuple(
        Row(
            (
                words.shown(item.value),
                words.count(item.series),
                words.metric(metric, item.champion),
                words.metric(metric, item.baseline),
            )
        )
        for item in segment_rows(data, segment, metric)
    )
    return Table(f"{title} by {segment}", tuple(heads), rows)


def segment_rows(data: ReportData, segment: str, metric: str) -> list[Pair]:
    """Champion against baseline at each value of one segment column, in the frame's order."""
    frame = data.by_segment.filter(pl.col("segment") == segment)
    size = pl.col("series") if "series" in frame.columns else pl.lit(None, pl.Int64)

    def of(role: str | None) -> pl.Expr:
        return pl.col(metric).filter(pl.col(CANDIDATE).eq_missing(role)).first()

    found = frame.group_by("value", maintain_order=True).agg(
        size.first().alias("series"),
        of(data.decision.champion).alias("champion"),
        of(data.decision.baseline).alias("baseline"),
    )
    return [Pair(*row) for row in found.iter_rows()]


def money(data: ReportData, held: Money) -> Table:
    """Over- and under-forecast of every candidate, cheapest first."""
    frame = held.by_candidate.with_columns(total=pl.col("over") + pl.col("under")).sort("total")
    base = frame.filter(pl.col(CANDIDATE).eq_missing(data.decision.baseline))["total"].to_list()
    rows = []
    for row in frame.iter_rows(named=True):
        own = row[CANDIDATE] == data.decision.baseline
        saved = base[0] - row["total"] if base and not own else None
        amounts = [row["over"], row["under"], row["total"], saved]
        share = saved / base[0] if base and base[0] and saved is not None else None
        cells = [words.money(value, held.currency) for value in amounts]
        named = {CANDIDATE: row[CANDIDATE], "family": family(data, row[CANDIDATE])}
        rows.append(
            Row(
                (words.candidate(row[CANDIDATE]), *cells, words.percent(share, sign=True)),
                mark(named, data),
            )
        )
    titles = ("Too much", "Too little", "Together", "Saved against the baseline", "Share")
    heads = (Head("Candidate"), *(Head(title, numeric=True) for title in titles))
    return Table("Errors of the backtest in money", heads, tuple(rows))


def family(data: ReportData, name: str) -> str | None:
    """The family of a candidate of the leaderboard."""
    found = data.leaderboard.filter(pl.col(CANDIDATE) == name)["family"].to_list()
    return found[0] if found else None


def importances(frame: pl.DataFrame) -> Table:
    """Features, the most used first."""
    heads = (Head("Feature"), Head("Share", numeric=True))
    rows = [
        Row((row["feature"], words.percent(row["importance"])))
        for row in top_importances(frame).iter_rows(named=True)
    ]
    return capped("What the champion looks at", heads, rows)


def top_importances(frame: pl.DataFrame) -> pl.DataFrame:
    """Used features, largest share first."""
    used = frame.filter(pl.col("importance") > 0)
    return used.sort(["importance", "feature"], descending=[True, False])


def _metric_head(name: str) -> Head:
    return Head(words.METRICS[name].title, numeric=True, help=words.METRICS[name].meaning)


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def capped(caption: str, heads: tuple[Head, ...], rows: Sequence[Row]) -> Table:
    """A table of the first rows that says how many more there are."""
    return Table(caption, heads, tuple(rows[:MOST_ROWS]), max(0, len(rows) - MOST_ROWS))
