"""The ten features of the field's yardstick, on generated sales of M5's shape: ours and the peer's.

Lags 1, 7, 14 and 28; rolling means and standard deviations over 7 and 28 days; weekday; month.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import polars as pl

from lakecast.columns import Columns
from lakecast.core.block import Block, MemoryPanel, PanelInfo
from lakecast.core.calendar import Frequency
from lakecast.core.features import compile_plan, fill, fit_plan
from lakecast.engines.local import LocalEngine
from lakecast.spec.features import Features, Rolling

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lakecast.core.features import FittedPlan

DAYS: Final = 1941
SERIES: Final = 30_490
FIRST: Final = 15_003  # 2011-01-29
COLUMNS: Final = Columns(series=("unique_id",), time="ds", target="y")
LAGS: Final = (1, 7, 14, 28)
WINDOWS: Final = (7, 28)
TEN: Final = Features(
    lags=LAGS, rolling=tuple(Rolling(window=w, stats=("mean", "std")) for w in WINDOWS),
    seasonal=(), expanding=(), ewm=(), trend=(), calendar=("weekday", "month"), static=False,
)  # fmt: skip
SPEC: Final = """
spec = 1
[[sources]]
table = "sales"
path = "raw/sales.parquet"
[panel]
series = ["unique_id"]
time = "ds"
target = "y"
frequency = "D"
[forecast]
horizon = 28
[features]
lags = [1, 7, 14, 28]
rolling = [{ window = 7, stats = ["mean", "std"] }, { window = 28, stats = ["mean", "std"] }]
seasonal = []
expanding = []
ewm = []
trend = []
calendar = ["weekday", "month"]
static = false
"""
BUCKETS: Final = 8
_TOGETHER: Final = 515
"""Series of a block, at most: a million rows, as in the lake."""


@dataclass(frozen=True, slots=True, eq=False)
class Sales:
    """Whole counts of `series` series over `DAYS` days each, most of them zero: [series * DAYS]."""

    series: int
    target: NDArray[np.float32]

    @classmethod
    def make(cls, rows: int, seed: int = 5) -> Sales:
        """About so many rows, whole series."""
        series = max(rows // DAYS, 1)
        target = np.empty((series, DAYS), np.float32)
        rng = np.random.default_rng(seed)
        for low in range(0, series, _TOGETHER):
            part = target[low : low + _TOGETHER]
            part[:] = rng.poisson(np.exp(rng.normal(-0.5, 1.2, (len(part), 1))), part.shape)
        return cls(series, target.reshape(-1))

    @property
    def some(self) -> NDArray[np.int32]:
        """At most fifty of the series, from the first to the last: those that are compared."""
        return np.unique(np.linspace(0, self.series - 1, 50).astype(np.int32))

    def of(self, series: int) -> NDArray[np.float32]:
        """The values of one series."""
        return self.target[series * DAYS : (series + 1) * DAYS]

    def compared(self) -> Sales:
        """Those that are compared, alone."""
        some = self.some.tolist()
        return Sales(len(some), np.concatenate([self.of(s) for s in some]))

    def panel(self) -> MemoryPanel:
        """Blocks as a lake would hold them, in eight buckets; they are views of the target."""
        info = PanelInfo(
            columns=COLUMNS, frequency=Frequency("D"), timezone="UTC", seasons=(7,),
            cutoff=FIRST + DAYS - 1, series=self.series, rows=self.target.size,
        )  # fmt: skip
        return MemoryPanel(
            info, tuple(self._block(low, high) for bucket in self.buckets() for low, high in bucket)
        )

    def buckets(self) -> list[list[tuple[int, int]]]:
        """The series of each block of each bucket: from, and up to."""
        edges = np.linspace(0, self.series, BUCKETS + 1).astype(int).tolist()
        return [
            [(low, min(low + _TOGETHER, end)) for low in range(begin, end, _TOGETHER)]
            for begin, end in pairwise(edges)
        ]

    def _block(self, low: int, high: int) -> Block:
        size = high - low
        return Block(
            codes=np.arange(low, low + size, dtype=np.int32),
            starts=np.arange(size + 1, dtype=np.int64) * DAYS,
            first=np.full(size, FIRST, np.int32),
            target=self.target[low * DAYS : high * DAYS],
        )

    def frame(self) -> pl.DataFrame:
        """`unique_id`, `ds`, `y`, sorted: what the peer is given."""
        days = np.arange(FIRST, FIRST + DAYS).astype("M8[D]")
        return pl.DataFrame(
            {
                "unique_id": np.repeat(np.arange(self.series, dtype=np.int32), DAYS),
                "ds": np.tile(days, self.series),
                "y": self.target,
            }
        )


def planned(panel: MemoryPanel) -> FittedPlan:
    """Our plan of the ten."""
    plan = compile_plan(TEN, panel.info, recursive=True, horizon=28)
    return fit_plan(plan, panel, panel.info.cutoff)


def ours(panel: MemoryPanel, threads: int) -> NDArray[np.float32]:
    """[rows, 10] float32, column-major: blocks on threads, each writing its own rows."""
    fitted = planned(panel)
    out = np.empty((len(fitted.columns), panel.info.rows), np.float32)
    work = partial(_placed, fitted=fitted, out=out)
    ends = np.cumsum([block.rows for block in panel.held])
    pieces = list(zip(panel.held, (ends - [block.rows for block in panel.held]), strict=True))
    for _ in LocalEngine(workers=threads).map(work, pieces, title="features"):
        pass
    return out.T


def _placed(piece: tuple[Block, int], *, fitted: FittedPlan, out: NDArray[np.float32]) -> None:
    block, at = piece
    fill(fitted, block, out, int(at))


def peer(threads: int, *models: Any) -> Any:
    """The same features as mlforecast computes them, in our order."""
    from mlforecast import MLForecast
    from mlforecast.lag_transforms import RollingMean, RollingStd

    rolling = [kind(window_size=w) for w in WINDOWS for kind in (RollingMean, RollingStd)]
    return MLForecast(
        models=list(models), freq="1d", lags=list(LAGS), lag_transforms={1: rolling},
        date_features=["weekday", "month"], num_threads=threads,
    )  # fmt: skip


def theirs(frame: pl.DataFrame, threads: int) -> pl.DataFrame:
    """The frame with the ten columns of mlforecast, nothing dropped."""
    found = peer(threads).preprocess(frame, static_features=[], dropna=False)
    return cast("pl.DataFrame", found)


def their_matrix(frame: pl.DataFrame, threads: int) -> NDArray[np.float32]:
    """[rows, 10] float32 of mlforecast, nothing dropped."""
    found, _ = peer(threads).preprocess(
        frame, static_features=[], dropna=False, return_X_y=True, as_numpy=True
    )
    return cast("NDArray[np.float32]", found)


def expected(values: NDArray[np.float32]) -> dict[str, NDArray[np.float64]]:
    """The ten features of one series from their definitions, in float64; null where not known."""
    y = values.astype(np.float64)
    found = {f"lag_{lag}": _after(y[:-lag], lag) for lag in LAGS}
    for window in WINDOWS:
        held = np.lib.stride_tricks.sliding_window_view(y[:-1], window)
        found[f"rolling_mean_{window}_lag_1"] = _after(held.mean(axis=1), window)
        found[f"rolling_std_{window}_lag_1"] = _after(held.std(axis=1, ddof=1), window)
    days = np.arange(FIRST, FIRST + y.size)
    found["weekday"] = ((days + 3) % 7).astype(np.float64)
    months = days.astype("M8[D]").astype("M8[M]").astype(np.int64)
    found["month"] = (months % 12 + 1).astype(np.float64)
    return found


def _after(values: NDArray[np.float64], nulls: int) -> NDArray[np.float64]:
    return np.concatenate([np.full(nulls, np.nan), values])


def check(sales: Sales, matrix: NDArray[np.float32], names: tuple[str, ...]) -> int:
    """Compare fifty series of a matrix with `expected`; how many. Raises `AssertionError`."""
    for s in sales.some.tolist():
        rows = slice(s * DAYS, (s + 1) * DAYS)
        for name, wanted in expected(sales.of(s)).items():
            got = matrix[rows, names.index(name)]
            np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=1e-12, err_msg=name)
    return sales.some.size
