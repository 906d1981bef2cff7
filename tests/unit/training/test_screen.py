"""Screening on a sample: whole series, the same ones every time, one strategy a family."""

from __future__ import annotations

import numpy as np
import pytest
from tests import panels
from tests.unit.training.stage import Shelf
from tests.unit.training.test_train import JOB

from lakecast.core.block import sample
from lakecast.training import screen as screening
from lakecast.training.backtest import Hooks
from lakecast.training.train import train


def test_a_small_panel_is_its_own_sample() -> None:
    panel = panels.regular()
    assert sample(panel, panel.info.rows, seed=1) is panel


def test_a_sample_is_of_whole_series_and_about_so_large() -> None:
    panel = panels.regular(series=200, length=60)
    drawn = sample(panel, 3000, seed=1)
    (whole,), (part,) = panel.blocks(), drawn.blocks()
    assert 2000 < part.rows < 4000
    assert drawn.info.rows == part.rows
    assert drawn.info.series == len(part.codes)
    assert set(np.diff(part.starts)) == {60}
    for at, code in enumerate(part.codes):
        mine = slice(whole.starts[code], whole.starts[code + 1])
        assert (part.target[part.starts[at] : part.starts[at + 1]] == whole.target[mine]).all()


def test_a_draw_depends_on_the_code_and_the_seed_alone() -> None:
    panel = panels.regular(series=100, length=30)
    once = [code for block in sample(panel, 900, seed=1).blocks() for code in block.codes]
    parts = panels.split(panel, 4)
    again = [code for block in sample(parts, 900, seed=1).blocks() for code in block.codes]
    other = [code for block in sample(panel, 900, seed=2).blocks() for code in block.codes]
    assert once == again
    assert once != other


def test_a_large_panel_goes_on_with_one_strategy_a_family(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screening, "MOST", JOB.panel.info.rows // 2)
    shelf = Shelf()
    ran = train(JOB, Hooks(checkpoint=shelf))
    models = [one for one in ran.backtest.candidates if one.strategy]
    assert sorted(model.family for model in models) == ["gradient_boosting", "linear_regression"]
    for model in models:
        mine = [trial for trial in ran.trials if trial.family == model.family and trial.loss]
        best = min(mine, key=lambda trial: trial.loss or 0.0)
        assert best.strategy == model.strategy
        assert best.chosen
    sampled = [frame for (name, _), frame in shelf.held.items() if "strategy-" in name]
    whole = shelf.held[models[0].name, 0]
    assert sampled
    assert all(frame.height < whole.height for frame in sampled)
