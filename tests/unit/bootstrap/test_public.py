"""What people import and call: short, explicit, and changed only on purpose."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import polars as pl
import pytest

import lakecast
from lakecast.errors import LakecastError, SpecError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

METHODS = {
    "champion": "",
    "close": "()",
    "context": "",
    "decision": "()",
    "forecast": "(*, series=None, horizon=None, scenario=None, as_of=None)",
    "frame": "(name)",
    "open": "(folder='.', *, flags=None, progress=None)",
    "plan": "(*, as_of=None)",
    "predict": "(*, as_of=None)",
    "promote": "(version)",
    "report": "(*, notebook=False, out=None, actuals=None)",
    "report_data": "()",
    "rollback": "()",
    "run": "(*, as_of=None, retrain=False, wait=0.0, actuals=None, tell=None)",
    "stage": "(name, *, as_of=None, wait=0.0)",
    "status": "()",
    "table": "(name)",
    "tune": "(*, trials=None, time=None, as_of=None, wait=0.0)",
    "write": "(name, frame, *, mode='replace')",
}


def _plain(function: object) -> str:
    """The signature without types and `self`."""
    given = inspect.signature(function)  # type: ignore[arg-type]
    bare = [
        one.replace(annotation=inspect.Parameter.empty)
        for one in given.parameters.values()
        if one.name != "self"
    ]
    return str(inspect.Signature(bare))


def test_the_package_has_three_names() -> None:
    assert lakecast.__all__ == ["Project", "__version__", "open"]
    assert all(getattr(lakecast, name) for name in lakecast.__all__)
    with pytest.raises(AttributeError, match="no attribute 'project'"):
        _ = lakecast.project


def test_the_project_has_these_names() -> None:
    public = {name for name in dir(lakecast.Project) if not name.startswith("_")}
    assert public == set(METHODS)


@pytest.mark.parametrize("name", [name for name, shape in METHODS.items() if shape])
def test_signature(name: str) -> None:
    assert _plain(getattr(lakecast.Project, name)) == METHODS[name]


def test_every_public_name_says_what_it_is() -> None:
    named = [getattr(lakecast.Project, name) for name in METHODS if name != "context"]
    assert [item for item in [*named, lakecast.open, lakecast.Project] if not item.__doc__] == []


def test_a_table_is_opened_lazily(project: Path) -> None:
    rows = lakecast.open("forecasts", project=project)
    assert isinstance(rows, pl.LazyFrame)
    assert rows.collect().equals(lakecast.Project.open(project).table("forecasts"))


def test_an_unknown_engine_is_a_usage_error(project: Path) -> None:
    with pytest.raises(UsageError, match="unknown engine 'cluster'"):
        lakecast.open("forecasts", project=project, engine="cluster")


def test_a_folder_without_a_spec_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"lakecast\.toml"):
        lakecast.Project.open(tmp_path)


def test_an_unknown_table_is_named(project: Path) -> None:
    with pytest.raises(LakecastError, match="nosuch"):
        lakecast.Project.open(project).table("nosuch")


def test_forecast_writes_nothing(project: Path) -> None:
    opened = lakecast.Project.open(project)
    before = opened.status()["tables"]
    one = opened.table("series").select("produto", "loja").head(1)
    frame = opened.forecast(series=one, horizon=3)
    assert frame.height == 3
    assert frame.select("produto", "loja").unique().equals(one)
    assert opened.status()["tables"] == before


def test_what_is_forecast_is_what_is_stored(project: Path) -> None:
    opened = lakecast.Project.open(project)
    keys = ["produto", "loja", "data_venda"]
    fresh, stored = (
        frame.sort(keys).select(*keys, "forecast", "source")
        for frame in (opened.forecast(), opened.table("forecasts"))
    )
    assert fresh.equals(stored)
