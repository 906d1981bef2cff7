"""Ridge regression from a float64 Gram matrix summed over blocks: any number of rows streams.

Two passes: means of the columns and the range of the targets, then the Gram matrix of the centred
columns, from which they are standardised. Nulls take the column's mean over the training rows. A
category of at most 64 values becomes one column a value; larger ones are left out.

With Z the standardised columns, y the centred target and W the weights, which sum to 1, the
coefficients solve (Z'WZ + alpha I) w = Z'Wy, so that `alpha` means the same for any number of
rows (Hoerl and Kennard, 1970).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from lakecast.models.blas import one_thread
from lakecast.models.codec import Stored, frozen, write
from lakecast.models.flat import Flat
from lakecast.models.scaling import ceiling

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from lakecast.models.protocol import Fitted, RowBlocks

MOST_CATEGORIES: Final = 64
LEAST_ROWS: Final = 16
_CHUNK: Final = 16_384
_LEAST_ALPHA: Final = 1e-8


@dataclass(frozen=True, kw_only=True, slots=True)
class Ridge:
    """Recipe of a `FittedRidge`."""

    alpha: float = 0.01

    def fit(self, rows: RowBlocks) -> Fitted:
        """A fitted line, or the mean where there are fewer than 16 rows."""
        if rows.rows < LEAST_ROWS:
            return Flat.fit(rows)
        sizes = np.array([column.categories for column in rows.columns], dtype=np.int64)
        chunks = _Chunks(rows, sizes)
        with one_thread():
            means = _means(chunks)
            gram, moment = _gram(chunks, means)
            weights = _solve(gram, moment, max(self.alpha, _LEAST_ALPHA))
        return FittedRidge(
            columns=tuple(column.name for column in rows.columns),
            sizes=frozen(sizes),
            means=frozen(means.columns),
            weights=frozen(weights),
            spread=frozen(np.sqrt(np.diag(gram))),
            intercept=means.target,
            bounds=means.bounds,
        )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FittedRidge:
    """Coefficients of the P design columns, in the order of `_layout`.

    Predictions are clipped to the range of the training targets (`bounds`): a line fed with its
    own forecasts, or with a spike, can otherwise run away.
    """

    columns: tuple[str, ...]
    sizes: NDArray[np.int64]  # [F] categories, 0 = numeric
    means: NDArray[np.float64]  # [P]
    weights: NDArray[np.float64]  # [P]
    spread: NDArray[np.float64]  # [P] standard deviations
    intercept: float
    bounds: tuple[float, float]

    def predict(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """One number a row. Summed column by column, so a row's bits depend on that row alone."""
        total = np.full(len(matrix), self.intercept)
        for column, at, size in _layout(self.sizes):
            if size:
                total += self._category(matrix[:, column], at, size)
            elif self.weights[at]:
                centred = matrix[:, column].astype(np.float64) - self.means[at]
                total += np.where(np.isnan(centred), 0.0, centred * self.weights[at])
        low, high = self.bounds
        return np.asarray(np.clip(total, low, high))

    def _category(self, values: NDArray[np.float32], at: int, size: int) -> NDArray[np.float64]:
        weights = self.weights[at : at + size]
        base = -float(weights @ self.means[at : at + size])
        table = np.append(weights + base, base)
        return table[_codes(values, size)]

    def importances(self) -> Mapping[str, float]:
        """Shares of the standardised coefficients' absolute values."""
        strength = np.abs(self.weights * self.spread)
        shares = dict.fromkeys(self.columns, 0.0)
        total = float(strength.sum()) or 1.0
        for column, at, size in _layout(self.sizes):
            shares[self.columns[column]] = float(strength[at : at + max(size, 1)].sum()) / total
        return shares

    def save(self, folder: Path) -> None:
        """Write into an empty folder."""
        values = {"columns": self.columns, "intercept": self.intercept, "bounds": self.bounds}
        arrays = {name: getattr(self, name) for name in ("sizes", "means", "weights", "spread")}
        write(folder, "ridge", values, arrays)

    @classmethod
    def restore(cls, stored: Stored) -> FittedRidge:
        """What `save` wrote."""
        low, high = stored.values["bounds"]
        return cls(
            columns=tuple(stored.values["columns"]),
            intercept=stored.values["intercept"],
            bounds=(low, high),
            **stored.arrays,
        )


def _layout(sizes: NDArray[np.int64]) -> Iterator[tuple[int, int, int]]:
    """Per used column: its index, its first design column, its categories (0 = numeric)."""
    at = 0
    for column, size in enumerate(sizes.tolist()):
        if size <= MOST_CATEGORIES:
            yield column, at, size
            at += max(size, 1)


def _codes(values: NDArray[np.float32], size: int) -> NDArray[np.int64]:
    """Codes 0 .. size - 1; null and unknown become `size`."""
    known = (values >= 0) & (values < size)
    return np.where(known, values, np.float32(size)).astype(np.int64)


def _design(matrix: NDArray[np.float32], sizes: NDArray[np.int64]) -> NDArray[np.float64]:
    """[n, P] float64; numeric nulls stay NaN, an unknown category is all zeros."""
    parts: list[NDArray[np.float64]] = []
    for column, _, size in _layout(sizes):
        values = matrix[:, column]
        if size:
            parts.append(np.eye(size + 1, size)[_codes(values, size)])
        else:
            parts.append(values[:, None].astype(np.float64))
    return np.concatenate(parts, axis=1) if parts else np.empty((len(matrix), 0))


class _Chunk(NamedTuple):
    """At most 16,384 rows: design [n, P] float64 with NaN for null, target and weight [n]."""

    design: NDArray[np.float64]
    target: NDArray[np.float32]
    weight: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Chunks:
    """The rows in chunks; read anew by each pass."""

    rows: RowBlocks
    sizes: NDArray[np.int64]

    def __iter__(self) -> Iterator[_Chunk]:
        for block in self.rows.blocks():
            for at in range(0, len(block.target), _CHUNK):
                part = slice(at, at + _CHUNK)
                design = _design(block.matrix[part], self.sizes)
                yield _Chunk(design, block.target[part], block.weight[part])


class _Means(NamedTuple):
    """Weighted means: of each design column over its non-null rows (0 where all are null), of the
    clipped target; the sum of the weights; and what targets are clipped to."""

    columns: NDArray[np.float64]
    target: float
    weight: float
    bounds: tuple[float, float]


def _means(chunks: _Chunks) -> _Means:
    total: NDArray[np.float64] | float = 0.0
    count: NDArray[np.float64] | float = 0.0
    told: list[tuple[NDArray[np.float32], NDArray[np.float32]]] = []
    for chunk in chunks:
        heavy = chunk.weight.astype(np.float64)[:, None]
        total = total + np.nansum(chunk.design * heavy, axis=0)
        count = count + np.where(np.isnan(chunk.design), 0.0, heavy).sum(axis=0)
        told.append((chunk.target.copy(), chunk.weight.copy()))
    known = np.asarray(count) > 0
    columns = np.where(known, np.asarray(total) / np.where(known, count, 1.0), 0.0)
    bounds = _bounds(np.concatenate([target for target, _ in told]))
    weight = sum(float(held.astype(np.float64).sum()) for _, held in told)
    moved = sum(float(_clipped(target, bounds) @ held.astype(np.float64)) for target, held in told)
    return _Means(columns, moved / weight, weight, bounds)


def _bounds(targets: NDArray[np.float32]) -> tuple[float, float]:
    most = ceiling(targets)
    return max(float(targets.min()), -most), min(float(targets.max()), most)


def _clipped(target: NDArray[np.float32], bounds: tuple[float, float]) -> NDArray[np.float64]:
    low, high = bounds
    return np.asarray(np.clip(target.astype(np.float64), low, high))


def _gram(chunks: _Chunks, means: _Means) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weighted means of products of centred columns [P, P], and of columns and target [P]."""
    size = len(means.columns)
    gram, moment = np.zeros((size, size)), np.zeros(size)
    for chunk in chunks:
        centred = np.nan_to_num(chunk.design - means.columns, copy=False)
        heavy = centred * chunk.weight.astype(np.float64)[:, None]
        gram += centred.T @ heavy
        moment += heavy.T @ (_clipped(chunk.target, means.bounds) - means.target)
    return gram / means.weight, moment / means.weight


def _solve(
    gram: NDArray[np.float64], moment: NDArray[np.float64], alpha: float
) -> NDArray[np.float64]:
    """Coefficients of the centred columns; 0 for a column that does not vary."""
    spread = np.sqrt(np.diag(gram))
    varies = spread > 1e-9 * max(1.0, float(spread.max(initial=0.0)))
    scale = np.where(varies, spread, 1.0)
    correlation = gram / np.outer(scale, scale)
    correlation[~varies] = correlation[:, ~varies] = 0.0
    system = correlation + alpha * np.eye(len(gram))
    return np.where(varies, np.linalg.solve(system, moment / scale) / scale, 0.0)
