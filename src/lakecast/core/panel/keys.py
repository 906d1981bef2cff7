"""Which series a row is of, as one number: rows are grouped and looked up by it, not by texts.

Values are interned in pools of Polars, one a column. A pool lives as long as a column of it does
and belongs to one process, so numbers are made anew where they are used; only `Places` keeps them,
beside the columns that keep the pools.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

_NULL: Final = np.uint32(2**32 - 1)


def interned(frame: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """The frame with these columns as categories: their texts, numbers in decimal."""
    return frame.with_columns(
        _text(name, frame.schema[name]).cast(_pool(name))
        for name in columns
        if frame.schema[name] != _pool(name)
    )


def plain(frame: pl.DataFrame, kinds: pl.Schema) -> pl.DataFrame:
    """What was interned, in the types it had."""
    return frame.with_columns(
        _back(name, kinds[name]) for name in frame.columns if frame.schema[name] == _pool(name)
    )


def grouped(frame: pl.DataFrame, columns: Sequence[str]) -> tuple[pl.DataFrame, NDArray[np.intp]]:
    """An interned frame, the rows equal in all columns (null equals null) side by side, and where
    each such group begins; neither groups nor their rows are in an order."""
    key = pl.Series(_key(_two(frame, columns)))
    order = key.arg_sort()
    ordered = key.gather(order).to_numpy()
    changes = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    return frame[order], np.append(0, changes) if len(ordered) else changes


@dataclass(frozen=True, slots=True)
class Places:
    """Where each series stands in a frame of distinct ones.

    `held` are the categories that `keys` (ascending) were made of, `rows` the places.
    """

    columns: tuple[str, ...]
    held: pl.DataFrame
    keys: NDArray[np.uint64]
    rows: NDArray[np.int64]

    @classmethod
    def of(cls, series: pl.DataFrame) -> Places:
        """Of a frame of the series columns, each series once."""
        coded = interned(series, series.columns)
        held = pl.concat([coded, _two(coded, coded.columns).rename(_apart)], how="horizontal")
        keys = _key(held[:, -2:] if len(coded.columns) > 1 else held[:, -1:])
        order = np.argsort(keys)
        return cls(tuple(series.columns), held, keys[order], order)

    def find(self, rows: pl.DataFrame) -> NDArray[np.int64]:
        """[n] the place of each row's series, -1 for one that is not there."""
        if not self.keys.size:
            return np.full(rows.height, -1)
        coded = interned(rows.select(self.columns), self.columns)
        keys = _key(_two(coded, self.columns))
        near = np.minimum(np.searchsorted(self.keys, keys), self.keys.size - 1)
        return np.where(self.keys[near] == keys, self.rows[near], -1)

    def __reduce__(self) -> tuple[Callable[..., Places], tuple[Any, ...]]:
        """Numbers are of this process; another makes its own."""
        return Places.of, (self.held.select(pl.col(self.columns).cast(pl.String)),)


def _pool(name: str) -> pl.Categorical:
    return pl.Categorical(pl.Categories(f"lakecast.{name}"))


def _text(name: str, kind: pl.DataType) -> pl.Expr:
    number = pl.col(name).to_physical() if kind.is_temporal() else pl.col(name)
    return number.cast(pl.String)


def _back(name: str, kind: pl.DataType) -> pl.Expr:
    text = pl.col(name).cast(pl.String)
    if kind == pl.Boolean:
        return text == "true"
    return text.cast(pl.Int64).cast(kind) if kind.is_temporal() else text.cast(kind)


def _two(coded: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """The categories as at most two: all but the last are interned together, by their numbers."""
    if len(columns) < 3:
        return coded.select(columns)
    numbers = pl.DataFrame({name: _number(coded[name]) for name in columns[:-1]})
    pair = numbers.select(pl.concat_str(pl.all(), separator=" ").cast(_pool(" ")).alias(" "))
    return pair.with_columns(coded[columns[-1]])


def _apart(name: str) -> str:
    return f"{name} "


def _key(two: pl.DataFrame) -> NDArray[np.uint64]:
    """[n] one or two categories as one number."""
    key = _number(two[:, 0]).astype(np.uint64)
    return key << np.uint64(32) | _number(two[:, 1]) if two.width > 1 else key


def _number(values: pl.Series) -> NDArray[np.uint32]:
    return values.to_physical().fill_null(int(_NULL)).to_numpy()
