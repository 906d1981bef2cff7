"""Covariate tables joined to regular series: by key and by the period that covers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from lakecast.columns import CODE
from lakecast.core.panel.rows import PERIOD

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lakecast.core.panel.periods import Clock
    from lakecast.core.panel.plan import Measure, Table

KEY: Final = "_key"
_COVERING: Final = "_covering"


@dataclass(frozen=True, kw_only=True, slots=True)
class Values:
    """A covariate table ready to join.

    `values`: `_key`, the measures, and for a table with time `_period` in the table's own clock;
    one row a key and period. `owners`: `series_code` to `_key`, only series that have one.
    `last`: the last period that the table speaks of, for whatever key.
    """

    table: Table
    values: pl.DataFrame
    owners: pl.DataFrame
    last: int | None = None


def by_series(table: Table, values: pl.DataFrame, last: int | None) -> Values:
    """Values that are already by `series_code`: the code is the key."""
    codes = values.select(pl.col(CODE).unique().sort())
    return Values(
        table=table,
        values=values.rename({CODE: KEY}),
        owners=codes.with_columns(pl.col(CODE).alias(KEY)),
        last=last,
    )


def by_keys(table: Table, values: pl.DataFrame, roster: pl.DataFrame) -> Values:
    """Values by the table's key columns, which each series of the roster has.

    Keys are compared in the types they have in `sales`.
    """
    keys = list(table.keys)
    cast = values.with_columns(pl.col(k).cast(roster.schema[k], strict=False) for k in keys)
    numbered = cast.select(keys).unique(maintain_order=True).with_row_index(KEY)
    numbered = numbered.with_columns(pl.col(KEY).cast(pl.Int32))
    return Values(
        table=table,
        values=cast.join(numbered, on=keys, maintain_order="left").drop(keys),
        owners=roster.join(numbered, on=keys, maintain_order="left").select(CODE, KEY),
        last=int(values[PERIOD].max()) if table.time and values.height else None,  # type: ignore[arg-type]
    )


def own(values: Values, codes: pl.Series) -> Values:
    """Only what the series of these codes need."""
    owners = values.owners.filter(pl.col(CODE).is_in(codes.implode()))
    kept = values.values.join(owners.select(KEY).unique(), on=KEY, how="semi")
    return Values(table=values.table, values=kept, owners=owners, last=values.last)


def statics(
    roster: pl.DataFrame, joined: Iterable[Values], vocabularies: Mapping[str, tuple[str, ...]]
) -> pl.DataFrame:
    """The roster with the measures of the static tables as columns: float64, or the texts."""
    for table in joined:
        if table.table.time is None:
            measures = table.table.measures
            found = _lookup(roster.select(CODE), table, [CODE], [KEY])
            roster = roster.with_columns(_static(m, found[m.name], vocabularies) for m in measures)
    return roster


def covariates(frame: pl.DataFrame, table: Values, clock: Clock) -> pl.DataFrame:
    """A column of each measure for the rows (`series_code`, `_period`) of a frame, float64.

    A coarser table's value holds for every period it covers. Where the table has no row: the
    measure's `missing`, else null.
    """
    covered = _covered(frame, table, clock)
    found = _lookup(covered, table, [CODE], [KEY, _COVERING])
    return found.select(_filled(m, found[m.name]) for m in table.table.measures)


def uncovered(frame: pl.DataFrame, table: Values, clock: Clock) -> pl.DataFrame:
    """Cells (`series_code`, `_period`, `column`) of known-future measures that nobody stated.

    That is a null; where `missing` stands for absent rows, only periods beyond the table's last.
    """
    covered = _covered(frame, table, clock)
    found = _lookup(covered, table, [CODE], [KEY, _COVERING])
    beyond = pl.lit(True) if table.last is None else pl.col(_COVERING) > table.last
    cells = [
        found.filter(pl.col(m.name).is_null() & (beyond if m.missing is not None else True)).select(
            CODE, PERIOD, pl.lit(m.name).alias("column")
        )
        for m in table.table.measures
        if m.role == "known-future"
    ]
    empty = {CODE: pl.Int32(), PERIOD: pl.Int32(), "column": pl.String()}
    return pl.concat([pl.DataFrame(schema=empty), *cells])


def _covered(frame: pl.DataFrame, table: Values, clock: Clock) -> pl.DataFrame:
    """The frame with `_covering`, the table's period that each row's period starts in."""
    periods = frame[PERIOD].to_numpy()
    if not periods.size:
        return frame.with_columns(pl.col(PERIOD).alias(_COVERING))
    low = int(periods.min())
    every = np.arange(low, int(periods.max()) + 1)
    coarse = clock.covering(every, table.table.clock.frequency)
    return frame.with_columns(pl.Series(_COVERING, coarse[periods - low], dtype=pl.Int32))


def _lookup(frame: pl.DataFrame, table: Values, by: list[str], on: list[str]) -> pl.DataFrame:
    """The frame's rows, in their order, with the table's measures."""
    values = table.values
    if PERIOD in values.columns:
        values = values.rename({PERIOD: _COVERING})
    keyed = frame.join(table.owners, on=by, how="left", maintain_order="left")
    return keyed.join(values, on=on, how="left", maintain_order="left")


def _static(
    measure: Measure, found: pl.Series, vocabularies: Mapping[str, tuple[str, ...]]
) -> pl.Series:
    if not measure.text:
        return _filled(measure, found)
    texts = pl.Series(vocabularies[measure.name], dtype=pl.String)
    return texts.gather(found.cast(pl.UInt32)).alias(measure.name)


def _filled(measure: Measure, found: pl.Series) -> pl.Series:
    return found if measure.missing is None else found.fill_null(measure.missing)
