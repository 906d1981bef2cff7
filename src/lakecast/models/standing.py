"""What a bundle needs of a panel beside its blocks, brought into the order of its state."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from lakecast.columns import CODE
from lakecast.core.block import Future

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """Beside the blocks of a panel.

    `series` has `series_code` and the series columns (and statics), in any order; `futures` the
    known future of each block, in the order of the blocks; `texts` the vocabularies of
    time-varying text covariates.
    """

    series: pl.DataFrame
    futures: Iterable[Future] = ()
    texts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def series_of(series: pl.DataFrame, codes: NDArray[np.int32]) -> pl.DataFrame:
    """The rows of the series table in the order of the codes."""
    wanted = pl.DataFrame({CODE: codes})
    return wanted.join(
        series.with_columns(pl.col(CODE).cast(pl.Int32)), on=CODE, how="left", maintain_order="left"
    )


def future_of(futures: Iterable[Future], names: Sequence[str], shape: tuple[int, int]) -> Future:
    """The futures of all blocks as one of shape (S, H); null where nothing is known.

    Raises `ValueError` where they are not of S series.
    """
    held = list(futures)
    return Future(
        horizon=shape[1],
        covariates={
            name: _joined([one.covariates[name] for one in held if name in one.covariates], shape)
            for name in names
        },
    )


def _joined(parts: Sequence[NDArray[np.float32]], shape: tuple[int, int]) -> NDArray[np.float32]:
    series, horizon = shape
    if not parts:
        return np.full(shape, np.nan, np.float32)
    values = np.concatenate(parts)[:, :horizon]
    if len(values) != series:
        raise ValueError(f"futures of {len(values)} series for {series} of the panel")
    more = horizon - values.shape[1]
    return np.pad(values, ((0, 0), (0, more)), constant_values=np.nan).astype(np.float32)
