"""What the benchmark of accuracy reads from a project, and when it says that a goal is met."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from benchmarks.accuracy import compared, main, verdict

if TYPE_CHECKING:
    from pathlib import Path

ROWS = [
    ("seasonal_naive", None, None, "total", 1.0),
    ("moving_average", None, None, "total", 0.9),
    ("theta", None, None, "total", 0.8),
    ("auto", None, None, "total", 0.7),
    ("auto", 1, None, "total", 0.1),
    ("auto", None, 1, "total", 0.1),
    ("theta", None, None, "demand class", 0.1),
]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    schema = {"candidate": pl.String, "window": pl.Int32, "horizon": pl.Int32,
              "segment": pl.String, "rmsse": pl.Float64}  # fmt: skip
    table = pl.DataFrame(ROWS, schema=schema, orient="row")
    table.with_columns(bias=0.01, series=3, rows=84).write_delta(tmp_path / "lake" / "metrics")
    stages: list[dict[str, Any]] = [
        {"stage": "train", "peak": 1_000_000_000, "expected_peak": 1_200_000_000},
        {"stage": "panel", "peak": 0, "expected_peak": 9_000_000_000},
    ]
    told = "a line\n" + json.dumps({"stages": stages}) + "\n"
    (tmp_path / "run.out").write_text(told, encoding="utf-8")
    return tmp_path


def test_what_was_chosen_is_compared_with_the_best_baseline(project: Path) -> None:
    found = compared(project)
    assert found["rmsse"] == {"auto": 0.7, "seasonal_naive": 1.0, "theta": 0.8}
    assert found["peaks_mb"] == {"train": [1200, 1000]}
    assert (found["series"], found["scored"], found["bias"]) == (3, 84, 0.01)


@pytest.mark.parametrize(
    ("name", "auto", "predicted", "met"),
    [
        ("demo", 0.7, 1200, True),
        ("demo", 0.7, 1400, False),
        ("demo", 0.9, 1200, False),
        ("olist", 0.7, 1400, True),
    ],
)
def test_a_goal_is_met(name: str, auto: float, predicted: int, met: bool) -> None:
    rmsse = {"auto": auto, "seasonal_naive": 1.0, "theta": 0.8}
    one = {"rmsse": rmsse, "peaks_mb": {"train": [predicted, 1000], "panel": [100, 900]}}
    assert verdict(name, one) is met


def test_what_compared_nothing_is_no_success(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["--only", "olist", "--data", str(tmp_path)])
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["met"] is None


@pytest.mark.parametrize("only", ["m5", "demos"])
def test_a_project_that_is_not_there_is_refused(only: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--only", only])
