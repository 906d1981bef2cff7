"""What a report is made of: values and frames that the runner gathers. No lake, no clock.

Frames need the columns of their schema below; further columns are welcome (a metric the report
knows is shown, anything else is ignored). Null means "not known" everywhere. A part that does not
apply keeps its default, and the report says that it is empty instead of leaving it out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

import polars as pl

from lakecast.columns import ACTUAL, CANDIDATE, FORECAST, HORIZON, LEVEL
from lakecast.errors import LakecastError

if TYPE_CHECKING:
    from datetime import date, datetime

    from lakecast.spec.model import Level, Spec

BASELINE_FAMILY: Final = "baseline"
Kind = Literal[
    "first", "refresh", "replacement", "baseline", "kept", "rollback", "external", "none"
]

LEADERBOARD: Final = pl.Schema(
    {
        CANDIDATE: pl.String(),
        "family": pl.String(),
        "nested": pl.Boolean(),
        "champion": pl.Boolean(),
        "best_params": pl.String(),
        **dict.fromkeys(
            ("rmsse", "rmse", "mae", "r2", "mase", "wape", "bias", "coverage"), pl.Float64()
        ),
    }
)
BY_HORIZON: Final = pl.Schema({CANDIDATE: pl.String(), HORIZON: pl.Int32()})
BY_SEGMENT: Final = pl.Schema(
    {CANDIDATE: pl.String(), "segment": pl.String(), "value": pl.String(), "series": pl.Int64()}
)
LEVELS: Final = pl.Schema({LEVEL: pl.String(), "groups": pl.Int64(), "method": pl.String()})
COVERAGE: Final = pl.Schema(
    {
        "level": pl.Int32(), "class": pl.String(), HORIZON: pl.Int32(), "rows": pl.Int64(),
        "coverage": pl.Float64(), "width": pl.Float64(),
    }
)  # fmt: skip
FINDINGS: Final = pl.Schema(
    {"kind": pl.String(), "series": pl.String(), "detail": pl.String(), "count": pl.Int64()}
)
IMPORTANCES: Final = pl.Schema({"feature": pl.String(), "importance": pl.Float64()})
MONEY: Final = pl.Schema({CANDIDATE: pl.String(), "over": pl.Float64(), "under": pl.Float64()})


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """How often one rule of the contract spoke in one load, with a few examples as people read."""

    name: str
    level: Level
    count: int
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """One ingested file or query. `read` = `landed` + `quarantined`, unless it was rejected."""

    table: str
    source: str
    read: int
    landed: int
    quarantined: int
    repaired: int = 0
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What the gate decided, and who answers now.

    `champion`, `challenger` and `baseline` name rows of the leaderboard: who forecasts now, who
    asked to and was refused (kind `kept` or `baseline`), and the best baseline. `members` are the
    candidates the champion is made of, where it is a choice between others. `gain` is the
    relative reduction of the gate's metric against the baseline (0.2: a fifth less error;
    absent: taken from the leaderboard), `interval` its 95% interval. `reasons` are the verdict's
    lines, for people; a line may be a term and a text with two spaces or more between them.
    """

    kind: Kind = "none"
    champion: str | None = None
    challenger: str | None = None
    baseline: str | None = None
    members: tuple[str, ...] = ()
    version: str = ""
    gain: float | None = None
    interval: tuple[float, float] | None = None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Money:
    """What the errors of the backtest are worth at the price of their day.

    `by_candidate` has the columns of `MONEY`, sums over all scored rows, both sides positive.
    `priced` is the share of scored rows whose price is known; the others count nothing.
    """

    by_candidate: pl.DataFrame
    priced: float = 1.0
    currency: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """What one stage took: wall and processor seconds, peak memory in bytes, rows gone through."""

    name: str
    seconds: float
    cpu_seconds: float | None = None
    peak_memory: int | None = None
    rows: int | None = None
    skipped: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnSize:
    """Bytes in memory of one column, as read and as narrowed."""

    table: str
    column: str
    rows: int
    before: int
    after: int
    dtype: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """Something to do next: a sentence and, where there is one, the command."""

    text: str
    command: str = ""


@dataclass(frozen=True, kw_only=True)
class ReportData:
    """One run, ready to be shown.

    `history` holds the series columns, time and target; `backtest` the champion's forecasts in
    its windows (columns of the table `backtest`; rows of other candidates are left out here);
    `levels` a row a level, last the series, with the champion's figures; `coverage` what its
    intervals held by demand class and horizon group (null: all of them);
    `forecasts` the columns of the table; `held_back` the series columns, time and `actual` of
    periods that no model saw. Only `history` may be large: it is read once or twice, lazily.
    """

    spec: Spec
    cutoff: date | datetime
    as_of: date | datetime
    decision: Decision = Decision()
    loads: tuple[Load, ...] = ()
    findings: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=FINDINGS))
    leaderboard: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=LEADERBOARD))
    by_horizon: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=BY_HORIZON))
    by_segment: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=BY_SEGMENT))
    levels: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=LEVELS))
    coverage: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=COVERAGE))
    money: Money | None = None
    history: pl.LazyFrame | None = None
    backtest: pl.DataFrame | None = None
    forecasts: pl.DataFrame | None = None
    held_back: pl.DataFrame | None = None
    importances: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=IMPORTANCES))
    stages: tuple[Stage, ...] = ()
    sizes: tuple[ColumnSize, ...] = ()
    next_steps: tuple[Step, ...] = ()

    def __post_init__(self) -> None:
        """Raise `LakecastError` where a frame lacks a column that the report cannot do without."""
        keys = (*self.spec.panel.series, self.spec.panel.time)
        _need(self.leaderboard, "leaderboard", (CANDIDATE, "family"))
        _need(self.by_horizon, "by_horizon", tuple(BY_HORIZON))
        _need(self.by_segment, "by_segment", (CANDIDATE, "segment", "value"))
        _need(self.levels, "levels", tuple(LEVELS))
        _need(self.coverage, "coverage", tuple(COVERAGE))
        _need(self.findings, "findings", tuple(FINDINGS))
        _need(self.importances, "importances", tuple(IMPORTANCES))
        _need(self.backtest, "backtest", (*keys, HORIZON, FORECAST, ACTUAL))
        _need(self.forecasts, "forecasts", (*keys, FORECAST))
        _need(self.held_back, "held_back", (*keys, ACTUAL))
        if self.money is not None:
            _need(self.money.by_candidate, "money", tuple(MONEY))
        if self.history is not None:
            names = tuple(self.history.collect_schema())
            _lacking(names, "history", (*keys, self.spec.panel.target))

    @property
    def champion_backtest(self) -> pl.DataFrame | None:
        """The champion's rows of `backtest` (all, where it does not tell candidates apart)."""
        champion = self.decision.champion
        if self.backtest is None or champion is None or CANDIDATE not in self.backtest.columns:
            return self.backtest
        return self.backtest.filter(pl.col(CANDIDATE) == champion)


def _need(frame: pl.DataFrame | None, part: str, needed: tuple[str, ...]) -> None:
    if frame is not None:
        _lacking(tuple(frame.columns), part, needed)


def _lacking(names: tuple[str, ...], part: str, needed: tuple[str, ...]) -> None:
    if missing := [name for name in needed if name not in names]:
        raise LakecastError(
            f"lacks the column{'s' * (len(missing) > 1)} {', '.join(f'`{m}`' for m in missing)}",
            where=f"report: {part}",
            cure="give the frame the columns that lakecast.report.data documents",
        )
