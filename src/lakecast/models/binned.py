"""Training rows in LightGBM's binned form: built once, shared by all windows and parameters.

Rows stream in blocks, so beside the binned set (about a byte a cell) and 8 to 12 bytes a row only
one batch is held. Bin edges come from a sample of rows that are given apart: in a backtest, rows at
or before the earliest cutoff, so that no window's edges know its future.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import cycle
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import lightgbm
import numpy as np

from lakecast.ahead import ahead
from lakecast.models.protocol import Rows
from lakecast.models.sizes import SAMPLE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from lakecast.core.features import Column
    from lakecast.models.protocol import RowBlocks

BATCH: Final = 65_536

# What a binned set is built with may not change afterwards: every fit on it gives these again.
DATASET: Final[dict[str, Any]] = {
    "max_bin": 255,
    "min_data_in_bin": 3,
    "bin_construct_sample_cnt": SAMPLE,
    "feature_pre_filter": False,
    "force_col_wise": True,  # half the memory of row-wise, and as fast on few cores
    "deterministic": True,
    "verbosity": -1,
}


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """Bin edges of every column, as an empty LightGBM data set that others are made like."""

    reference: Any
    params: Mapping[str, Any]

    @classmethod
    def of(cls, rows: RowBlocks, *, seed: int, threads: int) -> Edges:
        """From at most `SAMPLE` of the rows, drawn with the seed."""
        sample = sample_of(rows, seed, threads)
        return cls.of_sample(sample, rows.columns, seed=seed, threads=threads)

    @classmethod
    def of_sample(
        cls, sample: NDArray[np.float32], columns: Sequence[Column], *, seed: int, threads: int
    ) -> Edges:
        """From the rows that `sample_of` drew."""
        params = dataset_params(seed, threads)
        categories = [i for i, column in enumerate(columns) if column.categories]
        reference = lightgbm.Dataset(
            sample,
            label=np.zeros(len(sample), dtype=np.float32),
            params=dict(params),
            categorical_feature=categories or "auto",
        ).construct()
        return cls(reference, params)


@dataclass(frozen=True, slots=True, eq=False)
class BinnedSet:
    """n binned rows with their targets, ordinals and weights [n]; without weights all count 1.

    `groups` are the values [n] of the static columns that models may be partitioned by (null: -1),
    `places` where those columns stand in the matrix.
    """

    whole: Any
    target: NDArray[np.float32]
    ordinals: NDArray[np.int32]
    weight: NDArray[np.float32] | None
    groups: Mapping[str, NDArray[np.int16]]
    places: Mapping[str, int]
    columns: tuple[str, ...]
    params: dict[str, Any]
    lock: Any = field(default_factory=Lock)

    @classmethod
    def build(cls, rows: RowBlocks, edges: Edges, *, partitions: Collection[str] = ()) -> BinnedSet:
        """Bin the rows.

        `partitions` are static columns to keep in `groups`; those that the rows lack are left out.
        """
        places = _places(rows.columns, partitions)
        stream = _Stream(rows, places)
        whole = lightgbm.Dataset(
            stream,
            label=stream.target,
            reference=edges.reference,
            params=dict(edges.reference.get_params()),
        ).construct()
        return cls(
            whole=whole,
            target=stream.target,
            ordinals=stream.ordinals,
            weight=stream.weight,
            groups=stream.groups,
            places=places,
            columns=tuple(column.name for column in rows.columns),
            params=dict(edges.params),
        )

    def chosen(self, cutoff: int | None, start: int | None) -> NDArray[np.bool_]:
        """[n] which rows lie in `start` .. `cutoff`, both included."""
        low = np.iinfo(np.int32).min if start is None else start
        high = np.iinfo(np.int32).max if cutoff is None else cutoff
        return np.asarray((self.ordinals >= low) & (self.ordinals <= high))

    def train(
        self, params: dict[str, Any], chosen: NDArray[np.bool_], target: NDArray[np.float32]
    ) -> str:
        """The text of the model trained on the chosen rows with the targets given for them."""
        weight = None
        if self.weight is not None:
            weight = self.weight[chosen]
            weight /= np.float32(weight.mean(dtype=np.float64))
        if chosen.all():
            with self.lock:  # training writes targets, weights and parameters to the data set
                self.whole.set_label(target).set_weight(weight)
                return str(lightgbm.train(params, self.whole).model_to_string())
        part = self._part(chosen).set_label(target).set_weight(weight)
        return str(lightgbm.train(params, part).model_to_string())

    def _part(self, chosen: NDArray[np.bool_]) -> Any:
        params = dict(self.whole.get_params())
        part: Any = lightgbm.Dataset(None, reference=self.whole, params=params)
        # `Dataset.subset` would sort a Python list of the indices: 36 bytes a row and minutes.
        part.used_indices = np.flatnonzero(chosen).astype(np.int32)
        return part.construct()


def dataset_params(seed: int, threads: int) -> dict[str, Any]:
    """What a binned set is made with."""
    return {**DATASET, "data_random_seed": seed, "num_threads": threads}


def sample_of(rows: RowBlocks, seed: int, threads: int = 1) -> NDArray[np.float32]:
    """At most `SAMPLE` of the rows [n, F], column-major, in canonical order."""
    count = rows.rows
    picked = np.arange(count)
    if count > SAMPLE:  # one of each of so many equal stretches
        place = np.arange(SAMPLE) + np.random.default_rng(seed).random(SAMPLE)
        picked = np.minimum(place * (count / SAMPLE), count - 1).astype(np.int64)
    return rows.drawn(picked, threads)


def _places(columns: Sequence[Column], partitions: Collection[str]) -> dict[str, int]:
    """Where the static columns stand in the matrix."""
    return {
        column.feature.source: index
        for index, column in enumerate(columns)
        if column.feature.op == "static" and column.feature.source in partitions
    }


class _Stream(lightgbm.Sequence):
    """Rows that LightGBM reads once, in order; all but the matrices is kept."""

    def __init__(self, rows: RowBlocks, places: Mapping[str, int]) -> None:
        self.batch_size = BATCH
        self.places = places
        self.target = np.empty(rows.rows, dtype=np.float32)
        self.ordinals = np.empty(rows.rows, dtype=np.int32)
        self.weight: NDArray[np.float32] | None = None
        self.groups = {name: np.empty(rows.rows, dtype=np.int16) for name in places}
        self._batches = ahead(self._made(rows))

    def __len__(self) -> int:
        return len(self.target)

    def __getitem__(self, index: Any) -> NDArray[np.float32]:
        """The rows of the next batch, until the one after is asked for."""
        batch = next(self._batches)
        if index.start + len(batch) == len(self):
            self._batches.close()
        return batch

    def _made(self, rows: RowBlocks) -> Iterator[NDArray[np.float32]]:
        """Batches row-major, by turns in two arrays: one is made while the other is read."""
        shape = (min(BATCH, rows.rows), len(rows.columns))
        arrays = cycle(np.empty(shape, dtype=np.float32) for _ in range(2))
        at = 0
        for batch, array in zip(_batches(rows), arrays, strict=False):
            begin = at
            for piece in batch:
                part = slice(at, at + len(piece.target))
                array[part.start - begin : part.stop - begin] = piece.matrix
                self._keep(part, piece)
                at = part.stop
            yield array[: at - begin]

    def _keep(self, part: slice, piece: Rows) -> None:
        self.target[part] = piece.target
        self.ordinals[part] = piece.ordinals
        if self.weight is None and (piece.weight != 1).any():
            self.weight = np.ones_like(self.target)
        if self.weight is not None:
            self.weight[part] = piece.weight
        for name, place in self.places.items():
            self.groups[name][part] = np.nan_to_num(piece.matrix[:, place], nan=-1.0)


def _batches(rows: RowBlocks) -> Iterator[list[Rows]]:
    """The rows in batches of exactly BATCH (the last: what is left), each of some pieces."""
    held: list[Rows] = []
    count = 0
    for block in rows.blocks():
        at = 0
        while at < len(block.target):
            part = slice(at, at + BATCH - count)
            piece = Rows(
                matrix=block.matrix[part],
                target=block.target[part],
                ordinals=block.ordinals[part],
                weight=block.weight[part],
            )
            held.append(piece)
            at += len(piece.target)
            count += len(piece.target)
            if count == BATCH:
                yield held
                held, count = [], 0
    if held:
        yield held
