"""What a frame asks of a champion, against the champion's own forecasts. No MLflow here."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from tests.champions import HORIZON, champion, rows, standing
from tests.panels import CUTOFF, regular, with_covariates

from lakecast.errors import UsageError
from lakecast.models.bundle import Predictor
from lakecast.registry.pyfunc import Model, _load_pyfunc

EARLY = CUTOFF - 40
PANEL = with_covariates()


@pytest.fixture(scope="module")
def fitted() -> Predictor:
    return champion(PANEL, EARLY)


def ask(fitted: Predictor, frame: pl.DataFrame, **params: Any) -> pl.DataFrame:
    return pl.from_pandas(Model(fitted).predict(frame.to_pandas(), params or None))


def same(one: pl.DataFrame, other: pl.DataFrame) -> None:
    """Equal in every value; pandas may have changed the types of times."""
    times = {"day": pl.Date, "cutoff": pl.Date}
    assert_frame_equal(one.cast(times), other.cast(times), check_exact=True)


def asked(periods: range, *, series: list[str] | None = None, cutoff: int = EARLY) -> pl.DataFrame:
    frame = rows(PANEL, cutoff + periods[0], cutoff + periods[-1]).drop("store", "size")
    frame = frame.with_columns(pl.lit(None, pl.Float64).alias("sales"))
    return frame if series is None else frame.filter(pl.col("item").is_in(series))


def history(first: int, last: int, *series: str) -> pl.DataFrame:
    frame = rows(PANEL, first, last)
    return frame.filter(pl.col("item").is_in(series)) if series else frame


def test_an_empty_frame_asks_for_everything(fitted: Predictor) -> None:
    frame = asked(range(1, 2)).head(0)
    same(ask(fitted, frame), fitted.forecast())


def test_series_alone_ask_for_the_horizon(fitted: Predictor) -> None:
    frame = pl.DataFrame({"item": ["i0003", "i0001", "i0003"]})
    found = ask(fitted, frame, horizon=5)
    assert found["item"].to_list() == ["i0003"] * 5 + ["i0001"] * 5
    same(found, fitted.forecast(frame, horizon=5))


def test_rows_with_times_are_answered_one_each_in_their_order(fitted: Predictor) -> None:
    frame = asked(range(1, HORIZON + 1)).sample(fraction=0.4, shuffle=True, seed=1)
    found = ask(fitted, frame)
    assert found["item"].equals(frame["item"])
    assert found["day"].cast(pl.Date).equals(frame["day"])
    whole = fitted.forecast()
    same(
        found,
        frame.select("item", "day")
        .join(whole, on=["item", "day"], how="left")
        .select(whole.columns),
    )


def test_a_row_asked_for_twice_is_answered_twice(fitted: Predictor) -> None:
    frame = asked(range(3, 4), series=["i0001"])
    found = ask(fitted, pl.concat([frame, frame]))
    assert found.height == 2
    assert found["forecast"].n_unique() == 1


def test_times_beyond_the_default_horizon_are_reached_where_the_champion_can(
    fitted: Predictor,
) -> None:
    frame = pl.DataFrame({"item": "i0002", "day": [_day(EARLY + h) for h in range(1, HORIZON + 4)]})
    plain = champion(regular(), EARLY)
    found = ask(plain, frame, horizon=HORIZON)
    assert found["horizon"].to_list() == list(range(1, HORIZON + 4))
    with pytest.raises(UsageError, match=f"covariates are known up to {HORIZON}"):
        ask(fitted, frame)


def test_known_future_covariates_of_the_rows_count(fitted: Predictor) -> None:
    frame = asked(range(1, HORIZON + 1), series=["i0000"])
    plain, raised = (
        ask(fitted, frame.with_columns(pl.lit(value).alias("promo"))) for value in (0.0, 1.0)
    )
    assert raised["forecast"].sum() > plain["forecast"].sum()
    covariates = frame.select("item", "day", pl.lit(1.0).alias("promo"))
    same(raised, fitted.forecast(frame.select("item").unique(), covariates=covariates))


def test_covariates_not_given_are_those_the_champion_holds(fitted: Predictor) -> None:
    frame = asked(range(1, HORIZON + 1)).drop("promo")
    same(ask(fitted, frame).sort("item", "day"), fitted.forecast().sort("item", "day"))


def test_levels_are_chosen(fitted: Predictor) -> None:
    frame = pl.DataFrame({"item": ["i0001"]})
    for given in ([80], np.array([80]), 80):
        found = ask(fitted, frame, levels=given)
        assert [name for name in found.columns if "-" in name] == [
            "forecast-lo-80", "forecast-hi-80",
        ]  # fmt: skip
    assert not [name for name in ask(fitted, frame, levels=[]).columns if "-" in name]
    with pytest.raises(UsageError, match="no 99% interval"):
        ask(fitted, frame, levels=[99])


@pytest.mark.parametrize("periods", [1, 9, 25])
def test_newer_history_gives_the_bits_of_the_champion_standing_there(
    fitted: Predictor, periods: int
) -> None:
    now = EARLY + periods
    frame = history(EARLY + 1, now).sample(fraction=1.0, shuffle=True, seed=2)
    there = standing(fitted, PANEL, now)
    covariates = rows(PANEL, now + 1, now + HORIZON).select("item", "day", "promo")
    found = ask(
        fitted, pl.concat([frame, asked(range(1, HORIZON + 1), cutoff=now)], how="diagonal")
    )
    expected = there.forecast(covariates=covariates)
    same(found.sort("item", "day"), expected.sort("item", "day"))


def test_history_that_the_champion_knows_changes_nothing(fitted: Predictor) -> None:
    old = history(EARLY - 40, EARLY).with_columns(pl.col("sales") * 1000)
    same(ask(fitted, old).sort("item", "day"), fitted.forecast().sort("item", "day"))
    overlapping = history(EARLY - 40, EARLY + 7)
    newer = history(EARLY + 1, EARLY + 7)
    same(ask(fitted, overlapping), ask(fitted, newer))


def test_history_alone_asks_for_its_series(fitted: Predictor) -> None:
    found = ask(fitted, history(EARLY + 1, EARLY + 7, "i0001", "i0004"), horizon=3)
    assert found["item"].to_list() == ["i0001"] * 3 + ["i0004"] * 3
    assert set(found["cutoff"].cast(pl.Date)) == {_day(EARLY + 7)}


def test_series_without_news_are_answered_from_where_they_stand(fitted: Predictor) -> None:
    frame = pl.concat(
        [history(EARLY + 1, EARLY + 7, "i0001"), asked(range(8, 11), series=["i0001", "i0002"])],
        how="diagonal",
    )
    found = ask(fitted, frame)
    alone = ask(fitted, asked(range(8, 11), series=["i0002"]))
    same(found.filter(item="i0002"), alone)
    assert found.filter(item="i0001")["horizon"].to_list() == [1, 2, 3]
    assert found.filter(item="i0002")["horizon"].to_list() == [8, 9, 10]


def test_a_period_without_a_row_is_a_gap_and_a_row_without_a_target_a_null(
    fitted: Predictor,
) -> None:
    whole = history(EARLY + 1, EARLY + 10, "i0001")
    gap = pl.Series(whole["day"] == _day(EARLY + 4))
    zero = whole.with_columns(pl.when(gap).then(0.0).otherwise(pl.col("sales")).alias("sales"))
    null = whole.with_columns(pl.when(gap).then(None).otherwise(pl.col("sales")).alias("sales"))
    # The price of a period without a row is not known, so it is left out of all three.
    without, zeroed, nulled = (
        ask(fitted, frame.drop("price", "visits")) for frame in (whole.filter(~gap), zero, null)
    )
    same(without, zeroed)
    assert nulled.height == without.height
    assert (nulled["forecast"] != without["forecast"]).any()


def test_a_series_it_does_not_know_is_forecast_from_its_rows(fitted: Predictor) -> None:
    ahead = asked(range(1, HORIZON + 1), series=["i0003"])
    known = pl.concat([history(EARLY - 100, EARLY, "i0003"), ahead], how="diagonal")
    found = ask(fitted, known.with_columns(pl.lit("new").alias("item")))
    assert set(found["item"]) == {"new"}
    assert set(found["source"]) == {"model"}
    expected = ask(fitted, ahead)["forecast"].to_numpy()
    assert found["forecast"].to_numpy() == pytest.approx(expected, rel=0.25)


def test_a_series_nobody_knows_is_a_cold_start(fitted: Predictor) -> None:
    found = ask(fitted, pl.DataFrame({"item": ["nobody"], "store": ["sul"]}))
    assert set(found["source"]) == {"cold-start"}
    assert found["forecast"].null_count() == 0


def test_known_and_new_series_carried_on_together(fitted: Predictor) -> None:
    new = history(EARLY - 50, EARLY + 5, "i0003").with_columns(pl.lit("new").alias("item"))
    both = pl.concat([new, history(EARLY + 1, EARLY + 5, "i0002")])
    found = ask(fitted, both)
    same(found.filter(item="new"), ask(fitted, new))
    assert found["item"].unique(maintain_order=True).to_list() == ["new", "i0002"]


def test_times_before_the_cutoff_cannot_be_asked_for(fitted: Predictor) -> None:
    frame = asked(range(1, 3)).with_columns(pl.col("day") - pl.duration(days=20))
    with pytest.raises(UsageError, match="not after the cutoff") as caught:
        ask(fitted, frame)
    assert "later periods" in caught.value.cure


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (pl.DataFrame({"day": ["2022-01-01"]}), "lacks the series column `item`"),
        (pl.DataFrame({"item": ["i0001"], "sales": [1.0]}), "lacks the time column"),
        (pl.DataFrame({"item": ["i0001"], "day": ["soon"]}), "no time"),
        (
            pl.DataFrame({"item": ["i0001", "i0001"], "day": ["2021-12-20", None]}),
            "no time",
        ),
        (
            pl.DataFrame({"item": ["n"] * 2, "day": ["2021-12-20"] * 2, "sales": [1.0, 2.0]}),
            "two rows in one period",
        ),
    ],
)
def test_a_frame_that_cannot_be_answered_is_refused(
    fitted: Predictor, frame: pl.DataFrame, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        ask(fitted, frame)


def test_the_input_is_not_modified(fitted: Predictor) -> None:
    frame = history(EARLY + 1, EARLY + 7).to_pandas()
    before = frame.copy(deep=True)
    Model(fitted).predict(frame)
    pd.testing.assert_frame_equal(frame, before)


def test_saved_and_loaded_it_answers_the_same_bits(fitted: Predictor, tmp_path: Any) -> None:
    fitted.save(tmp_path / "bundle")
    frame = pl.concat([history(EARLY + 1, EARLY + 9), asked(range(10, 15))], how="diagonal")
    loaded = _load_pyfunc(str(tmp_path / "bundle")).predict(frame.to_pandas())
    pd.testing.assert_frame_equal(
        loaded, Model(fitted).predict(frame.to_pandas()), check_exact=True
    )


def _day(ordinal: int) -> Any:
    return PANEL.info.frequency.start(np.array([ordinal]))[0].item()
