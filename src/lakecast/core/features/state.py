"""The state of series at a cutoff: all that is needed to compute features after it.

One state serves every plan it was made for: the last W values of the target and the covariates,
and float64 folds of everything older. Nulls on the left stand for values before a series began.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from lakecast.core.features.program import Fold, folds_of, frozen, packed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lakecast.core.block import Block
    from lakecast.core.features.plan import FeaturePlan


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """S series at `cutoff`; nothing is written to after construction.

    `values` and each of `covariates` hold the last W periods up to the cutoff, right-aligned.
    `older[:, a]` is fold `folds[a]` of the target before them. `summary` is, over all of the
    target: count, count of non-zeros, period of the last non-zero (NaN: none), sum.
    """

    cutoff: int
    codes: NDArray[np.int32]  # [S]
    first: NDArray[np.int32]  # [S] ordinals; cutoff + 1 where there is no history
    values: NDArray[np.float32]  # [S, W]
    folds: tuple[Fold, ...]
    older: NDArray[np.float64]  # [S, A, 3]
    summary: NDArray[np.float64]  # [S, 4]
    covariates: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)  # each [S, W]
    statics: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)  # each [S]

    @property
    def series(self) -> int:
        """S."""
        return self.codes.size

    @property
    def memory(self) -> int:
        """W."""
        return int(self.values.shape[1])

    @property
    def lengths(self) -> NDArray[np.int64]:
        """[S] periods from the first to the cutoff."""
        return self.cutoff + 1 - self.first.astype(np.int64)

    @property
    def count(self) -> NDArray[np.int64]:
        """[S] values that are not null."""
        return self.summary[:, 0].astype(np.int64)

    @property
    def nonzero(self) -> NDArray[np.int64]:
        """[S] values that are neither null nor 0."""
        return self.summary[:, 1].astype(np.int64)

    @property
    def last_nonzero(self) -> NDArray[np.float64]:
        """[S] period of the last value that is neither null nor 0; NaN where there is none."""
        return self.summary[:, 2]

    @property
    def mean(self) -> NDArray[np.float64]:
        """[S] mean of the values that are not null; NaN where there is none."""
        count = self.summary[:, 0]
        return np.where(count > 0, self.summary[:, 3] / np.maximum(count, 1), np.nan)

    def tail(self, periods: int) -> NDArray[np.float32]:
        """[S, periods] last values of the target, null on the left.

        Raises `ValueError` where the state holds fewer.
        """
        if periods > self.memory:
            raise ValueError(f"the state holds {self.memory} values, {periods} are needed")
        return self.values[:, self.memory - periods :]

    def select(self, indices: NDArray[np.integer] | NDArray[np.bool_]) -> State:
        """The series at the indices (or under the mask), in that order."""
        return replace(
            self,
            codes=self.codes[indices],
            first=self.first[indices],
            values=self.values[indices],
            older=self.older[indices],
            summary=self.summary[indices],
            covariates={name: held[indices] for name, held in self.covariates.items()},
            statics={name: held[indices] for name, held in self.statics.items()},
        )

    @staticmethod
    def merge(states: Sequence[State]) -> State:
        """The series of all states, in order; cutoffs, folds and memories must be equal."""
        head = states[0]
        if any(_kind(state) != _kind(head) for state in states):
            raise ValueError("states of different cutoffs, folds, memories or columns")
        return replace(
            head,
            codes=np.concatenate([state.codes for state in states]),
            first=np.concatenate([state.first for state in states]),
            values=np.concatenate([state.values for state in states]),
            older=np.concatenate([state.older for state in states]),
            summary=np.concatenate([state.summary for state in states]),
            covariates={
                name: np.concatenate([state.covariates[name] for state in states])
                for name in head.covariates
            },
            statics={
                name: np.concatenate([state.statics[name] for state in states])
                for name in head.statics
            },
        )

    def unknown(
        self, codes: NDArray[np.int32], statics: Mapping[str, NDArray[np.float32]]
    ) -> State:
        """Series that have no history at this cutoff, in the form of this state.

        Statics that are not given are null.
        """
        size = codes.size
        blank = np.full((size, self.memory), np.nan, np.float32)
        return replace(
            self,
            codes=codes,
            first=np.full(size, self.cutoff + 1, np.int32),
            values=blank,
            older=np.zeros((size, len(self.folds), 3)),
            summary=_blank(size),
            covariates=dict.fromkeys(self.covariates, blank),
            statics={name: statics.get(name, blank[:, 0]) for name in self.statics},
        )

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Plain arrays, fit for npz without pickle."""
        arrays: dict[str, NDArray[np.generic]] = {
            "cutoff": np.array(self.cutoff, np.int64),
            "codes": self.codes,
            "first": self.first,
            "values": self.values,
            "folds": np.array([stat for stat, _ in self.folds], np.str_),
            "alphas": np.array([alpha for _, alpha in self.folds], np.float64),
            "older": self.older,
            "summary": self.summary,
        }
        arrays |= {f"covariate:{name}": held for name, held in self.covariates.items()}
        return arrays | {f"static:{name}": held for name, held in self.statics.items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]]) -> State:
        """What `to_arrays` gave."""
        stats, alphas = arrays["folds"].tolist(), arrays["alphas"].tolist()
        return cls(
            cutoff=int(arrays["cutoff"]),
            codes=arrays["codes"].astype(np.int32),
            first=arrays["first"].astype(np.int32),
            values=arrays["values"].astype(np.float32),
            folds=tuple(zip(stats, alphas, strict=True)),
            older=arrays["older"].astype(np.float64),
            summary=arrays["summary"].astype(np.float64),
            covariates=_under(arrays, "covariate:"),
            statics=_under(arrays, "static:"),
        )


def state_at(
    block: Block, cutoff: int, *, memory: int = 1, plans: Iterable[FeaturePlan] = ()
) -> State:
    """The state of the series in `block.until(cutoff)`, fit for all the plans.

    It holds at least `memory` values. Raises `ValueError` where a series ends before the cutoff.
    """
    plans = tuple(plans)
    block = block.until(cutoff)
    if np.any(block.first + block.lengths != cutoff + 1):
        raise ValueError(f"a series of the block ends before the cutoff {cutoff}")
    width = max(1, memory, *(plan.memory for plan in plans))
    folds = folds_of(plans)
    values = frozen(block.target)
    starts, origins = block.starts[:-1], block.first.astype(np.int64)
    names = sorted({name for plan in plans for name in plan.covariates})
    return State(
        cutoff=cutoff,
        codes=block.codes,
        first=block.first,
        values=_tails(block, block.target, width),
        folds=folds,
        older=_absorbed(
            values,
            (starts, np.maximum(block.lengths - width, 0)),
            folds,
            np.zeros((block.codes.size, len(folds), 3)),
        ),
        summary=_summarised(values, (starts, block.lengths, origins), _blank(block.codes.size)),
        covariates={name: _tails(block, block.covariates[name], width) for name in names},
        statics=block.statics,
    )


def advance(
    state: State,
    values: NDArray[np.float32],
    covariates: Mapping[str, NDArray[np.float32]] | None = None,
) -> State:
    """The state K periods later, with the same bits as `state_at` there.

    `values` and each covariate are [S] or [S, K]; null (also: a covariate not given) is NaN.
    """
    new = _wide(values)
    size, periods = new.shape
    given = covariates or {}
    longer = np.concatenate([state.values, new], axis=1)
    starts = np.arange(size, dtype=np.int64) * longer.shape[1]
    gone = np.full(size, periods, np.int64)
    origins = np.full(size, state.cutoff + 1 - state.memory, np.int64)
    flat = frozen(longer.reshape(-1))
    missing = np.full_like(new, np.nan)
    return replace(
        state,
        cutoff=state.cutoff + periods,
        values=longer[:, periods:].copy(),
        older=_absorbed(flat, (starts, gone), state.folds, state.older.copy()),
        summary=_summarised(
            flat, (starts + state.memory, gone, origins + state.memory), state.summary.copy()
        ),
        covariates={
            name: np.concatenate([held, _wide(given.get(name, missing))], axis=1)[:, periods:]
            for name, held in state.covariates.items()
        },
    )


def _wide(values: NDArray[np.float32]) -> NDArray[np.float32]:
    wide = np.asarray(values, np.float32)
    return wide[:, None] if wide.ndim == 1 else wide


def _kind(state: State) -> tuple[object, ...]:
    names = (tuple(sorted(state.covariates)), tuple(sorted(state.statics)))
    return (state.cutoff, state.folds, state.memory, names)


def _tails(block: Block, values: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    ends = block.starts[1:]
    index = ends[:, None] - width + np.arange(width)
    inside = index >= block.starts[:-1, None]
    taken = values[np.where(inside, index, 0)] if values.size else np.zeros(index.shape, np.float32)
    return np.where(inside, taken, np.float32(np.nan))


def _blank(size: int) -> NDArray[np.float64]:
    """The summary of nothing."""
    summary = np.zeros((size, 4))
    summary[:, 2] = np.nan
    return summary


def _absorbed(
    values: NDArray[np.float32],
    where: tuple[NDArray[np.int64], NDArray[np.int64]],
    folds: tuple[Fold, ...],
    older: NDArray[np.float64],
) -> NDArray[np.float64]:
    from lakecast.core.features import kernel

    kernel.absorb(values, *where, packed(folds), older)
    return older


def _summarised(
    values: NDArray[np.float32],
    where: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]],
    summary: NDArray[np.float64],
) -> NDArray[np.float64]:
    from lakecast.core.features import kernel

    kernel.summarise(values, *where, summary)
    return summary


def _under(
    arrays: Mapping[str, NDArray[np.generic]], prefix: str
) -> dict[str, NDArray[np.float32]]:
    return {
        name.removeprefix(prefix): values.astype(np.float32)
        for name, values in arrays.items()
        if name.startswith(prefix)
    }
