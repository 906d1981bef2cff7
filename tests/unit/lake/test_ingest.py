"""From files to tables: every row once, the same source twice changes nothing."""

from __future__ import annotations

import gzip
import json
import sqlite3
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from lakecast.columns import LOAD, REPAIRED, ROW, SOURCE
from lakecast.errors import Conflict, DataRefused, SpecError, Unreachable, UsageError
from lakecast.lake import ingest as room
from lakecast.lake import landing
from lakecast.lake.ingest import content_id, ingest, recall
from lakecast.lake.landing import QUARANTINE
from lakecast.lake.sources.files import File
from lakecast.lake.store import Store
from lakecast.lake.tables import Lake, Table
from lakecast.logs import Silent
from lakecast.spec import Spec, loads

if TYPE_CHECKING:
    from pathlib import Path

    from lakecast.lake.ledger import IngestReport

SOURCE_LINES = """
table = "sales"
path = "raw/*.csv"
"""


class World:
    """A project folder with a lake, and shorthands."""

    def __init__(self, folder: Path) -> None:
        self.project = folder
        self.lake = Lake(Store.open(folder / "lake"))
        (folder / "raw").mkdir()

    def write(self, name: str, text: str, encoding: str = "utf-8") -> None:
        path = self.project / "raw" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode(encoding))

    def ingest(self, spec: Spec | None = None, **options: Any) -> IngestReport:
        return ingest(
            spec or spec_of(), self.lake, project=self.project, progress=Silent(), **options
        )

    def rows(self, *columns: str, table: str = "sales") -> list[tuple[Any, ...]]:
        names = columns or ("p", "q")
        frame = self.lake.table(table).scan().sort(LOAD, ROW).select(names).collect()
        return frame.rows()

    def apart(self) -> list[tuple[Any, ...]]:
        table = self.lake.table(QUARANTINE)
        if not table.exists():
            return []
        return table.scan().sort(SOURCE, ROW).select(SOURCE, ROW, "rules").collect().rows()

    def state(self) -> dict[str, list[tuple[Any, ...]]]:
        """All rows of all tables."""
        found = {}
        for name in self.lake.names():
            frame = self.lake.table(name).scan().collect()
            found[name] = sorted(frame.select(sorted(frame.columns)).rows(), key=repr)
        return found


def spec_of(source: str = SOURCE_LINES, more: str = "", contract: str = "") -> Spec:
    return loads(
        f"spec = 1\n[[sources]]\n{source}\n{more}\n[contract]\n{contract}\n"
        '[panel]\nseries = ["p"]\ntime = "t"\ntarget = "q"\n'
    )


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


ONE = "p,t,q\na,2024-01-01,1\nb,2024-01-02,2\n"


# --- landing


def test_rows_land_with_their_source_row_and_load(world: World) -> None:
    world.write("one.csv", ONE)
    report = world.ingest()
    assert world.rows("p", "t", "q", SOURCE, ROW, REPAIRED) == [
        ("a", date(2024, 1, 1), 1.0, "raw/one.csv", 1, None),
        ("b", date(2024, 1, 2), 2.0, "raw/one.csv", 2, None),
    ]
    assert {load for (load,) in world.rows(LOAD)} == {report.loads[0].load}
    assert (report.read, report.landed, report.quarantined) == (2, 2, 0)


def test_the_same_source_twice_changes_nothing(world: World) -> None:
    world.write("one.csv", ONE)
    world.ingest()
    version = world.lake.table("sales").version()
    again = world.ingest()
    assert not again.changed
    assert [skipped.source for skipped in again.skipped] == ["raw/one.csv"]
    assert world.lake.table("sales").version() == version


def test_a_file_that_is_new_is_read_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What tells it from another is found on the way, and it is the same as if looked for."""
    world.write("a.csv", "p,t,q\nx,2024-01-01,1\n")

    def content(self: File) -> str:
        raise AssertionError(self.name)

    with monkeypatch.context() as patched:
        patched.setattr(File, "content", content)
        assert [load.landed for load in world.ingest().loads] == [1]
        world.write("b.csv", "p,t,q\ny,2024-01-01,1\n")
        with pytest.raises(AssertionError, match=r"a\.csv"):
            world.ingest()
    report = world.ingest()
    assert [(load.source, load.landed) for load in report.loads] == [("raw/b.csv", 1)]
    assert [name.source for name in report.skipped] == ["raw/a.csv"]


def test_new_files_are_added_and_a_changed_one_replaces_its_rows(world: World) -> None:
    world.write("one.csv", ONE)
    world.write("two.csv", "p,t,q\nc,2024-01-03,3\n,2024-01-03,4\n")
    world.ingest()
    world.write("one.csv", "p,t,q\na,2024-01-01,10\n")
    world.write("three.csv", "p,t,q\nd,2024-01-03,5\n")
    report = world.ingest()
    assert sorted(world.rows()) == [("a", 10.0), ("c", 3.0), ("d", 5.0)]
    assert [load.source for load in report.loads] == ["raw/one.csv", "raw/three.csv"]
    assert len(report.loads[0].replaced) == 1


def test_a_file_that_changes_and_changes_back_ends_as_it_began(world: World) -> None:
    world.write("one.csv", ONE + ",2024-01-02,2\n")
    world.ingest()
    before = world.state()
    world.write("one.csv", "p,t,q\nz,2024-01-01,9\n,2024-01-02,2\n")
    world.ingest()
    assert world.rows() == [("z", 9.0)]
    assert [row for _, row, _ in world.apart()] == [2]
    world.write("one.csv", ONE + ",2024-01-02,2\n")
    world.ingest()
    assert world.state() == before


def test_a_file_that_is_gone_is_told_and_its_rows_stay(world: World) -> None:
    world.write("one.csv", ONE)
    world.write("two.csv", "p,t,q\nc,2024-01-03,3\n")
    world.ingest()
    (world.project / "raw" / "one.csv").unlink()
    report = world.ingest()
    assert [gone.source for gone in report.removed] == ["raw/one.csv"]
    assert len(world.rows()) == 3


def test_a_renamed_file_is_not_counted_twice(world: World) -> None:
    world.write("a.csv", ONE + "c,never,3\n")
    world.write("b.csv", "p,t,q\nb,2024-01-03,3\n")
    world.ingest()
    (world.project / "raw" / "a.csv").rename(world.project / "raw" / "z.csv")
    report = world.ingest()
    assert [load.source for load in report.loads] == ["raw/z.csv"]
    assert report.removed == ()
    assert world.rows("p", "q", SOURCE)[:2] == [("a", 1.0, "raw/z.csv"), ("b", 2.0, "raw/z.csv")]
    assert len(world.rows()) == 3
    assert world.apart() == [("raw/z.csv", 3, "unparseable")]
    assert not world.ingest().changed


def test_a_copy_beside_its_original_is_counted(world: World) -> None:
    world.write("a.csv", ONE)
    world.ingest()
    world.write("z.csv", ONE)
    world.ingest()
    assert len(world.rows()) == 4


def test_a_header_alone_never_changes_a_table(world: World) -> None:
    world.write("a.csv", "p,t,q\n")
    world.write("b.csv", ONE)
    assert [load.source for load in world.ingest().loads] == ["raw/b.csv"]
    before = content_id(world.lake, "sales")
    assert not world.ingest().changed
    assert content_id(world.lake, "sales") == before


def test_the_contract_is_part_of_a_load(world: World) -> None:
    world.write("one.csv", "p,t,q\na,2024-01-01,-1\nb,2024-01-02,2\n")
    world.ingest()
    report = world.ingest(spec_of(contract='negative = "drop"'))
    assert report.changed
    assert world.rows() == [("b", 2.0)]
    assert world.ingest(spec_of()).changed
    assert len(world.rows()) == 2


def test_the_content_id_follows_the_loads(world: World) -> None:
    empty = content_id(world.lake, "sales")
    world.write("one.csv", ONE)
    world.ingest()
    first = content_id(world.lake, "sales")
    assert first == world.lake.table("sales").fingerprint()
    world.lake.table("sales").compact()
    world.ingest()
    assert content_id(world.lake, "sales") == first
    world.write("two.csv", ONE)
    world.ingest()
    assert len({empty, first, content_id(world.lake, "sales")}) == 3


# --- how files are written


def test_a_brazilian_export(world: World) -> None:
    source = """
    table = "sales"
    path = "raw/vendas.csv"
    [sources.format]
    delimiter = ";"
    decimal = ","
    thousands = "."
    encoding = "latin-1"
    dates = "%d/%m/%Y"
    """
    world.write("vendas.csv", 'p;t;q\nmaçã;31/01/2024;R$ 1.234,56\n"a;b";01/02/2024;2\n', "latin-1")
    world.ingest(spec_of(source))
    assert world.rows("p", "t", "q") == [
        ("maçã", date(2024, 1, 31), 1234.56),
        ("a;b", date(2024, 2, 1), 2.0),
    ]


def test_a_byte_order_mark_and_a_guessed_delimiter(world: World) -> None:
    world.write("one.csv", "p;t;q\na;2024-01-01;1\n", "utf-8-sig")
    world.ingest()
    assert world.rows() == [("a", 1.0)]


def test_gzip(world: World) -> None:
    (world.project / "raw" / "one.csv.gz").write_bytes(gzip.compress(ONE.encode()))
    world.ingest(spec_of('table = "sales"\npath = "raw/*.gz"'))
    assert world.rows() == [("a", 1.0), ("b", 2.0)]


def test_the_wrong_encoding_is_refused_with_the_cure(world: World) -> None:
    world.write("one.csv", "p,t,q\nmaçã,2024-01-01,1\n", "latin-1")
    with pytest.raises(DataRefused, match="not UTF-8") as caught:
        world.ingest()
    assert "format.encoding" in caught.value.cure
    assert not world.lake.table("sales").exists()


@pytest.mark.parametrize("text", ["", "\n\n", "p,p,t,q\n1,2,3,4\n"])
def test_a_broken_header_is_refused(world: World, text: str) -> None:
    world.write("one.csv", text)
    with pytest.raises(DataRefused):
        world.ingest()


def test_a_header_alone_lands_nothing(world: World) -> None:
    world.write("one.csv", "p,t,q\n")
    report = world.ingest()
    assert not report.changed
    world.write("one.csv", ONE)
    world.ingest()
    world.write("two.csv", "p,t,q\n")
    assert not world.ingest().changed
    assert not world.ingest().changed


def test_malformed_lines_keep_the_numbers_of_the_others(world: World) -> None:
    lines = [
        "p,t,q",
        "a,2024-01-01,1",
        "too,few",
        "",
        'b,2024-01-02,"2"',
        "x,y,z,1",
        "c,2024-01-03,3",
        "z",
    ]
    world.write("one.csv", "\n".join(lines))
    report = world.ingest()
    assert world.rows("p", ROW) == [("a", 1), ("b", 3), ("c", 5)]
    assert world.apart() == [
        ("raw/one.csv", 2, "malformed"),
        ("raw/one.csv", 4, "malformed"),
        ("raw/one.csv", 6, "malformed"),
    ]
    assert report.read == 6
    raw = world.lake.table(QUARANTINE).scan().sort(ROW).collect()["raw"]
    assert json.loads(raw[0]) == {"_line": "too,few"}


def test_row_numbers_hold_over_many_small_blocks(world: World) -> None:
    lines = [f"p{i},2024-01-01,{i}" if i % 7 else f"bad{i}" for i in range(1, 60_001)]
    world.write("one.csv", "p,t,q\n" + "\n".join(lines) + "\n")
    report = world.ingest(memory=64)
    frame = world.lake.table("sales").scan().collect()
    assert frame.filter(pl.col("q") != pl.col(ROW)).height == 0
    assert report.quarantined == 60_000 // 7
    assert report.landed + report.quarantined == report.read == 60_000
    broken = world.lake.table(QUARANTINE).scan().select(ROW).sort(ROW).collect()[ROW].to_list()
    assert broken == list(range(7, 60_001, 7))


def test_line_breaks_in_quotes(world: World) -> None:
    world.write("one.csv", 'p,t,q\n"a\nb",2024-01-01,1\nbad\nc,2024-01-01,2\n')
    world.ingest()
    assert world.rows("p", ROW) == [("a\nb", 1), ("c", 3)]


def test_a_quote_never_closed_swallows_no_row_silently(world: World) -> None:
    world.write("one.csv", 'p,t,q\na,2024-01-01,1\nb,2024-01-01,"2\nc,2024-01-01,3\n')
    report = world.ingest()
    assert world.rows() == [("a", 1.0)]
    assert [rules for *_, rules in world.apart()] == ["malformed"]
    assert report.read == 2


# --- rules across a file


def test_a_missing_column_rejects_the_file_and_nothing_lands(world: World) -> None:
    world.write("one.csv", "p,t\na,2024-01-01\n")
    with pytest.raises(DataRefused, match=r"missing_column.*q") as caught:
        world.ingest()
    assert caught.value.where == "raw/one.csv"
    assert world.lake.names() == ()


@pytest.mark.parametrize("contract", ['cancelled = { nf = "C" }', "bounds.preco = { minimum = 0 }"])
def test_a_rule_about_a_column_that_is_not_there_is_not_silent(world: World, contract: str) -> None:
    world.write("a.csv", ONE)
    with pytest.raises(DataRefused, match="missing_column"):
        world.ingest(spec_of(contract=contract))


def test_a_misnamed_column_is_renamed_and_told(world: World) -> None:
    world.write("one.csv", "P,T ,Q\na,2024-01-01,1\n")
    report = world.ingest()
    assert world.rows("p", "q") == [("a", 1.0)]
    assert [(t.rule, t.count) for t in report.loads[0].rules] == [("misnamed_column", 3)]
    world.write("two.csv", ONE.replace("p,", "P,"))
    with pytest.raises(DataRefused, match="misnamed_column"):
        world.ingest(spec_of(contract='levels = { misnamed_column = "reject" }'))


def test_a_rejected_file_says_counts_rows_and_cure_and_leaves_no_trace(world: World) -> None:
    world.write("one.csv", "p,t,q\na,2024-01-01,1\n,2024-01-01,2\n,2024-01-01,\n")
    with pytest.raises(DataRefused) as caught:
        world.ingest(spec_of(contract='levels = { null = "reject" }'))
    assert "null: 2 rows, e.g. row 2 p=''" in caught.value.what
    assert "format.nulls" in caught.value.cure
    assert world.lake.names() == ()


def test_files_before_a_rejected_one_stay(world: World) -> None:
    world.write("1.csv", ONE)
    world.write("2.csv", "p,t\na,b\n")
    with pytest.raises(DataRefused):
        world.ingest()
    assert len(world.rows()) == 2


def test_a_file_that_cannot_be_read_at_all_is_refused(world: World) -> None:
    lines = "\n".join(f"a,{i % 28 + 1}/01/2024,1" for i in range(200))
    world.write("one.csv", f"p,t,q\n{lines}\n")
    with pytest.raises(DataRefused, match="every row is unreadable") as caught:
        world.ingest()
    assert "format.dates" in caught.value.cure


def test_the_future_is_read_again_when_as_of_moves(world: World) -> None:
    world.write("one.csv", ONE)
    first = datetime(2024, 1, 1, 12, tzinfo=UTC)
    later = datetime(2024, 1, 3, tzinfo=UTC)
    world.ingest(as_of=first)
    assert world.rows() == [("a", 1.0)]
    assert world.apart() == [("raw/one.csv", 2, "future")]
    assert not world.ingest(as_of=first).changed
    assert world.ingest(as_of=later).changed
    assert len(world.rows()) == 2
    assert world.apart() == []
    assert not world.ingest(as_of=datetime(2024, 1, 4, tzinfo=UTC)).changed


def test_reserved_names_are_refused(world: World) -> None:
    world.write("one.csv", "p,t,q,_load\na,2024-01-01,1,x\n")
    with pytest.raises(DataRefused, match="_load"):
        world.ingest()


# --- repeated keys

KEYED = 'table = "sales"\npath = "raw/*.csv"\nrow_key = ["id"]'


def test_a_repeated_key_is_quarantined_within_a_file_and_against_the_lake(world: World) -> None:
    world.write("1.csv", "id,p,t,q\n1,a,2024-01-01,1\n1,a,2024-01-01,2\n2,a,2024-01-01,3\n")
    world.write("2.csv", "id,p,t,q\n2,a,2024-01-01,4\n3,a,2024-01-01,5\n")
    world.ingest(spec_of(KEYED))
    assert world.rows("id", "q") == [("1", 1.0), ("2", 3.0), ("3", 5.0)]
    assert world.apart() == [
        ("raw/1.csv", 2, "repeated_key"),
        ("raw/2.csv", 1, "repeated_key"),
    ]
    world.write("3.csv", "id,p,t,q\n3,a,2024-01-01,6\n4,a,2024-01-01,7\n")
    world.ingest(spec_of(KEYED))
    assert [row for *row, _ in world.apart()][-1] == ["raw/3.csv", 1]


def test_a_changed_file_does_not_repeat_itself(world: World) -> None:
    world.write("1.csv", "id,p,t,q\n1,a,2024-01-01,1\n2,a,2024-01-01,2\n")
    world.ingest(spec_of(KEYED))
    world.write("1.csv", "id,p,t,q\n1,a,2024-01-01,10\n2,a,2024-01-01,2\n")
    world.ingest(spec_of(KEYED))
    assert world.rows("id", "q") == [("1", 10.0), ("2", 2.0)]
    assert world.apart() == []


def test_an_unsound_row_takes_no_key(world: World) -> None:
    world.write("1.csv", "id,p,t,q\n1,a,2024-01-01,x\n1,a,2024-01-01,2\n")
    world.ingest(spec_of(KEYED))
    assert world.rows("id", "q") == [("1", 2.0)]


def test_keys_with_times_and_numbers_match_what_landed(world: World) -> None:
    source = (
        'table = "sales"\npath = "raw/*.parquet"\nrow_key = ["n", "t", "p"]\n'
        'format = { timezone = "America/Sao_Paulo" }'
    )
    frame = pl.DataFrame(
        {"p": ["a", "b"], "n": [1, 2], "t": [date(2018, 11, 4), date(2024, 1, 1)], "q": [1, 2]}
    )
    frame.write_parquet(world.project / "raw" / "1.parquet")
    frame.with_columns(q=pl.lit(3), n=pl.col("n").cast(pl.Int16)).write_parquet(
        world.project / "raw" / "2.parquet"
    )
    world.ingest(spec_of(source))
    assert [rules for *_, rules in world.apart()] == ["repeated_key"] * 2
    assert world.lake.table("sales").schema().field("n").type == "int32"


@pytest.mark.parametrize("repeated", ["last", "sum"])
def test_keys_may_repeat_where_the_panel_settles_it(world: World, repeated: str) -> None:
    world.write("1.csv", "id,p,t,q\n1,a,2024-01-01,1\n1,a,2024-01-01,2\n")
    report = world.ingest(spec_of(f'{KEYED}\nrepeated = "{repeated}"'))
    assert len(world.rows()) == 2
    assert [(t.rule, t.level, t.count) for t in report.loads[0].rules] == [
        ("repeated_key", "warn", 1)
    ]


def test_reject_on_repeats_lands_nothing_and_takes_no_keys(world: World) -> None:
    world.write("1.csv", "id,p,t,q\n1,a,2024-01-01,1\n1,a,2024-01-01,2\n")
    with pytest.raises(DataRefused, match=r"repeated_key: 1 row, e\.g\. row 2 id='1'"):
        world.ingest(spec_of(KEYED, contract='levels = { repeated_key = "reject" }'))
    assert world.lake.names() == ()


def test_later_loads_come_later_in_the_tables_order(world: World) -> None:
    for number in (1, 2, 3):
        world.write(f"{number}.csv", f"p,t,q\na,2024-01-01,{number}\n")
        world.ingest()
    assert [q for (q,) in world.rows("q")] == [1.0, 2.0, 3.0]
    world.write("1.csv", "p,t,q\na,2024-01-01,10\n")
    world.ingest()
    assert [q for (q,) in world.rows("q")] == [10.0, 2.0, 3.0]


# --- types


def test_types_are_few_and_have_room(world: World) -> None:
    frame = pl.DataFrame(
        {
            "p": pl.Series(["a"], dtype=pl.Categorical),
            "t": [date(2024, 1, 1)],
            "q": [1],
            "small": pl.Series([7], dtype=pl.Int8),
            "large": [2**30],
            "f": pl.Series([0.1], dtype=pl.Float32),
            "yes": [True],
            "at": [datetime(2024, 1, 1, 10)],  # noqa: DTZ001
            "list": [[1, 2]],
            "nothing": [None],
        }
    )
    frame.write_parquet(world.project / "raw" / "1.parquet")
    world.ingest(spec_of('table = "sales"\npath = "raw/1.parquet"'))
    schema = world.lake.table("sales").schema()
    assert {name: str(schema.field(name).type) for name in frame.columns} == {
        "p": "string",
        "t": "date32[day]",
        "q": "double",
        "small": "int32",
        "large": "int64",
        "f": "double",
        "yes": "bool",
        "at": "timestamp[us, tz=UTC]",
        "list": "string",
        "nothing": "string",
    }
    assert schema.field(ROW).type == "int64"


@pytest.mark.parametrize("first", ["p,t,q,c\n,2024-01-01,1,x\n", "p,t,q,c\nmalformed\n"])
def test_a_load_without_rows_chooses_no_types(world: World, first: str) -> None:
    source = f'{SOURCE_LINES}columns.c = {{ role = "past-only" }}'
    world.write("1.csv", first)
    assert world.ingest(spec_of(source)).quarantined == 1
    assert world.rows() == []
    assert not world.ingest(spec_of(source)).changed
    world.write("2.csv", "p,t,q,c\na,2024-01-01 10:00,1,5\n")
    world.ingest(spec_of(source))
    assert world.rows("t", "c") == [(datetime(2024, 1, 1, 10, tzinfo=UTC), 5.0)]
    assert len(world.apart()) == 1
    assert not world.ingest(spec_of(source)).changed


def test_new_columns_come_and_absent_ones_are_null(world: World) -> None:
    world.write("1.csv", ONE)
    world.write("2.csv", "p,q,t,new\nc,3,2024-01-03,x\n")
    world.ingest()
    assert world.rows("p", "new") == [("a", None), ("b", None), ("c", "x")]
    world.write("3.csv", ONE)
    world.ingest()
    assert len(world.rows()) == 5


def test_a_time_of_day_in_a_table_of_dates_is_refused(world: World) -> None:
    world.write("1.csv", ONE)
    world.ingest()
    world.write("2.csv", "p,t,q\na,2024-01-01 10:00,1\n")
    with pytest.raises(DataRefused, match="column `t` is timestamp") as caught:
        world.ingest()
    assert caught.value.where == "raw/2.csv"
    assert len(world.rows()) == 2


def test_dates_land_in_a_table_of_times(world: World) -> None:
    world.write("1.csv", "p,t,q\na,2024-01-01 10:00,1\n")
    world.write("2.csv", ONE)
    world.ingest()
    assert world.rows("t")[1] == (datetime(2024, 1, 1, tzinfo=UTC),)


def parquet(world: World, name: str, **columns: list[Any]) -> None:
    given = {"p": ["a", "b"], "t": [date(2024, 1, 1)] * 2, "q": [1, 2], **columns}
    pl.DataFrame(given).write_parquet(world.project / "raw" / name)


ALL = spec_of('table = "sales"\npath = "raw/*"')


def test_a_column_without_a_value_is_of_any_type(world: World) -> None:
    moments = [datetime(2024, 1, 1, 5)] * 2  # noqa: DTZ001
    for name, values in (("a", moments), ("b", [None, None])):
        columns = {"d": values, "n": [7, 8] if name == "a" else values}
        parquet(world, f"{name}.parquet", y=[True, False] if name == "a" else values, **columns)
    assert world.ingest(ALL).landed == 4
    assert [row == (None,) * 3 for row in world.rows("n", "d", "y")] == [False, False, True, True]


def test_a_csv_may_follow_a_parquet_file(world: World) -> None:
    parquet(world, "a.parquet", n=[7, 8], f=[0.5, 1.0])
    world.write("b.csv", "p,t,q,n,f\na,2024-01-03,3,9,1.25\n")
    assert world.ingest(ALL).landed == 3
    assert world.rows("n", "f")[-1] == (9, 1.25)


@pytest.mark.parametrize("text", ["007", "x", "7.0", "3000000000"])
def test_a_text_that_would_change_in_the_tables_type_is_refused(world: World, text: str) -> None:
    parquet(world, "a.parquet", n=[7, 8])
    world.write("b.csv", f"p,t,q,n\na,2024-01-03,3,{text}\n")
    with pytest.raises(DataRefused, match="column `n`"):
        world.ingest(ALL)


def test_a_column_in_other_case_lands_in_the_tables(world: World) -> None:
    parquet(world, "a.parquet", cor=["x", "y"])
    parquet(world, "b.parquet", Cor=["z", "w"])
    assert world.ingest(ALL).landed == 4
    assert [cor for (cor,) in world.rows("cor")] == ["x", "y", "z", "w"]


def test_two_columns_that_differ_only_in_case_are_refused(world: World) -> None:
    world.write("a.csv", "p,t,q,Cor,cor\na,2024-01-01,1,x,y\n")
    with pytest.raises(DataRefused, match="`Cor` and `cor` differ only in case"):
        world.ingest()


@pytest.mark.parametrize("ids", [[2, 9], [2.0, 9.0], ["2", "9"]])
def test_keys_are_the_same_in_any_type(world: World, ids: list[Any]) -> None:
    spec = spec_of('table = "sales"\npath = "raw/*"\nrow_key = ["id"]')
    world.write("a.csv", "p,t,q,id\na,2024-01-01,1,1\na,2024-01-02,2,2\n")
    parquet(world, "b.parquet", id=ids)
    world.ingest(spec)
    assert world.apart() == [("raw/b.parquet", 1, "repeated_key")]


def test_a_number_beyond_the_type_is_refused(world: World) -> None:
    source = 'table = "sales"\npath = "raw/*.parquet"'
    frame = pl.DataFrame({"p": ["a"], "t": [date(2024, 1, 1)], "q": [1], "n": [1]})
    frame.write_parquet(world.project / "raw" / "1.parquet")
    world.ingest(spec_of(source))
    for value, said in ((2**40, "numbers up to"), (1.5, "fractions")):
        wide = frame.with_columns(n=pl.lit(value))
        wide.write_parquet(world.project / "raw" / "2.parquet")
        with pytest.raises(DataRefused, match=said):
            world.ingest(spec_of(source))
    frame.with_columns(n=pl.lit(2.0)).write_parquet(world.project / "raw" / "2.parquet")
    world.ingest(spec_of(source))
    assert world.rows("n") == [(1,), (2,)]


# --- other sources


def test_hive_folders_are_columns_and_each_file_is_a_load(world: World) -> None:
    for shop, quantity in (("s 1", 1.0), ("é", 2.0)):
        folder = world.project / "raw" / "sales" / f"loja={shop.replace(' ', '%20')}"
        folder.mkdir(parents=True)
        frame = pl.DataFrame({"p": ["a"], "t": [date(2024, 1, 1)], "q": [quantity]})
        frame.write_parquet(folder / "part.parquet")
    (world.project / "raw" / "sales" / "_SUCCESS").touch()
    report = world.ingest(spec_of('table = "sales"\npath = "raw/sales"'))
    assert sorted(world.rows("loja", "q")) == [("s 1", 1.0), ("é", 2.0)]
    assert len(report.loads) == 2
    assert report.loads[0].source == "raw/sales/loja=s%201/part.parquet"


def test_a_delta_table(world: World) -> None:
    table = Table("x", Store.open(world.project / "raw" / "delta"))
    frame = pl.DataFrame({"p": ["a", "b"], "t": [date(2024, 1, 1)] * 2, "q": [1.0, 2.0]})
    rows = frame.to_arrow()

    def put() -> None:
        table.commit(add=[table.stage(rows)], schema=rows.schema, fingerprint="f")

    put()
    spec = spec_of('table = "sales"\npath = "raw/delta"')
    world.ingest(spec)
    assert world.rows() == [("a", 1.0), ("b", 2.0)]
    assert not world.ingest(spec).changed
    put()
    world.ingest(spec)
    assert len(world.rows()) == 4


def query(world: World, *statements: str) -> None:
    with sqlite3.connect(world.project / "base.db") as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


SQL = 'table = "sales"\nsql_env = "SALES_URL"\nquery = "SELECT * FROM v ORDER BY id"'


@pytest.fixture
def base(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("SALES_URL", f"sqlite:///{world.project}/base.db")
    query(
        world,
        "CREATE TABLE v (id INTEGER, p TEXT, t TEXT, q REAL, note)",
        "INSERT INTO v VALUES (1,'a','2024-01-01',1,NULL),(2,'b','2024-01-02',2.5,'x')",
    )
    return world


def test_a_query(base: World) -> None:
    report = base.ingest(spec_of(SQL))
    assert base.rows("id", "p", "t", "q", "note") == [
        (1, "a", date(2024, 1, 1), 1.0, None),
        (2, "b", date(2024, 1, 2), 2.5, "x"),
    ]
    assert report.loads[0].source.startswith("SALES_URL#")
    assert not base.ingest(spec_of(SQL)).changed
    query(base, "UPDATE v SET q = 3 WHERE id = 1")
    base.ingest(spec_of(SQL))
    assert base.rows("q") == [(3.0,), (2.5,)]


def test_a_query_with_a_cursor_reads_only_what_is_new(base: World) -> None:
    spec = spec_of(f'{SQL}\ncursor = "id"')
    assert base.ingest(spec).loads[0].cursor == "2"
    assert not base.ingest(spec).changed
    query(base, "INSERT INTO v VALUES (3,'c','2024-01-03',3,NULL)")
    report = base.ingest(spec)
    assert (report.read, report.loads[0].cursor) == (1, "3")
    assert base.rows("id") == [(1,), (2,), (3,)]
    assert not base.ingest(spec).changed


def test_a_cursor_beyond_rows_that_were_quarantined(base: World) -> None:
    spec = spec_of(f'{SQL}\ncursor = "id"')
    query(base, "INSERT INTO v VALUES (3,NULL,'2024-01-03',3,NULL)")
    assert base.ingest(spec).quarantined == 1
    assert not base.ingest(spec).changed


def test_a_cursor_of_texts_stays_a_text(base: World) -> None:
    query(base, "CREATE TABLE n (p TEXT, t TEXT, q REAL, id TEXT)")
    query(base, "INSERT INTO n VALUES ('a', '2024-01-01', 1, '0009')")
    spec = spec_of('table = "sales"\nsql_env = "SALES_URL"\ncursor = "id"\n'
                   'query = "SELECT * FROM n"')  # fmt: skip
    base.ingest(spec)
    query(base, "INSERT INTO n VALUES ('b', '2024-01-02', 2, '0010')")
    base.ingest(spec)
    assert base.rows() == [("a", 1.0), ("b", 2.0)]
    assert not base.ingest(spec).changed


def test_a_cursor_that_is_no_column_is_an_error_of_usage(base: World) -> None:
    query(base, "CREATE TABLE n (p TEXT, t TEXT, q REAL)")
    spec = spec_of('table = "sales"\nsql_env = "SALES_URL"\ncursor = "idd"\n'
                   'query = "SELECT * FROM n"')  # fmt: skip
    with pytest.raises(UsageError, match="use one of: p, t, q"):
        base.ingest(spec)


def test_a_colon_in_a_query_is_no_parameter(base: World) -> None:
    query(base, "CREATE TABLE n (p TEXT, t TEXT, q REAL)")
    query(base, "INSERT INTO n VALUES ('x:b', '2024-01-01', 1), ('c', '2024-01-01', 2)")
    spec = spec_of('table = "sales"\nsql_env = "SALES_URL"\n'
                   """query = "SELECT * FROM n WHERE p LIKE '%:b'" """)  # fmt: skip
    base.ingest(spec)
    assert base.rows() == [("x:b", 1.0)]


def test_a_query_that_the_database_refuses_is_an_error_of_usage(base: World) -> None:
    spec = spec_of('table = "sales"\nsql_env = "SALES_URL"\nquery = "SELECT * FROM nowhere"')
    with pytest.raises(UsageError, match="refused the query"):
        base.ingest(spec)


def test_a_database_that_does_not_answer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="not set"):
        world.ingest(spec_of(SQL))
    monkeypatch.setenv("SALES_URL", f"sqlite:///{world.project}/nowhere/secret-name.db")
    with pytest.raises(Unreachable) as caught:
        world.ingest(spec_of(SQL))
    assert "secret-name" not in str(caught.value)
    monkeypatch.setenv("SALES_URL", "no url: secret-name")
    with pytest.raises(UsageError) as wrong:
        world.ingest(spec_of(SQL))
    assert "secret-name" not in str(wrong.value)


def test_covariate_tables_land_the_same_way(world: World) -> None:
    more = """
    [[sources]]
    table = "promo"
    path = "raw/promo/*.csv"
    on = ["p"]
    time = "week"
    columns.display = { role = "known-future" }
    columns.theme = { role = "known-future" }
    """
    world.write("one.csv", ONE)
    world.write("promo/1.csv", "p,week,display,theme\na,2024-01-01,1,summer\n,2024-01-01,0,x\n")
    report = world.ingest(spec_of(more=more))
    assert world.rows("p", "week", "display", "theme", table="promo") == [
        ("a", date(2024, 1, 1), 1.0, "summer")
    ]
    assert world.apart() == [("raw/promo/1.csv", 2, "null")]
    assert {load.table for load in report.loads} == {"sales", "promo"}
    world.write("promo/2.csv", "p,week,display,theme\na,2024-01-08,x,3\n")
    world.ingest(spec_of(more=more))
    assert world.apart()[-1] == ("raw/promo/2.csv", 1, "unparseable")


def test_one_file_cannot_feed_a_table_twice(world: World) -> None:
    world.write("one.csv", ONE)
    more = '[[sources]]\ntable = "sales"\npath = "raw/one.csv"\n'
    with pytest.raises(SpecError, match="two sources"):
        world.ingest(spec_of(more=more))


def test_a_path_without_a_file_is_an_error_of_the_spec(world: World) -> None:
    with pytest.raises(SpecError, match=r"raw/\*.csv"):
        world.ingest()


# --- reports


def test_the_report_is_json_and_can_be_recalled_from_the_lake(world: World) -> None:
    world.write("1.csv", ONE + ",2024-01-02,x\n")
    world.write("2.csv", ONE)
    report = world.ingest()
    plain = json.loads(json.dumps(report.to_json()))
    assert (plain["read"], plain["landed"], plain["quarantined"]) == (5, 4, 1)
    recalled = recall(world.lake, ["sales", "absent"])
    assert recalled.loads == report.loads
    assert {t.rule for t in recalled.loads[0].rules} == {"null", "unparseable"}
    columns = {column.name: column for column in recalled.loads[0].columns}
    assert columns["p"].before > 0
    assert columns["p"].after > 0


def test_a_report_of_replaced_loads_is_not_recalled(world: World) -> None:
    world.write("1.csv", ONE)
    world.ingest()
    world.write("1.csv", ONE + "c,2024-01-02,3\n")
    world.ingest()
    assert [load.read for load in recall(world.lake, ["sales"]).loads] == [3]


# --- crashes and rivals


class Killed(BaseException):
    """Stands for a process that ends here and now."""


@pytest.mark.parametrize("point", range(6))
def test_a_run_that_dies_anywhere_and_is_run_again_ends_as_one_that_did_not(
    world: World,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    point: int,
) -> None:
    undisturbed = World(tmp_path_factory.mktemp("other"))
    for place in (world, undisturbed):
        place.write("1.csv", ONE + ",2024-01-02,2\n")
        place.write("2.csv", "p,t,q\nc,2024-01-03,3\n,2024-01-03,4\n")
        place.ingest()
        place.write("1.csv", "p,t,q\na,2024-01-01,7\n,2024-01-02,2\nz,x,1\n")
    undisturbed.ingest()
    real, calls = Table.commit, []

    def dying(table: Table, **change: Any) -> bool:
        calls.append(table.name)
        if len(calls) - 1 == point // 2 and point % 2 == 0:
            raise Killed
        done = real(table, **change)
        if len(calls) - 1 == point // 2:
            raise Killed
        return done

    monkeypatch.setattr(Table, "commit", dying)
    with pytest.raises(Killed):
        world.ingest()
    monkeypatch.setattr(Table, "commit", real)
    world.ingest()
    assert world.state() == undisturbed.state()
    assert not world.ingest().changed


def test_a_rival_with_the_same_file_lands_it_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write("1.csv", ONE)
    real = landing._set_apart
    rivals: list[bool] = []

    def overtaken(lake: Lake, *rest: Any) -> None:
        real(lake, *rest)
        if not rivals:
            rivals.append(True)
            world.ingest()

    monkeypatch.setattr(landing, "_set_apart", overtaken)
    report = world.ingest()
    assert not report.changed
    assert len(world.rows()) == 2


def test_a_rival_with_the_same_cursor_is_not_read_again(
    base: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = spec_of(f'{SQL}\ncursor = "id"')
    base.ingest(spec)
    query(base, "INSERT INTO v VALUES (3,'c','2024-01-03',3,NULL)")
    real, rivals = landing._set_apart, []

    def overtaken(*rest: Any) -> None:
        real(*rest)
        if not rivals:
            rivals.append(True)
            base.ingest(spec)
            query(base, "INSERT INTO v VALUES (4,'d','2024-01-04',4,NULL)")

    monkeypatch.setattr(landing, "_set_apart", overtaken)
    assert base.ingest(spec).read == 1
    assert base.rows("id") == [(1,), (2,), (3,), (4,)]


def test_a_rival_that_never_stops_is_a_conflict(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write("1.csv", ONE)

    def always(*_: Any) -> None:
        raise Conflict("always")

    monkeypatch.setattr(room, "land", always)
    with pytest.raises(Conflict):
        world.ingest()


def test_scratch_is_gone_afterwards(world: World) -> None:
    world.write("1.csv", ONE)
    world.ingest()
    assert list((world.project / "lake" / ".scratch").iterdir()) == []


# --- many small files


def files(world: World, count: int) -> None:
    for number in range(count):
        text = f"p,t,q\nk{number},2024-01-0{number + 1},{number}\n,2024-01-01,1\n"
        world.write(f"{number}.csv", text)


def test_small_files_of_a_table_with_types_land_together(world: World) -> None:
    files(world, 6)
    report = world.ingest()
    assert [load.source for load in report.loads] == [f"raw/{n}.csv" for n in range(6)]
    assert world.lake.table("sales").version() == 1  # the first chooses the types
    assert world.lake.table(QUARANTINE).version() == 1
    assert recall(world.lake, ["sales"]).loads == report.loads
    assert world.rows("p") == [(f"k{n}",) for n in range(6)]
    assert not world.ingest().changed


def test_what_was_read_before_a_refused_file_lands(world: World) -> None:
    files(world, 4)
    world.write("3.csv", "p,q\na,1\n")
    with pytest.raises(DataRefused):
        world.ingest()
    assert world.rows("p") == [("k0",), ("k1",), ("k2",)]


def test_a_group_widens_the_table_and_replaces_loads(world: World) -> None:
    files(world, 4)
    world.ingest()
    world.write("1.csv", ONE)
    world.write("2.csv", "p,t,q,note\nz,2024-01-01,2,x\n")
    world.write("4.csv", "p,t,q\ny,2024-01-01,2\n")
    assert [len(load.replaced) for load in world.ingest().loads] == [1, 1, 0]
    assert ("z", "x") in world.rows("p", "note")
    assert ("y", None) in world.rows("p", "note")
    assert len(recall(world.lake, ["sales"]).loads) == 5


def test_a_key_is_repeated_across_files_of_a_group(world: World) -> None:
    for number in range(4):
        world.write(f"{number}.csv", f"p,t,q\nk{number % 2},2024-01-01,{number}\n")
    spec = spec_of(f'{SOURCE_LINES}\nrow_key = ["p"]')
    assert [load.landed for load in world.ingest(spec).loads] == [1, 1, 0, 0]


def test_a_group_that_a_rival_overtakes_is_read_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write("0.csv", ONE)
    world.ingest()
    files(world, 5)
    real, rivals = landing._set_apart, []

    def overtaken(*rest: Any) -> None:
        real(*rest)
        if not rivals:
            rivals.append(True)
            world.ingest()

    monkeypatch.setattr(landing, "_set_apart", overtaken)
    report = world.ingest()
    assert not report.changed
    assert len(report.skipped) == 5
    assert world.rows("p") == [(f"k{n}",) for n in range(5)]
    assert len(world.apart()) == 5


def test_a_value_that_needs_another_type_than_the_first_rows(world: World) -> None:
    """The load is written once more: whole numbers that grow, dates that turn out to be times."""
    rows = pl.DataFrame({"p": ["a"] * 5_000, "t": ["2024-01-01"] * 5_000, "q": 1.0})
    late = rows.head(1).with_columns(t=pl.lit("2024-01-01 10:30"))
    world.write("1.csv", pl.concat([rows] * 20 + [late]).write_csv())
    world.ingest(memory=1)
    found = world.lake.table("sales").scan().select("t", ROW).collect()
    assert found.height == 100_001
    assert found["t"].unique().sort().to_list() == [
        datetime(2024, 1, 1, tzinfo=UTC),
        datetime(2024, 1, 1, 10, 30, tzinfo=UTC),
    ]
    assert len(world.lake.table("sales").files()) == 1
