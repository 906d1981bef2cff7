"""Tables as Dask frames and back: what is read and what lands is what the lake holds."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from tests.projects import write_project

import lakecast
from lakecast import Project
from lakecast.errors import DataRefused, LakecastError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    folder = write_project(tmp_path_factory.mktemp("dask") / "loja")
    Project.open(folder).stage("panel")
    opened = Project.open(folder, flags={"engine": "dask", "workers": "2", "memory": "2GB"})
    yield opened
    opened.close()


def rows(frame: pl.DataFrame) -> pl.DataFrame:
    names = sorted(frame.columns)
    return frame.select(names).sort(names)


@pytest.mark.parametrize("name", ["panel", "sales", "series"])
def test_a_frame_holds_the_table(project: Project, name: str) -> None:
    frame = project.frame(name)
    assert frame.npartitions >= 1
    assert rows(pl.from_pandas(frame.compute())).equals(rows(project.table(name)))


def test_work_on_a_frame_runs_on_the_workers(project: Project) -> None:
    frame = project.frame("panel")
    found = frame.groupby("series_code")["quantidade"].sum().compute().to_dict()
    expected = project.table("panel").group_by("series_code").agg(pl.col("quantidade").sum())
    assert found == pytest.approx(dict(expected.iter_rows()))


def test_a_frame_is_saved_in_one_commit(project: Project) -> None:
    frame = project.frame("panel")
    large = frame[frame["quantidade"] > 20]
    assert project.write("large", large) == 0
    table = project.context.lake.table("large")
    assert len(table.files()) == large.npartitions == 2
    wanted = project.table("panel").filter(pl.col("quantidade") > 20)
    assert rows(project.table("large")).equals(rows(wanted))
    assert project.write("large", large, mode="append") == 1
    assert project.table("large").height == 2 * wanted.height
    assert project.write("large", large) == 2
    assert rows(project.table("large")).equals(rows(wanted))


def test_what_was_written_is_recorded(project: Project) -> None:
    version = project.write("small", project.frame("series"))
    database = project.context.settings.project / "mlflow.db"
    with closing(sqlite3.connect(database)) as connection:
        query = "SELECT key, value FROM tags JOIN runs USING (run_uuid) WHERE name = ?"
        tags = dict(connection.execute(query, ("write small",)).fetchall())
    assert tags["lakecast.table.small"] == str(version)
    assert tags["lakecast.table.panel"] == str(project.context.lake.table("panel").version())


def uneven(part: Any) -> Any:
    return part.astype({"quantidade": "string"}) if part["bucket"].iloc[0] == 1 else part


def test_partitions_that_differ_are_refused_whole(project: Project) -> None:
    frame = project.frame("panel").map_partitions(uneven, meta=project.frame("panel")._meta)
    with pytest.raises(
        DataRefused,
        match="partitions differ in their columns: quantidade double, quantidade large_",
    ):
        project.write("uneven", frame)
    assert not project.context.lake.table("uneven").exists()


@pytest.mark.parametrize("name", ["panel", "sales", "promo"])
def test_a_stages_own_table_is_not_written(project: Project, name: str) -> None:
    with pytest.raises(UsageError, match="written by Lakecast's own stages"):
        project.write(name, project.frame("panel"))


def test_open_by_name(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKECAST_WORKERS", "1")
    folder = project.context.settings.project
    frame = lakecast.open("series", project=folder, engine="dask")
    assert len(frame) == project.table("series").height
    with pytest.raises(LakecastError, match="does not exist"):
        lakecast.open("nowhere", project=folder, engine="dask")
    with pytest.raises(UsageError, match="`frame` is not for this engine"):
        lakecast.open("series", project=folder, engine="ray")
    with pytest.raises(UsageError, match="unknown engine"):
        lakecast.open("series", project=folder, engine="flink")
