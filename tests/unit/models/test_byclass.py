from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from tests import panels

from lakecast.core.block import Future
from lakecast.core.classes import CLASSES, DEPTH, classify, tail_of
from lakecast.core.features import State, state_at
from lakecast.models import load, save
from lakecast.models.average import Average
from lakecast.models.byclass import ByClass
from lakecast.models.reach import limit
from lakecast.models.recipes import Baseline, Tabular

if TYPE_CHECKING:
    from pathlib import Path

PANEL = panels.mixed()
H = 5
FUTURE = Future(horizon=H)
NAIVE, MEAN = (Baseline(kind=k).fit(PANEL, panels.CUTOFF) for k in ("naive", "seasonal_mean"))
MODEL = Tabular(
    family="linear_regression", strategy="direct", params={"alpha": 0.1}, horizon=H
).fit(PANEL, panels.CUTOFF)
BOTH = ByClass(
    members={"model": MODEL, "naive": NAIVE},
    by_class={kind: "model" if kind == "smooth" else "naive" for kind in CLASSES},
    season=7,
)


def state() -> State:
    return state_at(PANEL.held[0], panels.CUTOFF, memory=BOTH.memory, plans=BOTH.plans)


def test_each_series_is_answered_by_its_class_and_says_so() -> None:
    held = state()
    answer = BOTH.forecast(held, FUTURE)
    smooth = classify(tail_of(held, DEPTH * 7), 7) == CLASSES.index("smooth")
    assert smooth.any()
    for mask, member in ((smooth, MODEL), (~smooth, NAIVE)):
        expected = member.forecast(held, FUTURE)
        assert answer.values[mask].tobytes() == expected.values[mask].tobytes()
    alone = MODEL.forecast(held, FUTURE).source
    assert set(answer.source[smooth & (alone == "model")]) == {"class:smooth"}


def test_one_series_alone_gets_the_same() -> None:
    held = state()
    whole = BOTH.forecast(held, FUTURE)
    for index in range(held.series):
        alone = BOTH.forecast(held.select(np.array([index])), FUTURE)
        assert alone.values.tobytes() == whole.values[index].tobytes()
        assert alone.source[0] == whole.source[index]


def test_saved_and_loaded_it_answers_the_same(tmp_path: Path) -> None:
    save(BOTH, tmp_path)
    again = load(tmp_path)
    one, two = (each.forecast(state(), FUTURE) for each in (BOTH, again))
    assert one.values.tobytes() == two.values.tobytes()
    assert one.source.tolist() == two.source.tolist()


def test_no_series_is_no_answer() -> None:
    empty = state().select(np.array([], np.int64))
    assert BOTH.forecast(empty, FUTURE).values.shape == (0, H)


def test_reach_is_that_of_the_shortest() -> None:
    assert limit(NAIVE) is None
    assert limit(MODEL) == H
    assert limit(BOTH) == H
    assert limit(Average((NAIVE, MEAN))) is None


def test_a_recursive_model_reaches_as_far_as_what_it_cannot_feed_itself() -> None:
    panel = panels.with_covariates()
    free = Tabular(
        family="linear_regression", strategy="recursive", params={"alpha": 0.1}, horizon=H
    ).fit(panels.regular(), panels.CUTOFF)
    bound = Tabular(
        family="linear_regression", strategy="recursive", params={"alpha": 0.1}, horizon=H
    ).fit(panel, panels.CUTOFF)
    assert limit(free) is None
    assert limit(bound) == H
