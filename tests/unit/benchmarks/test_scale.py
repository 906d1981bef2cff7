"""The benchmark of ever more rows: what it says of figures, and its stages at the smallest size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest
from benchmarks import scale
from benchmarks.generated import SPEC, Sales
from benchmarks.scale import Figure, growth, met

if TYPE_CHECKING:
    from pathlib import Path


def figure(stage: str, rows: int, seconds: float, peak: int) -> Figure:
    return Figure(stage=stage, rows=rows, start_up=1.0, seconds=seconds, peak=peak)


def test_growth_is_the_worst_against_the_smallest_size() -> None:
    figures = [
        figure(stage, rows, seconds, peak)
        for stage in scale.STAGES
        for rows, seconds, peak in ((10, 1.0, 100), (100, 12.0, 105), (300, 27.0, 109))
    ]
    assert growth(figures) == {stage: {"us_a_row": 1.2, "peak": 1.09} for stage in scale.STAGES}
    assert met(growth(figures))
    slower = figure("panel", 300, 40.0, 100)
    assert not met(growth([*figures, slower]))
    larger = figure("forecast", 300, 30.0, 111)
    assert not met(growth([*figures, larger]))


def test_the_stages_run_from_landed_sales_to_forecasts(tmp_path: Path) -> None:
    for name, sales in (("tiny", Sales(series=20, days=120)), ("lake", Sales(series=30, days=90))):
        place = tmp_path / name
        place.mkdir()
        (place / "lakecast.toml").write_text(SPEC, encoding="utf-8")
        sales.land(scale._context(place).lake)
        assert scale._run("panel", place) <= sales.rows
    scale._teach(tmp_path)
    lake = scale._context(tmp_path / "lake").lake
    sold = lake.table("sales").scan().collect()
    assert sold.height == 30 * 90
    assert sold.select(pl.struct("loja", "produto").n_unique()).item() == 30
    scale._run("forecast", tmp_path / "lake")
    forecasts = lake.table("forecasts").scan().collect()
    assert forecasts.height == 30 * 28
    assert forecasts["forecast"].null_count() == 0


def test_generated_sales_are_a_function_of_their_seed(tmp_path: Path) -> None:
    found = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "lakecast.toml").write_text(SPEC, encoding="utf-8")
        lake = scale._context(tmp_path / name).lake
        Sales(series=10, days=30, seed=seed).land(lake)
        found.append(lake.table("sales").scan().collect().sort("_row")["quantidade"].to_list())
    assert found[0] == found[1] != found[2]


def test_a_size_given_by_hand_is_asked_for_in_numbers() -> None:
    with pytest.raises(SystemExit):
        scale.main(["--rows", "many"])
