"""One piece of a table made ready: lookups joined, unusable rows left out and counted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import polars as pl

from lakecast.columns import LOAD, ROW

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from lakecast.core.panel.plan import Measure, PanelPlan, Table

PERIOD: Final = "_period"
OFFSET: Final = "_offset"
AT: Final = "_at"
COUNTS: Final = pl.Schema({"kind": pl.String(), "detail": pl.String(), "count": pl.Int64()})
_YES: Final = ("true", "t", "yes", "y", "1", "sim", "s", "verdadeiro")
_NO: Final = ("false", "f", "no", "n", "0", "não", "nao", "falso")


@dataclass(frozen=True, slots=True)
class Ready:
    """Usable rows of `sales`, and a count of those left out by reason (columns of `COUNTS`).

    Rows have the series, the measures' columns, `_period` int32, `_at` int64 (microseconds since
    1970) and `_offset` int64 (microseconds into the period).
    """

    rows: pl.DataFrame
    left_out: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Aids:
    """What every piece needs besides itself.

    `lookups` by table; `superseded` are (`_load`, `_row`) of rows that a later one replaces, by
    table;
    `vocabularies` are the sorted texts of a covariate, by its name.
    """

    lookups: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    superseded: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    vocabularies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def sales_rows(piece: pl.DataFrame, plan: PanelPlan, aids: Aids) -> Ready:
    """Rows of `sales` that count for the panel, whatever their period."""
    steps = _Steps(_enrich(_latest(piece, plan.sales, aids), plan, aids))
    steps.drop("superseded", piece.height - steps.rows.height)
    steps.keep(pl.col(plan.columns.time).is_not_null(), "no_time")
    steps.keep(pl.all_horizontal(pl.col(c).is_not_null() for c in plan.columns.series), "no_series")
    for column, values in plan.panel.exclude.items():
        for text in values:
            wanted = pl.col(column).cast(pl.String).ne_missing(text)
            steps.keep(wanted, "excluded", f"{column} = {text}")
    periods, offsets = plan.clock.cut(steps.rows[plan.columns.time])
    timed = _with_time(steps.rows, plan.columns.time, periods)
    return Ready(timed.with_columns(pl.Series(OFFSET, offsets)), steps.counts())


def covariate_rows(piece: pl.DataFrame, table: Table, plan: PanelPlan, aids: Aids) -> pl.DataFrame:
    """Rows of a covariate table that have all their keys (and a time, where the table has one).

    They have the keys, the measures' columns, and with a time `_period` and `_at`.
    """
    needed = [*table.keys, *([table.time] if table.time else [])]
    rows = _enrich(_latest(piece, table, aids), plan, aids).drop_nulls(needed)
    if table.time is None:
        return rows
    return _with_time(rows, table.time, table.clock.ordinals(rows[table.time]))


def lookup_rows(frame: pl.DataFrame, on: tuple[str, ...]) -> tuple[pl.DataFrame, int]:
    """A lookup with one row a key, the last of each, and how many rows that left out."""
    one = frame.unique(list(on), keep="last", maintain_order=True)
    return one, frame.height - one.height


def value(measure: Measure, dtype: pl.DataType, aids: Aids) -> pl.Expr:
    """A measure's column as float64: texts by their code, NaN as null; counted values stay 1."""
    column = pl.col(measure.column)
    if measure.aggregate == "count":
        return pl.when(column.is_not_null()).then(1.0)
    if measure.flag:
        word = column.cast(pl.String).str.strip_chars().str.to_lowercase()
        return pl.when(word.is_in(_YES)).then(1.0).when(word.is_in(_NO)).then(0.0)
    if measure.text:
        texts = pl.Enum(aids.vocabularies[measure.name])
        return column.cast(pl.String).cast(texts, strict=False).to_physical().cast(pl.Float64)
    number = column.cast(pl.Float64)
    return number.fill_nan(None) if dtype.is_float() else number


class _Steps:
    """Rows that shrink, and a note of why."""

    def __init__(self, rows: pl.DataFrame) -> None:
        self.rows = rows
        self._notes: list[tuple[str, str, int]] = []

    def keep(self, condition: pl.Expr, kind: str, detail: str = "") -> None:
        before = self.rows.height
        self.rows = self.rows.filter(condition)
        self.drop(kind, before - self.rows.height, detail)

    def drop(self, kind: str, count: int, detail: str = "") -> None:
        if count:
            self._notes.append((kind, detail, count))

    def counts(self) -> pl.DataFrame:
        return pl.DataFrame(self._notes, schema=COUNTS, orient="row")


def _latest(piece: pl.DataFrame, table: Table, aids: Aids) -> pl.DataFrame:
    replaced = aids.superseded.get(table.name)
    if replaced is None or replaced.is_empty():
        return piece
    return piece.join(replaced, on=[LOAD, ROW], how="anti", maintain_order="left")


def _enrich(piece: pl.DataFrame, plan: PanelPlan, aids: Aids) -> pl.DataFrame:
    """Add what lookups give to the rows that have their keys; a column of one's own stays."""
    for lookup in plan.lookups:
        new = [name for name in lookup.gives if name not in piece.columns]
        if not new or not set(lookup.on) <= set(piece.columns):
            continue
        table = _typed(aids.lookups[lookup.table].select(*lookup.on, *new), lookup.on, piece)
        piece = piece.join(table, on=list(lookup.on), how="left", maintain_order="left")
    return piece


def _typed(table: pl.DataFrame, on: tuple[str, ...], piece: pl.DataFrame) -> pl.DataFrame:
    """The lookup with its keys in the types of the piece, still one row a key."""
    wanted = {name: piece.schema[name] for name in on}
    if all(table.schema[name] == kind for name, kind in wanted.items()):
        return table
    cast = table.with_columns(
        pl.col(name).cast(kind, strict=False) for name, kind in wanted.items()
    )
    return lookup_rows(cast, on)[0]


def _with_time(rows: pl.DataFrame, name: str, periods: NDArray[np.int32]) -> pl.DataFrame:
    zone = getattr(rows.schema[name], "time_zone", None)
    at = rows[name].cast(pl.Datetime("us", zone)).cast(pl.Int64).alias(AT)
    return rows.with_columns(pl.Series(PERIOD, periods, dtype=pl.Int32), at)
