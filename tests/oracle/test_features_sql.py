"""Features recomputed in plain SQL from their definitions, with the standard library's sqlite."""

from __future__ import annotations

import math
import sqlite3
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests import panels

from lakecast.core.block import MemoryPanel
from lakecast.core.features import compile_plan, fit_plan, matrix
from lakecast.spec.features import (
    Ewm,
    Expanding,
    Features,
    LaggedCovariate,
    Rolling,
    Seasonal,
    Trend,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

STATS = ("mean", "std", "min", "max")
FEATURES = Features(
    lags=(1, 2, 7, 30),
    rolling=(
        Rolling(window=7, stats=STATS),
        Rolling(window=28, lag=7, stats=STATS, min_periods=2),
        Rolling(window=5, lag=3, stats=("mean",), quantiles=(0.25, 0.5), min_periods=1),
    ),
    seasonal=(
        Seasonal(season=7, window=4, lag=7, stats=STATS, min_periods=1),
        Seasonal(season=7, window=3, lag=14),
    ),
    expanding=(Expanding(stats=STATS), Expanding(lag=9)),
    ewm=(Ewm(alpha=0.3, stats=("mean", "std")), Ewm(alpha=1.0, lag=4)),
    trend=(Trend(window=10, lag=2),),
    calendar=(),
    covariates=(
        LaggedCovariate(column="promo", lags=(0, 1)),
        LaggedCovariate(
            column="visits", lags=(1, 8), rolling=(Rolling(window=6, lag=2, min_periods=3),)
        ),
    ),
    encodings=("store",),
    pooled=("store",),
    static=False,
)

WINDOW = """
    SELECT a.s, a.t, COUNT(b.{y}), {what}
    FROM panel a LEFT JOIN panel b ON b.s = a.s AND b.t <= a.t - {lag}
        AND b.t > a.t - {lag} - {season} * {window} AND (a.t - {lag} - b.t) % {season} = 0
    GROUP BY a.s, a.t ORDER BY a.s, a.t
"""
EWM = """
    WITH RECURSIVE known AS (
        SELECT s, y, ROW_NUMBER() OVER (PARTITION BY s ORDER BY t) AS i, t
        FROM panel WHERE y IS NOT NULL
    ), walk(s, i, t, e, v) AS (
        SELECT s, i, t, y, 0.0 FROM known WHERE i = 1
        UNION ALL
        SELECT k.s, k.i, k.t, w.e + {alpha} * (k.y - w.e),
               (1 - {alpha}) * (w.v + {alpha} * (k.y - w.e) * (k.y - w.e))
        FROM walk w JOIN known k ON k.s = w.s AND k.i = w.i + 1
    )
    SELECT a.s, a.t, MAX(w.i), w.{what}
    FROM panel a LEFT JOIN walk w ON w.s = a.s AND w.t <= a.t - {lag}
    GROUP BY a.s, a.t ORDER BY a.s, a.t
"""


class Deviation:
    """Sample standard deviation by two passes; sqlite has none."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def step(self, value: float | None) -> None:
        if value is not None:
            self.values.append(value)

    def finalize(self) -> float | None:
        if len(self.values) < 2:
            return None
        mean = math.fsum(self.values) / len(self.values)
        squares = math.fsum((v - mean) ** 2 for v in self.values)
        return math.sqrt(squares / (len(self.values) - 1))


@pytest.fixture(scope="module")
def panel() -> MemoryPanel:
    made = panels.with_covariates(series=5, length=80, seed=3)
    (block,) = made.held
    holes = np.random.default_rng(4).random(block.rows) < 0.15
    block.target[holes] = np.nan
    return made


@pytest.fixture(scope="module")
def database(panel: MemoryPanel) -> Iterator[sqlite3.Connection]:
    (block,) = panel.held
    connection = sqlite3.connect(":memory:")
    connection.create_aggregate("STD", 1, Deviation)  # type: ignore[arg-type]
    connection.execute("CREATE TABLE panel (s INT, t INT, store INT, y, promo, visits)")
    series = np.repeat(block.codes, block.lengths)
    columns = (block.target, block.covariates["promo"], block.covariates["visits"])
    rows = zip(
        series.tolist(),
        block.ordinals().tolist(),
        block.statics["store"][series].astype(int).tolist(),
        *([None if math.isnan(v) else v for v in held.tolist()] for held in columns),
        strict=True,
    )
    connection.executemany("INSERT INTO panel VALUES (?, ?, ?, ?, ?, ?)", rows)
    connection.execute("CREATE INDEX place ON panel (s, t)")
    yield connection
    connection.close()


@pytest.fixture(scope="module")
def computed(panel: MemoryPanel) -> dict[str, NDArray[np.float32]]:
    plan = compile_plan(FEATURES, panel.info, recursive=False)
    found, scale = matrix(fit_plan(plan, panel, panels.CUTOFF), panel.held[0])
    return {**dict(zip(plan.names, found.T, strict=True)), "scale": scale}


@pytest.fixture(scope="module")
def assert_same(
    computed: dict[str, NDArray[np.float32]], database: sqlite3.Connection
) -> Callable[..., None]:
    def check(name: str, query: str, need: int = 1) -> None:
        rows = database.execute(query).fetchall()
        expected = [
            math.nan if value is None or (count or 0) < need else value
            for _, _, count, value in rows
        ]
        assert not all(map(math.isnan, expected))
        np.testing.assert_allclose(computed[name], expected, rtol=1e-6, atol=1e-6)

    return check


def windowed(what: str, *, lag: int, window: int, season: int = 1, y: str = "y") -> str:
    functions = {"mean": "AVG", "std": "STD", "min": "MIN", "max": "MAX"}
    return WINDOW.format(
        what=f"{functions[what]}(b.{y})", lag=lag, window=window, season=season, y=y
    )


@pytest.mark.parametrize("lag", [1, 2, 7, 30])
def test_lag(assert_same: Callable[..., None], lag: int) -> None:
    over = "OVER (PARTITION BY s ORDER BY t)"
    assert_same(f"lag_{lag}", f"SELECT s, t, 1, LAG(y, {lag}) {over} FROM panel ORDER BY s, t")


@pytest.mark.parametrize("stat", STATS)
def test_rolling(assert_same: Callable[..., None], stat: str) -> None:
    assert_same(f"rolling_{stat}_7_lag_1", windowed(stat, lag=1, window=7), need=7)
    assert_same(f"rolling_{stat}_28_lag_7", windowed(stat, lag=7, window=28), need=2)


@pytest.mark.parametrize("stat", STATS)
def test_seasonal(assert_same: Callable[..., None], stat: str) -> None:
    query = windowed(stat, lag=7, window=4, season=7)
    assert_same(f"seasonal_{stat}_7x4_lag_7", query)


def test_seasonal_window_that_must_be_full(assert_same: Callable[..., None]) -> None:
    query = windowed("mean", lag=14, window=3, season=7)
    assert_same("seasonal_mean_7x3_lag_14", query, need=3)


@pytest.mark.parametrize("stat", STATS)
def test_expanding(assert_same: Callable[..., None], stat: str) -> None:
    assert_same(f"expanding_{stat}_lag_1", windowed(stat, lag=1, window=10**6))


def test_expanding_at_a_longer_lag(assert_same: Callable[..., None]) -> None:
    assert_same("expanding_mean_lag_9", windowed("mean", lag=9, window=10**6))


def test_ewm(assert_same: Callable[..., None]) -> None:
    assert_same("ewm_mean_0.3_lag_1", EWM.format(alpha=0.3, what="e", lag=1))
    assert_same("ewm_mean_1_lag_4", EWM.format(alpha=1.0, what="e", lag=4))


def test_ewm_deviation(assert_same: Callable[..., None], database: sqlite3.Connection) -> None:
    database.create_function("SQRT_", 1, lambda v: None if v is None else math.sqrt(v))
    query = EWM.format(alpha=0.3, what="v", lag=1).replace("w.v\n", "SQRT_(w.v)\n")
    assert_same("ewm_std_0.3_lag_1", query, need=2)


def test_trend(assert_same: Callable[..., None]) -> None:
    query = WINDOW.format(
        what="(SELECT y FROM panel c WHERE c.s = a.s AND c.t = a.t - 2) - AVG(b.y)",
        lag=2, window=10, season=1, y="y",
    )  # fmt: skip
    assert_same("trend_10_lag_2", query, need=10)


@pytest.mark.parametrize("level", [25, 50])
def test_quantile(
    computed: dict[str, NDArray[np.float32]], database: sqlite3.Connection, level: int
) -> None:
    query = """
        SELECT a.s, a.t, GROUP_CONCAT(b.y) FROM panel a
        LEFT JOIN panel b ON b.s = a.s AND b.t <= a.t - 3 AND b.t > a.t - 8
        GROUP BY a.s, a.t ORDER BY a.s, a.t
    """
    windows = [text.split(",") if text else [] for _, _, text in database.execute(query)]
    expected = [
        np.quantile([float(v) for v in held], level / 100) if held else math.nan for held in windows
    ]
    np.testing.assert_allclose(computed[f"rolling_q{level}_5_lag_3"], expected, rtol=1e-6)


def test_covariates(assert_same: Callable[..., None]) -> None:
    over = "OVER (PARTITION BY s ORDER BY t)"
    assert_same("promo", "SELECT s, t, 1, promo FROM panel ORDER BY s, t")
    for name, lag in (("promo", 1), ("visits", 1), ("visits", 8)):
        query = f"SELECT s, t, 1, LAG({name}, {lag}) {over} FROM panel ORDER BY s, t"
        assert_same(f"{name}_lag_{lag}", query)
    query = windowed("mean", lag=2, window=6, y="visits")
    assert_same("visits_rolling_mean_6_lag_2", query, need=3)


def test_pooled_mean_of_the_stores_other_series(assert_same: Callable[..., None]) -> None:
    query = """
        SELECT a.s, a.t, 1, (SELECT AVG(y) FROM panel b WHERE b.store = a.store AND b.t = a.t - 1)
        FROM panel a ORDER BY a.s, a.t
    """
    assert_same("pooled_store_lag_1", query)


def test_encoding(assert_same: Callable[..., None]) -> None:
    query = """
        SELECT a.s, a.t, 1, (SELECT AVG(y) FROM panel b WHERE b.store = a.store)
        FROM panel a ORDER BY a.s, a.t
    """
    assert_same("store_encoded", query)


def test_scale(assert_same: Callable[..., None]) -> None:
    query = windowed("mean", lag=1, window=10**6).replace("AVG(b.y)", "AVG(ABS(b.y))")
    assert_same("scale", query)
