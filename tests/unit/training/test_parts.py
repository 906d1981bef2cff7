"""A model fit on parts of the series: its members, their mean, and how they are told of."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from tests.panels import regular
from tests.projects import write_project

from lakecast import Project
from lakecast.core.block import MemoryPanel, Parted, SharePanel, ThinPanel
from lakecast.engines.local import LocalEngine
from lakecast.flows.stages.training import last_note
from lakecast.lake.lake_panel import open_panel
from lakecast.models import families
from lakecast.models.recipes import Tabular
from lakecast.training import bench as benches
from lakecast.training.candidates import parted, tabular
from lakecast.training.finish import at_end

if TYPE_CHECKING:
    from pathlib import Path

PARTS = 3
BEST = "gradient_boosting/recursive"
MEMBERS = [f"{BEST}/part-{k}-of-3" for k in (1, 2, 3)]
MEAN = f"{BEST}/mean-of-3-parts"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = write_project(
        tmp_path_factory.mktemp("parts") / "loja", families=("gradient_boosting",),
        train=f'parts = {PARTS}\nstrategy = "recursive"\n',
    )  # fmt: skip
    opened = Project.open(folder)
    opened.run()
    return opened


def test_members_and_their_mean() -> None:
    *members, mean = parted(tabular("gradient_boosting", "recursive", {}), PARTS)
    assert [(one.name, one.part) for one in members] == [
        (name, (index, PARTS)) for index, name in enumerate(MEMBERS)
    ]
    assert (mean.name, list(mean.members), mean.part) == (MEAN, MEMBERS, ())
    assert [one.eligible for one in (*members, mean)] == [False] * PARTS + [True]


def test_parts_hold_every_series_once() -> None:
    panel = regular()
    shares = [SharePanel(panel, index, PARTS) for index in range(PARTS)]
    codes = [code for share in shares for block in share.blocks() for code in block.codes]
    assert sorted(codes) == sorted(code for block in panel.blocks() for code in block.codes)
    assert all(share.info == panel.info for share in shares)


def test_a_panel_in_memory_does_not_lie_in_parts() -> None:
    share = ThinPanel(SharePanel(MemoryPanel.of(regular()), 0, 2), 0.5, 1)
    assert isinstance(share, Parted)
    assert share.parts == ()
    with pytest.raises(TypeError, match="does not lie in parts"):
        share.part([0])


def test_folds_of_a_panel_in_the_lake_are_made_part_by_part(project: Project) -> None:
    panel, spec = open_panel(project.context.lake), project.context.spec
    assert len(panel.parts) > 1
    assert panel.first == min(int(block.first.min()) for block in panel.blocks())
    held = MemoryPanel.of(panel)
    found = benches.splits(panel, spec)
    assert found == benches.splits(held, spec)
    whole = benches.make_folds(held, spec, found)
    engine = LocalEngine(workers=2)
    for one, other in zip(benches.make_folds(panel, spec, found, engine), whole, strict=True):
        assert one.window == other.window
        for name in ("codes", "actual", "classes", "zero_median", "spread"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
        np.testing.assert_array_equal(one.scales.squared, other.scales.squared)


def test_where_series_stand_is_found_part_by_part(project: Project) -> None:
    panel = open_panel(project.context.lake)
    params = families.resolve("linear_regression", {})
    recipe = Tabular(
        family="linear_regression", strategy="recursive", params=params, horizon=14
    )  # fmt: skip
    model = recipe.fit(panel, panel.info.cutoff)
    in_parts, one = at_end(panel, model, engine=LocalEngine(workers=2))
    whole, other = at_end(MemoryPanel.of(panel), model)
    assert one == other
    for name, values in whole.to_arrays().items():
        np.testing.assert_array_equal(in_parts.to_arrays()[name], values, err_msg=name)


def test_the_mean_is_that_of_the_members(project: Project) -> None:
    table = project.table("backtest")
    keys = ["window", "series_code", "horizon"]
    members = table.filter(pl.col("candidate").is_in(MEMBERS))
    expected = members.group_by(keys).agg(pl.col("forecast").mean()).sort(keys)
    found = table.filter(candidate=MEAN).sort(keys)
    assert members.select("candidate").n_unique() == PARTS
    np.testing.assert_allclose(found["forecast"], expected["forecast"], rtol=1e-12)


def test_a_member_differs_from_the_model_of_all_series(project: Project) -> None:
    table = project.table("backtest").sort("candidate", "window", "series_code", "horizon")
    whole = table.filter(candidate=BEST)["forecast"]
    for name in MEMBERS:
        assert not table.filter(candidate=name)["forecast"].equals(whole)


def test_each_member_stands_in_the_leaderboard_and_is_not_chosen(project: Project) -> None:
    note = last_note(project.context)
    board = {row["candidate"] for row in note["leaderboard"]}
    assert {BEST, MEAN, *MEMBERS} <= board
    assert not set(note["members"]) & set(MEMBERS)


def test_a_member_has_figures_of_its_own_part(project: Project) -> None:
    scores = project.table("metrics")
    database = project.context.settings.project / "mlflow.db"
    tables = "metrics JOIN runs USING (run_uuid)"
    query = f"SELECT value FROM {tables} WHERE name = ? AND key = 'own_rmse'"
    with closing(sqlite3.connect(database)) as connection:
        for index, name in enumerate(MEMBERS):
            [(logged,)] = connection.execute(query, (name,)).fetchall()
            row = scores.filter(candidate=name, segment="train.parts", value=str(index + 1)).filter(
                pl.col("window").is_null(), pl.col("horizon").is_null()
            )
            assert logged == pytest.approx(row["rmse"].item())
        assert connection.execute(query, (BEST,)).fetchall() == []


def test_the_plan_lists_its_fits(project: Project) -> None:
    fits = [fit for fit in project.predict().to_dict()["fits"] if fit["model"] in MEMBERS]
    assert len(fits) >= PARTS


def test_run_again_it_is_not_due(project: Project, tmp_path: Path) -> None:
    again = Project.open(project.context.settings.project).run()
    assert {stage.stage: stage.did for stage in again.stages}["train"] == "not due"
