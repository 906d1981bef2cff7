"""What must hold for any features of any panel."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import panels

from lakecast.core.block import Block, MemoryPanel, actuals, after
from lakecast.core.features import (
    Cursor,
    State,
    advance,
    compile_plan,
    fit_plan,
    kept,
    matrix,
    row,
    rows,
    state_at,
)
from lakecast.spec.features import (
    Ewm,
    Expanding,
    Features,
    LaggedCovariate,
    Rolling,
    Seasonal,
    Trend,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lakecast.core.features import FeaturePlan

STATS = ("mean", "std", "min", "max")
HORIZON = 6
examples = settings(deadline=None, max_examples=30)


@st.composite
def anyhow(draw: st.DrawFn, lead: int = 1) -> Features:
    """Features of every kind, at lags from `lead` on; past-only covariates beyond the horizon."""
    lag, window = st.integers(lead, lead + 12), st.integers(1, 20)
    need = st.integers(1, 3)
    late = st.integers(HORIZON, HORIZON + 5)
    alpha = st.sampled_from([0.1, 0.5, 1.0])
    return Features(
        lags=(lead, draw(lag)),
        rolling=(
            Rolling(
                window=draw(window), lag=draw(lag), stats=STATS, quantiles=(0.4,),
                min_periods=draw(need),
            ),
        ),
        seasonal=(
            Seasonal(season=draw(st.integers(2, 8)), window=draw(need), lag=draw(lag), stats=STATS),
        ),
        expanding=(Expanding(lag=draw(lag), stats=STATS),),
        ewm=(Ewm(alpha=draw(alpha), lag=draw(lag), stats=("mean", "std")),),
        trend=(Trend(window=draw(window), lag=draw(lag)),),
        calendar=("weekday", "last_weekday_sunday1"),
        holidays=("BR",),
        covariates=(
            LaggedCovariate(column="promo", lags=(0, draw(lag))),
            LaggedCovariate(
                column="visits", lags=(draw(late),), rolling=(Rolling(window=3, lag=draw(late)),)
            ),
        ),
        encodings=("store",),
        pooled=("store",),
    )  # fmt: skip


@st.composite
def a_panel(draw: st.DrawFn, spikes: tuple[float, ...] = (1e6,)) -> MemoryPanel:
    """Series of 1 to 60 periods with nulls, zeros and spikes."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    lengths = draw(st.lists(st.integers(1, 60), min_size=1, max_size=6))

    def values(n: int) -> NDArray[np.float64]:
        held = rng.gamma(1.0, 20.0, n)
        held[rng.random(n) < 0.2] = 0.0
        held[rng.random(n) < 0.1] = np.nan
        return np.where(rng.random(n) < 0.1, rng.choice(spikes, n), held)

    return panels.panel_of(
        [values(n) for n in lengths],
        {
            "promo": ("known-future", [values(n) for n in lengths]),
            "visits": ("past-only", [values(n) for n in lengths]),
        },
    )


HARSH = a_panel((3e16, -3e16))
"""Spikes that cancel: the order of a sum shows in its result."""


def planned(features: Features, panel: MemoryPanel) -> FeaturePlan:
    return compile_plan(features, panel.info, recursive=True, horizon=HORIZON)


def same(left: NDArray[np.generic], right: NDArray[np.generic]) -> bool:
    return left.shape == right.shape and left.tobytes() == right.tobytes()


def equal(left: State, right: State) -> bool:
    a, b = left.to_arrays(), right.to_arrays()
    return a.keys() == b.keys() and all(same(a[name], b[name]) for name in a)


@examples
@given(a_panel(), anyhow(), st.integers(1, 40))
def test_nothing_after_the_cutoff_changes_anything_before_it(
    panel: MemoryPanel, features: Features, back: int
) -> None:
    cutoff = panels.CUTOFF - back
    plan = planned(features, panel)
    other = panels.changed_after(panel, cutoff)
    (block,), (changed,) = panel.held, other.held
    before = block.ordinals() <= cutoff
    found, scale = matrix(fit_plan(plan, panel, cutoff), block)
    again, rescale = matrix(fit_plan(plan, other, cutoff), changed)
    assert same(found[before], again[before])
    assert same(scale[before], rescale[before])
    assert equal(state_at(block, cutoff, plans=[plan]), state_at(changed, cutoff, plans=[plan]))


@examples
@given(a_panel(), anyhow(), st.integers(2, 5))
def test_blocks_do_not_matter(panel: MemoryPanel, features: Features, blocks: int) -> None:
    plan = planned(features, panel)
    parts = panels.split(panel, blocks)
    fitted = fit_plan(plan, panel, panels.CUTOFF)
    one, scale = matrix(fitted, panel.held[0])
    many = [matrix(fitted, block) for block in parts.blocks()]
    assert same(one, np.concatenate([found for found, _ in many]))
    assert same(scale, np.concatenate([scale for _, scale in many]))
    refitted = fit_plan(plan, parts, panels.CUTOFF)
    np.testing.assert_allclose(
        refitted.encodings["store"], fitted.encodings["store"], rtol=1e-12, equal_nan=True
    )
    np.testing.assert_allclose(
        refitted.pooled["store"], fitted.pooled["store"], rtol=1e-6, equal_nan=True
    )


@examples
@given(a_panel(), anyhow(), st.randoms(use_true_random=False))
def test_the_order_of_series_does_not_matter(
    panel: MemoryPanel, features: Features, random: object
) -> None:
    (block,) = panel.held
    order = np.arange(block.codes.size)
    random.shuffle(order)  # type: ignore[attr-defined]
    fitted = fit_plan(planned(features, panel), panel, panels.CUTOFF)
    straight, _ = matrix(fitted, block)
    shuffled, _ = matrix(fitted, reordered(block, order))
    pieces = np.split(straight, block.starts[1:-1])
    assert same(shuffled, np.concatenate([pieces[s] for s in order]))


def reordered(block: Block, order: NDArray[np.int64]) -> Block:
    index = np.concatenate([np.arange(block.starts[s], block.starts[s + 1]) for s in order])
    return replace(
        block,
        codes=block.codes[order],
        starts=np.concatenate([[0], np.cumsum(block.lengths[order])]),
        first=block.first[order],
        target=block.target[index],
        covariates={name: held[index] for name, held in block.covariates.items()},
        statics={name: held[order] for name, held in block.statics.items()},
    )


@examples
@given(HARSH, anyhow(), st.integers(HORIZON, 30))
def test_state_gives_the_bits_of_the_batch(
    panel: MemoryPanel, features: Features, back: int
) -> None:
    (block,) = panel.held
    cutoff = panels.CUTOFF - back
    plan = planned(features, panel)
    fitted = fit_plan(plan, panel, cutoff)
    found, scale = matrix(fitted, block, start=cutoff + 1)
    ordinals = block.ordinals()[kept(block, cutoff + 1)]
    started = np.repeat(block.first, block.lengths)[kept(block, cutoff + 1)] <= cutoff
    cursor = Cursor(state_at(block, cutoff, plans=[plan]), after(block, cutoff, HORIZON, ["promo"]))
    future = actuals(block, cutoff, HORIZON)
    for h in range(1, HORIZON + 1):
        wanted = started & (ordinals == cutoff + h)
        online, online_scale = row(fitted, cursor, h)
        assert same(online, found[wanted])
        assert same(online_scale, scale[wanted])
        cursor.push(future[:, h - 1])


@examples
@given(HARSH, anyhow(lead=HORIZON), st.integers(HORIZON, 30))
def test_a_direct_plan_needs_no_forecasts(
    panel: MemoryPanel, features: Features, back: int
) -> None:
    (block,) = panel.held
    cutoff = panels.CUTOFF - back
    plan = compile_plan(features, panel.info, lead=HORIZON, recursive=False)
    fitted = fit_plan(plan, panel, cutoff)
    found, _ = matrix(fitted, block)
    wanted = block.ordinals() - cutoff
    wanted = (wanted >= 1) & (wanted <= HORIZON)
    wanted &= np.repeat(block.first <= cutoff, block.lengths)
    state = state_at(block, cutoff, memory=3, plans=[plan])
    online, _ = rows(fitted, Cursor(state, after(block, cutoff, HORIZON, ["promo"])), 1, HORIZON)
    assert same(online, found[wanted])


@examples
@given(HARSH, anyhow(), st.integers(1, 20), st.integers(1, 4))
def test_a_state_that_moves_on_is_the_state_there(
    panel: MemoryPanel, features: Features, back: int, step: int
) -> None:
    (block,) = panel.held
    plan = planned(features, panel)
    cutoff = panels.CUTOFF - back
    moved = state_at(block, cutoff, plans=[plan])
    for start in range(0, back, step):
        new = slice(start, min(start + step, back))
        known = after(block, cutoff, back, ["promo", "visits"]).covariates
        moved = advance(
            moved,
            actuals(block, cutoff, back)[:, new],
            {name: held[:, new] for name, held in known.items()},
        )
    there = state_at(block, panels.CUTOFF, plans=[plan])
    assert equal(moved, there.select(block.first <= cutoff))
