"""Which period is the last one that counts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from lakecast.core.panel.rows import PERIOD
from lakecast.core.panel.survey import ROWS
from lakecast.errors import DataRefused

if TYPE_CHECKING:
    from datetime import datetime

    from lakecast.core.panel.periods import Clock

PERCENTILE: Final = 5
_TWO_YEARS: Final = {"h": 17_520, "D": 730, "W": 104, "M": 24}


@dataclass(frozen=True, kw_only=True, slots=True)
class Cut:
    """Where the panel ends: `cutoff` is the last period used.

    `incomplete` is the period left out because it looks unfinished, `rows` its rows; `later`
    counts the rows of other periods after the cutoff.
    """

    cutoff: int
    incomplete: int | None = None
    rows: int = 0
    later: int = 0


def cut(periods: pl.DataFrame, clock: Clock, as_of: datetime | None = None) -> Cut:
    """The last complete period of a survey's `periods`.

    With `as_of`: the last period with rows that ends at or before it. Without: the last period
    with rows, unless its last row comes earlier into the period than the 5th percentile of the
    last rows of the periods before (the lower neighbour, not interpolated). A few rows after years
    of silence (2091 for 2019) are no period to end at, but later rows. Raises `DataRefused` where
    no period is left.
    """
    ordered = periods.sort(PERIOD)
    if ordered.is_empty():
        raise _nothing("no row of `sales` has a series and a time")
    if as_of is None:
        steady = ordered.head(_steady(ordered, clock))
        later = int(ordered[ROWS].sum()) - int(steady[ROWS].sum())
        return replace(_by_data(steady), later=later)
    ended = ordered.filter(pl.col(PERIOD) <= clock.last_ended(as_of))
    if ended.is_empty():
        raise _nothing(f"no period with sales ends at or before {as_of.isoformat()}")
    later = int(ordered[ROWS].sum()) - int(ended[ROWS].sum())
    return Cut(cutoff=int(ended[PERIOD][-1]), later=later)


def _by_data(ordered: pl.DataFrame) -> Cut:
    last = int(ordered[PERIOD][-1])
    if _complete(ordered):
        return Cut(cutoff=last)
    before = int(ordered[PERIOD][-2])
    return Cut(cutoff=before, incomplete=last, rows=int(ordered[ROWS][-1]))


def _steady(ordered: pl.DataFrame, clock: Clock) -> int:
    """How many periods there are before a silence of two years, longer than all that was before
    it, after which less than a hundredth of the rows come."""
    periods, rows = ordered[PERIOD].to_numpy().astype(np.int64), ordered[ROWS].to_numpy()
    silence = np.diff(periods)
    behind = rows.sum() - np.cumsum(rows)[:-1]
    odd = (silence > _TWO_YEARS[clock.frequency.unit]) & (silence > periods[:-1] - periods[:1])
    found = np.flatnonzero(odd & (behind * 100 < rows.sum()))
    return int(found[0]) + 1 if found.size else ordered.height


def _complete(ordered: pl.DataFrame) -> bool:
    earlier = ordered["last"][:-1].to_numpy()
    if earlier.size == 0:
        return True
    return bool(ordered["last"][-1] >= np.percentile(earlier, PERCENTILE, method="lower"))


def _nothing(what: str) -> DataRefused:
    return DataRefused(
        what,
        where="table sales",
        cure="ingest sales, look at `quarantine`, or give a later --as-of",
    )
