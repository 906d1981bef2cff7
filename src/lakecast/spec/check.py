"""Rules of a spec that one key alone cannot say."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING, Final

from lakecast.columns import OWN_TABLES, PRICE, RESERVED
from lakecast.errors import SpecError

if TYPE_CHECKING:
    from lakecast.spec.model import Format, Source, Spec

_TAKEN: Final = (("series",), ("total",))
"""Levels that would be called what the series themselves and the sum of all are."""
FREQUENCY = re.compile(r"^(h|D|M|W-(MON|TUE|WED|THU|FRI|SAT|SUN))$")


def check(spec: Spec, *, where: str) -> None:
    """Raise `SpecError` at the first rule broken."""
    _frequency(spec.panel.frequency, f"{where}: panel.frequency")
    _names(spec, where)
    _sales(spec, where)
    for index, source in enumerate(spec.sources):
        _source(source, f"{where}: sources[{index}]")
    _timezone(spec.panel.timezone, f"{where}: panel.timezone")
    _weight(spec, f"{where}: gate.weight")
    _levels(spec, f"{where}: hierarchy.levels")


def _weight(spec: Spec, where: str) -> None:
    priced = spec.panel.revenue or any(PRICE in source.columns for source in spec.sources)
    if spec.gate.weight == "revenue" and not priced:
        raise SpecError(
            "no money is known to weigh series by",
            where=where,
            cure=f'name the money column as panel.revenue, give a covariate `{PRICE}`, or use '
            '"target"',
        )  # fmt: skip


def _levels(spec: Spec, where: str) -> None:
    given = [
        name
        for source in spec.sources
        for name, covariate in source.columns.items()
        if covariate.role == "static"
    ]
    known = dict.fromkeys([*spec.panel.series, *given])
    seen: set[frozenset[str]] = set()
    for index, level in enumerate(spec.hierarchy.levels):
        strange = [name for name in level if name not in known]
        if strange:
            raise SpecError(
                f"`{strange[0]}` is neither a column of the series nor a static covariate",
                where=f"{where}[{index}]",
                cure=f"use {', '.join(known)}; or give the column as a static covariate",
            )
        if len(set(level)) != len(level) or frozenset(level) in seen:
            raise SpecError(
                f"level {list(level)} is there twice, or names a column twice",
                where=f"{where}[{index}]",
                cure="name each level, and each column of a level, once",
            )
        if level in _TAKEN:
            raise SpecError(
                f"a level of `{level[0]}` alone could not be told from ours of that name",
                where=f"{where}[{index}]",
                cure="rename the column in the source",
            )
        seen.add(frozenset(level))


def _frequency(text: str, where: str) -> None:
    if not FREQUENCY.match(text):
        raise SpecError(
            f"unknown frequency {text!r}", where=where, cure="use h, D, W-MON .. W-SUN or M"
        )


def _names(spec: Spec, where: str) -> None:
    panel = spec.panel
    taken = RESERVED & {*panel.series, panel.time, panel.target}
    if taken:
        raise SpecError(
            f"`{min(taken)}` is a name Lakecast adds itself",
            where=f"{where}: panel",
            cure="rename the column in the source",
        )
    if len({*panel.series, panel.time, panel.target}) != len(panel.series) + 2:
        raise SpecError(
            "series, time and target must be different columns",
            where=f"{where}: panel",
            cure="name each column once",
        )


def _sales(spec: Spec, where: str) -> None:
    if not any(source.table == "sales" for source in spec.sources):
        raise SpecError(
            "no source feeds `sales`",
            where=f"{where}: sources",
            cure='give one [[sources]] entry table = "sales"',
        )


def _source(source: Source, where: str) -> None:
    if source.table in OWN_TABLES:
        raise SpecError(
            f"`{source.table}` is a table that Lakecast writes itself",
            where=f"{where}.table",
            cure="give the source's table another name",
        )
    if (source.path is None) == (source.sql_env is None):
        raise SpecError("needs either `path` or `sql_env`", where=where, cure="give exactly one")
    if (source.sql_env is None) != (source.query is None):
        raise SpecError("`sql_env` and `query` go together", where=where, cure="give both")
    if source.table != "sales" and not source.on:
        raise SpecError(
            f"table `{source.table}` has no `on`",
            where=where,
            cure="name the columns that join it to the series",
        )
    if source.frequency is not None:
        _frequency(source.frequency, f"{where}.frequency")
    if source.lookup and source.time is not None:
        raise SpecError(
            "a lookup has no time", where=f"{where}.time", cure="remove `time` or `lookup`"
        )
    _format(source.format, f"{where}.format")
    for name, covariate in source.columns.items():
        _role(source, name, covariate.role, f"{where}.columns.{name}.role")


def _format(given: Format, where: str) -> None:
    _timezone(given.timezone, f"{where}.timezone")
    if given.dates is not None and "%" not in given.dates:
        raise SpecError(
            f"{given.dates!r} is no strptime pattern",
            where=f"{where}.dates",
            cure='write it like "%d/%m/%Y" or "%d/%m/%Y %H:%M:%S"',
        )
    if given.thousands == given.decimal:
        raise SpecError(
            f"{given.decimal!r} cannot mark both thousands and decimals",
            where=f"{where}.thousands",
            cure="choose two marks, or remove `thousands`",
        )
    try:
        codecs.lookup(given.encoding)
    except LookupError:
        raise SpecError(
            f"unknown encoding {given.encoding!r}",
            where=f"{where}.encoding",
            cure='use one that Python knows, e.g. "utf-8", "latin-1", "cp1252" or "utf-16"',
        ) from None


def _role(source: Source, name: str, role: str, where: str) -> None:
    static = source.table != "sales" and source.time is None
    if static != (role == "static"):
        varies = "has no time column" if static else "varies over time"
        raise SpecError(
            f"`{name}` has role {role} but its table {varies}",
            where=where,
            cure="use `static` exactly where the source has no `time`",
        )
    if source.table == "sales" and role == "known-future":
        raise SpecError(
            f"`{name}` is computed from the sales, so its future is not known",
            where=where,
            cure="use `past-only`, or give a source that states the future",
        )


def _timezone(name: str, where: str) -> None:
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise SpecError(
            f"unknown time zone {name!r}", where=where, cure="use an IANA name, e.g. UTC"
        ) from None
