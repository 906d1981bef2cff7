"""The table by level: as given, and the mean of what may be averaged."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl
import pytest

from lakecast.errors import LakecastError
from lakecast.report import levels
from lakecast.report.html import render

if TYPE_CHECKING:
    from collections.abc import Callable

    from lakecast.report.data import ReportData

FRAME = pl.DataFrame(
    {
        "level": ["total", "state/item", "series"],
        "method": ["bottom_up"] * 3,
        "groups": [1, 2000, 30490],
        "rmsse": [0.4, 0.6, 0.8],
        "wape": [0.05, 0.1, 0.4],
        "bias": [-0.01] * 3,
        "coverage": [0.8, 0.75, None],
    }
)


@pytest.fixture(scope="module")
def small(retailer: Callable[..., ReportData]) -> ReportData:
    return retailer(series=3)


def test_a_row_a_level_and_the_mean(small: ReportData) -> None:
    found = levels.levels(replace(small, levels=FRAME))
    assert [head.title for head in found.heads] == [
        "Level", "Groups", "RMSSE", "WAPE", "Bias", "Coverage",
    ]  # fmt: skip
    assert found.rows[1].cells[:3] == ("state x item", "2,000", "0.600")
    assert found.rows[2].cells[-1] == "\N{EN DASH}"
    assert found.rows[3].cells[0] == "mean of the levels"
    assert found.rows[3].cells[2:] == ("0.600", "", "", "")


def test_without_levels_the_page_says_nothing_of_them(small: ReportData) -> None:
    assert levels.levels(small).rows == ()
    assert "By level" not in render(small)


@pytest.mark.parametrize("method", ["bottom_up", "wls"])
def test_the_page_says_how_levels_are_forecast(small: ReportData, method: str) -> None:
    page = render(replace(small, levels=FRAME.with_columns(method=pl.lit(method))))
    assert "By level" in page
    assert ("had a say" in page) == (method != "bottom_up")


def test_a_frame_of_another_form_is_refused(small: ReportData) -> None:
    with pytest.raises(LakecastError, match="groups"):
        replace(small, levels=FRAME.drop("groups"))
