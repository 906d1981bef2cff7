"""How many processes search at a time, and what each may use: memory decides, results do not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lakecast.errors import UsageError
from lakecast.models import sizes
from lakecast.models.recipes import Tabular
from lakecast.models.workbench import BUDGET
from lakecast.training.candidates import recipe
from lakecast.training.tune.crew import Share
from lakecast.training.tune.search import ROUND
from lakecast.training.tune.space import Point

if TYPE_CHECKING:
    from lakecast.training.tune.court import Case

BASE: Final = 450_000_000
"""Bytes of a process with Polars, Numba and LightGBM loaded."""
_SMALL: Final = 1_000_000  # cells below which processes take longer to begin than they save


def divide(case: Case, *, memory: int, threads: int) -> tuple[int, Share]:
    """The number of processes, and the share of each.

    With one, this process judges. With more, each holds the panel and a binned set of its own.
    Raises `UsageError` where not even one fits the memory.
    """
    rows, columns = sum(block.rows for block in case.panel.held), _columns(case)
    held = rows * (1 + len(case.panel.info.covariates)) * sizes.FLOAT
    made = sizes.binned(rows, columns)
    each = BASE + held + sizes.fitted(rows, columns)
    if each + held > memory:
        raise UsageError(
            f"tuning {rows:,} rows takes about {(each + held) / 1e6:,.0f} MB, "
            f"{memory / 1e6:,.0f} MB may be used",
            where="memory",
            cure="give it more, or train without tuning",
        )
    most = 1 if rows * columns < _SMALL else min(threads, ROUND)
    size = max(1, min(most, (memory - BASE - held) // each))
    left = memory // size - (each - made)
    return size, Share(threads=max(1, threads // size), budget=min(BUDGET, max(made, left)))


def _columns(case: Case) -> int:
    """Columns of the widest matrix, all groups of horizons together."""
    family = case.space.families[0]
    widest = 0
    for features in case.space.features.values():
        point = Point(family=family, params={}, features=features)
        sketch = recipe(point.candidate(case.strategy), case.spec, {})
        if isinstance(sketch, Tabular):
            plans = sketch.plans(case.panel.info)
            widest = max(widest, sum(len(plan.columns) for plan in plans))
    return widest
