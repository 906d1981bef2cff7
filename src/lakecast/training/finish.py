"""The final fit: the chosen recipe on all data, calibrated, as the bundle that is registered."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from lakecast.core import folds
from lakecast.core.features import State, state_at
from lakecast.errors import LakecastError
from lakecast.models.bundle import Predictor, Terms, known_future, needed
from lakecast.models.reach import limit
from lakecast.models.standing import Standing, future_of, series_of
from lakecast.training.bench import final
from lakecast.training.calibration import calibrate
from lakecast.training.candidates import describe
from lakecast.training.parts import by_parts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakecast.core.block import PanelData
    from lakecast.core.classes import Norm
    from lakecast.core.features import FeaturePlan
    from lakecast.engines.protocol import MapBlocks
    from lakecast.models.levels import Levels
    from lakecast.models.protocol import Forecaster
    from lakecast.training.select import Decision
    from lakecast.training.train import Job, Ran

__all__ = ["Standing", "at_end", "finish"]


def finish(
    job: Job, ran: Ran, decision: Decision, standing: Standing, levels: Levels | None = None
) -> Predictor:
    """Fit the decision's choice on all data; `levels` are those above the series.

    Raises `LakecastError` where there is nothing to fit.
    """
    if decision.choice is None:
        raise LakecastError(
            "the champion stays as it is: there is nothing to fit", where="select",
            cure="forecast with the champion",
        )  # fmt: skip
    spec, panel = job.spec, job.panel
    candidates = {one.name: one for one in decision.backtest.candidates}
    forecaster = final(replace(ran.bench, candidates=candidates), decision.choice)
    state, norm = at_end(panel, forecaster, levels, job.engine)
    return Predictor(
        forecaster=forecaster,
        calibration=calibrate(decision.backtest, decision.champion, spec.forecast.levels),
        norm=norm,
        info=panel.info,
        terms=Terms(
            horizon=spec.forecast.horizon,
            limit=limit(forecaster),
            minimum=spec.forecast.minimum,
            fill=0.0 if spec.panel.gaps == "zero" else None,
            recipe=describe(decision.choice, candidates, spec),
            texts=dict(standing.texts),
        ),
        state=state,
        series=series_of(standing.series, state.codes),
        future=future_of(
            standing.futures, known_future(panel.info), (state.series, spec.forecast.horizon)
        ),
        hierarchy=levels,
    )


def at_end(
    panel: PanelData,
    forecaster: Forecaster,
    levels: Levels | None = None,
    engine: MapBlocks | None = None,
) -> tuple[State, Norm]:
    """Where every series of the panel stands at its cutoff, in the order of the panel, and the norm
    of its demand; the panel is read once."""
    memory, season = needed(forecaster, panel.info, levels), panel.info.season
    work = partial(_ends, memory=memory, plans=forecaster.plans)
    every = by_parts(engine, panel, work, title="states")
    states, measured = zip(*(block for part in every for block in part), strict=True)
    norm = folds.norm_of(measured, season)
    del measured
    return State.merge(states), norm


def _ends(
    panel: PanelData, *, memory: int, plans: Sequence[FeaturePlan]
) -> list[tuple[State, folds.Measured]]:
    cutoff, season = panel.info.cutoff, panel.info.season
    return [
        (state_at(block, cutoff, memory=memory, plans=plans), measured)
        for block in panel.blocks()
        for measured in folds.measured([block], cutoff, season)
    ]
