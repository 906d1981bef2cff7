"""Saving and loading of everything fitted: JSON for values, npz for arrays, no pickle.

A saved thing is a folder with `model.json` (its kind and its values), `arrays.npz` where it has
arrays, other files of its own (LightGBM's text), and one folder a member. Loading looks the kind
up here and imports its module only then.
"""

from __future__ import annotations

import importlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lakecast.errors import LakecastError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from lakecast.models.protocol import Fitted, Forecaster

KINDS: Final[Mapping[str, str]] = {
    "flat": "lakecast.models.flat:Flat",
    "ridge": "lakecast.models.linear:FittedRidge",
    "trees": "lakecast.models.boosting:FittedTrees",
    "partitioned": "lakecast.models.partitioned:Partitioned",
    "naive": "lakecast.models.baselines:Naive",
    "seasonal-naive": "lakecast.models.baselines:SeasonalNaive",
    "moving-average": "lakecast.models.baselines:MovingAverage",
    "seasonal-mean": "lakecast.models.baselines:SeasonalMean",
    "theta": "lakecast.models.theta:Theta",
    "recursive": "lakecast.models.recursive:Recursive",
    "direct": "lakecast.models.direct:Direct",
    "average": "lakecast.models.average:Average",
    "by-class": "lakecast.models.byclass:ByClass",
    "routed": "lakecast.models.routed:Routed",
}

_VALUES: Final = "model.json"
_ARRAYS: Final = "arrays.npz"


@dataclass(frozen=True, slots=True)
class Stored:
    """What `write` wrote: values, arrays, and the folder for files and members beside them."""

    folder: Path
    values: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]]

    def member(self, name: str) -> Any:
        """The fitted thing saved in the folder of this name."""
        return load(self.folder / name)


def write(
    folder: Path,
    kind: str,
    values: Mapping[str, Any] | None = None,
    arrays: Mapping[str, NDArray[Any]] | None = None,
) -> None:
    """Write into a folder, which is made if it does not exist. Floats survive bit for bit."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"kind": kind, "values": dict(values or {})}, sort_keys=True, indent=1)
    (folder / _VALUES).write_text(text, encoding="utf-8")
    if arrays:
        with (folder / _ARRAYS).open("wb") as sink:
            np.savez(sink, allow_pickle=False, **dict(arrays))


def save(fitted: Forecaster | Fitted, folder: Path) -> None:
    """Write a forecaster or a regressor into an empty folder."""
    fitted.save(folder)


def load(folder: Path) -> Any:
    """What `save` wrote, equal to it bit for bit. Raises `LakecastError` where nothing is."""
    path = Path(folder) / _VALUES
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
        place = KINDS[tree["kind"]]
    except (FileNotFoundError, json.JSONDecodeError, KeyError) as error:
        raise LakecastError(
            "no saved model can be read here", where=str(path), cure="save the model again"
        ) from error
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name).restore(
        Stored(Path(folder), tree["values"], _arrays(Path(folder)))
    )


def _arrays(folder: Path) -> dict[str, NDArray[Any]]:
    if not (folder / _ARRAYS).exists():
        return {}
    with np.load(folder / _ARRAYS, allow_pickle=False) as held:
        return {name: frozen(held[name]) for name in held.files}


def frozen(values: NDArray[Any]) -> NDArray[Any]:
    """The same array, which can no longer be written to."""
    values.flags.writeable = False
    return values
