"""The parts of the benchmark of ingest that need no peer."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from benchmarks import ingest
from benchmarks.long_form import M5, write_long

needs_m5 = pytest.mark.skipif(not M5.exists(), reason=f"the M5 data are not at {M5}")


@pytest.fixture
def long_form(tmp_path: Path) -> Path:
    path = tmp_path / "m5.csv"
    write_long(path, 40_000)
    return path


@needs_m5
def test_the_long_form_has_a_row_a_product_and_day(long_form: Path) -> None:
    rows = pl.read_csv(long_form, try_parse_dates=True)
    assert rows.height == 40_000
    assert rows.columns == ["item_id", "dept", "cat", "store", "state", "date", "quantity", "valor"]
    assert rows["date"].value_counts(sort=True)["count"].to_list() == [30_490, 9_510]
    wide = pl.read_parquet(M5 / "sales_train_evaluation_wide.parquet")
    assert rows["quantity"].sum() == wide["d_1"].sum() + wide["d_2"].head(9_510).sum()


@needs_m5
def test_what_lands_is_compared_with_the_file(long_form: Path, tmp_path: Path) -> None:
    table = ingest.ours(long_form, tmp_path / "ours")
    ingest.check(long_form, table)
    with pytest.raises(AssertionError):
        ingest.check(long_form, table.head(39_999))


def test_narrowing_halves_numbers_and_codes_texts() -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pandas.DataFrame({"a": pandas.Series(["x", "x"], dtype=object), "q": [1, 2], "v": 0.5})
    kinds = {name: str(kind) for name, kind in ingest._narrowed(frame).dtypes.items()}
    assert kinds == {"a": "category", "q": "int32", "v": "float32"}
