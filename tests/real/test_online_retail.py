"""A UK wholesaler's invoice lines, dirty as they came, from a file to a report."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from lakecast import Project
from lakecast.flows.guess import Wishes, write_spec

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "online_retail"
RAW = DATA / "online_retail_combined.parquet"
NAMES = {
    "invoice": "Invoice", "stock_code": "StockCode", "description": "Description",
    "quantity": "Quantity", "invoice_date": "InvoiceDate", "price": "Price",
    "customer_id": "Customer ID", "country": "Country",
}  # fmt: skip
QUICK = """\
[train]
families = ["linear_regression"]
search = false

[backtest]
windows = 2
"""
pytestmark = pytest.mark.skipif(not RAW.exists(), reason=f"no {RAW.name} beside the repository")


def lines() -> pl.DataFrame:
    return pl.read_parquet(RAW).rename(NAMES)


def export(rows: pl.DataFrame, path: Path) -> None:
    """As a European office would export it: latin-1, `;`, decimal comma, dd/mm/yyyy."""
    dated = rows.with_columns(pl.col("InvoiceDate").dt.strftime("%d/%m/%Y %H:%M"))
    text = dated.write_csv(separator=";", decimal_comma=True)
    path.write_bytes(text.encode("latin-1", errors="replace"))


@pytest.fixture(scope="module")
def csv(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("raw") / "online_retail.csv"
    export(lines(), path)
    return str(path)


def narrowed(spec: Path, panel: str = "") -> None:
    """The spec that init wrote, with less to train."""
    text, _, _ = spec.read_text(encoding="utf-8").partition("[train]")
    spec.write_text(text.replace("[panel]", f"[panel]\n{panel}") + QUICK, encoding="utf-8")


def whole(project: Project, series: int, horizon: int) -> None:
    """Forecasts for every series and horizon, without nulls or negatives, and a report."""
    forecasts = project.table("forecasts")
    assert forecasts.height == series * horizon
    numbers = forecasts.select("forecast", "forecast-lo-80", "forecast-hi-80")
    assert numbers.null_count().sum_horizontal().item() == 0
    assert numbers.select(pl.all().is_finite().all()).row(0) == (True, True, True)
    assert forecasts["forecast"].min() >= 0
    assert set(forecasts["horizon"]) == set(range(1, horizon + 1))


def test_every_row_is_accounted_for_and_every_product_forecast(tmp_path: Path, csv: str) -> None:
    rows = lines()
    project_folder = tmp_path / "retail"
    made = write_spec(project_folder, [csv], Wishes(frequency="W-SUN", horizon=4), force=False)
    narrowed(made.path, "min_active = 0.5")

    project = Project.open(project_folder)
    done = project.run()

    free = pl.col("Price") <= 0
    sales, refused = project.table("sales"), project.table("quarantine")
    assert sales.height + refused.height == rows.height
    assert refused.height == rows.filter(free).height
    assert refused["_row"].sort().to_list() == (
        rows.with_row_index("n", 1).filter(free)["n"].to_list()
    )
    assert set(refused["rules"].explode()) == {"out_of_range"}
    kept = rows.filter(~free)
    assert sales["Quantity"].sum() == kept["Quantity"].sum()
    landed_cancelled = sales.filter(pl.col("Invoice").str.starts_with("C")).height
    assert landed_cancelled == kept.filter(pl.col("Invoice").str.starts_with("C")).height
    assert sales.filter(pl.col("Quantity") < 0).height == kept.filter(pl.col("Quantity") < 0).height
    whole(project, project.table("series").height, 4)
    assert Path(done.report).stat().st_size > 100_000


def test_what_init_counts_is_what_the_rows_hold(tmp_path: Path, csv: str) -> None:
    rows = lines()
    made = write_spec(tmp_path, [csv], Wishes(), force=False)
    text = made.path.read_text(encoding="utf-8")
    marked = rows.filter(pl.col("Invoice").str.starts_with("C")).height
    free = rows.filter(pl.col("Price") <= 0).height
    assert 'online_retail.csv"' in text
    assert f"{marked:,} of all {rows.height:,} rows start so" in text
    assert f"{free:,} of all {rows.height:,} rows have no price above zero" in text
    assert 'series = ["StockCode"]' in text
    assert '"%d/%m/%Y %H:%M"' in text


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_every_product_by_the_day(tmp_path: Path, csv: str) -> None:
    """All that the default spec tries, trained on half a million of three million rows."""
    made = write_spec(tmp_path, [csv], Wishes(), force=False)
    spec = made.path.read_text(encoding="utf-8")
    made.path.write_text(spec.replace("[train]", "[train]\nrows = 500_000"), encoding="utf-8")
    project = Project.open(tmp_path)
    assert project.context.spec.train.rows == 500_000
    project.run()
    whole(project, project.table("series").height, 28)
