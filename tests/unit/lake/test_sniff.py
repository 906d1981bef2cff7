"""What is found out about files nobody has described."""

from __future__ import annotations

import gzip
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import polars as pl
import pytest

from lakecast.errors import SpecError
from lakecast.lake.sources.sniff import Sniffed, sniff, sniff_sql

if TYPE_CHECKING:
    from pathlib import Path

DAYS = [date(2024, 1, 1) + timedelta(days=i) for i in range(60)]


def look(folder: Path, text: str, encoding: str = "utf-8", name: str = "x.csv") -> Sniffed:
    data = text.encode(encoding)
    (folder / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    return sniff(name, folder)


def kinds(found: Sniffed) -> dict[str, str]:
    return {column.name: column.kind for column in found.columns}


def brazilian() -> str:
    rows = [f"P{i % 3};{day:%d/%m/%Y};R$ {i + 1}.234,50;{i};sim;007" for i, day in enumerate(DAYS)]
    return "produto;data_venda;valor_total;quantidade;ativo;código\n" + "\n".join(rows)


@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz"])
def test_a_brazilian_export(tmp_path: Path, name: str) -> None:
    found = look(tmp_path, brazilian(), "latin-1", name)
    form = found.format
    assert (form.delimiter, form.decimal, form.thousands) == (";", ",", ".")
    assert (form.encoding, form.dates) == ("latin-1", "%d/%m/%Y")
    assert kinds(found) == {
        "produto": "text",
        "data_venda": "time",
        "valor_total": "number",
        "quantidade": "integer",
        "ativo": "boolean",
        "código": "text",
    }
    assert found.sample["valor_total"][1] == 2234.5
    assert found.sample["data_venda"][1] == datetime(2024, 1, 2, tzinfo=UTC)
    money = next(c for c in found.columns if c.name == "valor_total")
    assert money.currency == "R$"
    assert any("not UTF-8" in note for note in found.notes)


def test_a_byte_order_mark_is_utf8(tmp_path: Path) -> None:
    found = look(tmp_path, "p,q\nmaçã,1\n", "utf-8-sig")
    assert found.format.encoding == "utf-8"
    assert kinds(found) == {"p": "text", "q": "integer"}


def test_windows_signs_are_cp1252(tmp_path: Path) -> None:
    assert look(tmp_path, "p,q\n€ maçã,1\n", "cp1252").format.encoding == "cp1252"


def test_months_first_where_the_days_say_so(tmp_path: Path) -> None:
    text = "t,q\n" + "\n".join(f"{day:%m/%d/%Y},1" for day in DAYS)
    found = look(tmp_path, text)
    assert found.format.dates == "%m/%d/%Y"
    assert found.notes == ()


def test_days_first_where_both_fit_and_it_is_said(tmp_path: Path) -> None:
    text = "t,q\n" + "\n".join(f"0{i}/0{j}/2024,1" for i in range(1, 9) for j in range(1, 9))
    found = look(tmp_path, text)
    assert found.format.dates == "%d/%m/%Y"
    assert any("%m/%d/%Y" in note for note in found.notes)


def test_dates_deep_in_a_file_decide(tmp_path: Path) -> None:
    """A file sorted by time shows only its first days at its head."""
    early = [f"{i % 9 + 1:02d}/02/2024,{'x' * 40}" for i in range(20_000)]
    late = [f"{i % 15 + 13}/02/2024,{'x' * 40}" for i in range(20_000)]
    found = look(tmp_path, "t,q\n" + "\n".join([*early, *late]))
    assert found.format.dates == "%d/%m/%Y"
    assert found.notes == ()


def test_times_of_day(tmp_path: Path) -> None:
    found = look(tmp_path, "t,q\n31/01/2024 08:26,1.5\n01/02/2024 10:00,2\n")
    assert found.format.dates == "%d/%m/%Y %H:%M"
    assert found.columns[0].clock


@pytest.mark.parametrize("text", ["2024-01-31", "2024-01-31T10:00:00Z", "20240131"])
def test_iso_needs_no_pattern(tmp_path: Path, text: str) -> None:
    found = look(tmp_path, f"t,q\n{text},1\n{text},2\n")
    assert found.format.dates is None
    assert kinds(found)["t"] == "time"


def test_points_that_may_be_thousands_are_said(tmp_path: Path) -> None:
    found = look(tmp_path, "p;q\na;1.234\nb;2.500\n")
    assert found.format.decimal == "."
    assert any("thousands" in note for note in found.notes)


def test_english_thousands(tmp_path: Path) -> None:
    found = look(tmp_path, 'p;q\na;"1,234.50"\nb;12.5\n')
    assert (found.format.decimal, found.format.thousands) == (".", ",")


def test_typed_columns_and_many_files(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {"t": DAYS, "p": ["a"] * 60, "q": range(60), "f": [0.5] * 60, "b": [True] * 60}
    )
    for name in ("1", "2"):
        frame.write_parquet(tmp_path / f"{name}.parquet")
    found = sniff("*.parquet", tmp_path)
    assert (found.kind, found.files) == ("parquet", 2)
    assert kinds(found) == {"t": "time", "p": "text", "q": "integer", "f": "number", "b": "boolean"}
    assert found.columns[2].distinct == 60
    assert {c.name for c in found.of_kind("number", "integer")} == {"q", "f"}


def test_a_query(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BASE_URL", "sqlite://")
    found = sniff_sql("BASE_URL", "SELECT 1 AS q, '2024-01-01' AS t", tmp_path)
    assert found.kind == "sql"
    assert kinds(found) == {"q": "integer", "t": "time"}


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(SpecError):
        sniff("nothing.csv", tmp_path)


def test_a_header_alone(tmp_path: Path) -> None:
    found = look(tmp_path, "p,q\n")
    assert kinds(found) == {"p": "text", "q": "text"}
