"""The tables of what intervals held: classes, stretches of horizons, levels."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl
import pytest

from lakecast.errors import LakecastError
from lakecast.report import coverage
from lakecast.report.data import COVERAGE
from lakecast.report.html import render

if TYPE_CHECKING:
    from collections.abc import Callable

    from lakecast.report.data import ReportData

FRAME = pl.DataFrame(
    [
        (50, None, None, 4000, 0.512, 1.0), (50, None, 1, 1000, 0.5, 1.0),
        (50, None, 8, 3000, 0.516, 1.0), (80, None, None, 4000, 0.801, 2.0),
        (80, None, 1, 1000, 0.79, 2.0), (80, None, 8, 3000, 0.805, 2.0),
        (80, "lumpy", None, 3000, 0.75, 2.0), (80, "lumpy", 8, 3000, 0.75, 2.0),
    ],
    schema=COVERAGE,
    orient="row",
)  # fmt: skip


@pytest.fixture(scope="module")
def small(retailer: Callable[..., ReportData]) -> ReportData:
    return retailer(series=3)


def test_a_table_a_level_a_row_a_class_a_column_a_stretch(small: ReportData) -> None:
    half, most = coverage.coverage(replace(small, coverage=FRAME))
    assert half.caption == "Share of actual values inside the 50% interval, by horizon"
    assert [head.title for head in most.heads] == ["Demand class", "Values", "All", "1", "2 to 8"]
    assert [row.cells for row in half.rows] == [("all", "4,000", "51.2%", "50.0%", "51.6%")]
    assert [row.cells for row in most.rows] == [
        ("all", "4,000", "80.1%", "79.0%", "80.5%"),
        ("lumpy", "3,000", "75.0%", "\N{EN DASH}", "75.0%"),
    ]


def test_the_page_shows_it_where_there_is_any(small: ReportData) -> None:
    assert "Inside the interval" in render(replace(small, coverage=FRAME))
    assert "Inside the interval" not in render(small)


def test_a_frame_of_another_form_is_refused(small: ReportData) -> None:
    with pytest.raises(LakecastError, match="rows"):
        replace(small, coverage=FRAME.drop("rows"))
