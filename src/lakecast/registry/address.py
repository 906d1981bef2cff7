"""Tracking URIs: what a person may see of them, and what a local one needs done to it.

Nothing here imports MLflow, so that a project can be opened and mended at no cost.
"""

from __future__ import annotations

import http.client
import re
import socket
import sqlite3
import urllib.error
import urllib.request
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from lakecast.errors import Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator

ARTIFACTS: Final = "mlartifacts"
_PATIENCE: Final = 5.0
_LOCK_PATIENCE: Final = 300.0
_PORTS: Final = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
_PATHS: Final = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)


def database(uri: str) -> Path | None:
    """The file of a sqlite tracking URI; None for any other store."""
    scheme, _, rest = uri.partition(":///")
    if scheme.split("+")[0] != "sqlite" or not rest or rest.startswith(":memory:"):
        return None
    return Path(rest.partition("?")[0]).absolute()


def artifact_root(uri: str) -> str | None:
    """Where runs of a sqlite store keep their files: beside the database, as a `file:` URI.

    None where the server decides.
    """
    path = database(uri)
    return None if path is None else (path.parent / ARTIFACTS).as_uri()


def shown(uri: str) -> str:
    """The URI without user, password and query: the only form of it in logs and errors."""
    return re.sub(r"(://)[^/@]*@", r"\1", uri.partition("?")[0])


def mend(uri: str) -> bool:
    """Let a project that was moved find its runs' files again; true if paths were rewritten.

    MLflow stores absolute paths. Where a sqlite store's experiments keep their files in a folder
    `mlartifacts` that is not the one beside the database, although there is one, the old root is
    replaced by the new in one transaction. Costs a millisecond when there is nothing to do.
    """
    path, root = database(uri), artifact_root(uri)
    if path is None or root is None or not path.exists() or not (path.parent / ARTIFACTS).is_dir():
        return False
    with closing(sqlite3.connect(path, timeout=60)) as connection, connection:
        old = _old_roots(connection, root)
        for was in old:
            _replace(connection, was, root)
    return bool(old)


def _old_roots(connection: sqlite3.Connection, root: str) -> list[str]:
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'experiments'").fetchall():
        return []
    rows = connection.execute("SELECT DISTINCT artifact_location FROM experiments").fetchall()
    return [was for (was,) in rows if was and was.endswith(f"/{ARTIFACTS}") and was != root]


def _replace(connection: sqlite3.Connection, was: str, root: str) -> None:
    for table, column in _PATHS:
        connection.execute(
            f"UPDATE {table} SET {column} = ? || substr({column}, ?) "  # noqa: S608 - our constants
            f"WHERE {column} = ? OR substr({column}, 1, ?) = ?",
            (root, len(was) + 1, was, len(was) + 1, f"{was}/"),
        )


@contextmanager
def alone(uri: str) -> Iterator[None]:
    """Only one process at a time opens a sqlite store, so that its first set-up is not raced.

    The lock is an empty sqlite file beside the database: held across processes on every system,
    and gone with the process that held it.
    """
    path = database(uri)
    if path is None:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_name(f"{path.name}.lock")
    with closing(sqlite3.connect(lock, timeout=_LOCK_PATIENCE, isolation_level=None)) as held:
        held.execute("BEGIN EXCLUSIVE")
        yield


def probe(uri: str) -> None:
    """Raise `Unreachable` within seconds when a tracking server or database does not answer.

    MLflow itself would try for minutes before it says so.
    """
    parts = urlsplit(uri)
    scheme = parts.scheme.split("+")[0]
    try:
        if scheme in ("http", "https"):
            _ask(shown(uri))
        elif scheme in _PORTS and parts.hostname:
            port = parts.port or _PORTS[scheme]
            socket.create_connection((parts.hostname, port), timeout=_PATIENCE).close()
    except (OSError, http.client.HTTPException) as error:
        raise unreachable(uri, str(getattr(error, "reason", error))) from None


def unreachable(uri: str, why: str) -> Unreachable:
    """The error for a tracking store that does not answer."""
    return Unreachable(
        f"the MLflow tracking store does not answer ({why})",
        where=shown(uri),
        cure="start it, or set LAKECAST_TRACKING_URI (or --tracking-uri) to one that runs",
    )


def _ask(address: str) -> None:
    request = urllib.request.Request(f"{address.rstrip('/')}/health")  # noqa: S310 - http(s) only
    try:
        urllib.request.urlopen(request, timeout=_PATIENCE).close()  # noqa: S310
    except urllib.error.HTTPError as answer:
        answer.close()  # it answers; whether it lets us in is seen at the first call
