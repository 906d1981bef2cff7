"""Fingerprints: what makes a stage's result the same, and therefore not worth doing again.

A fingerprint hashes the stage's part of the spec with its defaults, `as_of`, the stage's code
number, the versions of the libraries that compute, and the content ids of its inputs.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, Final, Literal

from lakecast.spec import digest

Stage = Literal["panel", "features", "tune", "train", "select", "forecast", "report"]

CODE: Final[dict[Stage, int]] = {
    "panel": 2,
    "features": 3,
    "tune": 1,
    "train": 6,
    "select": 1,
    "forecast": 4,
    "report": 2,
}
"""Raised by hand when a stage's code computes something else from the same inputs."""

LIBRARIES: Final[dict[Stage, tuple[str, ...]]] = {
    "panel": ("numpy", "polars"),
    "features": ("numpy", "numba", "holidays"),
    "tune": ("numpy", "numba", "lightgbm", "holidays", "optuna"),
    "train": ("numpy", "numba", "lightgbm", "holidays"),
    "select": ("numpy", "numba", "lightgbm", "holidays"),
    "forecast": ("numpy", "numba", "lightgbm", "holidays"),
    "report": (),
}


def fingerprint(stage: Stage, *inputs: Any) -> str:
    """32 hex digits; `inputs` are spec values, texts and numbers, in a fixed order."""
    libraries = [f"{name} {version(name)}" for name in LIBRARIES[stage]]
    return digest(stage, CODE[stage], libraries, list(inputs))
