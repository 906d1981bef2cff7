"""Lines, tables, JSON and bars, into texts instead of a terminal."""

from __future__ import annotations

import io
import json

import pytest

from lakecast.cli.output import Output
from lakecast.errors import DataRefused


@pytest.fixture
def streams() -> tuple[io.StringIO, io.StringIO]:
    return io.StringIO(), io.StringIO()


def made(streams: tuple[io.StringIO, io.StringIO], *, as_json: bool = False) -> Output:
    return Output(as_json=as_json, out=streams[0], err=streams[1])


def test_a_table_aligns_texts_left_and_numbers_right(
    streams: tuple[io.StringIO, io.StringIO],
) -> None:
    made(streams).table(
        ("name", "rows", "share", "ok"),
        [("sales", 1234567, 0.5, True), ("x", None, 10.25, False)],
    )
    assert streams[0].getvalue() == (
        "name        rows   share     ok\n"
        "sales  1,234,567   0.500   True\n"
        "x              -  10.250  False\n"
    )


def test_a_table_without_rows_is_its_head(streams: tuple[io.StringIO, io.StringIO]) -> None:
    made(streams).table(("a", "bc"), [])
    assert streams[0].getvalue() == "a  bc\n"


def test_with_json_only_the_result_is_said(streams: tuple[io.StringIO, io.StringIO]) -> None:
    output = made(streams, as_json=True)
    output.line("hello")
    output.table(("a",), [(1,)])
    with output.bar("work", 2) as bar:
        bar.advance()
    output.result({"a": "ç", "b": None})
    assert streams[0].getvalue() == '{"a": "ç", "b": null}\n'
    assert streams[1].getvalue() == ""


def test_without_json_the_result_is_not_said(streams: tuple[io.StringIO, io.StringIO]) -> None:
    made(streams).result({"a": 1})
    assert streams[0].getvalue() == ""


def test_an_error_goes_to_stderr_without_secrets(
    streams: tuple[io.StringIO, io.StringIO],
) -> None:
    error = DataRefused("at s3://me:secret@h/b", where="a.csv", cure="mend it")
    made(streams).error(error)
    assert streams[1].getvalue() == "lakecast: a.csv: at s3://me:***@h/b\n  cure: mend it\n"
    made(streams, as_json=True).error(error)
    said = json.loads(streams[1].getvalue().splitlines()[-1])
    assert said == {"error": "at s3://me:***@h/b", "where": "a.csv", "cure": "mend it", "exit": 3}
    assert streams[0].getvalue() == ""


def test_where_nobody_watches_a_bar_is_one_line(
    streams: tuple[io.StringIO, io.StringIO],
) -> None:
    with made(streams).bar("training", 3, "fits") as bar:
        bar.advance(3)
    assert streams[1].getvalue() == "training: done\n"
