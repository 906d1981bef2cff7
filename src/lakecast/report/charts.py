"""What the script draws, as JSON-able values; the words and formats stay on this side."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from lakecast.columns import CANDIDATE, HORIZON
from lakecast.core.calendar import Frequency
from lakecast.report import tables, words
from lakecast.report.curves import curves, rounded
from lakecast.report.residuals import residuals

if TYPE_CHECKING:
    from lakecast.report.data import ReportData

MOST_BARS: Final = 16
MOST_LINES: Final = 4

Json = dict[str, Any]


def payload(data: ReportData) -> Json:
    """Everything the page's script needs; keys are the ids of the charts."""
    frequency = Frequency(data.spec.panel.frequency)
    return {
        "unit": frequency.unit,
        "season": data.spec.panel.seasons[0] if data.spec.panel.seasons else frequency.season,
        "target": data.spec.panel.target,
        "level": data.spec.forecast.levels[0] if data.spec.forecast.levels else None,
        "horizon": data.spec.forecast.horizon,
        "currency": data.money.currency if data.money else "",
        "curves": curves(data).plain(),
        "leaderboard": _leaderboard(data),
        "horizons": _horizons(data),
        "segments": _segments(data),
        "money": _money(data),
        "residuals": residuals(data.champion_backtest),
        "importances": _importances(data),
    }


def embed(values: Json) -> str:
    """JSON that can stand inside a script element: no `<`, `>`, `&` or line separator survives."""
    text = json.dumps(values, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def lines_of(data: ReportData) -> list[str]:
    """Candidates drawn by horizon: champion, baseline, then the best of the others."""
    order = tables.ranked(data)[CANDIDATE].to_list()
    first = [data.decision.champion, data.decision.baseline]
    present = set(data.by_horizon[CANDIDATE].to_list())
    names = [name for name in dict.fromkeys([*first, *order]) if name is not None]
    return [name for name in names if name in present][:MOST_LINES]


def _leaderboard(data: ReportData) -> Json | None:
    metric = tables.chart_metric(data.leaderboard, data.spec.gate.metric)
    if metric is None:
        return None
    rows = [
        {
            "label": words.candidate(row[CANDIDATE]),
            "values": [rounded(row[metric])],
            "mark": tables.mark(row, data),
        }
        for row in tables.ranked(data).iter_rows(named=True)
        if rounded(row[metric]) is not None
    ]
    return {"title": words.METRICS[metric].title, "rows": _kept(rows), "style": _style(metric)}


def _kept(rows: list[Json]) -> list[Json]:
    """The best bars, and of the others those that carry a mark."""
    return rows[:MOST_BARS] + [row for row in rows[MOST_BARS:] if row["mark"]]


def _horizons(data: ReportData) -> Json | None:
    frame = data.by_horizon
    names, metrics = lines_of(data), tables.known_metrics(frame)
    if not names or not metrics:
        return None
    axis = sorted(frame[HORIZON].unique().to_list())
    wanted = tables.chart_metric(frame, data.spec.gate.metric)
    return {
        "x": axis,
        "metrics": [
            {
                "name": words.METRICS[metric].title,
                "style": _style(metric),
                "lines": [_line(data, name, metric, axis) for name in names],
            }
            for metric in sorted(metrics, key=lambda name: name != wanted)
        ],
    }


def _line(data: ReportData, name: str, metric: str, axis: list[int]) -> Json:
    rows = data.by_horizon.filter(pl.col(CANDIDATE) == name)
    found = dict(zip(rows[HORIZON].to_list(), rows[metric].to_list(), strict=True))
    family = tables.family(data, name)
    return {
        "name": words.candidate(name),
        "mark": tables.mark({CANDIDATE: name, "family": family}, data),
        "values": [rounded(found.get(at)) for at in axis],
    }


def _segments(data: ReportData) -> Json | None:
    metric = tables.chart_metric(data.by_segment, data.spec.gate.metric)
    if metric is None:
        return None
    names = data.by_segment["segment"].unique(maintain_order=True).to_list()
    return {
        "title": words.METRICS[metric].title,
        "style": _style(metric),
        "names": _names(data),
        "groups": [
            {"name": name.replace("_", " "), "rows": _pairs(data, name, metric)} for name in names
        ],
    }


def _names(data: ReportData) -> list[str]:
    champion, baseline = data.decision.champion, data.decision.baseline
    if champion == baseline:
        return [words.candidate(champion)]
    return [words.candidate(champion), words.candidate(baseline)]


def _pairs(data: ReportData, segment: str, metric: str) -> list[Json]:
    rows = tables.segment_rows(data, segment, metric)
    roles = ("champion", "baseline")[: len(_names(data))]
    return [
        {"label": words.shown(row.value), "values": [rounded(getattr(row, role)) for role in roles]}
        for row in rows[: 2 * MOST_BARS]
    ]


def _money(data: ReportData) -> Json | None:
    if data.money is None or not data.money.by_candidate.height:
        return None
    names = list(dict.fromkeys([data.decision.champion, data.decision.baseline]))
    found = {row[CANDIDATE]: row for row in data.money.by_candidate.iter_rows(named=True)}
    rows = [
        {
            "label": words.candidate(name),
            "values": [rounded(found[name]["over"]), rounded(found[name]["under"])],
        }
        for name in names
        if name in found
    ]
    return {"rows": rows} if rows else None


def _importances(data: ReportData) -> Json | None:
    frame = tables.top_importances(data.importances).head(MOST_BARS)
    if not frame.height:
        return None
    rows = [
        {"label": feature, "values": [rounded(share)]}
        for feature, share in frame.select("feature", "importance").iter_rows()
    ]
    return {"rows": rows}


def _style(metric: str) -> str:
    return words.METRICS[metric].style
