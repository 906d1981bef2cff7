"""What every store must do, on a local folder and on an S3 endpoint of this machine."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import subprocess
import sys
from datetime import date
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lakecast.errors import Conflict, LakecastError, Unreachable, UsageError
from lakecast.lake.ingest import ingest, recall
from lakecast.lake.store import Store
from lakecast.lake.tables import FileRef, Lake, Table
from lakecast.logs import Silent
from lakecast.spec import loads

if TYPE_CHECKING:
    from pathlib import Path

    from lakecast.lake.ledger import IngestReport

SPEC = """
spec = 1
[[sources]]
table = "sales"
path = "PATH"
[panel]
series = ["p"]
time = "t"
target = "q"
"""
SCHEMA = pa.schema([("a", pa.int16()), ("s", pa.string()), ("bucket", pa.int32())])


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    if request.param == "folder":
        return Store.open(tmp_path / "lake")
    url = request.getfixturevalue("endpoint")
    point_at(url, monkeypatch)
    bucket = f"b-{os.urandom(6).hex()}"
    return Store.open(f"s3://{make_bucket(bucket)}/a/prefix")


def point_at(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "someone")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "do-not-show-this")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def make_bucket(name: str) -> str:
    from pyarrow import fs

    fs.S3FileSystem(
        endpoint_override=os.environ["AWS_ENDPOINT_URL"], allow_bucket_creation=True
    ).create_dir(name)
    return name


@pytest.fixture
def table(store: Store) -> Table:
    return Lake(store).table("things")


def rows(start: int, bucket: int = 3, count: int = 3) -> pa.Table:
    values = list(range(start, start + count))
    return pa.table(
        {"a": values, "s": [f"x{v}" for v in values], "bucket": [bucket] * count}, schema=SCHEMA
    )


def put(table: Table, start: int, *, bucket: int = 3, fingerprint: str = "f") -> FileRef:
    file = table.stage(rows(start, bucket), partition={"bucket": bucket})
    table.commit(add=[file], schema=SCHEMA, partition_by=["bucket"], fingerprint=fingerprint)
    return file


def held(table: Table) -> list[int]:
    return sorted(table.scan().select("a").collect()["a"].to_list())


# --- bytes


def test_bytes_come_back(store: Store) -> None:
    store.write_bytes("a/b.txt", b"one")
    store.write_bytes("a/b.txt", b"two")
    assert store.read_bytes("a/b.txt") == b"two"
    assert store.list() == ("a",)
    assert store.list("a") == ("b.txt",)
    assert store.list("nowhere") == ()
    assert store.exists("a/b.txt")
    store.delete("a")
    store.delete("a")
    assert not store.exists("a/b.txt")


def test_an_absent_file_is_said_to_be_absent(store: Store) -> None:
    with pytest.raises(FileNotFoundError):
        store.read_bytes("nothing")


def test_scratch_is_a_local_folder_that_goes_away(store: Store) -> None:
    with store.scratch() as folder:
        (folder / "x").write_bytes(b"1")
    assert not folder.exists()


def test_what_a_killed_process_left_in_scratch_is_cleared(store: Store) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as dead:
        dead.wait()
    with store.scratch() as folder:
        name, host, *_ = folder.name.rsplit("-", 3)
        left = folder.parent / f"{name}-{host}-{dead.pid}-x"
        left.mkdir()
        with store.scratch():
            assert not left.exists()
            assert folder.exists()


# --- tables


def test_a_table_that_is_absent_is_empty(table: Table) -> None:
    assert not table.exists()
    assert table.version() == -1
    assert table.files() == ()
    assert table.fingerprint() is None
    assert table.properties == {}
    with pytest.raises(LakecastError, match="does not exist"):
        table.scan()


def test_rows_properties_and_fingerprint_come_back(store: Store) -> None:
    table = Lake(store).table("things")
    file = table.stage(rows(1), partition={"bucket": 3})
    made = table.commit(
        add=[file],
        schema=SCHEMA,
        partition_by=["bucket"],
        fingerprint="f0",
        metadata={"note": "n"},
        properties={"buckets": "8"},
        expect_version=-1,
    )
    assert made
    assert table.scan().sort("a").collect().rows() == [(1, "x1", 3), (2, "x2", 3), (3, "x3", 3)]
    assert table.schema().equals(SCHEMA)
    assert table.properties == {"buckets": "8"}
    assert table.fingerprint() == "f0"
    assert table.metadata["note"] == "n"
    assert table.files() == (file,)
    assert Lake(store).names() == ("things",)


def test_staged_files_do_not_exist_before_the_commit(table: Table) -> None:
    put(table, 1)
    table.stage(rows(100), partition={"bucket": 3})
    assert held(table) == [1, 2, 3]


def test_one_commit_replaces_files(table: Table) -> None:
    old = put(table, 1)
    other = put(table, 10, bucket=12)
    new = table.stage(rows(5), partition={"bucket": 3})
    version = table.version()
    table.commit(add=[new], remove=[old], schema=SCHEMA, fingerprint="f1")
    assert table.version() == version + 1
    assert held(table) == [5, 6, 7, 10, 11, 12]
    assert table.files() == (new, other)
    assert table.files(bucket=12) == (other,)


def test_all_files_can_go_and_the_schema_with_them(table: Table) -> None:
    put(table, 1)
    wider = pa.schema([("bucket", pa.int32()), ("a", pa.float64())])
    file = table.stage(pa.table({"a": [1.5]}), partition={"bucket": 1})
    table.commit(add=[file], remove="all", schema=wider, fingerprint="f1")
    assert table.schema().equals(wider)
    assert held(table) == [1.5]


def test_a_new_column_is_null_in_older_rows(table: Table) -> None:
    put(table, 1)
    wider = SCHEMA.append(pa.field("z", pa.float32()))
    data = rows(4).append_column(wider.field("z"), pa.array([1, 2, 3], pa.float32()))
    file = table.stage(data, partition={"bucket": 3})
    table.commit(add=[file], schema=wider, fingerprint="f1")
    frame = table.scan().sort("a").collect()
    assert frame["z"].to_list() == [None, None, None, 1.0, 2.0, 3.0]
    assert table.schema().names == [*SCHEMA.names, "z"]


def test_a_changed_type_is_refused(table: Table) -> None:
    put(table, 1)
    with pytest.raises(LakecastError, match="`a` is int16, not int32"):
        table.commit(add=[], schema=pa.schema([("a", pa.int32())]), fingerprint="f")
    assert table.version() == 0


def test_the_version_expected_protects(table: Table) -> None:
    put(table, 1)
    put(table, 4)
    for wrong in (-1, 0, 2):
        with pytest.raises(Conflict):
            table.commit(add=[], schema=SCHEMA, fingerprint="f", expect_version=wrong)
    table.commit(add=[], schema=SCHEMA, fingerprint="f", expect_version=1)
    assert table.version() == 2


def test_of_two_writers_at_one_version_one_wins(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both hold a handle at version 0 when the other commits."""
    put(table, 1)
    late = table._open()
    put(table, 4)
    monkeypatch.setattr(Table, "_open", lambda _self, _version=None: late)
    with pytest.raises(Conflict):
        table.commit(add=[], schema=SCHEMA, fingerprint="f", expect_version=0)


def test_of_two_creators_one_wins(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    put(table, 1)
    monkeypatch.setattr(Table, "_open", lambda _self, _version=None: None)
    with pytest.raises(Conflict):
        table.commit(add=[], schema=SCHEMA, fingerprint="f", expect_version=-1)


def test_without_an_expectation_a_conflict_starts_again(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = put(table, 1)
    late = table._open()
    table.commit(add=[], remove=[first], schema=SCHEMA, fingerprint="f1")
    real, handles = Table._open, [late]
    monkeypatch.setattr(
        Table, "_open", lambda self, version=None: handles.pop() if handles else real(self, version)
    )
    file = table.stage(rows(7), partition={"bucket": 3})
    assert table.commit(add=[file], remove=[first], schema=SCHEMA, fingerprint="f2") is True
    assert held(table) == [7, 8, 9]


def test_a_transaction_counts_once(table: Table) -> None:
    file = table.stage(rows(1), partition={"bucket": 3})

    def again(number: int) -> bool:
        return table.commit(
            add=[file],
            schema=SCHEMA,
            partition_by=["bucket"],
            fingerprint="f",
            transaction=("load", number),
        )

    assert again(1) is True
    assert again(1) is False
    assert table.version() == 0
    assert again(2) is True


def test_two_handles_with_one_transaction_conflict(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(table, 1)
    late = table._open()
    file = table.stage(rows(4), partition={"bucket": 3})
    table.commit(add=[file], schema=SCHEMA, fingerprint="f", transaction=("load", 1))
    real, handles = Table._open, [late]
    monkeypatch.setattr(
        Table, "_open", lambda self, version=None: handles.pop() if handles else real(self, version)
    )
    assert not table.commit(add=[file], schema=SCHEMA, fingerprint="f", transaction=("load", 1))
    assert held(table) == [1, 2, 3, 4, 5, 6]


def test_compaction_keeps_rows_and_fingerprint(table: Table) -> None:
    put(table, 1, fingerprint="f0")
    put(table, 4, fingerprint="f1")
    put(table, 9, bucket=12, fingerprint="f2")
    assert table.compact() == 1
    assert table.compact() == 0
    assert len(table.files()) == 2
    assert held(table) == [1, 2, 3, 4, 5, 6, 9, 10, 11]
    assert table.fingerprint() == "f2"


def test_vacuum_removes_litter_only(table: Table) -> None:
    old = put(table, 1, fingerprint="f0")
    table.commit(add=[], remove=[old], schema=SCHEMA, fingerprint="f1")
    litter = table.stage(rows(50), partition={"bucket": 3})
    live = put(table, 4, fingerprint="f2")
    assert table.vacuum(hours=168) == ()
    assert set(table.vacuum(hours=0, keep_versions=[0])) == {litter.path}
    assert table.scan(version=0).collect()["a"].to_list() == [1, 2, 3]
    assert set(table.vacuum(hours=0)) == {old.path}
    assert table.files() == (live,)
    assert held(table) == [4, 5, 6]
    assert table.fingerprint() == "f2"


def test_row_groups_and_footer_are_as_asked(table: Table) -> None:
    file = table.stage(rows(1, count=6), groups=[1, 2, 3], footer={"k": "v"})
    with table.store.open_input(file.path) as source:
        parquet = pq.ParquetFile(source)
        groups = [parquet.metadata.row_group(i).num_rows for i in range(3)]
        assert groups == [1, 2, 3]
        assert parquet.metadata.metadata[b"k"] == b"v"
        assert parquet.read()["a"].to_pylist() == [1, 2, 3, 4, 5, 6]


def test_a_stream_is_staged_in_groups_whatever_its_batches(table: Table) -> None:
    batches = rows(0, count=7).to_batches(max_chunksize=2)
    file = table.stage(pa.RecordBatchReader.from_batches(SCHEMA, batches), groups=3)
    assert file.rows == 7
    with table.store.open_input(file.path) as source:
        metadata = pq.ParquetFile(source).metadata
        assert [metadata.row_group(i).num_rows for i in range(3)] == [3, 3, 1]


def test_a_file_without_rows_counts_as_a_file(table: Table) -> None:
    file = table.stage(SCHEMA.empty_table(), partition={"bucket": 1})
    table.commit(add=[file], schema=SCHEMA, partition_by=["bucket"], fingerprint="f")
    assert [ref.rows for ref in table.files()] == [0]
    assert table.scan().collect().height == 0


def test_partition_values_that_paths_would_bend_are_refused(table: Table) -> None:
    for value in ("a b", "x/y", "ção", ""):
        with pytest.raises(LakecastError, match="cannot be a partition"):
            table.stage(pa.table({"a": [1]}), partition={"p": value})


def test_arrow_with_columns_and_filter(table: Table) -> None:
    put(table, 1)
    taken = table.to_arrow(columns=["s"], filters=pl.col("a") > 2)
    assert taken.to_pydict() == {"s": ["x3"]}


def test_history_is_newest_first(table: Table) -> None:
    for number in range(3):
        put(table, number * 3, fingerprint=f"f{number}")
    assert [c.metadata["lakecast.fingerprint"] for c in table.history()] == ["f2", "f1", "f0"]
    assert [c.version for c in table.history()] == [2, 1, 0]


def test_a_lake_can_be_pickled(table: Table) -> None:
    put(table, 1)
    assert held(pickle.loads(pickle.dumps(table))) == [1, 2, 3]


# --- ingest


def test_ingest_from_and_into_any_store(store: Store, tmp_path: Path) -> None:
    """Sources and lake are on the same kind of store."""
    raw = store.join("raw")
    raw.write_bytes("loja=1/a.csv", b"p,t,q\na,2024-01-01,1\n,2024-01-02,2\n")
    raw.write_bytes("loja=2/b.csv.gz", gzip.compress(b"p;t;q\nb;2024-01-01;3\n"))
    buffer = io.BytesIO()
    pl.DataFrame({"p": ["c"], "t": [date(2024, 1, 3)], "q": [4]}).write_parquet(buffer)
    raw.write_bytes("loja=3/c.parquet", buffer.getvalue())
    spec = loads(SPEC.replace("PATH", raw.root))
    lake = Lake(store.join("lake"))

    def run() -> IngestReport:
        return ingest(spec, lake, project=tmp_path, progress=Silent())

    first = run()
    assert (first.read, first.landed, first.quarantined) == (4, 3, 1)
    frame = lake.table("sales").scan().sort("p").collect()
    assert frame.select("p", "q", "loja").rows() == [("a", 1, "1"), ("b", 3, "2"), ("c", 4, "3")]
    assert not run().changed
    raw.write_bytes("loja=2/b.csv.gz", gzip.compress(b"p;t;q\nb;2024-01-01;5\n"))
    assert [load.source.rpartition("/")[2] for load in run().loads] == ["b.csv.gz"]
    assert lake.table("sales").scan().sort("p").collect()["q"].to_list() == [1, 5, 4]
    assert recall(lake, ["sales"]).landed == 3


# --- what cannot be reached


def test_an_endpoint_that_is_down_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    point_at("http://127.0.0.1:9", monkeypatch)
    store = Store.open("s3://nowhere/x")
    table = Lake(store).table("t")
    for call in (table.exists, table.version, lambda: store.write_bytes("a", b"1")):
        with pytest.raises(Unreachable) as caught:
            call()
        assert "127.0.0.1:9" in str(caught.value)
        assert "AWS_ENDPOINT_URL" in caught.value.cure
        assert "do-not-show-this" not in str(caught.value)


def test_an_absent_bucket_is_unreachable(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    point_at(endpoint, monkeypatch)
    table = Lake(Store.open("s3://no-such-bucket/x")).table("t")
    with pytest.raises(Unreachable, match="no-such-bucket"):
        table.commit(add=[table.stage(rows(1))], schema=SCHEMA, fingerprint="f")


def test_other_kinds_of_store_are_refused() -> None:
    with pytest.raises(UsageError, match="gs://"):
        Store.open("gs://x/y")
