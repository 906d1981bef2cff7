"""The tables about the data and the work: what was read, refused, found, and what it took."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Final

import polars as pl

from lakecast.core.panel.findings import KINDS
from lakecast.report import words
from lakecast.report.tables import Head, Row, Table, capped

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lakecast.report.data import Load, ReportData, Rule, Stage

MOST_EXAMPLES: Final = 3
LEVELS: Final = {
    "reject": "File refused",
    "quarantine": "Row set aside",
    "repair": "Row mended and kept",
    "warn": "Row kept, noted",
}
"""What a rule of each level did, worst first."""


def loads(given: Sequence[Load]) -> Table:
    """What was read and what became of it, a row a load."""
    titles = ("Read", "Landed", "Set aside", "Mended")
    heads = (Head("Source"), Head("Table"), *(Head(title, numeric=True) for title in titles))
    rows = [
        Row(
            (
                load.source,
                load.table,
                *(
                    words.count(n)
                    for n in (load.read, load.landed, load.quarantined, load.repaired)
                ),
            )
        )
        for load in given
    ]
    return capped("What was read", heads, rows)


def rules(given: Sequence[Load]) -> Table:
    """Rules that spoke, over all loads of a table, worst level first, with examples."""
    totals: Counter[tuple[str, str, str]] = Counter()
    examples: dict[tuple[str, str, str], list[str]] = {}
    for load, rule in _spoken(given):
        key = (load.table, rule.name, rule.level)
        totals[key] += rule.count
        examples.setdefault(key, []).extend(rule.examples)
    order = sorted(totals, key=lambda key: (list(LEVELS).index(key[2]), -totals[key], key))
    rows = [
        Row(
            (
                rule.replace("_", " "),
                table,
                LEVELS[level],
                words.count(totals[table, rule, level]),
                "\n".join(examples[table, rule, level][:MOST_EXAMPLES]),
            ),
            level,
        )
        for table, rule, level in order
    ]
    heads = (Head("Rule"), Head("Table"), Head("What was done"), Head("Rows", numeric=True),
             Head("For example"))  # fmt: skip
    return Table("Rules of the data contract that spoke", heads, tuple(rows))


def _spoken(given: Sequence[Load]) -> Iterable[tuple[Load, Rule]]:
    return ((load, rule) for load in given for rule in load.rules if rule.count)


def findings(frame: pl.DataFrame) -> Table:
    """Findings of the panel by kind, with how many and the first few."""
    groups = frame.group_by("kind", maintain_order=True).agg(
        pl.col("count").fill_null(1).sum(), "series", "detail", lines=pl.len()
    )
    rows = [
        Row(
            (
                group["kind"].replace("_", " "),
                words.count(group["count"]),
                KINDS.get(group["kind"], ""),
                "\n".join(_finding_lines(group)),
            )
        )
        for group in groups.iter_rows(named=True)
    ]
    heads = (Head("Finding"), Head("Count", numeric=True), Head("Of"), Head("For example"))
    return Table("Findings of the panel", heads, tuple(rows))


def _finding_lines(group: dict[str, list[str | None]]) -> list[str]:
    pairs = list(zip(group["series"], group["detail"], strict=True))[: 10 * MOST_EXAMPLES]
    lines = (": ".join(part for part in (series_name(s), text) if part) for s, text in pairs)
    return list(dict.fromkeys(lines))[:MOST_EXAMPLES]


def series_name(text: str | None) -> str:
    """The series of a finding: JSON lists and objects become their values."""
    if not text:
        return ""
    try:
        found = json.loads(text)
    except ValueError:
        return text
    if isinstance(found, dict):
        found = list(found.values())
    return " · ".join(map(str, found)) if isinstance(found, list) else str(found)


def stages(given: Sequence[Stage]) -> Table:
    """Time, processor, memory and speed of each stage."""
    titles = ("Time", "Processor", "Peak memory", "Rows", "Rows a second")
    heads = (Head("Stage"), *(Head(title, numeric=True) for title in titles))
    return Table("What each stage took", heads, tuple(_stage(stage) for stage in given))


def _stage(stage: Stage) -> Row:
    speed = stage.rows / stage.seconds if stage.rows and stage.seconds > 0 else None
    cells = (
        stage.name,
        "nothing to do" if stage.skipped else words.duration(stage.seconds),
        words.duration(stage.cpu_seconds),
        words.size(stage.peak_memory),
        words.count(stage.rows),
        words.number(speed),
    )
    return Row(cells)


def sizes(data: ReportData) -> Table:
    """Bytes a value of each column, before and after narrowing, largest saving first."""
    order = sorted(data.sizes, key=lambda s: (s.after - s.before, s.table, s.column))
    rows = [
        Row(
            (
                f"{item.table}.{item.column}",
                item.dtype,
                words.number(item.before / item.rows if item.rows else None),
                words.number(item.after / item.rows if item.rows else None),
                words.percent((item.after - item.before) / item.before if item.before else None),
            )
        )
        for item in order
    ]
    heads = (Head("Column"), Head("Type"), Head("Bytes a value, as read", numeric=True),
             Head("in the lake", numeric=True), Head("Change", numeric=True))  # fmt: skip
    return capped("Size of each column", heads, rows)


def total_size(data: ReportData) -> str:
    """One sentence on the size of all columns, empty where nothing was measured."""
    before = sum(item.before for item in data.sizes)
    after = sum(item.after for item in data.sizes)
    if not before:
        return ""
    return (
        f"All columns together take {words.size(after)} in the lake; as read they take "
        f"{words.size(before)} in memory ({words.percent(after / before - 1, sign=True)})."
    )
