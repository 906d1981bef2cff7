"""Levels through a whole run: tables, bundle and report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from msgspec.structs import replace
from tests.projects import HORIZON, PRODUCTS, SERIES, write_project

from lakecast.bootstrap import Project
from lakecast.flows import bundles
from lakecast.flows.budget.facts import ground_of
from lakecast.lake.lake_panel import open_panel
from lakecast.training.outline import LEVELS as LEARNER

if TYPE_CHECKING:
    from pathlib import Path

LEVELS = """
[[sources]]
table = "lojas"
path = "raw/lojas.csv"
on = ["loja"]
columns.regiao = { role = "static" }

[gate]
weight = "revenue"

[hierarchy]
levels = [[], ["regiao"], ["produto", "regiao"]]
method = "wls"
"""
REGIONS = {"norte": "interior", "sul": "capital", "oeste": "capital"}
GROUPS = {"total": 1, "regiao": 3, "produto/regiao": 9, "series": SERIES}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder: Path = write_project(tmp_path_factory.mktemp("levels"), more=LEVELS)
    rows = [f"{store},{region}" for store, region in REGIONS.items()]  # leste has none
    (folder / "raw" / "lojas.csv").write_text("\n".join(["loja,regiao", *rows]) + "\n")
    opened = Project.open(folder)
    opened.run()
    return opened


def test_every_level_is_in_the_table_and_adds_up(project: Project) -> None:
    table = project.table("forecasts")
    sizes = dict(table.group_by("level").len().iter_rows())
    assert sizes == {level: groups * HORIZON for level, groups in GROUPS.items()}
    stores = pl.DataFrame({"loja": list(REGIONS), "regiao": list(REGIONS.values())})
    series = table.filter(pl.col("level") == "series").drop("regiao").join(
        stores, on="loja", how="left"
    )  # fmt: skip
    for level, keys in (("total", []), ("regiao", ["regiao"]), ("produto/regiao", PAIR)):
        rows = table.filter(pl.col("level") == level).sort([*keys, "data_venda"])
        sums = series.group_by([*keys, "data_venda"]).agg(pl.col("forecast").sum())
        sums = sums.sort([*keys, "data_venda"])
        assert rows.select(keys).equals(sums.select(keys))
        np.testing.assert_allclose(rows["forecast"], sums["forecast"], rtol=1e-6)
        assert (rows["forecast-lo-80"] <= rows["forecast"]).all()
        assert set(rows["source"]) == {"reconciled"}


PAIR = ["produto", "regiao"]


def test_keys_of_other_levels_are_null(project: Project) -> None:
    table = project.table("forecasts")
    keys = ["level", "produto", "loja", "regiao", "cutoff", "data_venda", "model_version"]
    assert table.select(keys).is_unique().all()
    pairs = table.filter(pl.col("level") == "produto/regiao")
    assert pairs["loja"].null_count() == pairs.height
    assert set(pairs["produto"]) == set(PRODUCTS)


def test_figures_by_level_are_in_the_metrics_and_the_report(project: Project) -> None:
    table = project.table("metrics").filter(pl.col("segment") == "level")
    assert set(table["value"]) == {*GROUPS, "mean of levels"}
    data = project.report_data()
    assert dict(data.levels.select("level", "groups").iter_rows()) == GROUPS
    assert data.forecasts is not None
    assert data.forecasts.height == SERIES * HORIZON
    assert any("revenue" in line for line in data.decision.reasons)


def test_the_fits_of_the_levels_are_told(project: Project) -> None:
    told = [fit for fit in project.predict().fits if fit.model == LEARNER]
    windows = project.table("backtest").select(pl.col("window").n_unique()).item()
    assert [fit.purpose for fit in told] == ["window"] * windows + ["final"]
    groups = sum(GROUPS.values()) - SERIES
    assert {fit.rows % groups for fit in told} == {0}


def test_a_level_that_the_panel_lacks_yet_is_not_told(project: Project) -> None:
    asked = replace(project.context.spec.hierarchy, levels=((), ("canal",), ("regiao", "canal")))
    spec = replace(project.context.spec, hierarchy=asked)
    tree = ground_of(open_panel(project.context.lake), spec).tree
    assert tree is not None
    assert [level.name for level in tree.levels] == ["total"]


def test_the_backtest_holds_what_was_reconciled_beside_what_was_not(project: Project) -> None:
    table = project.table("backtest")
    name = next(row for row in table["candidate"].unique() if row.endswith(", reconciled"))
    mine = table.filter(pl.col("candidate") == name)
    plain = table.filter(pl.col("candidate") == name.removesuffix(", reconciled"))
    assert 0 < mine.height <= plain.height
    assert set(mine["window"]) == set(plain["window"])


def test_the_bundle_gives_what_the_table_holds(project: Project) -> None:
    assert project.champion is not None
    predictor = bundles.load(project.context.lake, project.champion.fingerprint)
    found = pl.concat(list(predictor.every_level()))
    told = project.table("forecasts").select(found.columns)
    keys = ["level", "produto", "loja", "regiao", "data_venda"]
    assert found.sort(keys).equals(told.sort(keys))
