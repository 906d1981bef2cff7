"""Small champions for tests, fit on the panels of `tests.panels`, and frames of their rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from lakecast.core import classes, intervals
from lakecast.core.block import MemoryPanel, after
from lakecast.core.features import State, state_at
from lakecast.models.bundle import Predictor, Terms, known_future, needed
from lakecast.models.recipes import Tabular
from lakecast.spec import Forecast, Panel, Source, Spec

if TYPE_CHECKING:
    from lakecast.core.block import Block
    from lakecast.models.protocol import Forecaster

HORIZON = 14
LEVELS = (50, 80)
RIDGE = Tabular(
    family="linear_regression", strategy="recursive", params={"alpha": 0.01}, horizon=HORIZON
)


def spec() -> Spec:
    """Of the panels of `tests.panels`, with the horizon of these champions."""
    return Spec(
        spec=1,
        sources=(Source(table="sales", path="vendas.csv"),),
        panel=Panel(series=("item",), time="day", target="sales"),
        forecast=Forecast(horizon=HORIZON),
    )


def champion(panel: MemoryPanel, cutoff: int, recipe: Tabular = RIDGE) -> Predictor:
    """A recipe fit on a panel of one block up to a cutoff, standing there."""
    forecaster = recipe.fit(panel, cutoff)
    season = panel.info.season
    tail = classes.tail_of(state(panel, cutoff, forecaster), classes.DEPTH * season)
    fitted = Predictor(
        forecaster=forecaster,
        calibration=_calibration(),
        norm=classes.norm(tail, season),
        info=panel.info,
        terms=Terms(horizon=HORIZON, limit=None, minimum=0.0),
        state=state(panel, cutoff, forecaster),
        series=names(panel).head(0),
        future=after(panel.held[0], cutoff, HORIZON, known_future(panel.info)),
    )
    return standing(fitted, panel, cutoff)


def standing(fitted: Predictor, panel: MemoryPanel, cutoff: int) -> Predictor:
    """The same champion at another cutoff of the panel, from the panel's own blocks."""
    (block,) = panel.held
    return fitted.at(
        state(panel, cutoff, fitted.forecaster),
        names(panel).filter(pl.Series(block.first <= cutoff)),
        after(block, cutoff, HORIZON, known_future(panel.info)),
    )


def state(panel: MemoryPanel, cutoff: int, forecaster: Forecaster) -> State:
    """The panel's state at a cutoff, fit for a forecaster with intervals."""
    memory = needed(forecaster, panel.info)
    return state_at(panel.held[0], cutoff, memory=memory, plans=forecaster.plans)


def names(panel: MemoryPanel) -> pl.DataFrame:
    """The series columns of the panel's series."""
    column = panel.info.columns.series[0]
    return pl.DataFrame({column: panel.info.categories[column]})


def rows(panel: MemoryPanel, first: int, last: int) -> pl.DataFrame:
    """The panel's rows of the periods first .. last: series, time, target, covariates, statics."""
    (block,) = panel.held
    info = panel.info
    when = block.ordinals()
    owner = np.repeat(np.arange(block.codes.size), block.lengths)
    frame = pl.DataFrame(
        {
            info.columns.series[0]: names(panel).to_series()[owner],
            info.columns.time: info.frequency.start(when),
            info.columns.target: block.target.astype(np.float64),
            **{name: held.astype(np.float64) for name, held in block.covariates.items()},
            **_statics(panel, block, owner),
        },
        nan_to_null=True,
    )
    return frame.filter(pl.Series((when >= first) & (when <= last)))


def _statics(panel: MemoryPanel, block: Block, owner: np.ndarray) -> dict[str, object]:
    texts = {
        name: [vocabulary[int(code)] for code in block.statics[name][owner]]
        for name, vocabulary in panel.info.categories.items()
        if name not in panel.info.columns.series
    }
    return texts | {name: block.statics[name][owner] for name in panel.info.numeric}


def _calibration() -> intervals.Calibration:
    rng = np.random.default_rng(3)
    size = 400
    return intervals.calibrate(
        intervals.Residuals(
            values=rng.normal(0, 1, size),
            classes=rng.integers(0, len(classes.CLASSES), size).astype(np.int8),
            groups=rng.integers(0, 2, size).astype(np.int8),
        ),
        LEVELS,
        (7, 14),
    )
