"""The yardstick's ten features: ours against the reference; with the peer where it is installed."""

from __future__ import annotations

import importlib.util
import json
from contextlib import nullcontext
from typing import TYPE_CHECKING

import numpy as np
import pytest
from benchmarks import features, ten, ten_lake, train

if TYPE_CHECKING:
    from pathlib import Path

ROWS = 5 * ten.DAYS
peer = pytest.mark.skipif(
    importlib.util.find_spec("mlforecast") is None,
    reason="mlforecast is not installed: `python3 dev.py setup bench` does that",
)


def test_our_matrix_is_the_reference() -> None:
    sales = ten.Sales.make(ROWS)
    matrix, names = ten.ours(sales.panel(), 2), ten.planned(sales.panel()).plan.names
    assert matrix.shape == (ROWS, 10)
    assert ten.check(sales, matrix, names) == sales.series == 5


def test_a_wrong_value_is_seen() -> None:
    sales = ten.Sales.make(ROWS)
    matrix, names = ten.ours(sales.panel(), 1), ten.planned(sales.panel()).plan.names
    matrix[4 * ten.DAYS + 700, names.index("rolling_std_7_lag_1")] += 0.01
    with pytest.raises(AssertionError, match="rolling_std_7_lag_1"):
        ten.check(sales, matrix, names)


def test_the_reference_by_hand() -> None:
    found = ten.expected(np.arange(1, 41, dtype=np.float32) ** 2)
    assert found["lag_28"][28] == 1.0
    assert found["rolling_mean_7_lag_1"][7] == (1 + 4 + 9 + 16 + 25 + 36 + 49) / 7
    assert np.isnan(found["rolling_std_28_lag_1"][27])
    assert (found["weekday"][0], found["month"][0]) == (5.0, 1.0)  # Saturday, 2011-01-29


def test_our_table_is_the_reference(tmp_path: Path) -> None:
    sales = ten.Sales.make(ROWS)
    ten_lake.write_sources(sales, tmp_path)
    assert features.check_table(sales, features.our_files(tmp_path)) == 5


@peer
@pytest.mark.parametrize("nulls", [True, False])
def test_the_peers_file_is_the_reference_once_it_has_nulls(tmp_path: Path, *, nulls: bool) -> None:
    sales = ten.Sales.make(ROWS)
    ten_lake.write_sources(sales, tmp_path)
    file = features.their_files(tmp_path, nulls=nulls)
    with nullcontext() if nulls else pytest.raises(AssertionError, match="lag1"):
        features.check_theirs(sales, file)


def test_a_clock_counts_what_is_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter((0.0, 1.0, 3.0, 10.0))
    monkeypatch.setattr(train.time, "perf_counter", lambda: next(ticks))
    clock = train.Clock()
    back = clock.around(lambda: None, counted=False)
    clock.around(back)()
    assert clock.inside == 10.0 - 2.0


def test_a_clock_counts_nested_work_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter((0.0, 1.0, 3.0, 10.0))
    monkeypatch.setattr(train.time, "perf_counter", lambda: next(ticks))
    clock = train.Clock()
    clock.around(clock.around(lambda: None))()
    assert clock.inside == 10.0


@peer
def test_features_end_in_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    features.main(["--rows", str(ROWS), "--pairs", "1"])
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (told["name"], told["met"]) == ("features", None)
    assert told[f"parquet_{ROWS}"]["checked_series"] == 5


@peer
def test_training_ends_in_one_line_of_json(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "TREES", 3)
    train.main(["--rows", str(ROWS), "--pairs", "1"])
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (told["name"], told["met"]) == ("train", None)
    assert told["rows"] == 5 * (ten.DAYS - train.WARM)
