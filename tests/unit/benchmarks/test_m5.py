"""The benchmark `m5`: what it runs, what it reads back, and when it says that it was met."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from benchmarks import m5
from benchmarks.m5 import Plan, Ran, backtested, forecast, measured, spec_text
from benchmarks.wrmsse import HORIZON, Market
from tests.m5_files import FIRST, write_files

from lakecast import spec as specs

PLAN = Plan(
    files=Path("files"),
    scratch=Path("scratch"),
    memory="4GB",
    stores=(),
    backtest=True,
    small=False,
    peer=True,
    spec=m5.EXAMPLE / "lakecast.toml",
)
FULL = Ran(seconds=5000.0, peak=4 * 10**9)


def test_the_example_runs_as_it_is() -> None:
    spec = specs.loads(spec_text(PLAN))
    assert (spec.backtest.windows, spec.gate.weight) == (m5.WINDOWS + 1, "revenue")
    assert len(spec.hierarchy.levels) == 11


def test_a_given_recipe_is_one_family_in_the_least_of_windows() -> None:
    spec = specs.loads(spec_text(replace(PLAN, backtest=False)))
    assert (spec.backtest.windows, spec.train.families) == (1, ("gradient_boosting",))
    assert not spec.train.search


@pytest.mark.parametrize(
    ("plan", "ran", "ratio", "met"),
    [
        (PLAN, FULL, 0.95, True),
        (PLAN, FULL, 0.951, False),
        (PLAN, replace(FULL, peak=4 * 10**9 + 1), 0.9, False),
        (PLAN, replace(FULL, seconds=5401.0), 0.9, False),
        (replace(PLAN, backtest=False), FULL, 0.9, False),
        (replace(PLAN, backtest=False), replace(FULL, seconds=1799.0), 1.2, True),
        (replace(PLAN, stores=("CA_1",)), FULL, 0.9, None),
        (PLAN, None, 0.9, None),
        (PLAN, FULL, None, None),
    ],
)
def test_when_it_is_met(plan: Plan, ran: Ran | None, ratio: float | None, met: bool | None) -> None:
    assert m5._met(plan, ran, ratio, windows=3) is met


def test_a_process_is_measured_whole(tmp_path: Path) -> None:
    work = "x = bytearray(b'1' * 200_000_000); import json, time; time.sleep(0.3); print('hm')"
    command = [sys.executable, "-c", f"{work}; print(json.dumps({{'stages': [1]}}))"]
    ran = measured(command, tmp_path / "run.log")
    assert ran.told == {"stages": [1]}
    assert ran.peak > 190_000_000
    with pytest.raises(RuntimeError, match=r"ended with 3: see .*run\.log"):
        measured([sys.executable, "-c", "raise SystemExit(3)"], tmp_path / "run.log")


@pytest.fixture
def market() -> Market:
    ids = [("a", "d", "c", "s", "x"), ("b", "d", "c", "s", "x")]
    return Market(
        ids=pl.DataFrame(ids, schema=["item_id", "dept_id", "cat_id", "store_id", "state_id"],
                         orient="row"),
        units=np.ones((2, 60), dtype=np.int32),
        prices=pl.LazyFrame(),
        weeks=np.zeros(60, dtype=np.int32),
        first=FIRST,
    )  # fmt: skip


def _rows(cutoff: int, **more: object) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {"series_code": code, "date": FIRST + timedelta(days=cutoff + h),
             "cutoff": FIRST + timedelta(days=cutoff - 1), "forecast": 10.0 * code + h, **more}
            for code in range(2)
            for h in range(HORIZON)
        ]
    )  # fmt: skip


def test_the_chosen_forecasts_are_read_back_by_cutoff(tmp_path: Path, market: Market) -> None:
    lake = tmp_path / "lake"
    lake.mkdir()
    tables = [_rows(cutoff, candidate="auto") for cutoff in (31, 32)]
    pl.concat([*tables, _rows(32, candidate="theta")]).write_delta(lake / "backtest")
    series = pl.DataFrame({"series_code": [0, 1], "item_id": ["b", "a"], "store_id": ["s", "s"]})
    series.write_delta(lake / "series")
    found = backtested(tmp_path, market)
    assert list(found) == [31, 32]
    assert found[32].tolist() == [[10.0 + h for h in range(28)], [float(h) for h in range(28)]]


def test_levels_above_the_series_are_not_scored(tmp_path: Path, market: Market) -> None:
    (tmp_path / "lake").mkdir()
    names = pl.DataFrame({"series_code": [0, 1], "item_id": ["a", "b"], "store_id": ["s", "s"]})
    rows = _rows(32).join(names, on="series_code").drop("series_code")
    total = rows.with_columns(pl.lit(None, pl.String).alias("item_id"))
    pl.concat([rows, total]).write_delta(tmp_path / "lake" / "forecasts")
    assert forecast(tmp_path, market)[32][1, 0] == 10.0


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--no-backtest"]])
def test_the_whole_on_small_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    write_files(tmp_path / "files", 688)
    m5.main(["--files", str(tmp_path / "files"), "--scratch", str(tmp_path), "--small", *options])
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (told["name"], told["met"], len(told["by_level"])) == ("m5", None, 13)
    assert list(told["by_cutoff"]) == (["660"] if options else ["604", "632", "660"])
    assert told["run"]["stages"][0]["stage"] == "ingest"
    assert 0.3 < told["ratio"] < 3.0
