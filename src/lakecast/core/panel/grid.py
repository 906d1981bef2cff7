"""The gap-free shape of some series: which row holds which period."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from lakecast.columns import CODE
from lakecast.core.panel.rows import PERIOD

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Grid:
    """S series, ascending codes; series s has the periods `first[s]` .. `last`, N rows in all."""

    codes: NDArray[np.int32]
    first: NDArray[np.int32]
    last: int

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """[S] periods of each series."""
        return self.last - self.first.astype(np.int64) + 1

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """[S + 1] first row of each series."""
        return np.concatenate([[0], np.cumsum(self.lengths)]).astype(np.int64)

    @property
    def rows(self) -> int:
        """N."""
        return int(self.starts[-1])

    @cached_property
    def frame(self) -> pl.DataFrame:
        """N rows of `series_code` and `_period`."""
        offset = np.repeat(self.first - self.starts[:-1], self.lengths)
        periods = (np.arange(self.rows) + offset).astype(np.int32)
        return pl.DataFrame({CODE: np.repeat(self.codes, self.lengths), PERIOD: periods})

    def places(self, frame: pl.DataFrame) -> NDArray[np.int64]:
        """[n] the grid's row of each (`series_code`, `_period`); all must lie on the grid."""
        series = np.searchsorted(self.codes, frame[CODE].to_numpy())
        places = self.starts[series] + frame[PERIOD].to_numpy() - self.first[series]
        return np.asarray(places, dtype=np.int64)

    def spread(
        self, places: NDArray[np.int64], values: pl.Series, fill: float = np.nan
    ) -> NDArray[np.float64]:
        """[N] float64: the values at their places (null is NaN), `fill` elsewhere."""
        spread = np.full(self.rows, fill, dtype=np.float64)
        spread[places] = values.cast(pl.Float64).fill_null(np.nan).to_numpy()
        return spread

    def carried(self, values: NDArray[np.float64], valid: NDArray[np.bool_]) -> NDArray[np.float64]:
        """[N] each series' last valid value up to the row; NaN before the first."""
        begins = np.repeat(self.starts[:-1], self.lengths)
        index = np.maximum.accumulate(np.where(valid, np.arange(self.rows), begins))
        return np.where(valid[index], values[index], np.nan)

    def totals(self, values: NDArray[np.generic]) -> NDArray[np.float64]:
        """[S] sum over each series' rows."""
        summed = np.add.reduceat(values.astype(np.float64), self.starts[:-1])
        return np.asarray(summed) if self.codes.size else np.empty(0)
