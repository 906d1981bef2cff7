"""Small panels for tests: the kinds of demand there are, generated from a seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from lakecast.columns import Columns
from lakecast.core.block import Block, MemoryPanel, PanelInfo
from lakecast.core.calendar import Frequency

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from lakecast.spec.model import Role

CUTOFF = 19_000
"""Ordinal of the last period of every panel: 2022-01-08, a Saturday, where periods are days."""

STORES = ("norte", "oeste", "sul")

Covariates = Mapping[str, tuple["Role", "Sequence[ArrayLike]"]]


def panel_of(
    series: Sequence[ArrayLike],
    covariates: Covariates | None = None,
    *,
    frequency: str = "D",
    seasons: tuple[int, ...] = (7,),
) -> MemoryPanel:
    """A panel of one block, whose series all end at `CUTOFF`.

    Series i is item `i000i` of store i mod 3 and has size i / 2.
    """
    given = covariates or {}
    lengths = [len(np.atleast_1d(values)) for values in series]
    size = len(series)
    statics = {
        "item": np.arange(size, dtype=np.float32),
        "store": (np.arange(size) % 3).astype(np.float32),
        "size": (np.arange(size) / 2).astype(np.float32),
    }
    block = Block(
        codes=np.arange(size, dtype=np.int32),
        starts=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        first=(CUTOFF + 1 - np.array(lengths, np.int64)).astype(np.int32),
        target=_joined(series),
        covariates={name: _joined(values) for name, (_, values) in given.items()},
        statics=statics,
    )
    info = PanelInfo(
        columns=Columns(series=("item",), time="day", target="sales"),
        frequency=Frequency(frequency),
        timezone="UTC",
        seasons=seasons,
        cutoff=CUTOFF,
        covariates={name: role for name, (role, _) in given.items()},
        categories={"item": tuple(f"i{i:04d}" for i in range(size)), "store": STORES},
        numeric=("size",),
        series=size,
        rows=block.rows,
    )
    return MemoryPanel(info, (block,))


def split(panel: MemoryPanel, blocks: int) -> MemoryPanel:
    """The same series, in order, in that many blocks (some may be empty)."""
    (block,) = panel.held
    cuts = np.linspace(0, block.codes.size, blocks + 1).astype(int)
    parts = tuple(_series(block, low, high) for low, high in pairwise(cuts))
    return MemoryPanel(panel.info, parts)


def changed_after(panel: MemoryPanel, cutoff: int, seed: int = 9) -> MemoryPanel:
    """Another target and other covariates in every period after the cutoff."""
    rng = np.random.default_rng(seed)
    return MemoryPanel(panel.info, tuple(_scrambled(b, cutoff, rng) for b in panel.held))


def regular(series: int = 6, length: int = 150, seed: int = 0) -> MemoryPanel:
    """Smooth demand with a level, a weekly pattern and noise."""
    rng = np.random.default_rng(seed)
    return panel_of([_weekly(rng, length) for _ in range(series)])


def intermittent(series: int = 6, length: int = 150, seed: int = 0) -> MemoryPanel:
    """Mostly zeros; a sale in one period out of eight."""
    rng = np.random.default_rng(seed)
    return panel_of([_sparse(rng, length) for _ in range(series)])


def short(seed: int = 0) -> MemoryPanel:
    """Series of 1, 2, 3, 5, 8 and 13 periods."""
    rng = np.random.default_rng(seed)
    return panel_of([rng.poisson(5, length) + 1.0 for length in (1, 2, 3, 5, 8, 13)])


def constant(length: int = 60) -> MemoryPanel:
    """Series that always sell the same: 1, 3.17 and 250."""
    return panel_of([np.full(length, value) for value in (1.0, 3.17, 250.0)])


def all_zero(series: int = 3, length: int = 60) -> MemoryPanel:
    """Series that never sell."""
    return panel_of([np.zeros(length)] * series)


def spiked(length: int = 120, height: float = 1e6) -> MemoryPanel:
    """Constant series (3.17 and 3) with one enormous value, at a third and at a half."""
    values = np.full((2, length), [[3.17], [3.0]])
    values[0, length // 3] = values[1, length // 2] = height
    return panel_of(list(values))


def ended(length: int = 150, silence: int = 60, seed: int = 0) -> MemoryPanel:
    """Regular series that stopped selling `silence` periods before the cutoff."""
    rng = np.random.default_rng(seed)
    series = [_weekly(rng, length) for _ in range(3)]
    for values in series:
        values[-silence:] = 0.0
    return panel_of(series)


def with_nulls(series: int = 6, length: int = 150, seed: int = 0) -> MemoryPanel:
    """Regular series with a tenth of nulls, one with a null tail, and one of nulls alone."""
    rng = np.random.default_rng(seed)
    values = [_weekly(rng, length) for _ in range(series)]
    for held in values:
        held[rng.random(length) < 0.1] = np.nan
    values[-2][-30:] = np.nan
    values[-1][:] = np.nan
    return panel_of(values)


def mixed(seed: int = 0) -> MemoryPanel:
    """One of everything, of different lengths, some with nulls."""
    rng = np.random.default_rng(seed)
    holey = _weekly(rng, 140)
    holey[rng.random(140) < 0.2] = np.nan
    spike = np.full(90, 3.17)
    spike[40] = 1e6
    return panel_of(
        [
            _weekly(rng, 200), _sparse(rng, 180), holey, np.full(60, 3.17), np.zeros(50),
            spike, [4.0], [2.0, np.nan, 5.0], _weekly(rng, 10), np.full(40, np.nan),
        ]
    )  # fmt: skip


def with_covariates(series: int = 6, length: int = 150, seed: int = 0) -> MemoryPanel:
    """`promo` (known-future, 0 or 1, lifts sales), `price` and `visits` (past-only, some null)."""
    rng = np.random.default_rng(seed)
    sizes = [length - 7 * i for i in range(series)]
    promo = [(rng.random(n) < 0.2).astype(np.float32) for n in sizes]
    price = [rng.uniform(1, 9) * (1 - 0.2 * p) for p in promo]
    visits = [np.where(rng.random(n) < 0.1, np.nan, rng.poisson(30, n)) for n in sizes]
    sales = [np.round(_weekly(rng, n) * (1 + p)) for n, p in zip(sizes, promo, strict=True)]
    return panel_of(
        sales,
        {
            "promo": ("known-future", promo),
            "price": ("past-only", price),
            "visits": ("past-only", visits),
        },
    )


def _weekly(rng: np.random.Generator, length: int) -> NDArray[np.float64]:
    level, pattern = rng.uniform(5, 50), rng.uniform(0.5, 1.5, 7)
    phase = (np.arange(length) - length) % 7
    return rng.poisson(level * pattern[phase]).astype(np.float64)


def _sparse(rng: np.random.Generator, length: int) -> NDArray[np.float64]:
    sizes = rng.poisson(3, length) + 1.0
    sizes[rng.random(length) > 1 / 8] = 0.0
    sizes[0] = 2.0
    return sizes


def _joined(series: Sequence[ArrayLike]) -> NDArray[np.float32]:
    return np.concatenate([np.atleast_1d(np.asarray(v, np.float32)) for v in series])


def _series(block: Block, low: int, high: int) -> Block:
    begin, end = block.starts[low], block.starts[high]
    return Block(
        codes=block.codes[low:high],
        starts=block.starts[low : high + 1] - begin,
        first=block.first[low:high],
        target=block.target[begin:end],
        covariates={name: held[begin:end] for name, held in block.covariates.items()},
        statics={name: held[low:high] for name, held in block.statics.items()},
    )


def _scrambled(block: Block, cutoff: int, rng: np.random.Generator) -> Block:
    late = block.ordinals() > cutoff

    def other(values: NDArray[np.float32]) -> NDArray[np.float32]:
        noise = rng.uniform(-1e4, 1e4, values.size).astype(np.float32)
        return np.where(late, noise, values)

    return replace(
        block,
        target=other(block.target),
        covariates={name: other(held) for name, held in block.covariates.items()},
    )
