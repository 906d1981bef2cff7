"""One self-contained HTML file: skeleton, style, script and data; nothing is fetched."""

from __future__ import annotations

import base64
import hashlib
from datetime import date, datetime
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from lakecast.report import charts, coverage, ledger, levels, story, tables, words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2 import Environment
    from markupsafe import Markup

    from lakecast.report.data import ReportData

_SCRIPTS = ("draw.js", "lines.js", "bars.js", "page.js")


def render(data: ReportData) -> str:
    """The page. The same data give the same bytes; text of the data never becomes markup."""
    values = charts.payload(data)
    script, style = _script(), _asset("report.css")
    page = _environment().get_template("report.html.j2")
    return page.render(
        **_context(data, values["curves"]),
        charts=values,
        script=_safe(script),
        style=_safe(style),
        script_hash=_hash(script),
        style_hash=_hash(style),
        payload=_safe(charts.embed(values)),
    )


def _context(data: ReportData, curves: Mapping[str, Any]) -> dict[str, Any]:
    """What the skeleton writes itself."""
    return {
        **_top(data, curves),
        "leaderboard": tables.leaderboard(data),
        "settings": tables.settings(data),
        "chosen": tables.nested(data.leaderboard),
        "metrics": [words.METRICS[name] for name in tables.known_metrics(data.leaderboard)],
        "horizons": tables.horizons(data, charts.lines_of(data)),
        "segments": tables.segments(data),
        "levels": levels.levels(data),
        "reconciled": levels.reconciled(data),
        "coverage": coverage.coverage(data),
        "money": tables.money(data, data.money) if data.money else None,
        "importances": tables.importances(data.importances),
        "loads": ledger.loads(data.loads),
        "rules": ledger.rules(data.loads),
        "findings": ledger.findings(data.findings),
        "stages": ledger.stages(data.stages),
        "sizes": ledger.sizes(data),
        "total_size": ledger.total_size(data),
        "steps": story.next_steps(data),
    }


def _top(data: ReportData, curves: Mapping[str, Any]) -> dict[str, Any]:
    span, held = _span(curves, data), story.held_back(data)
    return {
        "data": data,
        "spec": data.spec,
        "curves": curves,
        "headline": words.headline(data.decision, tables.champion_gain(data)),
        "decided": words.decided(data.decision),
        "verdict": story.verdict(data),
        "lead": story.lead(data, curves["known"], span),
        "tiles": story.tiles(data, curves["total"], held),
        "facts": story.facts(data.spec),
        "held": held,
    }


def _span(curves: Mapping[str, Any], data: ReportData) -> tuple[str, str] | None:
    """First period there is and the cutoff, in words."""
    if not curves["first"]:
        return None
    first = datetime.fromisoformat(curves["first"])
    start = first if isinstance(data.cutoff, datetime) else first.date()
    return words.moment(start), words.moment(data.cutoff)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    found = Environment(
        loader=PackageLoader("lakecast.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for word in (words.number, words.percent, words.count, words.size, words.duration,
                 words.moment, words.candidate, words.money):  # fmt: skip
        found.filters[word.__name__] = word
    found.tests["date"] = lambda value: isinstance(value, date)
    return found


def _script() -> str:
    parts = "\n".join(_asset(name) for name in _SCRIPTS)
    return f'(() => {{\n"use strict";\n{parts}}})();\n'


def _asset(name: str) -> str:
    return files("lakecast.report").joinpath("templates", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """The source expression by which a content security policy admits an inline element."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _safe(text: str) -> Markup:
    """Our own script and style, and the JSON that `charts.embed` made safe."""
    from markupsafe import Markup

    return Markup(text)  # noqa: S704 - no text of the data is in it, or `embed` escaped it
