"""What each stage takes, by plain formulas whose constants were measured.

Memory, in bytes: what the interpreter and its libraries take, then what grows with rows, series and
columns. Measured on Linux with glibc, LightGBM 4.6 in column-wise form and two threads; sizes that
two stages share are counted once. Time, in seconds of two threads of an ordinary server; what a
lake noted of its own earlier runs corrects it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from lakecast.core.features.defaults import group_scale
from lakecast.lake.panels import BLOCK_ROWS
from lakecast.models.sizes import (
    AT_ONCE,
    FLOAT,
    HELD,
    PIECE,
    ROOM,
    SAMPLE,
    binned,
    fitted,
    fitted_apart,
)

if TYPE_CHECKING:
    from lakecast.flows.budget.facts import Facts
    from lakecast.spec import Spec
    from lakecast.training.outline import Fit, Outline

MB: Final = 1_000_000

LAKE: Final = 250 * MB  # the interpreter with Polars, PyArrow and Delta, after a first stage
LEARN: Final = 620 * MB  # and with NumPy's and numba's kernels, LightGBM and SciPy
TRACK: Final = 90 * MB  # MLflow with SQLAlchemy
AFTER: Final = 820 * MB  # all of these, and what a training leaves behind
SOURCE: Final = 110 * MB  # a piece of a source, or of `sales`, per thread: read, parsed, written
KEY: Final = 18  # a key of a row, as `core.keyset` holds it

EDGES: Final = 9  # a cell of the sample that bin edges are found in, at most SAMPLE rows
COPIES: Final = 3  # of a block or a state while it is read, cut and turned
JOINED: Final = 6  # of a part of a bucket while it is joined and completed
ACTUALS: Final = 2 * 8  # a value of a window, as it is and as it is scored
SCORES: Final = 2 * 14 * 8  # a forecast while it is scored: fourteen sums in float64, and a copy
HISTOGRAM: Final = 2 * 255 * 16  # of one column in one leaf, and as much for its parent
OUTPUT: Final = 200  # a row of forecasts as a frame, with names and intervals, and as Arrow
WORKBENCH: Final = 1 / ROOM  # share of the room that a workbench is told

_INGEST: Final = 2_500_000  # rows a second
_READ: Final = 4_000_000  # rows of the lake a second, surveyed and aggregated
_FEATURES: Final = 600_000  # rows a second and plan, made and binned
_CELLS: Final = 600_000_000  # cells a second and thread that trees go through
_ANSWERS: Final = 400_000  # forecasts a second, made and scored
_START: Final = 5.0  # loading libraries, compiling kernels


@dataclass(frozen=True, kw_only=True, slots=True)
class Need:
    """Peak memory of a stage in bytes, its parts by name, and its time in seconds.

    `formula` is the time before what this lake took earlier corrects it. On a cluster `parts` are
    of this process and `each` of one of the `workers`, of which `beside` share this machine's
    budget; `memory` is all that does.
    """

    stage: str
    memory: int
    seconds: float
    formula: float
    parts: Mapping[str, int]
    each: Mapping[str, int] = field(default_factory=dict)
    workers: int = 0
    beside: int = 0

    @classmethod
    def of(cls, stage: str, seconds: float, **parts: float) -> Need:
        """A stage that takes the sum of its parts, in this process."""
        sizes = {name: int(size) for name, size in parts.items()}
        total = sum(sizes.values())
        return cls(stage=stage, memory=total, seconds=seconds, formula=seconds, parts=sizes)

    @property
    def here(self) -> int:
        """Bytes of this process, and of the cluster's own where it was started here."""
        return sum(self.parts.values())

    @property
    def worker(self) -> int:
        """Bytes of one worker; 0 where there are none."""
        return sum(self.each.values())

    def corrected(self, factor: float) -> Need:
        """With its time multiplied."""
        return replace(self, seconds=self.formula * factor)

    def to_dict(self) -> dict[str, Any]:
        """As JSON-able values."""
        return {**asdict(self), "worker": self.worker}


def needs(facts: Facts, spec: Spec, budget: int) -> tuple[Need, ...]:
    """Of each stage, in order; of those behind the panel only where there is one."""
    first = (ingest(facts), panel(facts, spec))
    if facts.ground is None:
        return first
    fits = facts.fits
    learned = [] if fits is None else [one(facts, fits, spec, budget) for one in (train, select)]
    return (*first, *learned, forecast(facts, spec), report(facts, spec))


def ingest(facts: Facts) -> Need:
    """Bounded by the pieces, however much there is to read; but keys are all remembered."""
    return Need.of(
        "ingest", facts.loaded / _INGEST, libraries=LAKE, pieces=SOURCE * facts.threads,
        keys=facts.keyed * KEY,
    )  # fmt: skip


def panel(facts: Facts, spec: Spec) -> Need:
    """A piece and a part of a bucket a thread, and a few numbers a series."""
    rows, series = _rows(facts), _series(facts)
    part = min(rows // spec.panel.buckets, BLOCK_ROWS) * _wide(facts, spec) * JOINED
    seconds = _START + facts.loaded / _READ + rows / _READ
    return Need.of(
        "panel", seconds, libraries=LAKE, pieces=SOURCE * facts.threads,
        parts=part * facts.threads, series=series * 400,
    )  # fmt: skip


def moved(facts: Facts, spec: Spec) -> int:
    """All rows as they are on their way to the bucket they belong to."""
    return _rows(facts) * _wide(facts, spec)


def _wide(facts: Facts, spec: Spec) -> int:
    """A row of a part: a code, a period, a target, and the covariates."""
    return 8 * (3 + (_covariates(facts) if facts.ground else _declared(spec)))


def train(facts: Facts, fits: Outline, spec: Spec, budget: int) -> Need:
    """Binned sets, the larger of binning and fitting; forecasts are read back after."""
    fixed = standing(facts, fits, spec)
    held = sets(facts, fits, budget - sum(fixed.values()))
    judged = max(judging(facts, fits, spec) - sum(held.values()), 0)
    return Need.of("train", _training(facts, fits, spec), **fixed, **held, judging=judged)


def select(facts: Facts, fits: Outline, spec: Spec, budget: int) -> Need:
    """The fit on all data beside the sets that are kept from before it, and what is registered."""
    fixed = {**standing(facts, fits, spec), "tracking": TRACK, "beside": beside(facts, spec)}
    held = sets(facts, fits, budget - sum(fixed.values()))
    seconds = _fitting(facts, (fit for fit in fits.fits if fit.purpose == "final"))
    return Need.of("select", _START + seconds, **fixed, **held)


def standing(facts: Facts, fits: Outline, spec: Spec) -> dict[str, int]:
    """Parts of a training that do not depend on `train.rows`."""
    return {
        "libraries": LEARN,
        "panel": _held(facts),
        "reading": min(_rows(facts), BLOCK_ROWS) * (1 + _covariates(facts)) * FLOAT * COPIES,
        "windows": _series(facts) * spec.forecast.horizon * fits.windows * ACTUALS,
        "edges": min(SAMPLE, fits.shared) * fits.columns * EDGES,
        "histograms": fits.leaves * fits.columns * HISTOGRAM,
    }


def judging(facts: Facts, fits: Outline, spec: Spec) -> int:
    """All forecasts of the backtest, and one window of one candidate while it is scored."""
    answers = _series(facts) * spec.forecast.horizon
    return answers * (fits.forecasts * fits.windows * 8 + SCORES)


def sets(facts: Facts, fits: Outline, room: int) -> dict[str, int]:
    """Binned sets: of all plans where the room is ample, else of one fit at a time.

    Where that is too little too, and models are fit apart, of as many values as go into it. Of
    those, as many are fit side by side as there are threads.
    """
    told = max(int(WORKBENCH * room), 0)
    size, fit = binned(1, fits.columns), row_bytes(fits)
    if 2 * size * fits.shared > told:
        largest = fits.largest * fits.rows
        held = int(max(largest, min(fits.rows, room // fit)))
        fitting = int(min(held, facts.threads * largest)) * (fit - size)
        return {"rows": held * size, "fitting": max(fitting, _piece(facts, fits))}
    rows = min(fits.plans * fits.shared * size, max(told, fits.shared * size))
    fitting = fitted(fits.rows, fits.columns)
    return {"rows": rows, "fitting": max(fitting, _piece(facts, fits)),
            "states": _states(facts, fits, told)}  # fmt: skip


def forecast(facts: Facts, spec: Spec) -> Need:
    """The state of every series, and all forecasts as one frame."""
    answers = _series(facts) * spec.forecast.horizon
    return Need.of(
        "forecast", _START + answers / _ANSWERS, libraries=AFTER,
        state=_state(facts, spec) * COPIES, forecasts=answers * OUTPUT * 2,
    )  # fmt: skip


def report(facts: Facts, spec: Spec) -> Need:
    """The champion's forecasts in the backtest and beyond."""
    answers = _series(facts) * spec.forecast.horizon
    windows = facts.fits.windows if facts.fits else 0
    return Need.of(
        "report", _START + answers * windows / _ANSWERS, libraries=AFTER,
        forecasts=answers * OUTPUT * (1 + windows),
    )  # fmt: skip


def beside(facts: Facts, spec: Spec) -> int:
    """What is alive beside the rows of the final fit: the state, the champion's forecasts."""
    windows = facts.fits.windows if facts.fits else 0
    return _state(facts, spec) + _series(facts) * spec.forecast.horizon * windows * 8


def row_bytes(fits: Outline) -> int:
    """What one more row takes that is held while models are fit, one set at a time."""
    size = fitted if fits.largest == 1 else fitted_apart
    return size(1, fits.columns)


def _held(facts: Facts) -> int:
    """A small panel, while models are fit."""
    size = facts.ground.info.size if facts.ground else 0
    return size if size <= HELD else 0


def _piece(facts: Facts, fits: Outline) -> int:
    """The features of the pieces of blocks made at a time, while rows are drawn or binned."""
    return min(_rows(facts), PIECE) * fits.columns * FLOAT * AT_ONCE


def _states(facts: Facts, fits: Outline, told: int) -> int:
    """Four cutoffs' states are kept where they fit in."""
    size = 4 * _series(facts) * fits.memory * (1 + _covariates(facts)) * FLOAT
    return size if size <= told else size // 4


def _state(facts: Facts, spec: Spec) -> int:
    memory = facts.fits.memory if facts.fits else 8 * spec.forecast.horizon
    if facts.ground and spec.hierarchy.levels and spec.hierarchy.method != "bottom_up":
        memory = max(memory, group_scale(facts.ground.info))
    return _series(facts) * (memory + spec.forecast.horizon) * (1 + _covariates(facts)) * FLOAT


def _training(facts: Facts, fits: Outline, spec: Spec) -> float:
    answers = _series(facts) * spec.forecast.horizon * fits.windows * fits.forecasts
    grown = _fitting(facts, (fit for fit in fits.fits if fit.purpose != "final"))
    return _START + grown + answers / _ANSWERS


def _fitting(facts: Facts, fits: Iterable[Fit]) -> float:
    every = list(fits)
    grown = sum(fit.cells for fit in every) / (_CELLS * facts.threads)
    return grown + sum(fit.rows * fit.models for fit in every) / _FEATURES


def _rows(facts: Facts) -> int:
    return facts.ground.info.rows if facts.ground else facts.loaded


def _series(facts: Facts) -> int:
    return facts.ground.info.series if facts.ground else 0


def _declared(spec: Spec) -> int:
    """Covariates over time that the spec gives a role."""
    roles = (column.role for source in spec.sources for column in source.columns.values())
    return sum(role in {"known-future", "past-only"} for role in roles)


def _covariates(facts: Facts) -> int:
    return len(facts.ground.info.covariates) if facts.ground else 0
