"""Screening: on a sample of whole series, the same ones every time; the best two go on."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import polars as pl
import pytest
from msgspec.structs import replace
from tests import panels
from tests.unit.training.stage import Shelf
from tests.unit.training.test_train import JOB

from lakecast.core.block import MemoryPanel, sample
from lakecast.errors import SpecError
from lakecast.models import families
from lakecast.training import candidates
from lakecast.training import screen as screening
from lakecast.training.backtest import Candidate, Hooks
from lakecast.training.train import Job, Ran, train


def parted() -> Job:
    """The job with two regions of stores."""
    info = JOB.panel.info
    blocks = tuple(
        dataclasses.replace(
            block, statics={**block.statics, "regiao": (block.codes % 2).astype(np.float32)}
        )
        for block in JOB.panel.blocks()
    )
    categories = {**info.categories, "regiao": ("norte", "sul")}
    panel = MemoryPanel(dataclasses.replace(info, categories=categories), blocks)
    return dataclasses.replace(JOB, panel=panel)


def trained(job: Job, **train_part: Any) -> Ran:
    fixed = replace(job.spec.train, **train_part)
    return train(dataclasses.replace(job, spec=replace(job.spec, train=fixed)), Hooks())


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


def test_two_models_go_on_and_they_are_the_best() -> None:
    ran = train(JOB, Hooks())
    models = [one for one in ran.backtest.candidates if one.strategy]
    losses = {
        f"{trial.family}/{trial.strategy}": trial.loss
        for trial in sorted(ran.trials, key=lambda trial: -(trial.loss or np.inf))
    }
    best = sorted(losses, key=lambda name: losses[name] or np.inf)[: screening.GO_ON]
    assert [model.name for model in models] == best
    assert sum(trial.chosen for trial in ran.trials) == screening.GO_ON
    assert len(losses) > screening.GO_ON


def test_a_large_panel_is_screened_on_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screening, "MOST", JOB.panel.info.rows // 2)
    shelf = Shelf()
    ran = train(JOB, Hooks(checkpoint=shelf))
    models = [one for one in ran.backtest.candidates if one.strategy]
    assert len(models) == screening.GO_ON
    whole = shelf.held[models[0].name, 0]
    sampled = [frame for (name, _), frame in shelf.held.items() if name.endswith(("/0", "/other"))]
    assert sampled
    assert all(frame.height < whole.height for frame in sampled)


def test_a_spec_that_allows_two_models_screens_nothing() -> None:
    ran = trained(JOB, search=False, scaling="series", families=("linear_regression",))
    assert [trial.loss for trial in ran.trials] == [None, None]
    assert all(trial.chosen for trial in ran.trials)


def test_unscaled_rows_are_tried_of_trees_alone() -> None:
    tried = {trial.family for trial in train(JOB, Hooks()).trials if not trial.scaled}
    assert tried == {"gradient_boosting"}


def test_columns_that_the_spec_names_are_screened() -> None:
    ran = trained(parted(), families=("gradient_boosting",), partitions=("regiao",))
    found = [trial for trial in ran.trials if trial.partition]
    assert [trial.partition for trial in found] == ["regiao"]
    assert all(trial.loss for trial in found)


def test_a_large_panel_is_parted_by_columns_with_large_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = JOB.panel.info.rows
    monkeypatch.setattr(screening, "MOST", rows // 2)
    monkeypatch.setattr(families, "LARGE", rows // 2)
    monkeypatch.setattr(candidates, "PART", rows // 4)
    ran = trained(parted(), families=("gradient_boosting",))
    models = [one for one in ran.backtest.candidates if one.strategy]
    assert [model.partition for model in models] == ["regiao", ""]
    assert sum(trial.chosen for trial in ran.trials) == 1
    assert ran.backtest.candidate("average").members == tuple(model.name for model in models)


def test_a_column_that_is_no_series_column_cannot_part_models() -> None:
    with pytest.raises(SpecError, match="nowhere"):
        trained(JOB, partitions=("nowhere",))


def test_models_that_the_gate_would_refuse_for_bias_come_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One that goes on as it is does not when it is biased."""
    honest = trained(JOB, families=("linear_regression", "gradient_boosting")).trials
    place = next(at for at, trial in enumerate(honest) if trial.chosen)
    figure, judged = screening.metrics.figure, screening._Stage._judged

    def far(metric: str, stats: Any) -> Any:
        return 5.0 if metric == "bias" else figure(metric, stats)

    def lean(stage: Any, model: Candidate, *rest: Any) -> Any:
        """The bias of that one is beyond the gate's."""
        told = honest[place]
        wanted = (model.family, model.strategy, model.params, model.scaled) == (
            told.family, told.strategy, told.params, told.scaled
        )  # fmt: skip
        with monkeypatch.context() as patch:
            if wanted:
                patch.setattr(screening.metrics, "figure", far)
            return judged(stage, model, *rest)

    monkeypatch.setattr(screening._Stage, "_judged", lean)
    biased = trained(JOB, families=("linear_regression", "gradient_boosting")).trials
    assert biased[place].loss == honest[place].loss
    assert not biased[place].chosen
    assert sum(trial.chosen for trial in biased) == screening.GO_ON


def test_a_tuned_point_that_is_in_the_grid_is_tried_once() -> None:
    only = replace(JOB.spec.train, families=("gradient_boosting",))
    spec = replace(JOB.spec, train=only)
    tried = candidates.lineup(spec, JOB.panel.info)
    first = candidates.models(spec, "gradient_boosting", tried)
    other = dataclasses.replace(first[0], params={**first[0].params, "num_leaves": 9})
    again = dataclasses.replace(tried, tuned=(first[0], other))
    assert candidates.models(spec, "gradient_boosting", again) == [*first, other]


def test_with_levels_the_mean_over_them_decides() -> None:
    job = parted()
    series = pl.DataFrame(
        {
            "series_code": np.arange(40, dtype=np.int32),
            "loja": [f"loja {i:02d}" for i in range(40)],
            "regiao": [("norte", "sul")[i % 2] for i in range(40)],
        }
    )
    levels = replace(job.spec.hierarchy, levels=((), ("regiao",)))
    spec = replace(job.spec, hierarchy=levels)
    without = train(dataclasses.replace(job, spec=spec), Hooks())
    within = train(dataclasses.replace(job, spec=spec, series=series), Hooks())
    told = [(trial.family, trial.strategy, trial.scaled) for trial in without.trials]
    assert told == [(trial.family, trial.strategy, trial.scaled) for trial in within.trials]
    assert [trial.loss for trial in without.trials] != [trial.loss for trial in within.trials]
