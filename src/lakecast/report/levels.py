"""The table of figures by level, where forecasts are added up above the series."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from lakecast.columns import LEVEL
from lakecast.report import words
from lakecast.report.tables import Head, Row, Table, known_metrics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakecast.report.data import ReportData

_SHOWN: Final = ("rmsse", "wape", "bias", "coverage")
_AVERAGED: Final = ("rmsse", "mase")


def levels(data: ReportData) -> Table:
    """A row a level, the series last, then the mean of what may be averaged over levels."""
    frame = data.levels
    known = (*known_metrics(frame), "coverage")
    shown: list[str] = [name for name in _SHOWN if name in known and name in frame.columns]
    heads = [Head("Level"), Head("Groups", numeric=True)]
    for name in shown:
        told = words.METRICS[name]
        heads.append(Head(told.title, numeric=True, help=told.meaning))
    rows: list[Row] = [
        Row(
            (
                row[LEVEL].replace("/", " x "),
                words.count(row["groups"]),
                *(words.metric(name, row[name]) for name in shown),
            )
        )
        for row in frame.iter_rows(named=True)
    ]
    if rows:
        rows.append(_mean(frame, shown))
    return Table("Errors of the champion by level", tuple(heads), tuple(rows))


def reconciled(data: ReportData) -> bool:
    """Whether the levels' own forecasts had a say."""
    return bool((data.levels["method"] != "bottom_up").any())


def _mean(frame: pl.DataFrame, shown: Sequence[str]) -> Row:
    found = frame.select(pl.col(name).mean() for name in shown).row(0, named=True)
    cells = (words.metric(name, found[name]) if name in _AVERAGED else "" for name in shown)
    return Row(("mean of the levels", "", *cells))
