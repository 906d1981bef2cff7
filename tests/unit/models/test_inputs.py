from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest

from lakecast.columns import Columns
from lakecast.core.block import Future, PanelInfo
from lakecast.core.calendar import Frequency
from lakecast.errors import UsageError
from lakecast.models import inputs
from lakecast.models.bundle import Terms

INFO = PanelInfo(
    columns=Columns(series=("loja", "produto"), time="dia", target="vendas"),
    frequency=Frequency("D"),
    timezone="America/Sao_Paulo",
    seasons=(7,),
    cutoff=100,
    covariates={"promo": "known-future", "preco": "past-only", "banda": "past-only"},
    categories={"loja": ("1", "2"), "produto": ("a", "b")},
    numeric=("area",),
)
SERIES = pl.DataFrame({"loja": [1, 1, 2], "produto": ["a", "b", "a"]})
TERMS = Terms(horizon=3, limit=None, minimum=0.0, texts={"banda": ("alta", "baixa")})
PLACE = inputs.Place(series=SERIES, info=INFO, cutoff=100, terms=TERMS)
DAYS = [date(1970, 4, 12), date(1970, 4, 13), date(1970, 4, 14)]  # 101, 102, 103


def known() -> Future:
    return Future(horizon=3, covariates={"promo": np.zeros((3, 3), np.float32)})


def override(frame: pl.DataFrame) -> np.ndarray:
    return inputs.override(known(), frame, PLACE).covariates["promo"]


def test_a_scenario_puts_values_in_their_place() -> None:
    found = override(
        pl.DataFrame({"loja": [1, 2], "produto": ["b", "a"], "dia": DAYS[:2], "promo": [5, 7]})
    )
    assert found.tolist() == [[0, 0, 0], [5, 0, 0], [0, 7, 0]]


def test_absent_series_columns_mean_every_value() -> None:
    assert override(pl.DataFrame({"loja": [1], "dia": DAYS[1:2], "promo": [5]})).tolist() == [
        [0, 5, 0], [0, 5, 0], [0, 0, 0],
    ]  # fmt: skip
    assert override(pl.DataFrame({"dia": DAYS[2:], "promo": [5]})).tolist() == [[0, 0, 5]] * 3


def test_a_null_leaves_what_was_there() -> None:
    assert override(pl.DataFrame({"dia": DAYS[:1], "promo": [None]})).tolist() == [[0] * 3] * 3


def test_series_of_a_scenario_that_are_not_asked_for_are_left_out() -> None:
    found = override(pl.DataFrame({"loja": [9], "produto": ["a"], "dia": DAYS[:1], "promo": [5]}))
    assert not found.any()


def test_the_future_given_is_not_written_to() -> None:
    held = known()
    held.covariates["promo"].flags.writeable = False
    inputs.override(held, pl.DataFrame({"dia": DAYS[:1], "promo": [5]}), PLACE)
    assert not held.covariates["promo"].any()


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ({"dia": DAYS[:1], "preco": [2.0]}, "`preco` is past-only"),
        ({"dia": DAYS[:1], "humor": [2.0]}, "`humor` is not a covariate"),
        ({"promo": [2.0]}, "lacks the time column `dia`"),
        ({"dia": [date(1970, 4, 11)], "promo": [1]}, "outside the periods forecast, 1970-04-12 to"),
        ({"dia": [date(1970, 4, 15)], "promo": [1]}, "1 rows lie outside"),
        ({"dia": DAYS[:1], "promo": ["viel"]}, "`promo` holds texts"),
        ({"dia": DAYS[:1], "loja": ["um"], "promo": [1]}, "does not hold what the panel's does"),
    ],
)
def test_what_is_no_scenario_is_refused(frame: dict[str, list[object]], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        override(pl.DataFrame(frame))


@pytest.mark.parametrize(
    "times",
    [
        pl.Series("dia", ["1970-04-12"]),
        pl.Series("dia", ["1970-04-12T23:30"]),
        pl.Series("dia", ["1970-04-12 23:30:00"]),
        pl.Series("dia", ["1970-04-12T23:30:00.250Z"]),
        pl.Series("dia", [date(1970, 4, 12)]),
        pl.Series("dia", [datetime(1970, 4, 12, 23)]),  # noqa: DTZ001
        pl.Series("dia", [datetime(1970, 4, 13, 1, tzinfo=UTC)]),
        pl.Series("dia", [datetime(1970, 4, 12, 23, tzinfo=ZoneInfo("America/Sao_Paulo"))]),
    ],
)
def test_times_in_every_form_are_periods(times: pl.Series) -> None:
    assert inputs.ordinals(times, INFO.frequency, INFO.timezone).tolist() == [101]


def test_hours_with_a_zone_are_utc() -> None:
    times = pl.Series("t", [datetime(1970, 1, 2, 1, tzinfo=ZoneInfo("America/Sao_Paulo"))])
    assert inputs.ordinals(times, Frequency("h"), INFO.timezone).tolist() == [28]


@pytest.mark.parametrize("times", [["ontem"], [None], ["1970-13-01"]])
def test_what_is_no_time_is_refused(times: list[object]) -> None:
    with pytest.raises(UsageError, match="are no time"):
        inputs.ordinals(pl.Series("dia", times, dtype=pl.String), INFO.frequency, "UTC")


def test_a_number_is_no_time() -> None:
    with pytest.raises(UsageError, match="of type Int64, not a time"):
        inputs.ordinals(pl.Series("dia", [20240101]), INFO.frequency, "UTC")


def test_places_join_nulls_too() -> None:
    series = pl.DataFrame({"loja": [None, 1], "produto": ["a", "a"]})
    asked = pl.DataFrame({"loja": [1, None, 2], "produto": ["a", "a", "a"]})
    assert inputs.places(asked, series, ["loja", "produto"]).tolist() == [1, 0, -1]


def test_a_history_becomes_a_block_without_gaps() -> None:
    frame = pl.DataFrame(
        {
            "loja": [2, 1, 1],
            "produto": ["a", "b", "b"],
            "dia": [DAYS[2], DAYS[2], DAYS[0]],
            "vendas": [4.0, 3.0, 1.0],
            "promo": [1.0, 0.0, None],
            "banda": ["alta", "baixa", "nova"],
            "area": [7.0, 8.0, 8.0],
        }
    )
    found = inputs.history(frame, INFO, TERMS)
    assert found.cutoff == 103
    assert found.series.rows() == [(1, "b", 8.0), (2, "a", 7.0)]
    assert found.block.first.tolist() == [101, 103]
    assert found.block.target.tolist() == [1.0, 0.0, 3.0, 4.0]
    nan = np.nan
    np.testing.assert_array_equal(found.block.covariates["promo"], [nan, nan, 0, 1])
    np.testing.assert_array_equal(found.block.covariates["banda"], [nan, nan, 1, 0])
    assert np.isnan(found.block.covariates["preco"]).all()


def test_gaps_are_null_where_the_terms_say_so() -> None:
    frame = pl.DataFrame(
        {"loja": [1, 1], "produto": ["a", "a"], "dia": [DAYS[0], DAYS[2]], "vendas": [1.0, 2.0]}
    )
    terms = Terms(horizon=3, limit=None, minimum=0.0, fill=None)
    assert np.isnan(inputs.history(frame, INFO, terms).block.target[1])


def test_two_rows_in_a_period_are_refused() -> None:
    frame = pl.DataFrame(
        {"loja": [1, 1], "produto": ["a", "a"], "dia": [DAYS[0]] * 2, "vendas": [1.0, 2.0]}
    )
    with pytest.raises(UsageError, match="two rows in one period"):
        inputs.history(frame, INFO, TERMS)


def test_a_history_needs_times() -> None:
    with pytest.raises(UsageError, match="lacks the time column `dia`"):
        inputs.history(SERIES.with_columns(vendas=1.0), INFO, TERMS)


def test_statics_are_codes_and_numbers_or_unknown() -> None:
    found = inputs.statics(pl.DataFrame({"loja": [2, 9, None], "area": [1.5, None, 2.0]}), INFO)
    assert found["loja"].tolist() == [1, -1, -1]
    assert found["produto"].tolist() == [-1, -1, -1]
    np.testing.assert_array_equal(found["area"], [1.5, np.nan, 2.0])


def test_texts_of_a_scenario_are_coded() -> None:
    info = replace(INFO, covariates={"banda": "known-future"})
    frame = pl.DataFrame({"dia": DAYS, "banda": ["baixa", "alta", "nova"]})
    found = inputs.override(known(), frame, replace(PLACE, info=info)).covariates["banda"]
    np.testing.assert_array_equal(found[2], [1, 0, np.nan])
