"""The local engine beyond the contract: progress, and a full disk."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from lakecast.engines.local import LocalEngine, exchange
from lakecast.errors import LakecastError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


class Bars:
    """Notes what was announced, and how far each came."""

    def __init__(self) -> None:
        self.seen: list[list[object]] = []

    @contextmanager
    def bar(self, title: str, total: int | None = None, unit: str = "") -> Iterator[Bars]:
        del unit
        self.seen.append([title, total, 0])
        yield self

    def advance(self, amount: int = 1) -> None:
        self.seen[-1][2] += amount  # type: ignore[operator]


def one(piece: int) -> dict[int, pa.Table]:
    return {0: pa.table({"p": [piece]})}


def count(bucket: int, parts: Iterable[Iterable[pa.Table]]) -> int:
    del bucket
    return sum(table.num_rows for tables in parts for table in tables)


def test_many_small_writes_hold_the_rows_of_one_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "HELD", 20)
    engine = LocalEngine(workers=2, scratch=tmp_path)
    assert list(engine.exchange(one, range(7), numbers, {0: [0]}, title="t")) == [[*range(7)]]


def test_tables_keep_what_their_schemas_say(tmp_path: Path) -> None:
    """Neighbours are written as one, but not across a change of it."""
    engine = LocalEngine(workers=1, scratch=tmp_path)
    (found,) = engine.exchange(named, range(5), names, {0: [0]}, title="t")
    assert found == [("a", [0, 1]), ("b", [2]), ("a", [3, 4])]


def named(piece: int) -> dict[int, pa.Table]:
    name = b"b" if piece == 2 else b"a"
    return {0: pa.table({"p": [piece]}).replace_schema_metadata({b"name": name})}


def names(bucket: int, parts: Iterable[Iterable[pa.Table]]) -> list[tuple[str, list[int]]]:
    del bucket
    return [
        (table.schema.metadata[b"name"].decode(), table["p"].to_pylist())
        for tables in parts
        for table in tables
    ]


def numbers(bucket: int, parts: Iterable[Iterable[pa.Table]]) -> list[int]:
    del bucket
    return [n for tables in parts for table in tables for n in table["p"].to_pylist()]


def test_progress_says_what_is_done(tmp_path: Path) -> None:
    bars = Bars()
    engine = LocalEngine(workers=2, scratch=tmp_path, progresses=bars)
    assert list(
        engine.exchange(one, range(7), count, {b: [b] for b in range(3)}, title="panel")
    ) == [7, 0, 0]
    assert bars.seen == [["panel: reading", 7, 7], ["panel: building", 3, 3]]


def test_the_scratch_folder_is_made(tmp_path: Path) -> None:
    engine = LocalEngine(scratch=tmp_path / "a" / "b")
    assert list(engine.exchange(one, range(2), count, {0: [0]}, title="t")) == [2]


def test_without_a_scratch_folder_the_system_has_one() -> None:
    assert list(LocalEngine().exchange(one, range(2), count, {0: [0]}, title="t")) == [2]


def test_a_full_disk_is_told_with_its_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pa, "OSFile", full)
    engine = LocalEngine(scratch=tmp_path)
    with pytest.raises(LakecastError, match=r"cannot spill.*No space left") as caught:
        list(engine.exchange(one, range(2), count, {0: [0]}, title="t"))
    assert str(tmp_path) in caught.value.where
    assert "TMPDIR" in caught.value.cure
