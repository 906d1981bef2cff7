"""What a champion's input looks like: the signature and the example that travel with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lakecast.models.bundle import Predictor

Kind = Literal["string", "long", "double", "boolean", "datetime"]
_SERIES: Final = 2
_PERIODS: Final = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Prototype:
    """What a model takes: MLflow's type of each column, and an example that it answers.

    `optional` names the columns that may be left out. `horizon` and `levels` are the defaults
    (and types) of the parameters.
    """

    columns: Mapping[str, Kind]
    optional: frozenset[str]
    horizon: int
    levels: tuple[int, ...]
    example: pl.DataFrame


def prototype(predictor: Predictor) -> Prototype:
    """The prototype of a champion: only the series columns have to be there.

    The example asks for the first periods of the first series, with what is known of them.
    """
    info, texts = predictor.info, predictor.terms.texts
    names = info.columns.series
    kinds: dict[str, Kind] = {name: _kind(predictor.series.schema[name]) for name in names}
    others: dict[str, Kind] = {info.columns.time: "datetime", info.columns.target: "double"}
    others |= {name: "string" if name in texts else "double" for name in info.covariates}
    others |= {name: "string" for name in info.categories if name not in names}
    others |= dict.fromkeys(info.numeric, "double")
    return Prototype(
        columns=kinds | others,
        optional=frozenset(others) - frozenset(names),
        horizon=predictor.terms.horizon,
        levels=predictor.levels,
        example=_example(predictor),
    )


def _kind(dtype: pl.DataType) -> Kind:
    if dtype.is_integer():
        return "long"
    if dtype == pl.Boolean:
        return "boolean"
    return "double" if dtype.is_float() else "string"


def _example(predictor: Predictor) -> pl.DataFrame:
    info, future = predictor.info, predictor.future
    series = predictor.series.select(info.columns.series).head(_SERIES)
    periods = min(_PERIODS, future.horizon)
    steps = np.tile(np.arange(periods), series.height)
    owner = np.repeat(np.arange(series.height), periods)
    frame = series[owner].with_columns(
        pl.Series(info.columns.time, info.frequency.start(predictor.state.cutoff + 1 + steps))
    )
    known = {name: values[owner, steps] for name, values in future.covariates.items()}
    return frame.with_columns(
        _told(name, values.astype(np.float64), predictor.terms.texts.get(name))
        for name, values in known.items()
    )


def _told(name: str, values: NDArray[np.float64], words: tuple[str, ...] | None) -> pl.Series:
    """As a person writes it: texts instead of their codes."""
    if words is None:
        return pl.Series(name, values)
    return pl.Series(name, [words[int(v)] if v >= 0 else None for v in values], dtype=pl.String)
