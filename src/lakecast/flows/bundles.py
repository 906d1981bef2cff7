"""Champions' bundles in the lake: one archive a training, written whole or not at all."""

from __future__ import annotations

import io
import tempfile
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lakecast.errors import LakecastError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lakecast.lake.tables import Lake
    from lakecast.models.bundle import Predictor

FOLDER: Final = "models"


def keep(lake: Lake, fingerprint: str, predictor: Predictor) -> None:
    """Save a bundle under the fingerprint of its training."""
    with tempfile.TemporaryDirectory(prefix="lakecast-") as name:
        folder = Path(name) / "bundle"
        predictor.save(folder)
        lake.store.write_bytes(_path(fingerprint), _packed(folder))


def kept(lake: Lake, fingerprint: str) -> bool:
    """Whether that training's bundle is there."""
    return lake.store.exists(_path(fingerprint))


@contextmanager
def unpacked(lake: Lake, fingerprint: str) -> Iterator[Path]:
    """The folder of a bundle, for as long as the body runs.

    Raises `LakecastError` where the lake has lost it.
    """
    try:
        packed = lake.store.read_bytes(_path(fingerprint))
    except FileNotFoundError:
        raise LakecastError(
            "the champion's bundle is gone",
            where=lake.store.uri(_path(fingerprint)),
            cure="restore the lake, or train again with `lakecast run --retrain`",
        ) from None
    with tempfile.TemporaryDirectory(prefix="lakecast-") as name:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            archive.extractall(name)
        yield Path(name)


def load(lake: Lake, fingerprint: str) -> Predictor:
    """The bundle of a training."""
    from lakecast.models.bundle import Predictor

    with unpacked(lake, fingerprint) as folder:
        return Predictor.load(folder)


def take_in(lake: Lake, fingerprint: str, folder: Path) -> None:
    """Keep a bundle that lies in a folder, as MLflow's copy does."""
    lake.store.write_bytes(_path(fingerprint), _packed(folder))


def _packed(folder: Path) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder))
    return held.getvalue()


def _path(fingerprint: str) -> str:
    return f"{FOLDER}/{fingerprint}.zip"
