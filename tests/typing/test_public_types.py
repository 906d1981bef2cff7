"""The types that users see: mypy reads this file, and a test runs mypy on it.

`assert_type` is checked by mypy and does nothing at run time.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_type

if TYPE_CHECKING:
    import polars as pl

    import lakecast
    from lakecast.flows.outcome import RunOutcome, StageOutcome
    from lakecast.flows.planning import Step
    from lakecast.registry.promotions import Promotion
    from lakecast.report.data import ReportData

ROOT = Path(__file__).resolve().parents[2]


def users_see(project: lakecast.Project, frame: pl.DataFrame) -> None:
    """Never called."""
    assert_type(lakecast.__version__, str)
    assert_type(lakecast.Project.open("here"), lakecast.Project)
    assert_type(lakecast.open("forecasts", project="here"), pl.LazyFrame)
    assert_type(project.run(retrain=True), RunOutcome)
    assert_type(project.stage("panel"), tuple[StageOutcome, ...])
    assert_type(project.forecast(series=frame, horizon=7, scenario=frame), pl.DataFrame)
    assert_type(project.table("panel"), pl.DataFrame)
    assert_type(project.champion, Promotion | None)
    assert_type(project.decision().passed, bool)
    assert_type(project.plan(), tuple[Step, ...])
    assert_type(project.status(), dict[str, Any])
    assert_type(project.promote("1"), Promotion)
    assert_type(project.rollback(), Promotion)
    assert_type(project.report(notebook=True), Path)
    assert_type(project.report_data(), ReportData)


def misused(project: lakecast.Project) -> None:
    """Never called: each line must be an error, or mypy complains of an unused ignore."""
    project.forecast(7)  # type: ignore[call-arg, arg-type]
    project.forecast(horizon="7")  # type: ignore[arg-type]
    project.table(1)  # type: ignore[arg-type]
    lakecast.open(table=None)  # type: ignore[call-overload]


def test_mypy_agrees() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", "pyproject.toml", __file__],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_the_package_says_that_it_is_typed() -> None:
    assert (ROOT / "src" / "lakecast" / "py.typed").is_file()
