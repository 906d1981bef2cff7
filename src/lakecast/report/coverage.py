"""The table of what the champion's intervals held: a row a demand class, a column a stretch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lakecast.columns import HORIZON
from lakecast.report import words
from lakecast.report.tables import Head, Row, Table

if TYPE_CHECKING:
    from lakecast.report.data import ReportData


def coverage(data: ReportData) -> tuple[Table, ...]:
    """One table a level of the intervals, ascending; all classes come first."""
    return tuple(_level(part) for part in data.coverage.partition_by("level", maintain_order=True))


def _level(frame: pl.DataFrame) -> Table:
    groups = frame[HORIZON].drop_nulls().unique().sort().to_list()
    heads = [Head("Demand class"), Head("Values", numeric=True), Head("All", numeric=True)]
    starts = [1, *(group + 1 for group in groups)]
    heads += [
        Head(f"{start} to {group}" if start < group else str(group), numeric=True)
        for start, group in zip(starts, groups, strict=False)
    ]
    rows = [
        _row(part, [None, *groups]) for part in frame.partition_by("class", maintain_order=True)
    ]
    caption = f"Share of actual values inside the {frame['level'][0]}% interval, by horizon"
    return Table(caption, tuple(heads), tuple(rows))


def _row(frame: pl.DataFrame, groups: list[int | None]) -> Row:
    held = dict(frame.select(HORIZON, "coverage").iter_rows())
    values = dict(frame.select(HORIZON, "rows").iter_rows())
    cells = (words.percent(held.get(group)) for group in groups)
    return Row((frame["class"][0] or "all", words.count(values.get(None)), *cells))
