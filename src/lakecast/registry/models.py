"""Champions in MLflow's model registry: one registered model a project, alias `champion`.

A model is registered as it is: the bundle's folder, the code that reads it, and pinned
requirements; no pickle, and no global of MLflow is touched. The truth about who is champion is the
table `promotions`; the alias follows it (`reconcile`).
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit
from urllib.request import url2pathname

import lakecast
from lakecast.errors import LakecastError, UsageError
from lakecast.registry.address import shown
from lakecast.registry.connection import talking
from lakecast.registry.promotions import EXTERNAL, Promotion, Proposal, champion, promote
from lakecast.registry.tracking import FINGERPRINT, VERSION, Tracking

if TYPE_CHECKING:
    from datetime import datetime

    import polars as pl

    from lakecast.registry.promotions import Table
    from lakecast.registry.prototype import Prototype

ALIAS: Final = "champion"
RECIPE: Final = "lakecast.recipe"
CUTOFF: Final = "lakecast.cutoff"
_FOLLOWS: Final = "lakecast.promotion"
_FOLDER: Final = "model"
# What the bundle imports to load and to answer, MLflow's own loader included.
_NEEDS: Final = (
    "mlflow", "holidays", "lightgbm", "msgspec", "numba", "numpy", "pandas", "polars",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """Where a model comes from: the training's fingerprint and run, the recipe, the cutoff."""

    fingerprint: str
    run_id: str
    recipe: str
    cutoff: str

    def tags(self) -> dict[str, str]:
        """As a model version carries it."""
        return {
            FINGERPRINT: self.fingerprint,
            RECIPE: self.recipe,
            CUTOFF: self.cutoff,
            VERSION: lakecast.__version__,
        }


@dataclass(frozen=True, slots=True)
class Models:
    """The registered model of one project."""

    tracking: Tracking
    name: str

    def find(self, fingerprint: str) -> str | None:
        """The version that came out of a training, if it was registered."""
        query = f"name = '{self.name}' and tags.`{FINGERPRINT}` = '{fingerprint}'"
        with talking(self.tracking.uri):
            found = self.tracking.client.search_model_versions(query)
        return min((str(item.version) for item in found), key=int, default=None)

    def register(self, bundle: Path, prototype: Prototype, origin: Origin) -> str:
        """Register the bundle saved in a folder; returns its version.

        A training is registered once: when its version is there already, that one is returned.
        Raises `Unreachable` when the store does not answer.
        """
        there = self.find(origin.fingerprint)
        if there is not None:
            return there
        client = self.tracking.client
        with talking(self.tracking.uri), tempfile.TemporaryDirectory(prefix="lakecast-") as folder:
            model = Path(folder) / _FOLDER
            _save(model, bundle, prototype)
            client.log_artifacts(origin.run_id, str(model), _FOLDER)
            self._exist()
            made = client.create_model_version(
                self.name,
                source=f"{client.get_run(origin.run_id).info.artifact_uri}/{_FOLDER}",
                run_id=origin.run_id,
                tags=origin.tags(),
            )
        return str(made.version)

    def origin(self, version: str) -> Origin:
        """Where a version comes from.

        Raises `LakecastError` when it is not in MLflow, `UsageError` when Lakecast did not
        register it.
        """
        found = self._version(version)
        tags = found.tags
        if FINGERPRINT not in tags:
            raise UsageError(
                f"version {version} of model `{self.name}` was not registered by Lakecast",
                where=f"MLflow alias `{ALIAS}`",
                cure="move the alias back to a version with a tag " + FINGERPRINT,
            )
        return Origin(
            fingerprint=tags[FINGERPRINT],
            run_id=found.run_id or "",
            recipe=tags.get(RECIPE, ""),
            cutoff=tags.get(CUTOFF, ""),
        )

    def fetch(self, version: str, into: Path) -> Path:
        """The folder of a version's bundle; a remote one is downloaded below `into`."""
        with talking(self.tracking.uri):
            from mlflow.artifacts import download_artifacts
            from mlflow.models import Model

            uri = self.tracking.client.get_model_version_download_uri(self.name, version)
            model = _local(uri) or Path(
                download_artifacts(
                    artifact_uri=uri, dst_path=str(into), tracking_uri=self.tracking.uri
                )
            )
            return model / str(Model.load(str(model)).flavors["python_function"]["data"])

    def alias(self) -> str | None:
        """The version that `champion` points at; None where there is no model or no alias."""
        with talking(self.tracking.uri):
            found = self._registered()
        return None if found is None else _text(found.aliases.get(ALIAS))

    def follow(self, promotion: Promotion) -> None:
        """Point the alias at a promotion's model, and note which promotion that was.

        Raises `LakecastError` when MLflow has lost that model.
        """
        self.origin(promotion.model_version)
        client = self.tracking.client
        with talking(self.tracking.uri):
            client.set_registered_model_alias(self.name, ALIAS, promotion.model_version)
            client.set_registered_model_tag(self.name, _FOLLOWS, str(promotion.version))

    def followed(self) -> int:
        """The last promotion that the alias was made to follow; 0 for none."""
        with talking(self.tracking.uri):
            found = self._registered()
        return 0 if found is None else int(found.tags.get(_FOLLOWS, "0"))

    def _version(self, version: str) -> Any:
        from mlflow.exceptions import MlflowException

        with talking(self.tracking.uri):
            try:
                return self.tracking.client.get_model_version(self.name, version)
            except MlflowException as error:
                if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                    raise
        raise LakecastError(
            f"version {version} of model `{self.name}` is not in MLflow any more",
            where=shown(self.tracking.uri),
            cure="restore the tracking store, or train again with `lakecast run --retrain`",
        )

    def _registered(self) -> Any:
        found = self.tracking.client.search_registered_models(f"name = '{self.name}'")
        return found[0] if found else None

    def _exist(self) -> None:
        from mlflow.exceptions import MlflowException

        if self._registered() is not None:
            return
        try:
            self.tracking.client.create_registered_model(self.name)
        except MlflowException:  # somebody else made it in between, or it is a real refusal
            if self._registered() is None:
                raise


def reconcile(models: Models, table: Table, *, at: datetime) -> Promotion | None:
    """Bring alias and promotions together; returns the champion of now.

    An alias that does not follow the last promotion yet (a kill came in between) is moved. One
    that did, and now points elsewhere, was moved by a person: that is recorded as a promotion
    `by = external`. An alias that is gone is set again.
    """
    now, alias = champion(table), models.alias()
    if now is None and alias is None:
        return None
    version = 0 if now is None else now.version
    model = None if now is None else now.model_version
    followed = models.followed()
    if alias == model and followed == version:
        return now
    by_hand = alias is not None and alias != model and followed == version
    if by_hand and alias is not None:
        now = _record(models, table, alias, at)
    if now is not None:
        models.follow(now)
    return now


def _record(models: Models, table: Table, version: str, at: datetime) -> Promotion:
    now, origin = champion(table), models.origin(version)
    proposal = Proposal(
        kind=EXTERNAL,
        recipe=origin.recipe,
        fingerprint=origin.fingerprint,
        cutoff=origin.cutoff,
        model_version=version,
    )
    replacing = None if now is None else now.version
    return promote(table, proposal, replacing=replacing, by=EXTERNAL, at=at)


def _save(folder: Path, bundle: Path, prototype: Prototype) -> None:
    """A model folder as MLflow's own `save_model` writes it, without asking the model."""
    from mlflow.pyfunc import save_model

    data = folder.parent / "bundle"
    shutil.copytree(bundle, data)
    save_model(
        str(folder),
        loader_module="lakecast.registry.pyfunc",
        data_path=str(data),
        code_paths=[str(Path(lakecast.__file__).parent)],
        pip_requirements=[f"{name}=={metadata.version(name)}" for name in _NEEDS],
        signature=_signature(prototype),
        input_example=_pandas(prototype.example),
    )


def _signature(prototype: Prototype) -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types.schema import (
        ColSpec,
        DataType,
        ParamSchema,
        ParamSpec,
        Schema,
        TensorSpec,
    )

    inputs: list[ColSpec | TensorSpec] = [
        ColSpec(DataType[kind], name, required=name not in prototype.optional)
        for name, kind in prototype.columns.items()
    ]
    params = [ParamSpec("horizon", DataType.long, prototype.horizon)]
    if prototype.levels:
        params.append(ParamSpec("levels", DataType.long, list(prototype.levels), shape=(-1,)))
    return ModelSignature(inputs=Schema(inputs), params=ParamSchema(params))


def _pandas(frame: pl.DataFrame) -> Any:
    import pandas as pd

    return pd.DataFrame({name: frame[name].to_numpy() for name in frame.columns})


def _local(uri: str) -> Path | None:
    parts = urlsplit(uri)
    if parts.scheme == "file":
        return Path(url2pathname(parts.path))
    return Path(uri) if not parts.scheme else None


def _text(value: object) -> str | None:
    return None if value is None else str(value)
