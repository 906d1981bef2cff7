"""Tables of scores: what people and MLflow are shown of a backtest.

All figures are of `Backtest.scored` windows, nested where the candidate is a choice.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from lakecast.columns import CANDIDATE, HORIZON, WINDOW
from lakecast.core import folds, metrics
from lakecast.core.classes import CLASSES
from lakecast.training.calibration import interval_stats

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from lakecast.core.folds import Fold
    from lakecast.spec.model import Forecast, Gate
    from lakecast.training.backtest import Backtest, Candidate

TOTAL: Final = "total"
DEMAND: Final = "demand class"
STEPS: Final = 31
"""Up to this horizon every step has its own figures, beyond it every season."""
_CHUNK: Final = 4096  # series whose stats are held at once


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """A column that tells series apart: its name, values, and each series' value.

    `of` is indexed by series code and holds places in `values`, -1 where null.
    """

    name: str
    values: tuple[str, ...]
    of: NDArray[np.int32]


def scores(backtest: Backtest, segments: tuple[Segment, ...] = ()) -> pl.DataFrame:
    """Figures by candidate x window x horizon x segment.

    Columns: candidate, window (null: all scored windows), horizon (last of its group; null: all),
    segment, value (both `total` for all series), series and rows scored, the eight metrics (null:
    undefined) and for rmsse and mase the number of series left out for want of a scale.
    """
    frames = [
        _frame(candidate, segment, values, window, stats)
        for candidate in backtest.candidates
        for segment, values, window, stats in _cubes(backtest, candidate, segments)
    ]
    groups = [*score_groups(backtest), None]
    keys = pl.DataFrame({HORIZON: pl.Series(groups, dtype=pl.Int32)}).with_row_index("_group")
    return (
        pl.concat(frames)
        .join(keys, on="_group", how="left", maintain_order="left")
        .drop("_group")
        .filter(pl.col("rows") > 0)
        .select(CANDIDATE, WINDOW, HORIZON, "segment", "value", "series", "rows", pl.exclude(_KEYS))
    )


PARTS: Final = "train.parts"
"""The segment of the parts that models are fit on; its values count from 1."""
_KEYS: Final = (CANDIDATE, WINDOW, HORIZON, "segment", "value", "series", "rows")


def score_groups(backtest: Backtest) -> tuple[int, ...]:
    """Last horizons of the groups that scores are shown for."""
    horizon = backtest.groups[-1]
    return tuple(range(1, horizon + 1)) if horizon <= STEPS else backtest.groups


def _cubes(
    backtest: Backtest, candidate: Candidate, segments: tuple[Segment, ...]
) -> Iterator[tuple[str, tuple[str, ...], int | None, NDArray[np.float64]]]:
    """(segment, values, window, stats [V, G + 1, 15]) for each segment and window, then all."""
    names = {TOTAL: (TOTAL,), DEMAND: CLASSES, **{one.name: one.values for one in segments}}
    sums: dict[str, NDArray[np.float64]] = {}
    for fold in backtest.scored:
        cubes = _fold_cubes(backtest, candidate, fold, segments)
        for name, cube in cubes.items():
            yield name, names[name], fold.window.index, cube
            sums[name] = sums[name] + cube if name in sums else cube
    for name, cube in sums.items():
        yield name, names[name], None, cube


def _fold_cubes(
    backtest: Backtest, candidate: Candidate, fold: Fold, segments: tuple[Segment, ...]
) -> dict[str, NDArray[np.float64]]:
    groups = score_groups(backtest)
    places = {TOTAL: (np.zeros(len(fold.codes), np.int64), 1)}
    places[DEMAND] = (fold.classes.astype(np.int64), len(CLASSES))
    for one in segments:
        places[one.name] = (one.of[fold.codes].astype(np.int64), len(one.values))
    width = len(metrics.STATS) + 1
    cubes = {n: np.zeros((size, len(groups) + 1, width)) for n, (_, size) in places.items()}
    forecast = backtest.of(candidate.name, fold)
    for start in range(0, len(fold.codes), _CHUNK):
        part = slice(start, start + _CHUNK)
        stats = folds.score(fold, forecast, groups, part)
        seen = (stats[..., :1] > 0).astype(np.float64)
        counted = np.concatenate([stats, seen], axis=-1)
        for name, (place, size) in places.items():
            known = place[part] >= 0
            cubes[name] += metrics.total(place[part][known], counted[known], size)
    return cubes


def _frame(
    candidate: Candidate,
    segment: str,
    values: tuple[str, ...],
    window: int | None,
    stats: NDArray[np.float64],
) -> pl.DataFrame:
    size, groups = stats.shape[:2]
    flat = stats.reshape(size * groups, -1)
    seen = flat[:, -1].astype(np.int64)
    figures = {name: metrics.figure(name, flat) for name in metrics.METRICS}
    left_out = {
        f"{name}_undefined": metrics.undefined(name, flat).astype(np.int64)
        for name in ("rmsse", "mase")
    }
    return pl.DataFrame(
        {
            "value": np.repeat(np.array(values, np.str_), groups).tolist(),
            "_group": np.tile(np.arange(groups, dtype=np.uint32), size),
            "series": seen,
            "rows": flat[:, 0].astype(np.int64),
            **figures,
            **left_out,
        },
        nan_to_null=True,
    ).with_columns(
        pl.lit(candidate.name).alias(CANDIDATE),
        pl.lit(window, dtype=pl.Int32).alias(WINDOW),
        pl.lit(segment).alias("segment"),
    )


def leaderboard(
    backtest: Backtest, table: pl.DataFrame, forecast: Forecast, gate: Gate, champion: str | None
) -> pl.DataFrame:
    """One row a candidate, best first by the gate's metric (over all classes, as shown).

    Columns: candidate, family, strategy, nested, champion, best_params (JSON), series, rows, the
    metrics, what they left out, coverage and pinball of the first level's nested intervals.
    `table` is what `scores` gave.
    """
    total = table.filter(
        (pl.col("segment") == TOTAL) & pl.col(WINDOW).is_null() & pl.col(HORIZON).is_null()
    ).drop(WINDOW, HORIZON, "segment", "value")
    told = pl.DataFrame(
        [
            {
                CANDIDATE: one.name,
                "family": one.family,
                "strategy": one.strategy,
                "nested": one.nested,
                "champion": one.name == champion,
                "best_params": json.dumps(dict(one.params), sort_keys=True),
                **_coverage(backtest, one, forecast),
            }
            for one in backtest.candidates
        ],
        schema_overrides={"coverage": pl.Float64, "pinball": pl.Float64},
    )
    board = told.join(total, on=CANDIDATE, how="left", maintain_order="left")
    value = pl.col(gate.metric)
    rank = value.abs() if gate.metric == "bias" else -value if gate.metric == "r2" else value
    return board.sort(rank, nulls_last=True, maintain_order=True)


def _coverage(
    backtest: Backtest, candidate: Candidate, forecast: Forecast
) -> dict[str, float | None]:
    stats = next(iter(interval_stats(backtest, candidate.name, forecast).values()), None)
    found: dict[str, float | None] = {"coverage": None, "pinball": None}
    if stats is not None and stats[0] > 0:
        found = {name: float(metrics.interval_figure(name, stats)) for name in found}
    return found


def by_horizon(table: pl.DataFrame) -> pl.DataFrame:
    """The part of `scores` by horizon, over all windows and series."""
    return table.filter(
        (pl.col("segment") == TOTAL) & pl.col(WINDOW).is_null() & pl.col(HORIZON).is_not_null()
    ).drop(WINDOW, "segment", "value")


def by_segment(table: pl.DataFrame) -> pl.DataFrame:
    """The part of `scores` by segment, over all windows and horizons."""
    return table.filter(
        (pl.col("segment") != TOTAL) & pl.col(WINDOW).is_null() & pl.col(HORIZON).is_null()
    ).drop(WINDOW, HORIZON)


def by_window(table: pl.DataFrame) -> pl.DataFrame:
    """The part of `scores` by window, over all horizons and series."""
    return table.filter(
        (pl.col("segment") == TOTAL) & pl.col(WINDOW).is_not_null() & pl.col(HORIZON).is_null()
    ).drop(HORIZON, "segment", "value")


def model_comparison(board: pl.DataFrame) -> dict[str, dict[str, object]]:
    """{family: {rmse, mae, r2, best_params, ...}} of each family's best row on the leaderboard.

    Baselines and choices stand under their own names.
    """
    found: dict[str, dict[str, object]] = {}
    for row in board.iter_rows(named=True):
        own = row["family"] in {"baseline", "choice", "champion"}
        found.setdefault(row[CANDIDATE] if own else row["family"], _compared(row))
    return found


def _compared(row: Mapping[str, object]) -> dict[str, object]:
    names = ("rmse", "mae", "r2", "rmsse", "mase", "wape", "smape", "bias", "coverage")
    return {
        **{name: row[name] for name in names},
        "best_params": json.loads(str(row["best_params"])),
        "candidate": row[CANDIDATE],
        "strategy": row["strategy"],
        "nested": row["nested"],
        "champion": row["champion"],
    }
