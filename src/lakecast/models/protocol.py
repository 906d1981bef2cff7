"""The two seams of the models room: a `Regressor` maps rows to numbers, a `Forecaster` answers.

What is backtested, registered, served and explained is always a `Forecaster`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from lakecast.core.block import Future
    from lakecast.core.features import Column, FeaturePlan, State


@dataclass(frozen=True, kw_only=True, slots=True)
class Rows:
    """n training rows: matrix [n, F] float32 column-major (null NaN) and, [n] each, the target, the
    ordinal and the weight (positive)."""

    matrix: NDArray[np.float32]
    target: NDArray[np.float32]
    ordinals: NDArray[np.int32]
    weight: NDArray[np.float32]


class RowBlocks(Protocol):
    """Training rows that can be read again, in canonical order (bucket, series, time)."""

    @property
    def columns(self) -> tuple[Column, ...]:
        """The matrix's columns."""
        ...

    @property
    def rows(self) -> int:
        """Number of rows over all blocks."""
        ...

    def blocks(self) -> Iterator[Rows]:
        """The rows."""
        ...

    def drawn(self, places: NDArray[np.int64], threads: int = 1) -> NDArray[np.float32]:
        """[n, F] column-major: the matrix of the rows at these n places, which ascend."""
        ...


@runtime_checkable
class Fitted(Protocol):
    """A fitted regressor: immutable, safe between threads, saved without pickle."""

    def predict(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """One number a row of the matrix [n, F]; never writes to the input."""
        ...

    def importances(self) -> Mapping[str, float]:
        """Share of each column, summing to 1 (or all 0)."""
        ...

    def save(self, folder: Path) -> None:
        """Write into an empty folder; `lakecast.models.load` reads it back, bit for bit."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """Forecasts of S series: values [S, H] float64 without nulls, and where each came from [S]."""

    values: NDArray[np.float64]
    source: NDArray[np.str_]

    @classmethod
    def of(cls, values: NDArray[np.float64], source: str = "model") -> Answer:
        """An answer that came from one source. Only within this room may it hold nulls."""
        return cls(values=values, source=np.full(len(values), source))


@runtime_checkable
class Forecaster(Protocol):
    """A fitted forecaster: immutable, safe between threads."""

    @property
    def memory(self) -> int:
        """Number of last values a `State` must hold for it."""
        ...

    @property
    def plans(self) -> tuple[FeaturePlan, ...]:
        """Feature plans a `State` must be made for (`state_at(..., plans=)`)."""
        ...

    def forecast(self, state: State, future: Future) -> Answer:
        """Forecasts of the state's series for the `future.horizon` periods after its cutoff."""
        ...

    def save(self, folder: Path) -> None:
        """Write into an empty folder; `lakecast.models.load` reads it back, bit for bit."""
        ...
