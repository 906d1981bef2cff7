"""The registered unit: everything needed to forecast, without a lake, an engine or a registry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
import polars as pl

from lakecast.columns import ANSWER, CUTOFF, FORECAST, HORIZON
from lakecast.core import classes, intervals
from lakecast.core.block import Future
from lakecast.core.features import State
from lakecast.errors import UsageError
from lakecast.models import codec, inputs, packing
from lakecast.models.byclass import select
from lakecast.models.levels import Levels, every_level

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from lakecast.core.block import PanelInfo
    from lakecast.core.classes import Norm
    from lakecast.core.intervals import Calibration
    from lakecast.core.metrics import Band
    from lakecast.models.protocol import Answer, Forecaster

_FORECASTER: Final = "forecaster"
_SERIES: Final = "series.parquet"
_STATE: Final = "state.npz"
_FUTURE: Final = "future.npz"
_INTERVALS: Final = "intervals.npz"
_LEVELS: Final = "levels.npz"
_LEARNED: Final = "levels"


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """What was asked of the model, and what it is.

    `horizon` is the spec's; `limit` the last horizon it can reach (None: any). `fill` is what a
    period without a row holds (None: null). `recipe` describes what was fit (JSON values).
    `texts` are the vocabularies of time-varying text covariates.
    """

    horizon: int
    limit: int | None
    minimum: float | None
    fill: float | None = 0.0
    recipe: Mapping[str, Any] = field(default_factory=dict)
    texts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Predictor:
    """A fitted forecaster with its calibration, and where every series stands at a cutoff.

    `series` [S] has the series columns and any statics, row i being series i of the state and of
    `future`, which holds what was known of the horizon. `hierarchy`: the levels above the series.
    Immutable, safe between threads.
    """

    forecaster: Forecaster
    calibration: Calibration
    norm: Norm
    info: PanelInfo
    terms: Terms
    state: State
    series: pl.DataFrame
    future: Future
    hierarchy: Levels | None = None

    @property
    def levels(self) -> tuple[int, ...]:
        """Levels of the intervals, percent, ascending."""
        return self.calibration.levels

    def forecast(
        self,
        series: pl.DataFrame | None = None,
        *,
        horizon: int | None = None,
        covariates: pl.DataFrame | None = None,
        levels: Sequence[int] | None = None,
    ) -> pl.DataFrame:
        """Forecasts of the series asked for (absent: of all), by series, then horizon.

        `series` has the series columns, one row a series; one that is not known is answered as
        `cold-start`. `covariates` overrides known-future covariates: see `inputs.override`.
        Columns: the series columns, time, cutoff, horizon, forecast, the intervals, source; the
        forecast is never null. Raises `UsageError` for a horizon or a level it does not have.
        """
        ahead = _horizon(self.terms, horizon)
        wanted = _levels(self.levels, levels)
        asked = self if series is None else self.of(series)
        future = reach(asked.future, ahead)
        if covariates is not None:
            place = inputs.Place(
                series=asked.series, info=asked.info, cutoff=asked.state.cutoff, terms=asked.terms
            )
            future = inputs.override(future, covariates, place)
        answer = asked.forecaster.forecast(asked.state, future)
        bands = [band for band in _bands(asked, answer) if band.level in wanted]
        return asked.framed(asked.named(), answer, bands)

    def every_level(self, size: int = 20_000) -> Iterator[pl.DataFrame]:
        """Forecasts of all series and of every level above them, which add up, in pieces.

        See `levels.every_level`. Without levels only those of the series, under `level` too.
        """
        return every_level(self, self.hierarchy or Levels.none(), size)

    def answer(self) -> Answer:
        """Forecasts of all series over the spec's horizon, as arrays."""
        return self.forecaster.forecast(self.state, self.future_to(self.terms.horizon))

    def future_to(self, horizon: int) -> Future:
        """What is known of the next periods."""
        return reach(self.future, horizon)

    def named(self) -> pl.DataFrame:
        """The series columns of the series."""
        return self.series.select(self.info.columns.series)

    def scale(self) -> NDArray[np.float64]:
        """[S] scale of each series' intervals."""
        tail = classes.tail_of(self.state, classes.DEPTH * self.info.season)
        return classes.spread(tail, self.info.season, self.norm)

    def frame(self, answer: Answer, calibration: Calibration | None = None) -> pl.DataFrame:
        """An answer to all series as `forecast` gives it, with other intervals where told."""
        return self.framed(self.named(), answer, _bands(self, answer, calibration))

    def framed(self, keys: pl.DataFrame, answer: Answer, bands: Sequence[Band]) -> pl.DataFrame:
        """An answer as a frame; `keys` has a row for each of its series, or no columns."""
        return _frame(self, keys, answer, bands)

    def of(self, asked: pl.DataFrame) -> Predictor:
        """This model, standing where it does, for the series asked for, each once, in order."""
        names = list(self.info.columns.series)
        wanted = inputs.keyed(asked, self.series, names).unique(names, maintain_order=True)
        place = inputs.places(wanted, self.series, names)
        known, new = np.flatnonzero(place >= 0), np.flatnonzero(place < 0)
        fresh = wanted[new]
        unknown = self.state.unknown(
            np.full(len(new), -1, np.int32), inputs.statics(fresh, self.info)
        )
        state = State.merge([self.state.select(place[known]), unknown])
        future = _padded(select(self.future, place[known]), len(new))
        order = np.argsort(np.concatenate([known, new]), kind="stable")
        return self.at(state.select(order), wanted.select(names), select(future, order))

    def take(self, indices: NDArray[np.integer]) -> Predictor:
        """This model for the series at the indices, in that order."""
        return self.at(
            self.state.select(indices), self.series[indices], select(self.future, indices)
        )

    def at(self, state: State, series: pl.DataFrame, future: Future) -> Predictor:
        """The same model, standing somewhere else: newer values, other series."""
        info = replace(self.info, cutoff=state.cutoff)
        return replace(self, state=state, series=series, future=future, info=info)

    def save(self, folder: Path) -> None:
        """Write into an empty folder: JSON, npz, Parquet and LightGBM's text, no pickle."""
        folder.mkdir(parents=True, exist_ok=True)
        about = {
            "info": packing.info_out(self.info),
            "terms": asdict(self.terms),
            "norm": asdict(self.norm),
            "intervals": self.calibration.meta(),
            "horizon": self.future.horizon,
            "levels": None if self.hierarchy is None else self.hierarchy.meta(),
        }
        packing.write_about(folder, about)
        self.series.write_parquet(folder / _SERIES)
        packing.write_arrays(folder / _STATE, self.state.to_arrays())
        packing.write_arrays(folder / _FUTURE, self.future.covariates)
        packing.write_arrays(folder / _INTERVALS, self.calibration.arrays())
        if self.hierarchy is not None:
            packing.write_arrays(folder / _LEVELS, self.hierarchy.arrays())
            self.hierarchy.save(folder / _LEARNED)
        codec.save(self.forecaster, folder / _FORECASTER)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `save` wrote: it forecasts the same bits.

        Raises `LakecastError` where there is none, or one of another form.
        """
        about = packing.read_about(folder)
        held, terms = packing.read_arrays(folder / _INTERVALS), about["terms"]
        texts = {name: tuple(values) for name, values in terms["texts"].items()}
        return cls(
            forecaster=codec.load(folder / _FORECASTER),
            calibration=intervals.Calibration.load(held, about["intervals"]),
            norm=classes.Norm(**about["norm"]),
            info=packing.info_in(about["info"]),
            terms=Terms(**{**terms, "texts": texts}),
            state=State.from_arrays(packing.read_arrays(folder / _STATE)),
            series=pl.read_parquet(folder / _SERIES),
            future=Future(
                horizon=about["horizon"], covariates=packing.read_arrays(folder / _FUTURE)
            ),
            hierarchy=Levels.load(
                folder / _LEARNED, packing.read_arrays(folder / _LEVELS), about["levels"]
            )
            if about.get("levels")
            else None,
        )


def needed(forecaster: Forecaster, info: PanelInfo, levels: Levels | None = None) -> int:
    """Number of last values a state must hold to forecast, with intervals and levels."""
    above = 1 if levels is None else levels.memory
    return max(forecaster.memory, classes.DEPTH * info.season, above)


def known_future(info: PanelInfo) -> list[str]:
    """The covariates whose future is known, sorted."""
    return sorted(info.known_future)


def reach(future: Future, horizon: int) -> Future:
    """The future for a shorter or longer horizon; what is not known is null."""
    more = max(horizon - future.horizon, 0)
    return Future(
        horizon=horizon,
        covariates={
            name: np.pad(values[:, :horizon], ((0, 0), (0, more)), constant_values=np.nan)
            for name, values in future.covariates.items()
        },
    )


def _horizon(terms: Terms, horizon: int | None) -> int:
    ahead = terms.horizon if horizon is None else horizon
    if ahead < 1:
        raise UsageError(
            f"a horizon of {ahead} asks for nothing", where="horizon", cure="use 1 or more"
        )
    if terms.limit is not None and ahead > terms.limit:
        raise UsageError(
            f"the champion reaches {terms.limit} periods ahead, {ahead} were asked for",
            where="horizon",
            cure="ask for fewer; or train again with a longer forecast.horizon, or with "
            'train.strategy = "recursive"',
        )
    return ahead


def _levels(calibrated: Sequence[int], levels: Sequence[int] | None) -> frozenset[int]:
    wanted = frozenset(calibrated if levels is None else levels)
    if missing := sorted(wanted - set(calibrated)):
        raise UsageError(
            f"no {missing[0]}% interval was calibrated",
            where="levels",
            cure=f"use {', '.join(map(str, calibrated)) or 'none'}; or add it to forecast.levels "
            "and train again",
        )
    return wanted


def _padded(future: Future, more: int) -> Future:
    return Future(
        horizon=future.horizon,
        covariates={
            name: np.pad(values, ((0, more), (0, 0)), constant_values=np.nan)
            for name, values in future.covariates.items()
        },
    )


def _bands(
    predictor: Predictor, answer: Answer, calibration: Calibration | None = None
) -> tuple[Band, ...]:
    season = predictor.info.season
    tail = classes.tail_of(predictor.state, classes.DEPTH * season)
    forecasts = intervals.Spread(
        forecast=answer.values,
        scale=predictor.scale(),
        classes=classes.classify(tail, season),
    )
    return (calibration or predictor.calibration).apply(forecasts, predictor.terms.minimum)


def _frame(
    predictor: Predictor, keys: pl.DataFrame, answer: Answer, bands: Sequence[Band]
) -> pl.DataFrame:
    series, horizon = answer.values.shape
    info, cutoff = predictor.info, predictor.state.cutoff
    steps = np.tile(np.arange(1, horizon + 1, dtype=np.int32), series)
    owner = np.repeat(np.arange(series), horizon)
    start = info.frequency.start
    columns = {
        f"{FORECAST}-{side}-{band.level}": values.ravel()
        for band in bands
        for side, values in (("lo", band.lo), ("hi", band.hi))
    }
    told = pl.DataFrame(
        [
            pl.Series(info.columns.time, start(cutoff + steps)),
            pl.Series(CUTOFF, np.repeat(start(np.array([cutoff])), len(steps))),
            pl.Series(HORIZON, steps),
            pl.Series(FORECAST, answer.values.ravel()),
            *(pl.Series(name, values, nan_to_null=True) for name, values in columns.items()),
            pl.Series(ANSWER, answer.source.tolist(), dtype=pl.String)[owner].alias(ANSWER),
        ]
    )
    return told if not keys.width else pl.concat([keys[owner], told], how="horizontal")
