"""Trees that several workers fit together, each on the rows of its own part of the panel.

All of them bin by the same edges, clip by the same ceiling and weigh by the same mean, which were
found beforehand. One worker that has all parts fits what one machine fits, bit for bit; of more,
LightGBM adds up the histograms in another order, so that splits of nearly equal gain may change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import lightgbm
import numpy as np

from lakecast.core.block import Parted
from lakecast.models.binned import BinnedSet, Edges, dataset_params, sample_of
from lakecast.models.boosting import FittedTrees
from lakecast.models.flat import Flat
from lakecast.models.rows import Census
from lakecast.models.scaling import ceiling

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lakecast.models.boosting import Trees
    from lakecast.models.protocol import Fitted
    from lakecast.models.rows import PanelRows

_APART: Final = {
    "tree_learner": "data",
    "time_out": 10,  # minutes that a worker waits for the others; LightGBM's own are two hours
}
T = TypeVar("T")
R = TypeVar("R")


class Workers(Protocol):
    """What an engine offers for it."""

    @property
    def workers(self) -> int:
        """How many there are."""
        ...

    def map(self, work: Callable[[T], R], pieces: Sequence[T], *, title: str) -> Any:
        """Results in the order of the pieces."""
        ...

    def fit(self, job: Any) -> str:
        """The text of the model; see `engines.protocol.Fits`."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SharedFit:
    """A fit that can be pickled: `rows` of the `parts` that have any, and what workers agree on.

    `parts` maps their numbers, in canonical order, to how many rows they have. `sample` are rows
    [<= 200,000, F] that the edges of bins are found in, `most` the largest |target|, `weight` the
    mean weight (None: all count 1), `params` LightGBM's.
    """

    rows: PanelRows
    parts: Mapping[int, int]
    sample: NDArray[np.float32]
    most: float
    weight: float | None
    params: Mapping[str, Any]
    seed: int

    @property
    def columns(self) -> int:
        """F."""
        return len(self.rows.columns)

    @property
    def categories(self) -> tuple[int, ...]:
        """Columns that are categories."""
        return tuple(i for i, column in enumerate(self.rows.columns) if column.categories)

    def train(self, parts: Sequence[int], network: Mapping[str, Any]) -> str:
        """Fit with the others of the network, on the rows of some parts; the model's text."""
        rows, threads = of_parts(self.rows, parts), int(self.params["num_threads"])
        edges = Edges.of_sample(self.sample, rows.columns, seed=self.seed, threads=threads)
        binned = BinnedSet.build(rows, edges)
        target, weight = self._agreed(binned.target, binned.weight)
        binned.whole.set_label(target).set_weight(weight)
        apart = {**_APART, **network} if network else {}
        return str(lightgbm.train({**self.params, **apart}, binned.whole).model_to_string())

    def arrays(
        self, part: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Matrix [n, F], target [n] and weight [n] of a part, for a learner that takes arrays."""
        found = list(of_parts(self.rows, [part]).blocks())
        matrix = np.concatenate([rows.matrix for rows in found])
        target = np.concatenate([rows.target for rows in found])
        target, weight = self._agreed(target, np.concatenate([rows.weight for rows in found]))
        return matrix, target, np.ones_like(target) if weight is None else weight

    def _agreed(
        self, target: NDArray[np.float32], weight: NDArray[np.float32] | None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        clipped = np.clip(target, -self.most, self.most)
        if self.weight is None:
            return clipped, None
        held = np.ones_like(target) if weight is None else weight.copy()
        return clipped, held / np.float32(self.weight)


def fit_together(trees: Trees, rows: PanelRows, early: PanelRows, workers: Workers) -> Fitted:
    """Trees on the rows, fit by all workers; bin edges are found in the `early` ones."""
    parts = _parted(rows).parts
    found = list(workers.map(_Targets(rows), parts, title="targets"))
    target = np.concatenate([values for values, _ in found])
    names = tuple(column.name for column in rows.columns)
    if target.min() == target.max():
        return Flat(float(target[0]), names)
    most = ceiling(target)
    job = SharedFit(
        rows=rows,
        parts={part: held.size for part, (held, _) in zip(parts, found, strict=True) if held.size},
        sample=sample_of(early, trees.seed),
        most=most,
        weight=_weight(found),
        params=trees.resolved(np.clip(target, -most, most), dataset_params(trees.seed, 1)),
        seed=trees.seed,
    )
    return FittedTrees(workers.fit(job), names)


_Held = tuple["NDArray[np.float32]", "NDArray[np.float32] | None"]


@dataclass(frozen=True, slots=True, eq=False)
class _Targets:
    """Targets [n] and weights [n] (None: all 1) of a part."""

    rows: PanelRows

    def __call__(self, part: int) -> _Held:
        found = list(of_parts(self.rows, [part]).blocks())
        none = [np.empty(0, np.float32)]
        target = np.concatenate([rows.target for rows in found] or none)
        weight = np.concatenate([rows.weight for rows in found] or none)
        return target, weight if (weight != 1).any() else None


def _weight(found: Sequence[_Held]) -> float | None:
    """The mean of all weights; None where all are 1."""
    if all(weight is None for _, weight in found):
        return None
    every = [np.ones_like(target) if weight is None else weight for target, weight in found]
    return float(np.concatenate(every).mean(dtype=np.float64))


def _parted(rows: PanelRows) -> Parted:
    panel = rows.panel
    if not isinstance(panel, Parted) or not panel.parts:
        raise TypeError(f"{type(panel).__name__} has no parts that workers could read")
    return panel


def of_parts(rows: PanelRows, parts: Sequence[int]) -> PanelRows:
    """The rows of some parts of the panel."""
    panel = _parted(rows).part(parts)
    census = Census.take(panel, rows.fitted.plan.lead, rows.census.last)
    return replace(rows, panel=panel, census=census)
