from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from tests import panels
from tests.champions import HORIZON, champion, names

from lakecast.errors import LakecastError, UsageError
from lakecast.models.bundle import Predictor, reach

if TYPE_CHECKING:
    from pathlib import Path

PANEL = panels.with_covariates()
MIXED = panels.mixed()


@pytest.fixture(scope="module")
def fitted() -> Predictor:
    return champion(PANEL, panels.CUTOFF - HORIZON)


@pytest.fixture(scope="module")
def mixed() -> Predictor:
    return champion(MIXED, panels.CUTOFF)


def test_the_answer_has_the_columns_of_the_forecasts_table(fitted: Predictor) -> None:
    frame = fitted.forecast()
    assert frame.schema == pl.Schema(
        {
            "item": pl.String, "day": pl.Date, "cutoff": pl.Date, "horizon": pl.Int32,
            "forecast": pl.Float64, "forecast-lo-50": pl.Float64, "forecast-hi-50": pl.Float64,
            "forecast-lo-80": pl.Float64, "forecast-hi-80": pl.Float64, "source": pl.String,
        }
    )  # fmt: skip
    first = frame.row(0, named=True)
    assert first["cutoff"] == date(1970, 1, 1).fromordinal(
        date(1970, 1, 1).toordinal() + panels.CUTOFF - HORIZON
    )
    assert (frame["day"] - frame["cutoff"]).dt.total_days().to_list() == frame["horizon"].to_list()


def test_every_series_is_answered_without_nulls_or_negatives(mixed: Predictor) -> None:
    frame = mixed.forecast()
    assert frame.height == MIXED.info.series * HORIZON
    assert sum(frame.null_count().row(0)) == 0
    assert frame.select(pl.col("^forecast.*$").min()).min_horizontal()[0] >= 0
    assert {"short", "constant", "cold-start"} <= set(frame["source"])


def test_a_subset_is_the_same_numbers_in_the_order_asked(mixed: Predictor) -> None:
    asked = pl.DataFrame({"item": ["i0004", "i0001", "i0004"]})
    found = mixed.forecast(asked)
    assert found["item"].unique(maintain_order=True).to_list() == ["i0004", "i0001"]
    whole = mixed.forecast()
    for item in ("i0004", "i0001"):
        one, two = (f.filter(pl.col("item") == item) for f in (found, whole))
        assert one.equals(two)


def test_a_series_nobody_knows_is_a_cold_start(fitted: Predictor) -> None:
    found = fitted.forecast(pl.DataFrame({"item": ["nobody", "i0001"]}))
    assert found["source"].unique(maintain_order=True)[0] == "cold-start"
    assert found.height == 2 * HORIZON
    assert sum(found.null_count().row(0)) == 0
    known = fitted.forecast(pl.DataFrame({"item": ["i0001"]}))
    assert found.filter(pl.col("item") == "i0001").equals(known)


def test_no_series_is_no_rows(fitted: Predictor) -> None:
    found = fitted.forecast(pl.DataFrame({"item": []}, schema={"item": pl.String}))
    assert found.height == 0
    assert "forecast-lo-80" in found.columns


def test_series_columns_must_be_there(fitted: Predictor) -> None:
    with pytest.raises(UsageError, match="lacks the series column `item`"):
        fitted.forecast(pl.DataFrame({"produto": ["i0001"]}))


def test_a_shorter_horizon_is_the_head_of_the_longer(fitted: Predictor) -> None:
    short, whole = fitted.forecast(horizon=3), fitted.forecast()
    assert short.equals(whole.filter(pl.col("horizon") <= 3))


def test_a_recursive_champion_goes_beyond_and_a_limited_one_refuses(
    fitted: Predictor, mixed: Predictor
) -> None:
    far = mixed.forecast(horizon=HORIZON + 5)
    assert far["horizon"].max() == HORIZON + 5
    assert far["forecast"].null_count() == 0
    limited = replace(fitted, terms=replace(fitted.terms, limit=HORIZON))
    with pytest.raises(UsageError, match="reaches 14 periods ahead, 15 were asked for"):
        limited.forecast(horizon=15)


@pytest.mark.parametrize("horizon", [0, -1])
def test_a_horizon_of_nothing_is_refused(fitted: Predictor, horizon: int) -> None:
    with pytest.raises(UsageError, match="asks for nothing"):
        fitted.forecast(horizon=horizon)


def test_levels_are_a_choice_of_those_calibrated(fitted: Predictor) -> None:
    assert not [c for c in fitted.forecast(levels=[80]).columns if c.endswith("-50")]
    assert not [c for c in fitted.forecast(levels=[]).columns if "-lo-" in c]
    with pytest.raises(UsageError, match="no 95% interval was calibrated"):
        fitted.forecast(levels=[95])


def test_a_scenario_moves_only_what_it_names(fitted: Predictor) -> None:
    base = fitted.forecast()
    plan = base.filter(pl.col("item") == "i0001").select("item", "day", promo=pl.lit(1.0))
    found = fitted.forecast(covariates=plan)
    other = pl.col("item") != "i0001"
    assert found.filter(other).equals(base.filter(other))
    assert not found.filter(~other).equals(base.filter(~other))


def test_saved_and_loaded_it_is_the_same(mixed: Predictor, tmp_path: Path) -> None:
    mixed.save(tmp_path / "a")
    again = Predictor.load(tmp_path / "a")
    assert again.forecast().equals(mixed.forecast())
    assert (again.info, again.terms, again.norm) == (mixed.info, mixed.terms, mixed.norm)
    again.save(tmp_path / "b")
    for path in sorted((tmp_path / "a").rglob("*.json")):
        other = tmp_path / "b" / path.relative_to(tmp_path / "a")
        assert other.read_bytes() == path.read_bytes()


def test_a_null_fill_survives_saving(fitted: Predictor, tmp_path: Path) -> None:
    replace(fitted, terms=replace(fitted.terms, fill=None)).save(tmp_path)
    assert Predictor.load(tmp_path).terms.fill is None


def test_nothing_saved_is_told_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(LakecastError, match="no saved champion") as caught:
        Predictor.load(tmp_path)
    assert "bundle.json" in str(caught.value)


def test_another_form_is_told(fitted: Predictor, tmp_path: Path) -> None:
    fitted.save(tmp_path)
    path = tmp_path / "bundle.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"version": 99}))
    with pytest.raises(LakecastError, match="saved in form 99"):
        Predictor.load(tmp_path)


def test_four_threads_answer_as_one(mixed: Predictor) -> None:
    alone = mixed.forecast()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: mixed.forecast(), range(8)))
    assert all(frame.equals(alone) for frame in found)


def test_names_are_those_of_the_panel(fitted: Predictor) -> None:
    assert fitted.series["item"].to_list() == names(PANEL)["item"].to_list()


def test_reaching_further_knows_nothing_there(fitted: Predictor) -> None:
    found = reach(fitted.future, HORIZON + 2).covariates["promo"]
    assert np.isnan(found[:, HORIZON:]).all()
    assert (found[:, :HORIZON] == fitted.future.covariates["promo"]).all()


def test_it_loads_without_a_lake_a_registry_or_arrow(fitted: Predictor, tmp_path: Path) -> None:
    fitted.save(tmp_path / "bundle")
    code = (
        "import sys\nfrom pathlib import Path\n"
        "for name in ('deltalake', 'mlflow', 'pyarrow', 'sqlalchemy', 'jinja2'):\n"
        "    sys.modules[name] = None\n"
        "from lakecast.models.bundle import Predictor\n"
        "print(Predictor.load(Path(sys.argv[1])).forecast().height)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "bundle")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) == PANEL.info.series * HORIZON
