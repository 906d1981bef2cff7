"""The one place that imports MLflow, quietly, and turns its failures into ours."""

from __future__ import annotations

import importlib
import logging
import os
import sqlite3
import warnings
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Final

from lakecast.errors import LakecastError, UsageError
from lakecast.logs import redact
from lakecast.registry.address import alone, database, probe, shown, unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mlflow.tracking import MlflowClient

_CALM: Final = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    # A uv project that happens to be the current folder is no part of a model.
    "MLFLOW_UV_AUTO_DETECT": "false",
}
_TALKERS: Final = ("mlflow", "alembic")
_OUTAGE: Final = frozenset({"INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED"})
_NOT_LET_IN: Final = frozenset({"PERMISSION_DENIED", "UNAUTHENTICATED", "CUSTOMER_UNAUTHORIZED"})


def connect(uri: str) -> MlflowClient:
    """A client whose runs and registry are both at the URI; no global of MLflow is set.

    A database is set up on first use, by one process at a time; a sqlite file appears only when it
    is whole, because MLflow cannot go on with one whose set-up was killed. Raises `Unreachable`
    within seconds when a server or database does not answer, `UsageError` where the URI is none.
    """
    probe(uri)
    with talking(uri), alone(uri):
        path = database(uri)
        if path is not None and not path.exists():
            _set_up(path)
        return _client(uri)


def _client(uri: str) -> MlflowClient:
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient

    try:
        client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    except MlflowException as error:
        if error.error_code != "INVALID_PARAMETER_VALUE":
            raise
        raise _no_store(uri, str(error)) from None
    client.search_registered_models(max_results=1)  # sets the registry up, too
    return client


def _set_up(path: Path) -> None:
    """Make a tracking database beside its place and move it there whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made, whole = (path.with_name(f".{path.name}.{part}") for part in ("making", "whole"))
    for old in path.parent.glob(f".{path.name}.*"):
        old.unlink()
    _client(f"sqlite:///{made}")
    with closing(sqlite3.connect(made)) as source, closing(sqlite3.connect(whole)) as target:
        source.backup(target)
    whole.replace(path)
    for old in path.parent.glob(f".{path.name}.making*"):
        old.unlink()


@contextmanager
def talking(uri: str) -> Iterator[None]:
    """Quiet around calls of MLflow; its errors come out as `LakecastError`s without secrets."""
    with _quiet():
        try:
            yield
        except ModuleNotFoundError as error:
            raise UsageError(
                f"this tracking URI needs the Python module `{error.name}`",
                where=shown(uri),
                cure="install the database's driver, or use another tracking URI",
            ) from None
        except _failures() as error:
            raise _ours(error, uri) from None


def _failures() -> tuple[type[Exception], ...]:
    """MLflow's own errors, and those of a database that it passes on."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    return MlflowException, SQLAlchemyError


def _no_store(uri: str, why: str) -> UsageError:
    return UsageError(
        f"not a tracking URI that MLflow takes: {_first_line(why)}",
        where=shown(uri),
        cure="use sqlite:///FILE, a database's URL, or the http(s) address of an MLflow server",
    )


def _ours(error: Exception, uri: str) -> LakecastError:
    why = _first_line(str(error))
    code = getattr(error, "error_code", "TEMPORARILY_UNAVAILABLE")
    if code in _OUTAGE:
        return unreachable(uri, why)
    if code in _NOT_LET_IN:
        return UsageError(
            f"MLflow does not let us in: {why}",
            where=shown(uri),
            cure="set MLFLOW_TRACKING_USERNAME and _PASSWORD, or MLFLOW_TRACKING_TOKEN",
        )
    return LakecastError(
        f"MLflow refused: {why}", where=shown(uri), cure="see the tracking server's own log"
    )


def _first_line(text: str) -> str:
    return redact(text.strip().partition("\n")[0])


@contextmanager
def _quiet() -> Iterator[None]:
    added = {name: value for name, value in _CALM.items() if name not in os.environ}
    levels: dict[str, int] = {}
    os.environ.update(added)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            importlib.import_module("mlflow")  # sets its loggers up, so it must come first
            for name in _TALKERS:
                levels[name] = logging.getLogger(name).level
                logging.getLogger(name).setLevel(logging.ERROR)
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
        for name in added:
            os.environ.pop(name, None)
