"""What a run leaves behind, in a form that two runs can be compared in."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl
from tests.projects import write_project

from lakecast import Project
from lakecast.flows.stages.training import COMPARISON, last_note

if TYPE_CHECKING:
    from pathlib import Path

_WHEN = ("at",)  # the clock signs promotions
_COUNTED = {
    "runs": "SELECT status, COUNT(*) FROM runs GROUP BY status",
    "versions": "SELECT version, run_id IS NOT NULL FROM model_versions ORDER BY version",
    "alias": "SELECT alias, version FROM registered_model_aliases",
    "params": "SELECT key, value FROM params ORDER BY key, value",
    "metrics": "SELECT key, value, step FROM metrics ORDER BY key, step, value",
}


@dataclass(frozen=True)
class Trace:
    """Tables, small files and what MLflow shows; neither times nor Delta versions."""

    tables: dict[str, pl.DataFrame]
    files: dict[str, Any]
    mlflow: dict[str, list[Any]]


def trace(folder: Path) -> Trace:
    """The trace of the project in a folder."""
    project = Project.open(folder)
    lake = project.context.lake
    names = [name for name in lake.names() if name != "lease"]
    return Trace(
        tables={name: _rows(project.table(name)) for name in names},
        files={
            "comparison": json.loads(lake.store.read_bytes(COMPARISON)),
            "decision": last_note(project.context),
            "bundles": lake.store.list("models"),
            "work": lake.store.list("work"),
            "lease": project.status()["lease"],
        },
        mlflow=_mlflow(folder / "mlflow.db"),
    )


def fresh(folder: Path, prepared: Path) -> Path:
    """A new project with an MLflow store that is set up already."""
    made = write_project(folder)
    shutil.copy(prepared, made / "mlflow.db")
    return made


def compare(mine: Trace, other: Trace) -> None:
    """Assert that two traces are equal, part by part, so that a difference says where it is."""
    assert mine.tables.keys() == other.tables.keys()
    for name, rows in mine.tables.items():
        assert rows.equals(other.tables[name]), name
    assert mine.files == other.files
    assert mine.mlflow == other.mlflow


def _rows(frame: pl.DataFrame) -> pl.DataFrame:
    kept = sorted(name for name in frame.columns if name not in _WHEN)
    return frame.select(kept).sort(kept)


def _mlflow(path: Path) -> dict[str, list[Any]]:
    with closing(sqlite3.connect(path)) as connection:
        return {name: connection.execute(query).fetchall() for name, query in _COUNTED.items()}
