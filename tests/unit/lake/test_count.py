"""About how many rows a source has."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import polars as pl
import pytest

from lakecast.errors import SpecError
from lakecast.lake.sources.count import estimate
from lakecast.spec import Source

if TYPE_CHECKING:
    from pathlib import Path

ROWS = 20_000
FRAME = pl.DataFrame(
    {"produto": [f"p{i % 90:03d}" for i in range(ROWS)], "quantidade": range(ROWS)}
)


def test_parquet_says_it(tmp_path: Path) -> None:
    for name in ("a", "b"):
        FRAME.write_parquet(tmp_path / f"{name}.parquet")
    assert estimate(Source(table="sales", path="*.parquet"), tmp_path) == 2 * ROWS


def test_a_text_is_judged_by_its_first_lines(tmp_path: Path) -> None:
    FRAME.write_csv(tmp_path / "a.csv")
    found = estimate(Source(table="sales", path="a.csv"), tmp_path)
    assert found == pytest.approx(ROWS, rel=0.1)


def test_a_packed_text_by_its_size(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(FRAME.write_csv().encode()))
    found = estimate(Source(table="sales", path="a.csv.gz"), tmp_path)
    assert ROWS / 10 < found < 10 * ROWS


def test_what_is_nothing_counts_as_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"not parquet at all, but long enough")
    (tmp_path / "b.csv").write_text("produto;quantidade")
    assert estimate(Source(table="sales", path="a.parquet"), tmp_path) == 0
    assert estimate(Source(table="sales", path="b.csv"), tmp_path) == 0
    assert estimate(Source(table="sales", sql_env="URL", query="select 1"), tmp_path) == 0


def test_a_source_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="no file"):
        estimate(Source(table="sales", path="a.csv"), tmp_path)
