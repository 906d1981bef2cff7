"""The one value that says which of the user's columns is what, and the names Lakecast adds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SOURCE: Final = "_source"
ROW: Final = "_row"
LOAD: Final = "_load"
REPAIRED: Final = "_repaired"
BUCKET: Final = "bucket"
CODE: Final = "series_code"
OBSERVED: Final = "observed"
LEVEL: Final = "level"
CUTOFF: Final = "cutoff"
HORIZON: Final = "horizon"
FORECAST: Final = "forecast"
ACTUAL: Final = "actual"
CANDIDATE: Final = "candidate"
WINDOW: Final = "window"
ANSWER: Final = "source"
MODEL_VERSION: Final = "model_version"
PRICE: Final = "price"

RESERVED: Final = frozenset(
    {
        SOURCE, ROW, LOAD, REPAIRED, BUCKET, CODE, OBSERVED, LEVEL, CUTOFF, HORIZON,
        FORECAST, ACTUAL, CANDIDATE, WINDOW, ANSWER, MODEL_VERSION,
    }
)  # fmt: skip

OWN_TABLES: Final = frozenset(
    {
        "backtest", "exposures", "features", "findings", "forecasts", "future", "lease", "metrics",
        "models", "monitoring", "notes", "panel", "predictions", "promotions", "quarantine",
        "series", "studies", "tuning", "work",
    }
)  # fmt: skip
"""Names in the lake that no source may take for its table."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Columns:
    """The user's names for the identity of a series, its time and its target."""

    series: tuple[str, ...]
    time: str
    target: str


def interval_columns(levels: tuple[int, ...]) -> tuple[str, ...]:
    """Names of the interval columns, ``forecast-lo-80`` then ``forecast-hi-80`` a level."""
    return tuple(f"{FORECAST}-{side}-{level}" for level in levels for side in ("lo", "hi"))
