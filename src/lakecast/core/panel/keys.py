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
_SPARE: Final = 4  # cells that a series (a row) may take where places are looked up in a grid
_FEW: Final = 10_000  # series that a grid may always have cells for
_MOST: Final = 2**29  # rows, so that the number of a cell is an int32
_CHUNK: Final = 65_536
_RUNS: Final = 64  # sorted runs up to which merging them is faster than sorting


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


def grouped(
    frame: pl.DataFrame, columns: Sequence[str]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """[n] what puts the rows of an interned frame that are equal in all columns (null equals null)
    side by side, and where each such group begins; neither groups nor their rows are in an order.
    """
    key = _key(_two(frame, columns))
    order = sorting(key)
    return order, np.flatnonzero(begins(key[order]))


def sorting(key: NDArray[Any]) -> NDArray[np.intp]:
    """[n] what sorts the key, equal ones in any order; a few sorted runs are merged, not sorted."""
    runs = np.count_nonzero(key[1:] < key[:-1])
    return np.argsort(key, kind="stable" if runs < _RUNS else None)


def begins(key: NDArray[Any]) -> NDArray[np.bool_]:
    """[n] where another value begins in a sorted key; the first does."""
    new = np.ones(key.size, np.bool_)
    np.not_equal(key[1:], key[:-1], out=new[1:])
    return new


def in_order(order: NDArray[np.intp], new: NDArray[np.bool_]) -> NDArray[np.intp]:
    """`sorting` with equal ones in their order, by where values begin in what it sorts."""
    group = np.cumsum(new)
    return np.sort(group << 32 | order) & (2**32 - 1)


def placed(first: NDArray[np.int32], second: NDArray[np.int32]) -> NDArray[np.int32] | None:
    """[n] the rows sorted by two whole numbers, such as a series and a period, without sorting.

    Each row is put where its pair belongs among all that may occur, which takes as long whatever
    order they come in. None where those are many more than the rows, or a pair comes twice.
    """
    if not first.size or first.size > _MOST:
        return None
    low, base = int(first.min()), int(second.min())
    width = int(second.max()) - base + 1
    cells = (int(first.max()) - low + 1) * width
    if cells > _SPARE * first.size:
        return None
    place = first - np.int32(low)
    place *= np.int32(width)
    place += second - np.int32(base)
    row = np.full(cells, -1, np.int32)
    for at in range(0, place.size, _CHUNK):  # NumPy makes indices of eight bytes of them
        some = place[at : at + _CHUNK]
        row[some] = np.arange(at, at + some.size, dtype=np.int32)
    del place
    found = row[row >= 0]
    return found if found.size == first.size else None


@dataclass(frozen=True, slots=True)
class Places:
    """Where each series stands in a frame of distinct ones.

    `held` are its categories: they keep the pools alive, and are what is pickled.
    """

    columns: tuple[str, ...]
    held: pl.DataFrame
    index: _Grid | _Sorted

    @classmethod
    def of(cls, series: pl.DataFrame) -> Places:
        """Of a frame of the series columns, each series once."""
        coded = interned(series, series.columns)
        two = _two(coded, coded.columns)
        held = pl.concat([coded, two.rename(_apart)], how="horizontal")
        return cls(tuple(series.columns), held, _Grid.of(two) or _Sorted.of(two))

    def find(self, rows: pl.DataFrame) -> NDArray[np.int32]:
        """[n] the place of each row's series, -1 for one that is not there."""
        coded = interned(rows.select(self.columns), self.columns)
        return self.index.find(_two(coded, self.columns))

    def __reduce__(self) -> tuple[Callable[..., Places], tuple[Any, ...]]:
        """Numbers are of this process; another makes its own."""
        return Places.of, (self.held.select(pl.col(self.columns).cast(pl.String)),)


@dataclass(frozen=True, slots=True)
class _Grid:
    """`rows` [A, B]: the place by the numbers of both categories, -1 where there is none."""

    rows: NDArray[np.int32]

    @classmethod
    def of(cls, two: pl.DataFrame) -> _Grid | None:
        """None where it would be much larger than the frame."""
        if two.is_empty():
            return None
        first, second = _numbers(two)
        shape = (int(first.max()) + 1, int(second.max()) + 1)
        if shape[0] * shape[1] > _SPARE * (two.height + _FEW):
            return None
        rows = np.full(shape, -1, np.int32)
        rows[first, second] = np.arange(two.height)
        return cls(rows)

    def find(self, two: pl.DataFrame) -> NDArray[np.int32]:
        first, second = _numbers(two)
        known = (first < self.rows.shape[0]) & (second < self.rows.shape[1])
        if known.all():
            return self.rows[first, second]
        return np.where(known, self.rows[np.where(known, first, 0), np.where(known, second, 0)], -1)


@dataclass(frozen=True, slots=True)
class _Sorted:
    """`keys` of one or two categories, ascending, and the place `rows` of each."""

    keys: NDArray[np.uint64]
    rows: NDArray[np.int32]

    @classmethod
    def of(cls, two: pl.DataFrame) -> _Sorted:
        keys = _key(two)
        order = sorting(keys)
        return cls(keys[order], order.astype(np.int32))

    def find(self, two: pl.DataFrame) -> NDArray[np.int32]:
        if not self.keys.size:
            return np.full(two.height, -1, np.int32)
        keys = _key(two)
        near = np.minimum(np.searchsorted(self.keys, keys), self.keys.size - 1)
        return np.where(self.keys[near] == keys, self.rows[near], -1)


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
    first, second = _numbers(two)
    return first.astype(np.uint64) << np.uint64(32) | second


def _numbers(two: pl.DataFrame) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """[n], [n] of the categories; the first are 0 where there is one alone."""
    second = _number(two[:, -1])
    return _number(two[:, 0]) if two.width > 1 else np.zeros_like(second), second


def _number(values: pl.Series) -> NDArray[np.uint32]:
    return values.to_physical().fill_null(int(_NULL)).to_numpy()
