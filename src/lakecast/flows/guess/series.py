"""Which columns make series worth forecasting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from lakecast.errors import UsageError
from lakecast.flows.guess.choice import Choice, named
from lakecast.flows.guess.words import GROUP, REGION, STORE, is_code, is_key, is_product, says

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lakecast.core.calendar import Unit
    from lakecast.flows.guess.periods import Periods

PERIOD: Final = "_period"
_OWN: Final = "_own_period"
_ENOUGH: Final[dict[Unit, int]] = {"h": 48, "D": 20, "W": 10, "M": 6}
"""Periods with sales that the mean series must have."""
_ACTIVE: Final = 0.2
_ONE_ROW: Final = 0.995
_DENSE: Final = 0.1
_FINE: Final = 0.2
_FINEST: Final = 0.9


@dataclass(frozen=True, kw_only=True, slots=True)
class Grain:
    """The series that some columns make: how many, and the share of their periods with sales."""

    columns: tuple[str, ...]
    count: int
    sold: float
    active: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Rows:
    """Rows to count: the candidates' columns, `_period` and `_own_period`."""

    frame: pl.DataFrame
    length: int
    enough: int

    def grain(self, columns: Sequence[str]) -> Grain:
        """What series these columns make."""
        count = self.frame.select(columns).n_unique()
        cells = self.frame.select([*columns, PERIOD]).n_unique()
        return Grain(
            columns=tuple(columns),
            count=count,
            sold=cells / count,
            active=cells / (count * self.length),
        )

    def tells_apart(self, columns: Sequence[str]) -> bool:
        """Whether nearly no two rows share these columns and a period of the table's own."""
        cells = self.frame.select([*columns, _OWN]).n_unique()
        return cells >= _ONE_ROW * self.frame.height


def series_columns(
    frame: pl.DataFrame, taken: Sequence[str], periods: Periods, wished: Sequence[str]
) -> tuple[Choice[tuple[str, ...]], Grain]:
    """The series of the sales, whose time column is the first of `taken`.

    A table with one row a key and period keeps its keys. Otherwise the finest product or category
    whose series sell often enough, and a place where the two together still do. Raises
    `UsageError` where no column can be it.
    """
    time = taken[0]
    rows = _rows(frame, time, periods)
    if wished:
        names = tuple(named("--series", name, frame.columns) for name in wished)
        return Choice(names, "as asked"), rows.grain(names)
    candidates = list(_candidates(rows, taken))
    if not candidates:
        raise UsageError(
            "no column looks like a product, category, store or region",
            where="--series",
            cure=f"columns are: {', '.join(frame.columns)}; pass --series A,B",
        )
    keys = _panel_keys(rows, candidates)
    if keys:
        return Choice(keys, "the table has one row for each of them and period"), rows.grain(keys)
    return _sales_keys(rows, candidates, periods.words)


def _rows(frame: pl.DataFrame, time: str, periods: Periods) -> Rows:
    there = frame.filter(pl.col(time).is_not_null())
    clocks = {PERIOD: periods.clock, _OWN: periods.own}
    ordinals = [pl.Series(name, clock.ordinals(there[time])) for name, clock in clocks.items()]
    enough = min(_ENOUGH[periods.clock.frequency.unit], max(1, periods.length // 3))
    return Rows(frame=there.with_columns(ordinals), length=periods.length, enough=enough)


def _candidates(rows: Rows, taken: Sequence[str]) -> Iterator[str]:
    """Columns that may name a series, first products, then groups, places, others; finest first."""
    kinds = rows.frame.schema
    names = [
        name
        for name in rows.frame.columns
        if name not in taken
        and name not in (PERIOD, _OWN)
        and is_key(name)
        and (kinds[name] == pl.String or _named_number(name))
        and _useful(rows.frame[name])
    ]
    named_so = [name for name in names if _rank(name) < 3]
    distinct = {name: rows.frame[name].n_unique() for name in names}
    yield from sorted(named_so or names, key=lambda n: (_rank(n), -distinct[n], not is_code(n)))


def _named_number(name: str) -> bool:
    return is_product(name) or says(name, STORE | REGION | GROUP)


def _useful(values: pl.Series) -> bool:
    """Filled, and neither free text nor a number of each row."""
    if values.null_count() > 0.5 * values.len():
        return False
    share = _FINEST if is_product(values.name) else _FINE
    return values.n_unique() <= max(20.0, share * values.len())


def _rank(name: str) -> int:
    if is_product(name) and not says(name, GROUP):
        return 0
    if says(name, GROUP):
        return 1
    return 2 if says(name, STORE | REGION) else 3


def _panel_keys(rows: Rows, candidates: Sequence[str]) -> tuple[str, ...]:
    """The columns that tell a table's rows of one period apart; empty where none do."""
    if not rows.tells_apart(candidates):
        return ()
    keys = list(candidates)
    count = rows.grain(keys).count
    for name in reversed(candidates):  # what the others determine adds nothing
        others = [key for key in keys if key != name]
        if others and rows.grain(others).count == count:
            keys = others
    return tuple(keys) if rows.grain(keys).sold >= rows.enough else ()


def _sales_keys(
    rows: Rows, candidates: Sequence[str], words: str
) -> tuple[Choice[tuple[str, ...]], Grain]:
    grains = [rows.grain([name]) for name in candidates]
    kept = next((g for g in grains if g.sold >= rows.enough and g.active >= _DENSE), None)
    if kept is None:
        best = max(grains, key=lambda g: g.sold)
        return Choice(best.columns, f"sells on {best.sold:.1f} {words} in the mean, no finer"), best
    sparse = [g for g in grains[: grains.index(kept)] if _rank(g.columns[0]) == 0]
    for name in [n for n in candidates if says(n, STORE | REGION) and n not in kept.columns]:
        finer = rows.grain([*kept.columns, name])
        if finer.count > kept.count and finer.active >= _ACTIVE and finer.sold >= rows.enough:
            kept = finer
    why = f"{kept.count:,} series, with sales in {kept.active:.0%} of their {words}"
    if sparse:
        why += f" (`{sparse[0].columns[0]}` sells on {sparse[0].sold:.1f} {words} only)"
    return Choice(kept.columns, why), kept
