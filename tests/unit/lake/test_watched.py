"""A parser that reads ahead is held back, and let on where it must be."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TYPE_CHECKING

import pytest

from lakecast.lake.sources.csv import CsvItem
from lakecast.lake.sources.files import File
from lakecast.lake.sources.watched import Watched
from lakecast.lake.store import Store

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def stored(tmp_path: Path) -> File:
    (tmp_path / "a.csv").write_bytes(b"0123456789")
    return File(store=Store(str(tmp_path)), path="a.csv", name="a.csv", size=10)


def test_it_is_read_four_blocks_ahead_until_one_is_used(stored: File) -> None:
    stream, fifth = Watched(stored), Event()
    stream.wanted()
    stream.used()  # nobody waits for rows
    assert b"".join(stream.read(1) for _ in range(4)) == b"0123"

    def read() -> bytes:
        data = stream.read(1)
        fifth.set()
        return data

    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(read)
        assert not fifth.wait(0.5)
        stream.used()
        assert coming.result(30) == b"4"
    assert stream.taken() == 5
    assert stream.taken() == 0


def test_who_waits_for_rows_is_let_on(stored: File) -> None:
    """A block need not give rows: without this both would wait for each other."""
    stream = Watched(stored)
    stream.wanted()
    assert b"".join(stream.read(1) for _ in range(10)) == b"0123456789"


def test_a_reader_that_waits_ends_when_it_is_let_go(stored: File) -> None:
    stream = Watched(stored)
    stream.used()
    for _ in range(4):
        stream.read(1)
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(stream.read, 1)
        stream.let_go()
        assert coming.result(30) == b""


@pytest.mark.parametrize("count", [1, 2, 3, 5, 100])
def test_letters_of_several_bytes_may_be_cut_anywhere(tmp_path: Path, count: int) -> None:
    data = "pão €9 😀 fim\n".encode()
    (tmp_path / "a.csv").write_bytes(data)
    file = File(store=Store(str(tmp_path)), path="a.csv", name="a.csv", size=len(data))
    stream = Watched(file, utf8=True, hashed=True)
    stream.wanted()
    read = [stream.read(count) for _ in range(len(data) // count + 2)]
    assert b"".join(read) == data
    assert stream.digest() == file.content()


@pytest.mark.parametrize("data", [b"ab\xff", b"a\xc3(b", b"\xed\xa0\x80", b"caf\xc3", b"\xe2\x82"])
@pytest.mark.parametrize("count", [1, 2, 100])
def test_what_is_no_utf8_is_an_error_wherever_it_is_cut(
    tmp_path: Path, data: bytes, count: int
) -> None:
    (tmp_path / "a.csv").write_bytes(data)
    file = File(store=Store(str(tmp_path)), path="a.csv", name="a.csv", size=len(data))
    stream = Watched(file, utf8=True)
    stream.wanted()
    with pytest.raises(UnicodeDecodeError):
        list(iter(lambda: stream.read(count), None))


def test_there_is_no_digest_before_the_end(stored: File) -> None:
    stream = Watched(stored, hashed=True)
    stream.wanted()
    stream.read(9)
    assert stream.digest() is None
    stream.read(9)
    assert stream.digest() == stored.content()
    assert Watched(stored).digest() is None


def test_a_file_of_many_blocks_may_be_left_in_the_middle(tmp_path: Path) -> None:
    text = "a,b\n" + "x,y\n" * 200_000
    (tmp_path / "a.csv").write_text(text)
    file = File(store=Store(str(tmp_path)), path="a.csv", name="a.csv", size=len(text))
    pieces = CsvItem(file, "utf-8", None).pieces(tmp_path, 1 << 12)
    assert sum(next(pieces).frame.height for _ in range(3)) > 0
    pieces.close()
    whole = CsvItem(file, "utf-8", None).pieces(tmp_path, 1 << 12)
    assert sum(piece.frame.height for piece in whole) == 200_000
