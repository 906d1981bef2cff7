"""The final fit: the chosen recipe on all data, calibrated, as the bundle that is registered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from lakecast.columns import CODE
from lakecast.core import folds
from lakecast.core.block import Future
from lakecast.core.features import State, state_at
from lakecast.errors import LakecastError
from lakecast.models.bundle import Predictor, Terms, known_future, needed
from lakecast.models.reach import limit
from lakecast.training.bench import FittingBench
from lakecast.training.calibration import calibrate
from lakecast.training.candidates import describe

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from lakecast.core.block import PanelData, PanelInfo
    from lakecast.models.protocol import Forecaster
    from lakecast.training.select import Decision
    from lakecast.training.train import Job, Ran


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """What a bundle needs of the panel beside its blocks.

    `series` has `series_code` and the series columns (and statics), in any order; `futures` the
    known future of each block, in the order of the blocks; `texts` the vocabularies of
    time-varying text covariates.
    """

    series: pl.DataFrame
    futures: Iterable[Future] = ()
    texts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def finish(job: Job, ran: Ran, decision: Decision, standing: Standing) -> Predictor:
    """Fit the decision's choice on all data. Raises `LakecastError` where there is none to fit."""
    if decision.choice is None:
        raise LakecastError(
            "the champion stays as it is: there is nothing to fit", where="select",
            cure="forecast with the champion",
        )  # fmt: skip
    spec, panel = job.spec, job.panel
    candidates = {one.name: one for one in decision.backtest.candidates}
    forecaster = FittingBench(ran.workbench, spec, ran.splits, candidates).final(decision.choice)
    base = folds.basis(panel.blocks(), panel.info.cutoff, panel.info.season)
    state = state_of(panel, forecaster)
    return Predictor(
        forecaster=forecaster,
        calibration=calibrate(decision.backtest, decision.champion, spec.forecast.levels),
        norm=base.norm,
        info=panel.info,
        terms=Terms(
            horizon=spec.forecast.horizon,
            limit=limit(forecaster),
            minimum=spec.forecast.minimum,
            fill=0.0 if spec.panel.gaps == "zero" else None,
            recipe=describe(decision.choice, candidates),
            texts=dict(standing.texts),
        ),
        state=state,
        series=series_of(standing.series, state.codes),
        future=future_of(standing.futures, panel.info, (state.series, spec.forecast.horizon)),
    )


def state_of(panel: PanelData, forecaster: Forecaster) -> State:
    """Where every series of the panel stands at its cutoff, in the order of the panel."""
    info = panel.info
    memory = needed(forecaster, info)
    return State.merge(
        [
            state_at(block, info.cutoff, memory=memory, plans=forecaster.plans)
            for block in panel.blocks()
        ]
    )


def series_of(series: pl.DataFrame, codes: NDArray[np.int32]) -> pl.DataFrame:
    """The rows of the series table in the order of the codes."""
    wanted = pl.DataFrame({CODE: codes})
    return wanted.join(series, on=CODE, how="left", maintain_order="left")


def future_of(futures: Iterable[Future], info: PanelInfo, shape: tuple[int, int]) -> Future:
    """The futures of all blocks as one [S, H]; null where nothing is known.

    Raises `ValueError` where they are not of the panel's series.
    """
    held = list(futures)
    series, horizon = shape
    covariates = {}
    for name in known_future(info):
        parts = [one.covariates[name] for one in held if name in one.covariates]
        values = np.concatenate(parts) if parts else np.full(shape, np.nan, np.float32)
        if len(values) != series:
            raise ValueError(f"futures of {len(values)} series for {series} of the panel")
        wide = np.pad(
            values[:, :horizon],
            ((0, 0), (0, max(horizon - values.shape[1], 0))),
            constant_values=np.nan,
        )
        covariates[name] = wide.astype(np.float32)
    return Future(horizon=horizon, covariates=covariates)
