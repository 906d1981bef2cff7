from __future__ import annotations

import http.server
import socket
import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from lakecast.errors import Unreachable
from lakecast.registry.address import alone, artifact_root, database, mend, probe, shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def closed_port() -> int:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.mark.parametrize(
    ("uri", "file"),
    [
        ("sqlite:////data/a b/mlflow.db", "/data/a b/mlflow.db"),
        ("sqlite+pysqlite:////data/mlflow.db?timeout=9", "/data/mlflow.db"),
        ("sqlite:///:memory:", None),
        ("sqlite://", None),
        ("postgresql://host/db", None),
        ("http://host:5000", None),
        ("mlruns", None),
    ],
)
def test_only_a_sqlite_file_is_a_database(uri: str, file: str | None) -> None:
    found = database(uri)
    assert (None if found is None else str(found)) == file


def test_files_of_runs_are_beside_the_database() -> None:
    assert artifact_root("sqlite:////data/a b/mlflow.db") == "file:///data/a%20b/mlartifacts"
    assert artifact_root("http://host:5000") is None


@pytest.mark.parametrize(
    ("uri", "seen"),
    [
        ("http://ana:s3cret@host:5000/x?token=s3cret", "http://host:5000/x"),
        ("postgresql+psycopg://ana:s3cret@host/db", "postgresql+psycopg://host/db"),
        ("http://s3cret@host", "http://host"),
        ("sqlite:////data/mlflow.db", "sqlite:////data/mlflow.db"),
    ],
)
def test_nobody_sees_a_secret(uri: str, seen: str) -> None:
    assert shown(uri) == seen


@pytest.mark.parametrize("scheme", ["http", "postgresql+psycopg", "mysql+pymysql"])
def test_a_store_that_does_not_answer_is_named_without_its_secret(scheme: str) -> None:
    port = closed_port()
    with pytest.raises(Unreachable) as caught:
        probe(f"{scheme}://ana:s3cret@127.0.0.1:{port}/x")
    assert f"127.0.0.1:{port}" in caught.value.where
    assert "s3cret" not in str(caught.value)
    assert "LAKECAST_TRACKING_URI" in caught.value.cure


@pytest.mark.parametrize("uri", ["sqlite:////nowhere/mlflow.db", "databricks", "mlruns"])
def test_what_has_no_host_is_not_probed(uri: str) -> None:
    probe(uri)


class Refusing(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(401)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        del args


@pytest.fixture
def server() -> Iterator[str]:
    served = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    thread = threading.Thread(target=served.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{served.server_port}"
    served.shutdown()
    thread.join()
    served.server_close()


def test_a_server_that_refuses_does_answer(server: str) -> None:
    probe(server)


def test_the_set_up_of_a_database_is_done_by_one_at_a_time(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/new folder/mlflow.db"
    inside: list[int] = []
    most: list[int] = []

    def work() -> None:
        with alone(uri):
            inside.append(1)
            most.append(len(inside))
            threading.Event().wait(0.01)
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 6


def stored(folder: Path, *, root: str) -> None:
    """A store with one experiment and one model of ours, and one experiment of somebody else."""
    with closing(sqlite3.connect(folder / "mlflow.db")) as connection, connection:
        connection.executescript(
            f"""
            CREATE TABLE experiments (artifact_location TEXT);
            CREATE TABLE runs (artifact_uri TEXT);
            CREATE TABLE logged_models (artifact_location TEXT);
            CREATE TABLE model_versions (source TEXT, storage_location TEXT);
            INSERT INTO experiments VALUES ('{root}'), ('s3://bucket/x'), (NULL);
            INSERT INTO runs VALUES ('{root}/1/artifacts'), ('{root}-not/1'), ('s3://bucket/x/1');
            INSERT INTO model_versions VALUES ('{root}/1/artifacts/model', NULL);
            """
        )


def everything(folder: Path) -> list[str | None]:
    with closing(sqlite3.connect(folder / "mlflow.db")) as connection:
        queries = (
            "SELECT artifact_location FROM experiments",
            "SELECT artifact_uri FROM runs",
            "SELECT source FROM model_versions",
        )
        return [value for query in queries for (value,) in connection.execute(query)]


def test_a_moved_store_finds_its_files(tmp_path: Path) -> None:
    old = "file:///home/ana/projeto/mlartifacts"
    stored(tmp_path, root=old)
    (tmp_path / "mlartifacts").mkdir()
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    assert mend(uri)
    new = f"{tmp_path.as_uri()}/mlartifacts"
    assert everything(tmp_path) == [
        new, "s3://bucket/x", None,
        f"{new}/1/artifacts", f"{old}-not/1", "s3://bucket/x/1",
        f"{new}/1/artifacts/model",
    ]  # fmt: skip
    assert not mend(uri)


def test_without_files_beside_it_a_store_is_left_alone(tmp_path: Path) -> None:
    stored(tmp_path, root="file:///elsewhere/mlartifacts")
    before = everything(tmp_path)
    assert not mend(f"sqlite:///{tmp_path}/mlflow.db")
    assert everything(tmp_path) == before


def test_there_may_be_nothing_to_mend(tmp_path: Path) -> None:
    (tmp_path / "mlartifacts").mkdir()
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    assert not mend(uri)
    sqlite3.connect(tmp_path / "mlflow.db").close()
    assert not mend(uri)
    assert not mend("http://127.0.0.1:5000")
