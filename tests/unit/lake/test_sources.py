"""Pieces of sources: the same rows whatever the size of a piece."""

from __future__ import annotations

import gzip
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import polars as pl
import pytest

from lakecast.columns import ROW
from lakecast.errors import DataRefused, SpecError
from lakecast.lake.sources import csv as csv_room
from lakecast.lake.sources import items
from lakecast.lake.sources import sql as sql_room
from lakecast.lake.sources import texts as texts_room
from lakecast.lake.sources.csv import CsvItem
from lakecast.lake.sources.files import File
from lakecast.lake.sources.parquet import ParquetItem
from lakecast.lake.store import Store
from lakecast.spec.model import Source

if TYPE_CHECKING:
    from pathlib import Path

Rows = list[tuple[Any, ...]]


def csv_item(folder: Path, text: str, encoding: str = "utf-8") -> CsvItem:
    (folder / "x.csv").write_bytes(text.encode(encoding))
    size = (folder / "x.csv").stat().st_size
    return CsvItem(
        File(store=Store.open(folder), path="x.csv", name="x.csv", size=size), encoding, None
    )


def read(
    item: Any, folder: Path, block: int
) -> tuple[list[tuple[Any, ...]], list[tuple[int, str]]]:
    rows: Rows = []
    bad: list[tuple[int, str]] = []
    for piece in item.pieces(folder, block):
        rows += piece.frame.select(pl.exclude(ROW), ROW).rows()
        bad += [(row.row, row.text) for row in piece.malformed]
    return rows, bad


@pytest.mark.parametrize(("piece", "block"), [(40, 40), (100, 1 << 20), (400, 90), (9_000, 200)])
def test_rows_and_numbers_do_not_depend_on_the_blocks(
    tmp_path: Path, piece: int, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_room, "_BLOCK", block)
    lines = [f"{i};v{i}" if i % 5 and i % 6 else f"bad {i}" for i in range(1, 200)]
    item = csv_item(tmp_path, "\n\na;b\n" + "\n".join(lines))
    rows, bad = read(item, tmp_path, piece)
    assert rows == [(f"{i}", f"v{i}", i) for i in range(1, 200) if i % 5 and i % 6]
    assert sorted(bad) == [(i, f"bad {i}") for i in range(1, 200) if not i % 5 or not i % 6]


@pytest.mark.parametrize("block", [900, 300])
@pytest.mark.parametrize("runs_end_at", [180, 1_000])
def test_however_a_column_is_coded_its_texts_are_the_same(
    tmp_path: Path, runs_end_at: int, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By runs, by row or not at all, as the first piece says, whatever comes later."""
    monkeypatch.setattr(texts_room, "_ENOUGH", 10)
    monkeypatch.setattr(csv_room, "_BLOCK", block)
    lines = [
        (f"day {i // 40 if i < runs_end_at else i}", f"shop {i % 3}", f"{i}", "", "maçã" * (i % 2))
        for i in range(400)
    ]
    item = csv_item(tmp_path, "\n".join(",".join(line) for line in [tuple("abcde"), *lines]))
    rows, _ = read(item, tmp_path, 900)
    assert [row[:-1] for row in rows] == lines
    kinds = [piece.frame.schema for piece in item.pieces(tmp_path, 900)]
    assert isinstance(kinds[1]["a"], pl.Enum)
    assert isinstance(kinds[1]["b"], pl.Enum)
    assert kinds[1]["c"] == pl.String
    assert isinstance(kinds[-1]["a"], pl.Enum) is (runs_end_at > 400)


def test_only_malformed_lines(tmp_path: Path) -> None:
    rows, bad = read(csv_item(tmp_path, "a,b\nx\ny\n"), tmp_path, 64)
    assert rows == []
    assert bad == [(1, "x"), (2, "y")]


def test_a_header_in_quotes_over_two_lines(tmp_path: Path) -> None:
    item = csv_item(tmp_path, '"a\nb";c\n1;2\n')
    piece = list(item.pieces(tmp_path, 1 << 20))[-1]
    assert piece.frame.columns == ["a\nb", "c", ROW]
    assert piece.frame.row(0) == ("1", "2", 1)


def test_utf16(tmp_path: Path) -> None:
    rows, _ = read(csv_item(tmp_path, "a,b\nmaçã,2\n", "utf-16"), tmp_path, 1 << 20)
    assert rows == [("maçã", "2", 1)]


def test_a_record_longer_than_a_block_is_refused(tmp_path: Path) -> None:
    item = csv_item(tmp_path, "a,b\n1,2\n" + '3,"' + "x" * 5_000 + "\n" * 50)
    with pytest.raises(DataRefused, match="too long"):
        read(item, tmp_path, 200)


def test_the_last_piece_tells_the_hash_of_the_file(tmp_path: Path) -> None:
    whole = csv_item(tmp_path, "a,b\n" + "1,2\n" * 1_000)
    assert whole.tells
    *others, last = whole.pieces(tmp_path, 500)
    assert last.hash == whole.content(tmp_path).hash
    assert {piece.hash for piece in others} == {None}
    malformed = csv_item(tmp_path, "a,b\n1\n")
    assert list(malformed.pieces(tmp_path, 500))[-1].hash == malformed.content(tmp_path).hash


def test_a_file_that_grew_while_it_was_read_has_no_hash(tmp_path: Path) -> None:
    item = csv_item(tmp_path, "a,b\n1,2\n")
    with (tmp_path / "x.csv").open("a") as more:
        more.write("3,4\n")
    *_, last = item.pieces(tmp_path, 500)
    assert last.frame.height == 2
    assert last.hash is None


def test_a_packed_file_tells_no_hash(tmp_path: Path) -> None:
    (tmp_path / "x.csv.gz").write_bytes(gzip.compress(b"a,b\n1,2\n", mtime=0))
    (item,) = items(Source(table="t", path="x.csv.gz"), tmp_path)
    assert not item.tells
    assert {piece.hash for piece in item.pieces(tmp_path, 500)} == {None}


def test_progress_adds_up_to_the_file(tmp_path: Path) -> None:
    item = csv_item(tmp_path, "a,b\n" + "1,2\n" * 1_000)
    assert sum(piece.size for piece in item.pieces(tmp_path, 500)) == item.size


def test_parquet_batches(tmp_path: Path) -> None:
    pl.DataFrame({"a": range(5_000)}).write_parquet(tmp_path / "x.parquet")
    file = File(store=Store.open(tmp_path), path="x.parquet", name="x", size=1)
    rows, _ = read(ParquetItem(file), tmp_path, 1)
    assert rows == [(i, i + 1) for i in range(5_000)]


def test_what_is_no_parquet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"PAR1 not really")
    file = File(store=Store.open(tmp_path), path="x.parquet", name="x", size=1)
    with pytest.raises(DataRefused, match="Parquet"):
        read(ParquetItem(file), tmp_path, 1)


def names(folder: Path, path: str, **more: Any) -> list[str]:
    return [item.name for item in items(Source(table="t", path=path, **more), folder)]


def test_paths(tmp_path: Path) -> None:
    kept = ("raw/a.csv", "raw/b.CSV", "raw/deep/c.csv", "raw/[x].csv")
    for name in (*kept, "raw/.hidden.csv", "raw/_temporary/d.csv", "raw/notes.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("a\n1\n")
    assert names(tmp_path, "raw/a.csv") == ["raw/a.csv"]
    assert names(tmp_path, "raw/?.csv") == ["raw/a.csv"]
    assert names(tmp_path, "raw/[a-b].csv") == ["raw/a.csv"]
    assert names(tmp_path, "raw/**/*.csv") == ["raw/[x].csv", "raw/a.csv", "raw/deep/c.csv"]
    assert names(tmp_path, "raw") == ["raw/[x].csv", "raw/a.csv", "raw/b.CSV", "raw/deep/c.csv"]
    assert names(tmp_path, "*/a.csv") == ["raw/a.csv"]
    assert names(tmp_path, "raw/notes.md") == ["raw/notes.md"]
    assert names(tmp_path / "raw" / "deep", "../a.csv") == ["../a.csv"]
    assert names(tmp_path / "raw", str(tmp_path / "raw" / "a.csv")) == ["a.csv"]
    with pytest.raises(SpecError):
        names(tmp_path, "raw/*.json")


def test_a_moved_project_names_its_files_the_same(tmp_path: Path) -> None:
    for place in ("one", "two"):
        (tmp_path / place / "raw").mkdir(parents=True)
        (tmp_path / place / "raw" / "a.csv").write_text("a\n1\n")
    first, second = (
        items(Source(table="t", path="raw/*"), tmp_path / p)[0] for p in ("one", "two")
    )
    assert first.name == second.name
    assert first.content(tmp_path) == second.content(tmp_path)


def test_types_of_a_database() -> None:
    rows = [
        (1, Decimal("1.50"), date(2024, 1, 1), datetime(2024, 1, 1, tzinfo=UTC), UUID(int=1), 1),
        (None, None, None, None, None, "x"),
        (2, Decimal(2), date(2024, 1, 2), None, UUID(int=2), 2.5),
    ]
    frame = sql_room._frame(["a", "b", "c", "d", "e", "f"], rows)
    assert frame["a"].to_list() == [1, None, 2]
    assert frame["b"].to_list() == [1.5, None, 2.0]
    assert frame["c"].dtype == pl.Date
    assert frame["d"][0] == datetime(2024, 1, 1, tzinfo=UTC)
    assert frame["e"][0] == str(UUID(int=1))
    assert frame["f"].to_list() == ["1", "x", "2.5"]


def test_the_widest_type_of_all_pieces() -> None:
    wide = sql_room._widest([{"a": pl.Null()}, {"a": pl.Int64()}, {"a": pl.Float64()}])
    assert wide == {"a": pl.Float64}
    assert sql_room._widest([{"a": pl.Int64()}, {"a": pl.String()}]) == {"a": pl.String}


@pytest.mark.parametrize(
    "content", [b"PK\x03\x04\x14\x00\x06\x00", b"PAR1\x15\n", "a,b".encode("utf-16")]
)
def test_what_is_no_text_is_refused_in_words(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.csv").write_bytes(content)
    (item,) = items(Source(table="t", path="x.csv"), tmp_path)
    with pytest.raises(DataRefused, match="not a text file"):
        list(item.pieces(tmp_path, 1 << 20))


def test_gzip_in_capitals(tmp_path: Path) -> None:
    (tmp_path / "X.CSV.GZ").write_bytes(gzip.compress(b"a,b\n1,2\n", mtime=0))
    (item,) = items(Source(table="t", path="*.GZ", kind="csv"), tmp_path)
    assert sum(piece.frame.height for piece in item.pieces(tmp_path, 1 << 20)) == 1


def test_brackets_in_names_are_no_pattern(tmp_path: Path) -> None:
    project = tmp_path / "loja [1]"
    (project / "raw").mkdir(parents=True)
    for name in ("v [2024].csv", "a.csv", "b.csv"):
        (project / "raw" / name).write_text("a\n1\n")
    assert names(project, "raw/v [2024].csv") == ["raw/v [2024].csv"]
    assert names(project, "raw/?.csv") == ["raw/a.csv", "raw/b.csv"]
    assert names(project, "raw/[!a].csv") == ["raw/b.csv"]


def test_a_delta_table_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="no Delta table at 't'"):
        names(tmp_path, "t", kind="delta")


@pytest.mark.parametrize(
    "content", [b"\x1f\x8b\x08\x00garbage", gzip.compress(b"a,b\n" * 9, mtime=0)[:-9]]
)
def test_a_damaged_gzip_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.csv.gz").write_bytes(content)
    (item,) = items(Source(table="t", path="x.csv.gz"), tmp_path)
    with pytest.raises(DataRefused, match="cannot be unpacked"):
        list(item.pieces(tmp_path, 1 << 20))


def test_a_ragged_line_of_another_encoding_is_told_as_the_encoding(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.csv").write_bytes("a,b\nS\u00e3o\nx,y\n".encode("latin-1"))
    (item,) = items(Source(table="t", path="x.csv"), tmp_path)
    with pytest.raises(DataRefused, match="the text is not UTF-8"):
        list(item.pieces(tmp_path, 1 << 20))
    assert "Traceback" not in capfd.readouterr().err
