"""How a bundle lies on disk: JSON for what is told, npz for arrays, no pickle."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lakecast.columns import Columns
from lakecast.core.block import PanelInfo
from lakecast.core.calendar import Frequency
from lakecast.errors import LakecastError
from lakecast.models.codec import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

VERSION: Final = 3
_ABOUT: Final = "bundle.json"


def write_about(folder: Path, about: Mapping[str, Any]) -> None:
    """Write what is told of a bundle. Floats survive bit for bit."""
    text = json.dumps({**about, "version": VERSION}, sort_keys=True, indent=1)
    (folder / _ABOUT).write_text(text, encoding="utf-8")


def read_about(folder: Path) -> dict[str, Any]:
    """What `write_about` wrote. Raises `LakecastError` for no bundle, or one of another form."""
    path = folder / _ABOUT
    try:
        about: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        raise LakecastError(
            "no saved champion can be read here", where=str(path), cure="run `lakecast train`"
        ) from None
    if about["version"] != VERSION:
        raise LakecastError(
            f"the champion was saved in form {about['version']}, this Lakecast reads {VERSION}",
            where=str(path),
            cure="use the version of Lakecast that saved it, or train again",
        )
    return about


def info_out(info: PanelInfo) -> dict[str, Any]:
    """A panel's info as JSON values."""
    return {
        "columns": asdict(info.columns),
        "frequency": info.frequency.text,
        "timezone": info.timezone,
        "seasons": info.seasons,
        "cutoff": info.cutoff,
        "covariates": dict(info.covariates),
        "categories": dict(info.categories),
        "numeric": info.numeric,
        "texts": info.texts,
        "series": info.series,
        "rows": info.rows,
    }


def info_in(told: Mapping[str, Any]) -> PanelInfo:
    """What `info_out` gave."""
    columns = told["columns"]
    return PanelInfo(
        columns=Columns(**{**columns, "series": tuple(columns["series"])}),
        frequency=Frequency(told["frequency"]),
        timezone=told["timezone"],
        seasons=tuple(told["seasons"]),
        cutoff=told["cutoff"],
        covariates=told["covariates"],
        categories={name: tuple(held) for name, held in told["categories"].items()},
        numeric=tuple(told["numeric"]),
        texts=tuple(told["texts"]),
        series=told["series"],
        rows=told["rows"],
    )


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays by name."""
    with path.open("wb") as sink:
        np.savez(sink, allow_pickle=False, **dict(arrays))


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """What `write_arrays` wrote; read-only."""
    with np.load(path, allow_pickle=False) as held:
        return {name: frozen(held[name]) for name in held.files}
