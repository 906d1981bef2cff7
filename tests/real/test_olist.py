"""A Brazilian marketplace: a ready daily aggregate, and raw order items with a dimension."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from lakecast import Project
from lakecast.flows.guess import Wishes, write_spec
from lakecast.spec import load

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "olist"
DAILY = DATA / "vendas_diarias_categoria_uf.parquet"
ITEMS = DATA / "olist_order_items_dataset.parquet"
QUICK = """\
[train]
families = ["linear_regression"]
search = false

[backtest]
windows = 2
"""
pytestmark = pytest.mark.skipif(not DAILY.exists(), reason="no olist beside the repository")


def run(spec: Path) -> Project:
    text, _, _ = spec.read_text(encoding="utf-8").partition("[train]")
    spec.write_text(text + QUICK, encoding="utf-8")
    project = Project.open(spec.parent)
    done = project.run()
    assert Path(done.report).stat().st_size > 100_000
    return project


def check(project: Project, horizon: int) -> None:
    forecasts, series = project.table("forecasts"), project.table("series")
    assert forecasts.height == series.height * horizon
    assert forecasts["forecast"].null_count() == 0
    assert forecasts["forecast"].min() >= 0


def test_a_daily_aggregate_becomes_a_weekly_panel(tmp_path: Path) -> None:
    rows = pl.read_parquet(DAILY)
    path = tmp_path / "vendas.csv"
    dated = rows.with_columns(pl.col("data").dt.strftime("%d/%m/%Y"))
    dated.write_csv(path, separator=";", decimal_comma=True)
    made = write_spec(tmp_path, [str(path)], Wishes(frequency="W-SUN", horizon=4), force=False)
    panel = load(made.path).panel
    assert (panel.series, panel.time, panel.target) == (("categoria", "uf"), "data", "quantidade")
    assert panel.revenue == "receita"

    project = run(made.path)
    assert project.table("sales").height == rows.height
    assert project.table("sales")["quantidade"].sum() == rows["quantidade"].sum()
    assert project.table("series").height == rows.select("categoria", "uf").n_unique()
    check(project, 4)


def order_lines() -> pl.DataFrame:
    """One row an item, with the moment of its order."""
    orders = pl.read_parquet(DATA / "olist_orders_dataset.parquet")
    items = pl.read_parquet(ITEMS).join(orders, on="order_id", maintain_order="left")
    return items.select(
        "order_id",
        pl.col("product_id").alias("produto_id"),
        pl.col("order_purchase_timestamp").alias("data_venda"),
        pl.lit(1).alias("quantidade"),
        pl.col("price").alias("valor_total"),
    )


def test_order_items_get_their_category_from_a_dimension(tmp_path: Path) -> None:
    rows = order_lines()
    rows.write_parquet(tmp_path / "itens.parquet")
    products = pl.read_parquet(DATA / "olist_products_dataset.parquet")
    products = products.select(
        pl.col("product_id").alias("produto_id"),
        pl.col("product_category_name").alias("categoria"),
    )
    products.write_csv(tmp_path / "produtos.csv")
    sources = [str(tmp_path / "itens.parquet"), str(tmp_path / "produtos.csv")]
    made = write_spec(tmp_path, sources, Wishes(horizon=7), force=False)
    spec = load(made.path)
    assert spec.panel.series == ("categoria",)
    assert spec.panel.frequency == "D"
    assert (spec.sources[1].lookup, spec.sources[1].on) == (True, ("produto_id",))

    project = run(made.path)
    known = rows.join(products, on="produto_id").drop_nulls("categoria")
    assert project.table("sales").height == rows.height
    assert project.table("panel")["quantidade"].sum() <= known.height
    check(project, 7)
