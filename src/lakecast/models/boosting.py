"""Gradient boosting and random forest: LightGBM on one shared binned set.

The forest is LightGBM's `rf`: bagged trees, averaged. Both repeat bit for bit with the same seed
on any number of threads, are kept as LightGBM's text, and predict without a lock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import lightgbm
import numpy as np

from lakecast.models.binned import DATASET, BinnedSet, Edges
from lakecast.models.codec import Stored, write
from lakecast.models.families import MOST_LEAVES
from lakecast.models.flat import Flat
from lakecast.models.partitioned import OTHER_ROWS, Partitioned, fit_partitions
from lakecast.models.scaling import ceiling

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from lakecast.models.protocol import Fitted, RowBlocks

LEAST_ROWS: Final = 64
_INTERMITTENT: Final = 0.25  # share of zeros from which `auto` takes Tweedie's loss
_SMALL: Final = 512  # rows below which more threads cost more than they bring
_TEXT: Final = "trees.txt"
_SWITCHES: Final = ("extra_trees", "use_quantized_grad", "quant_train_renew_leaf")
_OBJECTIVES: Final = {"squared": "regression", "tweedie": "tweedie", "poisson": "poisson"}

Params = Mapping[str, float | int | str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Trees:
    """Recipe of `FittedTrees`: LightGBM's parameters by its own names.

    `objective` is `squared`, `tweedie`, `poisson`, or `auto`: Tweedie where no target is negative
    and at least a quarter are zero, else squared. A `max_depth` without `num_leaves` allows the
    leaves of a full tree of that depth, at most 1024. Switches are on where they are not 0.
    """

    params: Params = field(default_factory=dict)
    seed: int = 1
    threads: int = 1

    def fit(self, rows: RowBlocks) -> Fitted:
        """Trees on all rows, or their mean where there are fewer than 64."""
        if rows.rows < LEAST_ROWS:
            return Flat.fit(rows)
        edges = Edges.of(rows, seed=self.seed, threads=self.threads)
        return self.fit_binned(BinnedSet.build(rows, edges))

    def fit_binned(
        self, binned: BinnedSet, cutoff: int | None = None, start: int | None = None
    ) -> Fitted:
        """Trees on the rows of the set in `start` .. `cutoff`, both included."""
        return self.fit_rows(binned, binned.chosen(cutoff, start))

    def fit_partitions(
        self, binned: BinnedSet, by: str, cutoff: int | None = None, start: int | None = None
    ) -> Partitioned:
        """As `fit_binned`, each value of a column of the set's `groups` on its own."""
        values = np.where(binned.chosen(cutoff, start), binned.groups[by], np.int16(OTHER_ROWS))

        def fit(mask: NDArray[np.bool_], threads: int) -> Fitted:
            return replace(self, threads=threads).fit_rows(binned, mask)

        return fit_partitions(binned.places[by], values, fit, self.threads)

    def fit_rows(self, binned: BinnedSet, chosen: NDArray[np.bool_]) -> Fitted:
        """Trees on the rows of the set that are chosen [n]."""
        target = binned.target[chosen]
        if len(target) < LEAST_ROWS or target.min() == target.max():
            weight = None if binned.weight is None else binned.weight[chosen]
            value = float(np.average(target, weights=weight)) if len(target) else float("nan")
            return Flat(value, binned.columns)
        most = ceiling(target)
        target = np.clip(target, -most, most)
        text = binned.train(self.resolved(target, binned.params), chosen, target)
        return FittedTrees(text, binned.columns)

    def resolved(self, target: NDArray[np.float32], made: Mapping[str, Any]) -> dict[str, Any]:
        """LightGBM's parameters for these targets, on a set that was `made` with its own."""
        params: dict[str, Any] = {**self.params}
        objective = params.pop("objective", "squared")
        if objective == "auto":
            intermittent = target.min() >= 0 and float((target == 0).mean()) >= _INTERMITTENT
            objective = "tweedie" if intermittent else "squared"
        if objective != "squared" and (target.min() < 0 or target.max() <= 0):
            objective = "squared"
        if params.get("max_depth", -1) > 0:
            params.setdefault("num_leaves", min(2 ** int(params["max_depth"]), MOST_LEAVES))
        params |= {name: bool(params[name]) for name in _SWITCHES if name in params}
        fixed = {
            "objective": _OBJECTIVES[objective],
            "seed": self.seed,
            "num_threads": self.threads,
        }
        return {**params, **DATASET, **made, **fixed}


@dataclass(frozen=True, slots=True, eq=False)
class FittedTrees:
    """A LightGBM model in its text form, parsed once."""

    text: str
    columns: tuple[str, ...]
    booster: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "booster", lightgbm.Booster(model_str=self.text))

    def __reduce__(self) -> tuple[object, ...]:
        return FittedTrees, (self.text, self.columns)

    def predict(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """One number a row, the same on any number of threads."""
        if not len(matrix):
            return np.empty(0)
        threads = 1 if len(matrix) < _SMALL else 0
        predicted: NDArray[np.float64] = self.booster.predict(matrix, num_threads=threads)
        return predicted

    def importances(self) -> Mapping[str, float]:
        """Shares of the gain of the splits."""
        gain = self.booster.feature_importance("gain")
        shares = gain / (gain.sum() or 1.0)
        return dict(zip(self.columns, shares.tolist(), strict=True))

    def save(self, folder: Path) -> None:
        """Write into an empty folder."""
        write(folder, "trees", {"columns": self.columns})
        (folder / _TEXT).write_text(self.text, encoding="utf-8", newline="\n")

    @classmethod
    def restore(cls, stored: Stored) -> FittedTrees:
        """What `save` wrote."""
        text = (stored.folder / _TEXT).read_text(encoding="utf-8")
        return cls(text, tuple(stored.values["columns"]))
