"""Mergeable aggregates: `merge(merge(a), merge(b)) = merge(a + b)`, with the same bits.

A measure is held as *parts*, one or two float64 columns from which its value follows: a sum with
the number of its terms, a least or greatest value, or the value at the earliest or latest instant.
Sums run in the order of the rows after a stable sort by the keys, so they do not depend on the
number of threads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from lakecast.core.panel.keys import begins, in_order, placed, sorting
from lakecast.core.panel.rows import AT, value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lakecast.core.panel.plan import Measure
    from lakecast.core.panel.rows import Aids

ROWS: Final = "_rows"
_GROUP: Final = "_group"
_SUMMED: Final = frozenset({"sum", "mean", "count"})


def lift(
    rows: pl.DataFrame, keys: Sequence[str], measures: Sequence[Measure], aids: Aids
) -> pl.DataFrame:
    """Each row as parts: the keys, `_rows` = 1 and the parts of each measure.

    The earliest and latest values need `_at`; rows without it (of static tables) keep their order.
    """
    ready = rows.select(
        *keys,
        pl.lit(1, pl.Int64).alias(ROWS),
        (pl.col(AT) if AT in rows.columns else pl.lit(0, pl.Int64)).alias(AT),
        *(value(m, rows.schema[m.column], aids).alias(_name(m, "value")) for m in measures),
    )
    parts = [part for m in measures for part in _lifted(m)]
    return ready.select(*keys, ROWS, *parts)


def merge(parts: pl.DataFrame, keys: Sequence[str], measures: Sequence[Measure]) -> pl.DataFrame:
    """One row a key, sorted by the keys."""
    rows, new = _sorted(parts, keys)
    if new.all():
        return rows  # nothing to merge: true of most pieces at the grain of the panel
    # A sorted key makes each group a slice that one thread sums.
    grouped = rows.with_columns(pl.Series(_GROUP, np.cumsum(new)).set_sorted())
    merged = [part for m in measures for part in _merged(m)]
    firsts = [pl.col(key).first() for key in keys]
    by_group = grouped.group_by(_GROUP, maintain_order=True)
    return by_group.agg(*firsts, pl.col(ROWS).sum(), *merged).drop(_GROUP)


def finish(parts: pl.DataFrame, keys: Sequence[str], measures: Sequence[Measure]) -> pl.DataFrame:
    """The keys, `_rows` and one float64 column a measure: null where all its rows were null, except
    that these count as 0."""
    return parts.select(*keys, ROWS, *(_finished(m) for m in measures))


def _name(measure: Measure, part: str) -> str:
    return f"{measure.name}\x1f{part}"


def _lifted(measure: Measure) -> list[pl.Expr]:
    one = pl.col(_name(measure, "value"))
    if measure.aggregate in _SUMMED:
        present = one.is_not_null().cast(pl.Float64)
        return [one.fill_null(0.0), present.alias(_name(measure, "n"))]
    if measure.aggregate in {"min", "max"}:
        return [one]
    at = pl.when(one.is_not_null()).then(pl.col(AT))
    return [one, at.alias(_name(measure, "at"))]


def _merged(measure: Measure) -> list[pl.Expr]:
    one = pl.col(_name(measure, "value"))
    if measure.aggregate in _SUMMED:
        return [one.sum(), pl.col(_name(measure, "n")).sum()]
    if measure.aggregate == "min":
        return [one.min()]
    if measure.aggregate == "max":
        return [one.max()]
    at = pl.col(_name(measure, "at"))
    ordered = one.sort_by(at, maintain_order=True, nulls_last=measure.aggregate == "first")
    if measure.aggregate == "first":
        return [ordered.first(), at.min()]
    return [ordered.last(), at.max()]


def _finished(measure: Measure) -> pl.Expr:
    one = pl.col(_name(measure, "value"))
    terms = pl.col(_name(measure, "n"))
    if measure.aggregate == "count":
        one = terms
    elif measure.aggregate in _SUMMED:
        one = pl.when(terms > 0).then(one if measure.aggregate == "sum" else one / terms)
    return one.alias(measure.name)


def _sorted(parts: pl.DataFrame, keys: Sequence[str]) -> tuple[pl.DataFrame, NDArray[np.bool_]]:
    """The rows sorted by the keys, those of equal ones in their order; [n] where a key begins."""
    if not _whole(parts, keys):
        rows = parts.sort(keys, maintain_order=True)
        differs = (pl.col(key).ne_missing(pl.col(key).shift(1)) for key in keys)
        first = pl.int_range(pl.len()) == 0
        return rows, rows.select(pl.any_horizontal(*differs, first)).to_series().to_numpy()
    pair = [parts[key].to_numpy() for key in keys]
    distinct = placed(*pair)
    if distinct is not None:
        return parts[distinct], np.ones(distinct.size, np.bool_)
    packed = _packed(*pair)
    order = sorting(packed)
    new = begins(packed[order])
    return parts[order if new.all() else in_order(order, new)], new


def _whole(parts: pl.DataFrame, keys: Sequence[str]) -> bool:
    """Whether the keys are two int32 without nulls, as a series and a period are."""
    return len(keys) == 2 and all(
        parts.schema[key] == pl.Int32 and not parts[key].null_count() for key in keys
    )


def _packed(first: NDArray[np.int32], second: NDArray[np.int32]) -> NDArray[np.int64]:
    """[n] both as one number, which sorts faster than two."""
    return (first.astype(np.int64) << 32) + (second.astype(np.int64) + 2**31)
