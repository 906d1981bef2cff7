"""The lines drawn: which series, which periods, which values."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from lakecast.report import curves as module
from lakecast.report.curves import curves, rounded
from lakecast.report.data import ReportData
from lakecast.report.story import held_back
from lakecast.spec import loads

if TYPE_CHECKING:
    from collections.abc import Callable

SPEC = (
    'spec = 1\n[[sources]]\ntable = "sales"\npath = "s.csv"\n[panel]\nseries = ["shop", "item"]\n'
    'time = "day"\ntarget = "units"\n[forecast]\nhorizon = 2\n'
)


def day(number: int) -> date:
    return date(2024, 1, number)


def rows(shop: str | None, first: int, name: str, values: list[float | None]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "shop": shop,
            "item": "x",
            "day": [day(first + i) for i in range(len(values))],
            name: values,
        },
        schema={"shop": pl.String, "item": pl.String, "day": pl.Date, name: pl.Float64},
    )


def hand_made() -> ReportData:
    """Shop A sells on days 1 to 4, a shop without a name on days 3 and 4; 5 and 6 are ahead."""
    history = pl.concat(
        [rows("A", 1, "units", [1, 2, 3.14159, 4]), rows(None, 3, "units", [None, 70_001])]
    )
    told = [rows("A", 3, "forecast", [9, 9]), rows("A", 4, "forecast", [5.0])]
    backtest = pl.concat(
        [
            told[0].with_columns(cutoff=pl.lit(day(2)), horizon=1, actual=pl.Series([3.14159, 4])),
            told[1].with_columns(cutoff=pl.lit(day(3)), horizon=1, actual=pl.Series([4.0])),
        ]
    )
    ahead = pl.concat([rows("A", 5, "forecast", [6, 7]), rows(None, 5, "forecast", [0, 1])])
    ahead = ahead.with_columns(
        pl.Series("forecast-lo-80", [5.5, 6.5, None, None]),
        pl.Series("forecast-hi-80", [6.5, 7.5, None, None]),
        pl.Series("source", ["model", "model", "short", "short"]),
    )
    return ReportData(
        spec=loads(SPEC), cutoff=day(4), as_of=day(5), history=history.lazy(), backtest=backtest,
        forecasts=ahead, held_back=rows("A", 5, "actual", [6.25]),
    )  # fmt: skip


def test_every_line_by_hand() -> None:
    """Two windows told day 4: the one that knew day 3 is drawn and scored."""
    found = curves(hand_made())
    assert found.times == [f"2024-01-0{n}" for n in range(1, 7)]
    assert (found.first, found.last, found.known) == ("2024-01-01", 3, 2)
    assert found.total == {
        "h": [0, 1, 2, 3.14159, 70_005], "b": [2, 9, 5], "f": [4, 6, 8], "a": [4, 6.25],
    }  # fmt: skip
    first, second = found.series
    assert first == {
        "name": "A · x", "volume": 7.142, "wape": 0.9603, "bias": 0.9603, "next": 13,
        "h": [0, 1, 2, 3.142, 4], "b": [2, 9, 5], "f": [4, 6, 7], "flo": [4, 5.5, 6.5],
        "fhi": [4, 6.5, 7.5], "a": [4, 6.25],
    }  # fmt: skip
    assert second == {
        "name": "(none) · x", "volume": None, "wape": None, "bias": None, "next": 1,
        "answer": "short", "h": [2, None, 70_000], "f": [4, 0, 1],
        "flo": [4, None, None], "fhi": [4, None, None],
    }  # fmt: skip


def test_without_a_future_the_last_period_is_the_last_known() -> None:
    found = curves(replace(hand_made(), forecasts=None, held_back=None))
    assert found.last == len(found.times) - 1 == 3


def test_large_and_badly_forecast_series_are_chosen(retailer: Callable[..., ReportData]) -> None:
    data = retailer(40)
    every, some = curves(data), curves(data, most=9)
    assert (len(every.series), len(some.series), some.known) == (40, 9, 40)
    names = [one["name"] for one in every.series]
    drawn = {one["name"] for one in some.series}
    assert set(names[:6]) <= drawn
    volumes = [one["volume"] for one in every.series]
    assert volumes == sorted(volumes, reverse=True)
    worst = max(every.series[6:20], key=lambda one: one["wape"])
    assert worst["name"] in drawn


def test_long_histories_are_cut_and_the_first_period_is_still_told(
    monkeypatch: pytest.MonkeyPatch, retailer: Callable[..., ReportData]
) -> None:
    monkeypatch.setattr(module, "MOST_POINTS", 2 * 100)
    found = curves(retailer(2))
    assert found.first == "2017-01-02"
    assert found.times[0] == (date(2017, 12, 4) - timedelta(days=99)).isoformat()
    assert found.times[found.last] == "2017-12-04"
    assert [len(one["h"]) for one in found.series] == [101, 101]


def test_a_champion_is_told_apart_from_other_candidates() -> None:
    data = hand_made()
    assert data.backtest is not None
    both = pl.concat(
        [
            data.backtest.with_columns(candidate=pl.lit("ours")),
            data.backtest.with_columns(candidate=pl.lit("theirs"), forecast=pl.lit(99.0)),
        ]
    )
    decision = replace(data.decision, champion="ours")
    assert curves(replace(data, backtest=both, decision=decision)) == curves(data)


def test_columns_of_other_types_still_meet() -> None:
    data = hand_made()
    assert data.history is not None
    assert data.held_back is not None
    as_categories = {"shop": pl.Categorical, "item": pl.Categorical}
    at_midnight = data.held_back.cast({"day": pl.Datetime("us"), "actual": pl.Float32})
    other = replace(data, history=data.history.cast(as_categories), held_back=at_midnight)
    assert curves(other) == curves(data)
    assert held_back(other) == held_back(data)


def test_series_whose_names_run_together_stay_apart() -> None:
    frame = pl.DataFrame(
        {
            "shop": ["a · b", "a", "(none)", None], "item": ["c", "b · c", "x", "x"],
            "day": [day(1)] * 4, "forecast": [1.0, 2.0, 3.0, 4.0],
        }
    )  # fmt: skip
    data = ReportData(spec=loads(SPEC), cutoff=day(1), as_of=day(2), forecasts=frame)
    assert sorted(one["f"][1] for one in curves(data).series) == [1, 2, 3, 4]


def test_what_is_not_a_number_is_unknown() -> None:
    data = hand_made()
    assert data.history is not None
    assert data.backtest is not None
    holes = pl.col("units").fill_null(float("nan"))
    unscored = pl.lit(float("nan")).alias("actual")
    found = curves(
        replace(
            data,
            history=data.history.with_columns(holes),
            backtest=data.backtest.with_columns(unscored),
        )
    )
    assert found.total["h"] == curves(data).total["h"]
    assert [(one["volume"], one["wape"]) for one in found.series] == [(None, None)] * 2


@pytest.mark.parametrize(
    ("value", "short"),
    [(None, None), (float("nan"), None), (float("-inf"), None), (12345.6, 12350),
     (0.00012344, 0.0001234), (2.0, 2)],
)  # fmt: skip
def test_rounded(value: float | None, short: Any) -> None:
    assert rounded(value) == short
    assert type(rounded(value)) is type(short)
