"""The stage `features`: the table, its names, and when it is left alone."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl
import pytest
from tests.projects import DAYS, SERIES, START, write_project

from lakecast import Project
from lakecast.flows.stages import features

if TYPE_CHECKING:
    from pathlib import Path


def _respelled(folder: Path, old: str, new: str) -> Project:
    path = folder / "lakecast.toml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    return Project.open(folder)


def _table(project: Project) -> pl.DataFrame:
    project.stage("features")
    return project.table("features").sort("produto", "loja", "data_venda")


def test_one_row_a_series_and_day(project: Path) -> None:
    rows = _table(Project.open(project))
    assert rows.height == SERIES * DAYS
    days = [START + timedelta(days=n) for n in range(DAYS)]
    for _, series in rows.group_by("produto", "loja"):
        assert series["data_venda"].to_list() == days


def test_series_that_start_later_have_their_own_days(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_project(tmp_path / "lojas")
    sales = folder / "raw" / "vendas.csv"
    head, *lines = sales.read_text(encoding="utf-8").splitlines(keepends=True)
    late = {"arroz": "2024-01-01", "feijão": "2024-02-10", "café": "2024-03-03"}
    day, product = (head.strip().split(",").index(name) for name in ("data_venda", "produto"))
    fields = [(line, line.split(",")) for line in lines]
    kept = [line for line, row in fields if row[day] >= late[row[product]]]
    sales.write_text("".join([head, *kept]), encoding="utf-8")
    monkeypatch.setattr(features, "PIECE", DAYS)  # so that a piece has the late ones alone
    rows = _table(Project.open(folder))
    first = dict(rows.group_by("produto").agg(pl.col("data_venda").min().cast(pl.String)).rows())
    assert first == late
    assert rows.height == len(kept)
    steps = rows.select(pl.col("data_venda").diff().over("produto", "loja").drop_nulls().unique())
    assert steps.to_series().to_list() == [timedelta(days=1)]


@pytest.mark.parametrize("frequency", ["h", "D", "W-MON", "M"])
def test_times_and_target_are_the_panels(project: Path, frequency: str) -> None:
    if frequency == "h":
        shutil.rmtree(project / "lake", ignore_errors=True)
        sales = project / "raw" / "vendas.csv"
        sold = pl.read_csv(sales, infer_schema=False)
        sold.with_columns(pl.col("data_venda") + " 07:00").write_csv(sales)
    opened = _respelled(project, 'frequency = "D"', f'frequency = "{frequency}"')
    rows = _table(opened).sort("series_code", "data_venda")
    panel = opened.table("panel").sort("series_code", "data_venda")
    columns = ["series_code", "data_venda", "quantidade"]
    assert rows.select(columns).equals(panel.select(columns))
    assert rows.schema["data_venda"] == panel.schema["data_venda"]


def test_many_files_hold_the_rows_of_one(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Project.open(project)
    whole, table = _table(opened), opened.context.lake.table("features")
    few = len(table.files())
    monkeypatch.setattr(features, "_PIECES", 1)
    monkeypatch.setattr(features, "PIECE", 2 * DAYS)
    shutil.rmtree(project / "lake" / "features")
    opened = Project.open(project)
    again, table = _table(opened), opened.context.lake.table("features")
    assert len(table.files()) > few
    assert again.equals(whole)


def test_lags_are_lags(project: Path) -> None:
    rows = _table(Project.open(project))
    target = pl.col("quantidade").shift(7).over("produto", "loja").cast(pl.Float32)
    assert rows.select(same=pl.col("lag_7").eq_missing(target))["same"].all()


def test_series_columns_keep_their_values_beside_their_codes(project: Path) -> None:
    rows = _table(Project.open(project))
    assert rows["loja"].dtype == pl.String
    places = {place: n for n, place in enumerate(sorted(set(rows["loja"])))}
    assert rows["loja_code"].to_list() == [places[place] for place in rows["loja"]]


def test_a_name_of_the_table_itself_gets_out_of_the_way(project: Path) -> None:
    named = '[features]\nnames = { lag_1 = "quantidade", lag_7 = "loja_code" }\n'
    rows = _table(_respelled(project, "[features]\n", named))
    assert rows["quantidade"].null_count() == 0
    assert rows["quantidade_code"].null_count() == SERIES
    assert {"loja_code", "loja_code_code"} <= set(rows.columns)


def test_the_plan_lies_beside_the_table(project: Path) -> None:
    opened = Project.open(project)
    rows = _table(opened)
    lake = opened.context.lake
    told = json.loads(lake.store.read_bytes("features/plan.json"))
    names = [column["name"] for column in told["plan"]["columns"]]
    assert set(names) - {"loja", "produto"} <= set(rows.columns)
    assert json.loads(lake.table("features").metadata["lakecast.feature_plan"]) == told


@pytest.mark.parametrize(
    ("old", "new"),
    [("calendar = ", "expanding = []\ncalendar = "), ("horizon = 7", "horizon = 3")],
)
def test_again_only_when_something_changed(project: Path, old: str, new: str) -> None:
    opened = Project.open(project)
    assert [opened.stage("features")[-1].did for _ in range(2)] == ["done", "unchanged"]
    assert _respelled(project, old, new).stage("features")[-1].did == "done"
