"""What ingesting one source needs of the spec, and nothing else; its hash goes into load ids."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Final, Literal

from lakecast.errors import SpecError
from lakecast.spec.codec import digest
from lakecast.spec.model import Bound, Level, Source, Spec

if TYPE_CHECKING:
    from collections.abc import Mapping

SALES: Final = "sales"
Kind = Literal["number", "boolean", "text"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Writing:
    """How texts of a source are written; see `spec.Format`."""

    decimal: str = "."
    thousands: str | None = None
    dates: str | None = None
    timezone: str = "UTC"
    nulls: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """The contract of one source.

    `required` columns must be in the file, `filled` ones in every row. `numbers` are read as
    float64; `guessed` are covariates whose kind the first load decides. All else stays as it
    came. `zone` is the panel's, in which `as_of` without a zone and dates are meant. `ahead`: the
    source states the future, so its times may lie after `as_of`.
    """

    table: str
    required: tuple[str, ...]
    filled: tuple[str, ...]
    numbers: tuple[str, ...] = ()
    guessed: tuple[str, ...] = ()
    time: str | None = None
    target: str | None = None
    row_key: tuple[str, ...] = ()
    repeated: str = "refuse"
    writing: Writing = field(default_factory=Writing)
    zone: str = "UTC"
    negative: str = "net"
    cancelled: Mapping[str, str] = field(default_factory=dict)
    earliest: date = date(1990, 1, 1)
    bounds: Mapping[str, Bound] = field(default_factory=dict)
    levels: Mapping[str, Level] = field(default_factory=dict)
    ahead: bool = False

    @property
    def declared(self) -> tuple[str, ...]:
        """Every column the spec names for this source, once."""
        names = [*self.required, *self.filled, *self.numbers, *self.guessed, *self.row_key]
        return tuple(dict.fromkeys([*names, *self.cancelled, *self.bounds]))

    def digest(self) -> str:
        """A hash of everything that decides what lands."""
        bounds = dict(self.bounds)
        writing = [getattr(self.writing, name) for name in Writing.__slots__]
        rest = {name: getattr(self, name) for name in Plan.__slots__ if name not in _APART}
        return digest(rest, writing, bounds, self.earliest.isoformat())


_APART: Final = frozenset({"writing", "bounds", "earliest"})
_SUMS: Final = frozenset({"sum", "mean"})


def plan_of(spec: Spec, source: Source) -> Plan:
    """The contract of a source. Raises `SpecError` for a rule nobody knows."""
    from lakecast.core.contract.rules import RULES

    for name in spec.contract.levels:
        if name not in RULES:
            raise SpecError(
                f"unknown rule `{name}`",
                where="lakecast.toml: contract.levels",
                cure=f"known: {', '.join(sorted(RULES))}",
            )
    return _sales(spec, source) if source.table == SALES else _covariates(spec, source)


def _sales(spec: Spec, source: Source) -> Plan:
    panel, contract = spec.panel, spec.contract
    money = (panel.revenue,) if panel.revenue else ()
    series = () if _looked_up(spec) else panel.series
    numbers = (panel.target, *money, *_numeric(source), *_measured(spec))
    return Plan(
        table=source.table,
        required=_once(
            *(*series, panel.time, panel.target, *money, *source.row_key, *source.columns),
            # A mark or a range of a column that is not there would guard nothing, silently.
            *(*contract.cancelled, *contract.bounds),
        ),
        filled=_once(*panel.series, panel.time, panel.target, *source.row_key),
        numbers=_once(*numbers),
        guessed=_guessed(source, numbers),
        time=panel.time,
        target=panel.target,
        row_key=source.row_key,
        repeated=source.repeated,
        writing=_writing(source),
        zone=panel.timezone,
        negative=contract.negative,
        cancelled=contract.cancelled,
        earliest=contract.earliest,
        bounds=contract.bounds,
        levels=contract.levels,
    )


def _covariates(spec: Spec, source: Source) -> Plan:
    time = (source.time,) if source.time else ()
    numbers = _numeric(source)
    return Plan(
        table=source.table,
        required=_once(*source.on, *time, *source.row_key, *source.columns),
        filled=_once(*source.on, *time, *source.row_key),
        numbers=numbers,
        guessed=_guessed(source, numbers),
        time=source.time,
        row_key=source.row_key,
        repeated=source.repeated,
        writing=_writing(source),
        zone=spec.panel.timezone,
        earliest=spec.contract.earliest,
        levels=spec.contract.levels,
        ahead=any(column.role == "known-future" for column in source.columns.values()),
    )


def _looked_up(spec: Spec) -> bool:
    """Whether a lookup may give what files of `sales` lack; the panel then says what misses."""
    return any(source.lookup for source in spec.sources)


def _measured(spec: Spec) -> tuple[str, ...]:
    """Columns with a range are numbers, but for the time."""
    return tuple(name for name in spec.contract.bounds if name != spec.panel.time)


def _numeric(source: Source) -> tuple[str, ...]:
    """Covariates that only make sense as numbers; what is counted may be anything."""
    return tuple(
        name
        for name, column in source.columns.items()
        if column.aggregate in _SUMS or (column.missing is not None and column.aggregate != "count")
    )


def _guessed(source: Source, numbers: tuple[str, ...]) -> tuple[str, ...]:
    fixed = {*numbers, *source.row_key, *source.on}
    return tuple(
        name
        for name, column in source.columns.items()
        if name not in fixed and column.aggregate != "count"
    )


def _writing(source: Source) -> Writing:
    given = source.format
    return Writing(
        decimal=given.decimal,
        thousands=given.thousands,
        dates=given.dates,
        timezone=given.timezone,
        nulls=given.nulls,
    )


def _once(*names: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
