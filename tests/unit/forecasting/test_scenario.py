from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest
from tests import panels
from tests.champions import HORIZON, champion

from lakecast.errors import UsageError
from lakecast.forecasting.scenario import PLANNED, compare, load
from lakecast.models.bundle import Predictor

if TYPE_CHECKING:
    from pathlib import Path

PANEL = panels.with_covariates()


@pytest.fixture(scope="module")
def fitted() -> Predictor:
    return champion(PANEL, panels.CUTOFF - HORIZON)


def write(frame: pl.DataFrame, path: Path) -> Path:
    if path.suffix == ".csv":
        frame.write_csv(path)
    else:
        frame.write_parquet(path)
    return path


@pytest.mark.parametrize("kind", [".csv", ".parquet"])
def test_a_promotion_for_all_lifts_the_forecast(
    fitted: Predictor, tmp_path: Path, kind: str
) -> None:
    days = fitted.forecast()["day"].unique()
    path = write(pl.DataFrame({"day": days, "promo": 1.0}), tmp_path / f"plan{kind}")
    found = compare(fitted, load(path, fitted))
    assert found.height == PANEL.info.series * HORIZON
    assert found["forecast"].sum() > found[PLANNED].sum()
    assert found[PLANNED].equals(fitted.forecast()["forecast"].alias(PLANNED))


def test_a_plan_that_says_what_is_planned_changes_nothing(
    fitted: Predictor, tmp_path: Path
) -> None:
    frame = fitted.forecast()
    planned = frame.select(
        "item", "day", pl.Series("promo", fitted.future.covariates["promo"].ravel())
    )
    found = compare(fitted, load(write(planned, tmp_path / "plan.parquet"), fitted))
    assert found["forecast"].equals(frame["forecast"])


def test_series_nobody_knows_are_named(fitted: Predictor, tmp_path: Path) -> None:
    plan = pl.DataFrame({"item": ["i0001", "x", "y"], "day": "2021-12-26", "promo": 1.0})
    with pytest.raises(UsageError, match="2 series of the scenario are not in the panel: x, y"):
        load(write(plan, tmp_path / "plan.csv"), fitted)


def test_only_the_series_asked_for_are_compared(fitted: Predictor) -> None:
    found = compare(
        fitted,
        pl.DataFrame({"day": fitted.forecast()["day"].unique(), "promo": 1.0}),
        series=pl.DataFrame({"item": ["i0002"]}),
    )
    assert found["item"].unique().to_list() == ["i0002"]
