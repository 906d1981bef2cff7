"""The spec's panel resolved against the columns that the tables have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from lakecast.columns import PRICE, RESERVED, Columns
from lakecast.core.calendar import Frequency
from lakecast.core.panel.periods import Clock
from lakecast.errors import LakecastError, SpecError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lakecast.spec.model import Aggregate, Covariate, Role, Source, Spec
    from lakecast.spec.model import Panel as PanelSpec

SALES: Final = "sales"
TARGET: Final = "_target"
REVENUE: Final = "_revenue"
_OURS: Final = frozenset({"first", "last"})
_WITHIN: Final = frozenset(
    {
        TARGET, REVENUE, "_at", "_begins", "_count", "_covering", "_group", "_high", "_key", "_low",
        "_offset", "_part", "_period", "_rows", "_share", "_sold",
    }
)  # fmt: skip
"""Names of columns that come and go while a panel is built."""
_FINENESS: Final = {"h": 0, "D": 1, "W": 2, "M": 3}

Schemas = Mapping[str, Mapping[str, pl.DataType]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure:
    """How the rows of a `column` in one period become one value, called `name`.

    `text`: values are codes, indices into the sorted vocabulary of the column's texts. `flag`:
    the texts say yes or no, in English or Portuguese, and become 1 and 0.
    """

    name: str
    column: str
    aggregate: Aggregate
    role: Role = "past-only"
    missing: float | None = None
    text: bool = False
    flag: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Lookup:
    """A dimension table: `gives` are the columns it adds to each table that has all of `on`."""

    table: str
    on: tuple[str, ...]
    gives: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """What the panel takes from one table.

    `keys` say which series a row is about: columns of the series, or statics of the series.
    `clock` cuts `time` (None: the table is static). `reads` are the columns to read. `repeated` is
    the row key of which only the last row counts, empty where every row does.
    """

    name: str
    keys: tuple[str, ...]
    time: str | None
    clock: Clock
    measures: tuple[Measure, ...]
    reads: tuple[str, ...]
    repeated: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class PanelPlan:
    """All that the panel's functions need to know; nothing else of the spec reaches them.

    The measures of `sales` are the target, then the past-only covariates, then the revenue.
    `attributes` are statics of a series that only serve to join covariates.
    """

    columns: Columns
    panel: PanelSpec
    clock: Clock
    horizon: int
    sales: Table
    tables: tuple[Table, ...] = ()
    lookups: tuple[Lookup, ...] = ()
    attributes: tuple[str, ...] = ()

    @property
    def repeated(self) -> tuple[str, ...]:
        """The row key of `sales` of which only the last row counts."""
        return self.sales.repeated

    @property
    def season(self) -> int:
        """The season m, in periods."""
        return self.panel.seasons[0] if self.panel.seasons else self.clock.frequency.season

    @property
    def varying(self) -> tuple[Measure, ...]:
        """Time-varying covariates in the order of the panel's columns; the price stands last."""
        own = [m for m in self.sales.measures if m.name not in {TARGET, REVENUE}]
        joined = [m for table in self.tables if table.time for m in table.measures]
        price = [Measure(name=PRICE, column=PRICE, aggregate="mean")] if self.panel.revenue else []
        return (*own, *joined, *price)

    @property
    def known_future(self) -> tuple[Measure, ...]:
        """The covariates that the table of the future holds."""
        return tuple(m for m in self.varying if m.role == "known-future")

    @property
    def statics(self) -> tuple[Measure, ...]:
        """Covariates that do not vary over time."""
        return tuple(m for table in self.tables if not table.time for m in table.measures)


def resolve(spec: Spec, schemas: Schemas) -> PanelPlan:
    """The plan of a spec over the tables there are, lookups among them: name to column types.

    Raises `SpecError` for a column that no table has, a name taken twice, and texts to be summed;
    `LakecastError` for a table that is not there.
    """
    world = _World(spec, _by_table(spec.sources), schemas)
    _check_tables(world)
    tables = tuple(
        _covariates(name, world)
        for name, sources in world.sources.items()
        if name != SALES and any(source.columns for source in sources)
    )
    keys = {key for table in tables for key in table.keys}
    plan = PanelPlan(
        columns=Columns(series=spec.panel.series, time=spec.panel.time, target=spec.panel.target),
        panel=spec.panel,
        clock=world.clock,
        horizon=spec.forecast.horizon,
        sales=_sales(world, keys),
        tables=tables,
        lookups=_lookups(world, keys),
        attributes=tuple(sorted(keys - set(spec.panel.series))),
    )
    _check_names(plan)
    return plan


@dataclass(frozen=True, slots=True)
class _World:
    """What resolving looks at: the spec, its sources by table, and the columns of each table."""

    spec: Spec
    sources: Mapping[str, tuple[Source, ...]]
    schemas: Schemas

    @property
    def clock(self) -> Clock:
        return Clock(Frequency(self.spec.panel.frequency), self.spec.panel.timezone)

    @property
    def lookups(self) -> tuple[Source, ...]:
        return tuple(s for parts in self.sources.values() for s in parts[:1] if s.lookup)

    def columns(self, table: str) -> Mapping[str, pl.DataType]:
        return self.schemas.get(table, {})

    def reads(self, table: str, wanted: Iterable[str]) -> tuple[str, ...]:
        """The table's own columns from which all the wanted ones come, by way of lookups.

        Raises `SpecError` for a wanted column that nothing gives.
        """
        own, needed = set(self.columns(table)), set(wanted)
        for lookup in reversed(self.lookups):
            if needed & (set(self.columns(lookup.table)) - set(lookup.on) - own):
                needed |= set(lookup.on)
        given = {
            name for s in self.lookups if set(s.on) <= needed for name in self.columns(s.table)
        }
        for name in sorted(needed - own - given):
            raise SpecError(
                f"column `{name}` is neither in table `{table}` nor given by a lookup",
                where="lakecast.toml",
                cure=f"use one of: {', '.join(sorted(n for n in own if n not in RESERVED))}",
            )
        return tuple(sorted(needed & own))


def _by_table(sources: Sequence[Source]) -> dict[str, tuple[Source, ...]]:
    """Sources by the table they feed; those of one table must agree on what a row is about."""
    found: dict[str, tuple[Source, ...]] = {}
    for source in sources:
        found[source.table] = (*found.get(source.table, ()), source)
        first = found[source.table][0]
        if (first.on, first.time, first.frequency) != (source.on, source.time, source.frequency):
            raise SpecError(
                f"two sources feed `{source.table}` but differ in `on`, `time` or `frequency`",
                where="lakecast.toml: sources",
                cure="make them equal, or land them in two tables",
            )
    return found


def _sales(world: _World, keys: set[str]) -> Table:
    panel = world.spec.panel
    measures = [Measure(name=TARGET, column=panel.target, aggregate=panel.aggregate)]
    measures += _measures(SALES, world)
    if panel.revenue:
        measures.append(Measure(name=REVENUE, column=panel.revenue, aggregate="sum"))
    needed = {panel.time, *panel.series, *keys, *panel.exclude, *(m.column for m in measures)}
    repeated = _repeated(SALES, world)
    needed |= set(repeated)
    return Table(
        name=SALES,
        keys=panel.series,
        time=panel.time,
        clock=world.clock,
        measures=tuple(measures),
        reads=world.reads(SALES, needed),
        repeated=repeated,
    )


def _repeated(table: str, world: _World) -> tuple[str, ...]:
    return next((s.row_key for s in world.sources[table] if s.repeated == "last"), ())


def _covariates(name: str, world: _World) -> Table:
    source = world.sources[name][0]
    measures = tuple(_measures(name, world))
    keys = tuple(dict.fromkeys(key for on in source.on for key in _keys(on, world)))
    needed = {*keys, *(m.column for m in measures), *([source.time] if source.time else [])}
    return Table(
        name=name,
        keys=keys,
        time=source.time,
        clock=_clock(source, world),
        measures=measures,
        reads=world.reads(name, needed),
        repeated=_repeated(name, world),
    )


def _keys(on: str, world: _World) -> tuple[str, ...]:
    """What a column of `on` says about series: itself, or what a lookup makes of it."""
    series = world.spec.panel.series
    if on in series:
        return (on,)
    for lookup in world.lookups:
        given = [name for name in series if name in world.columns(lookup.table)]
        if on in lookup.on and given:
            return tuple(given)
    return (on,)


def _clock(source: Source, world: _World) -> Clock:
    """The table's periods: never finer than the panel's, nor than days where it has dates."""
    dates = source.time and world.columns(source.table).get(source.time) == pl.Date
    hourly = world.clock.frequency.unit == "h"
    finest = Frequency("D") if dates and hourly else world.clock.frequency
    stated = Frequency(source.frequency) if source.frequency else finest
    coarse = _FINENESS[stated.unit] >= _FINENESS[finest.unit]
    return Clock(stated if coarse else finest, world.clock.timezone)


def _measures(table: str, world: _World) -> Iterable[Measure]:
    types = world.columns(table)
    given = {name: c for source in world.sources[table] for name, c in source.columns.items()}
    flag = world.spec.panel.available
    return [_measure(name, c, types.get(name), flag=name == flag) for name, c in given.items()]


def _measure(name: str, covariate: Covariate, kind: pl.DataType | None, *, flag: bool) -> Measure:
    text = kind in {pl.String, pl.Categorical} and covariate.aggregate != "count"
    if text and not flag and covariate.aggregate in {"sum", "mean"}:
        raise SpecError(
            f"`{name}` holds texts, which have no {covariate.aggregate}",
            where=f"lakecast.toml: columns.{name}.aggregate",
            cure="use last, first, min, max or count",
        )
    return Measure(
        name=name,
        column=name,
        aggregate=covariate.aggregate,
        role=covariate.role,
        missing=covariate.missing,
        text=text and not flag,
        flag=text and flag,
    )


def _lookups(world: _World, keys: set[str]) -> tuple[Lookup, ...]:
    """In the order of the spec, so that a lookup may use what an earlier one gave."""
    panel = world.spec.panel
    wanted = {*panel.series, *keys, *panel.exclude, *(k for s in world.lookups for k in s.on)}
    wanted |= {name for name in (panel.target, panel.revenue) if name}
    return tuple(
        Lookup(
            table=source.table,
            on=source.on,
            gives=tuple(
                n for n in world.columns(source.table) if n in wanted and n not in source.on
            ),
        )
        for source in world.lookups
    )


def _check_tables(world: _World) -> None:
    for name, (source, *_) in world.sources.items():
        used = name == SALES or source.lookup or source.columns
        if used and not world.columns(name):
            raise LakecastError(
                f"table `{name}` is not in the lake",
                where="lakecast.toml: sources",
                cure="run `lakecast ingest`, and look at what it refused",
            )


def _check_names(plan: PanelPlan) -> None:
    columns = plan.columns
    for name in (*columns.series, columns.time, columns.target):
        if name in _OURS:
            raise _unusable(name, "is a column of the table of series", "panel")
        _check_letters(name, "panel")
    for measure in (*plan.varying, *plan.statics):
        _check_letters(measure.name, f"columns.{measure.name}")
    taken = {*RESERVED, *_OURS, *columns.series, columns.time, columns.target}
    for measure in (*plan.varying, *plan.statics):
        if measure.name in taken:
            raise SpecError(
                f"covariate `{measure.name}` has a name that is taken",
                where=f"lakecast.toml: columns.{measure.name}",
                cure="rename the column in the source; each covariate needs a name of its own",
            )
        taken.add(measure.name)
    if plan.panel.available and plan.panel.available not in {m.name for m in plan.varying}:
        raise SpecError(
            f"`{plan.panel.available}` is no covariate that varies over time",
            where="lakecast.toml: panel.available",
            cure="declare it under `columns` of a source that has `time`",
        )


def _check_letters(name: str, where: str) -> None:
    """Polars reads `*` as every column and `^...$` as a pattern, whatever they are told."""
    if name in _WITHIN:
        raise _unusable(name, "is a name used while the panel is built", where)
    if name == "*" or (name.startswith("^") and name.endswith("$")):
        raise _unusable(name, "is a pattern, not a name", where)


def _unusable(name: str, why: str, where: str) -> SpecError:
    return SpecError(
        f"`{name}` {why}", where=f"lakecast.toml: {where}", cure="rename the column in the source"
    )
