"""LightGBM, 100 trees of 128 leaves, on 3 M rows with the ten features, beside mlforecast.

From sorted values in memory to a trained booster, with identical parameters, on the same rows (the
first 28 of each series have no 28th lag, and are left out by both). Ours is the product's path:
`PanelRows`, streamed into a `BinnedSet` once the edges of its bins are drawn from them. Time
outside LightGBM is all that is not its own: for ours all but the construction of data sets (without
what the rows cost that it asks for and waits for) and training, for the peer all but the `fit` of
LightGBM's own regressor; to tell a model is LightGBM's own on both sides. What ours makes on
another thread while LightGBM bins, slows that if anything: it shows in the time of the whole.
"""

from __future__ import annotations

import argparse
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from benchmarks import ten
from benchmarks.harness import Ratios, emit, pairs, together, versions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import polars as pl
    from numpy.typing import NDArray

    from lakecast.core.block import MemoryPanel

ROWS: Final = 3_000_000
SMALL: Final = 100_000
THREADS: Final = 2
WARM: Final = max(ten.LAGS)
LEAST: Final = 1.0
SHARE: Final = 1 / 3
"""What our time outside LightGBM may be of the peer's."""
TREES: Final = 100
LEAVES: Final = 128


class Clock:
    """Seconds spent inside LightGBM; what it calls back for can be taken out."""

    def __init__(self) -> None:
        self.inside = 0.0
        self._deep = 0

    @contextmanager
    def within(self) -> Iterator[None]:
        """Count, unless an outer call counts already."""
        yield from self._counted(1.0 if self._deep == 0 else 0.0)

    @contextmanager
    def without(self) -> Iterator[None]:
        """Take out of what is counted around it."""
        yield from self._counted(-1.0)

    def _counted(self, sign: float) -> Iterator[None]:
        begun = time.perf_counter()
        self._deep += 1
        try:
            yield
        finally:
            self._deep -= 1
            self.inside += sign * (time.perf_counter() - begun)

    def around(self, work: Callable[..., Any], *, counted: bool = True) -> Callable[..., Any]:
        """The same work, counted (or taken out) while it runs."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            with self.within() if counted else self.without():
                return work(*args, **kwargs)

        return timed


@contextmanager
def replaced(holder: Any, **names: Any) -> Iterator[None]:
    """Attributes of a module or a class, put back afterwards."""
    kept = {name: getattr(holder, name) for name in names}
    for name, value in names.items():
        setattr(holder, name, value)
    try:
        yield
    finally:
        for name, value in kept.items():
            setattr(holder, name, value)


def parameters() -> dict[str, Any]:
    """Of both, word for word; the first are what a binned set of ours is built with."""
    from lakecast.models.binned import DATASET

    return {
        **DATASET, "data_random_seed": 1, "objective": "regression", "learning_rate": 0.1,
        "num_leaves": LEAVES, "min_data_in_leaf": 20, "num_threads": THREADS, "seed": 1,
    }  # fmt: skip


def ours(panel: MemoryPanel, clock: Clock) -> tuple[str, int]:
    """The booster's text and the number of rows it learned from."""
    import lightgbm

    from lakecast.models import binned

    stream = binned._Stream  # noqa: SLF001
    read = clock.around(stream.__getitem__, counted=False)
    construct = clock.around(lightgbm.Dataset.construct)
    train = clock.around(lightgbm.train)
    told = clock.around(lightgbm.Booster.model_to_string)
    with (
        replaced(lightgbm.Dataset, construct=construct),
        replaced(lightgbm.Booster, model_to_string=told),
        replaced(lightgbm, train=train),
        replaced(stream, __getitem__=read),
    ):
        return _ours(panel)


def _ours(panel: MemoryPanel) -> tuple[str, int]:
    from lakecast.models.binned import BinnedSet, Edges
    from lakecast.models.rows import Census, PanelRows

    cutoff = panel.info.cutoff
    rows = PanelRows(
        panel=panel, fitted=ten.planned(panel), scaled=False,
        census=Census.take(panel, 1, cutoff), start=ten.FIRST + WARM, cutoff=cutoff,
    )  # fmt: skip
    held = BinnedSet.build(rows, Edges.of(rows, seed=1, threads=THREADS))
    everything = np.ones(len(held.target), np.bool_)
    params = {**parameters(), "num_iterations": TREES}
    return held.train(params, everything, held.target), len(held.target)


def theirs(frame: pl.DataFrame, clock: Clock) -> tuple[str, int]:
    """The booster's text and the number of rows it learned from."""
    from lightgbm import Booster, LGBMRegressor

    model = LGBMRegressor(n_estimators=TREES, **parameters())
    told, dumped = (clock.around(w) for w in (Booster.model_to_string, Booster.dump_model))
    with (
        replaced(LGBMRegressor, fit=clock.around(LGBMRegressor.fit)),
        replaced(Booster, model_to_string=told, dump_model=dumped),
    ):
        fitted = ten.peer(THREADS, model).fit(frame, static_features=[], as_numpy=True)
        (learned,) = fitted.models_.values()
        return learned.booster_.model_to_string(), _rows(learned.booster_)


def _rows(booster: Any) -> int:
    """Those a booster learned from, as its first tree counts them."""
    return int(
        booster.dump_model(num_iteration=1)["tree_info"][0]["tree_structure"]["internal_count"]
    )


def check(sales: ten.Sales, own: str, other: str) -> dict[str, float]:
    """Mean squared error of both boosters on fifty series.

    Ours reads features from the float64 reference, the peer's those that it makes itself: its
    rolling statistics are off in the seventh digit, and trees split beside values that are equal.
    Raises `AssertionError` where the errors differ by more than a fiftieth: rows are summed in
    another order and other rows are drawn for the edges of bins; all else is the same.
    """
    some = sales.compared()
    each = [ten.expected(some.of(s)) for s in range(some.series)]
    names = ten.planned(some.panel()).plan.names
    matrix = np.concatenate([np.column_stack([e[n][WARM:] for n in names]) for e in each])
    warm = np.tile(np.arange(ten.DAYS) >= WARM, some.series)
    target = some.target[warm].astype(np.float64)
    theirs = ten.their_matrix(some.frame(), THREADS)[warm]
    errors = _error(own, matrix, target), _error(other, theirs, target)
    np.testing.assert_allclose(*errors, rtol=0.02)
    return {"ours_mse": round(errors[0], 5), "theirs_mse": round(errors[1], 5)}


def _error(text: str, matrix: NDArray[Any], target: NDArray[np.float64]) -> float:
    import lightgbm

    predicted = np.asarray(lightgbm.Booster(model_str=text).predict(matrix))
    return float(np.mean((predicted - target) ** 2))


@dataclass(slots=True)
class Sides:
    """Runs of one side: what each took outside LightGBM, in order; the last result."""

    work: Callable[[Clock], tuple[str, int]]
    outside: list[float] = field(default_factory=list)
    last: tuple[str, int] = ("", 0)

    def __call__(self) -> None:
        clock, begun = Clock(), time.perf_counter()
        self.last = self.work(clock)
        self.outside.append(time.perf_counter() - begun - clock.inside)


def main(argv: list[str] | None = None) -> None:
    """Pairs, and what each of them took outside LightGBM."""
    asked = _parser().parse_args(argv)
    rows = asked.rows or (SMALL if asked.small else ROWS)
    sales = ten.Sales.make(rows)
    ten.check(sales, ten.ours(sales.panel(), THREADS), ten.planned(sales.panel()).plan.names)
    our, their = Sides(partial(ours, sales.panel())), Sides(partial(theirs, sales.frame()))
    ratios = pairs(our, their, asked.pairs)
    assert our.last[1] == their.last[1], (our.last[1], their.last[1])
    # The first runs warmed up.
    apart = Ratios(tuple(our.outside[1:]), tuple(their.outside[1:]))
    verdict = together(ratios.met(LEAST), apart.met(1 / SHARE))
    emit(
        "train", verdict if rows == ROWS else None, **ratios.figures(),
        **apart.figures("outside_"), rows=our.last[1], trees=TREES, leaves=LEAVES,
        least_ratio=LEAST, least_outside_ratio=1 / SHARE, threads=THREADS,
        **check(sales, our.last[0], their.last[0]),
        versions=versions("lakecast", "mlforecast", "lightgbm", "polars", "numba"),
        data=f"generated, {ten.DAYS} days a series, whole counts, seed 5",
        included="features, data set and training, from sorted values in memory",
    )  # fmt: skip


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.train", description=__doc__)
    parser.add_argument("--rows", type=int, help="instead of 3 M")
    parser.add_argument("--small", action="store_true", help="a tenth of a million rows")
    parser.add_argument("--pairs", type=int, default=5)
    return parser


if __name__ == "__main__":
    main()
