"""The registered model and its alias, on a sqlite store; what it answers is tested elsewhere."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
import yaml

from lakecast.errors import LakecastError, UsageError
from lakecast.lake.store import Store
from lakecast.lake.tables import Lake, Table
from lakecast.registry.models import Models, Origin, reconcile
from lakecast.registry.promotions import (
    TABLE,
    Promotion,
    Proposal,
    champion,
    history,
    promote,
    rollback,
)
from lakecast.registry.prototype import Prototype
from lakecast.registry.tracking import RunLog, Tracking, TrainingLog, open_tracking

if TYPE_CHECKING:
    from collections.abc import Callable

AT = datetime(2026, 3, 1, tzinfo=UTC)
PROTOTYPE = Prototype(
    columns={"loja": "string", "dia": "datetime", "vendas": "double", "promo": "double"},
    optional=frozenset({"vendas", "promo"}),
    horizon=28,
    levels=(80, 95),
    example=pl.DataFrame({"loja": ["a"], "dia": [date(2026, 3, 1)], "promo": [1.0]}),
)


@pytest.fixture
def models(tracking: Tracking) -> Models:
    return Models(tracking, "lojas")


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "fitted"
    folder.mkdir()
    (folder / "model.json").write_text("{}")
    return folder


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return Lake(Store.open(tmp_path / "lake")).table(TABLE)


@pytest.fixture
def register(models: Models, bundle: Path) -> Callable[[str], str]:
    def one(name: str) -> str:
        run_id = models.tracking.log(TrainingLog(fingerprint=name, run=RunLog(name=name)))
        origin = Origin(fingerprint=name, run_id=run_id, recipe=f"r-{name}", cutoff="2026-02-28")
        return models.register(bundle, PROTOTYPE, origin)

    return one


def put(table: Table, version: str) -> Promotion:
    now = champion(table)
    proposal = Proposal(
        kind="replacement",
        recipe="r",
        fingerprint=f"f{version}",
        cutoff="2026-02-28",
        model_version=version,
    )
    replacing = None if now is None else now.version
    return promote(table, proposal, replacing=replacing, by="ana", at=AT)


def test_what_is_registered_is_the_bundle_its_code_and_its_requirements(
    models: Models, register: Callable[[str], str], tmp_path: Path
) -> None:
    found = models.fetch(register("a"), tmp_path / "never used")
    assert (found / "model.json").read_text() == "{}"
    assert not (tmp_path / "never used").exists()
    model = found.parents[1]
    told = yaml.safe_load((model / "MLmodel").read_text())
    assert told["flavors"]["python_function"]["loader_module"] == "lakecast.registry.pyfunc"
    assert (model / "code" / "lakecast" / "registry" / "pyfunc.py").exists()
    assert not list(model.rglob("*.pkl"))
    assert not list(model.rglob("__pycache__"))
    pinned = (model / "requirements.txt").read_text().splitlines()
    assert {line.split("==")[0] for line in pinned} == {
        "mlflow", "holidays", "lightgbm", "msgspec", "numba", "numpy", "pandas", "polars",
    }  # fmt: skip
    assert all("==" in line for line in pinned)


def test_signature_parameters_and_example(
    models: Models, register: Callable[[str], str], tmp_path: Path
) -> None:
    from mlflow.models import Model

    found = Model.load(str(models.fetch(register("a"), tmp_path).parents[1]))
    inputs = {
        spec["name"]: (spec["type"], spec["required"]) for spec in found.signature.inputs.to_dict()
    }
    assert inputs == {
        "loja": ("string", True),
        "dia": ("datetime", True),
        "vendas": ("double", False),
        "promo": ("double", False),
    }
    params = {spec["name"]: spec["default"] for spec in found.signature.params.to_dict()}
    assert params == {"horizon": 28, "levels": [80, 95]}
    example = json.loads(
        (models.fetch("1", tmp_path).parents[1] / "input_example.json").read_text()
    )
    assert example["columns"] == ["loja", "dia", "promo"]


def test_a_training_is_registered_once(models: Models, register: Callable[[str], str]) -> None:
    assert models.find("a") is None
    assert register("a") == "1"
    assert register("a") == "1"
    assert register("b") == "2"
    assert models.find("a") == "1"


def test_killed_between_files_and_version_it_is_registered_by_the_next(
    models: Models, register: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def dies(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(type(models.tracking.client), "create_model_version", dies)
        with pytest.raises(Killed):
            register("a")
    assert models.find("a") is None
    assert register("a") == "1"


def test_a_version_knows_where_it_comes_from(
    models: Models, register: Callable[[str], str]
) -> None:
    origin = models.origin(register("a"))
    assert (origin.fingerprint, origin.recipe, origin.cutoff) == ("a", "r-a", "2026-02-28")
    assert models.tracking.client.get_run(origin.run_id).info.run_name == "a"


def test_a_version_that_mlflow_lost_is_named(models: Models, table: Table) -> None:
    with pytest.raises(LakecastError, match="version 7 of model `lojas` is not in MLflow"):
        models.follow(put(table, "7"))


def test_without_champion_and_alias_there_is_nothing_to_do(models: Models, table: Table) -> None:
    assert reconcile(models, table, at=AT) is None
    assert models.alias() is None


def test_the_alias_follows_the_last_promotion(
    models: Models, table: Table, register: Callable[[str], str]
) -> None:
    for name in ("a", "b"):
        put(table, register(name))
        reconcile(models, table, at=AT)
    assert models.alias() == "2"
    rollback(table, by="bia", at=AT)
    reconcile(models, table, at=AT)
    assert models.alias() == "1"
    assert len(history(table)) == 3


def test_an_alias_that_a_kill_left_behind_is_moved(
    models: Models, table: Table, register: Callable[[str], str]
) -> None:
    put(table, register("a"))
    reconcile(models, table, at=AT)
    second = put(table, register("b"))  # and then the kill
    assert models.alias() == "1"
    assert reconcile(models, table, at=AT) == second
    assert models.alias() == "2"
    assert [row.by for row in history(table)] == ["ana", "ana"]


def test_an_alias_moved_by_hand_is_a_promotion(
    models: Models, table: Table, register: Callable[[str], str]
) -> None:
    for name in ("a", "b"):
        put(table, register(name))
        reconcile(models, table, at=AT)
    models.tracking.client.set_registered_model_alias("lojas", "champion", "1")
    found = reconcile(models, table, at=AT)
    assert found == champion(table)
    assert found is not None
    assert (found.kind, found.by, found.model_version) == ("external", "external", "1")
    assert (found.recipe, found.fingerprint, found.previous) == ("r-a", "a", 2)
    assert reconcile(models, table, at=AT) == found
    assert len(history(table)) == 3


def test_an_alias_that_is_gone_is_set_again(
    models: Models, table: Table, register: Callable[[str], str]
) -> None:
    first = put(table, register("a"))
    reconcile(models, table, at=AT)
    models.tracking.client.delete_registered_model_alias("lojas", "champion")
    assert reconcile(models, table, at=AT) == first
    assert models.alias() == "1"


def test_an_alias_on_somebody_elses_version_is_refused(
    models: Models, table: Table, register: Callable[[str], str]
) -> None:
    put(table, register("a"))
    reconcile(models, table, at=AT)
    client: Any = models.tracking.client
    other = client.create_model_version("lojas", source="s3://elsewhere/model")
    client.set_registered_model_alias("lojas", "champion", other.version)
    with pytest.raises(UsageError, match="not registered by Lakecast"):
        reconcile(models, table, at=AT)
    assert len(history(table)) == 1


def test_a_moved_project_still_finds_its_champion(
    models: Models, table: Table, register: Callable[[str], str], tmp_path: Path
) -> None:
    put(table, register("a"))
    reconcile(models, table, at=AT)
    home = Path(models.tracking.uri.removeprefix("sqlite:///")).parent
    moved = tmp_path / "moved é"
    shutil.move(home, moved)
    again = Models(open_tracking(f"sqlite:///{moved}/mlflow.db", "lojas"), "lojas")
    assert again.alias() == "1"
    found = again.fetch("1", tmp_path / "never used")
    assert found.is_relative_to(moved)
    assert (found / "model.json").exists()
