"""Further sources: dimensions that give columns, and covariates by key and time."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import polars as pl

from lakecast.columns import OWN_TABLES
from lakecast.core.calendar import Frequency
from lakecast.core.contract.names import fold
from lakecast.core.panel.periods import Clock
from lakecast.flows.guess.columns import TAKEN, best_time
from lakecast.flows.guess.periods import frequency_of
from lakecast.flows.guess.words import PROMOTION, is_code, says
from lakecast.spec import Covariate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lakecast.flows.guess.look import Look
    from lakecast.flows.guess.periods import Periods
    from lakecast.lake.sources.sniff import SniffedColumn
    from lakecast.spec.model import Role

_FINENESS: Final = {"h": 0, "D": 1, "W": 2, "M": 3}
_MOST_COLUMNS: Final = 6
_FEW: Final = 50
_MATCH: Final = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Further:
    """A further source as the spec will have it. `refused` says why it cannot be used, if so."""

    look: Look
    table: str
    on: tuple[str, ...] = ()
    time: str | None = None
    frequency: str | None = None
    lookup: bool = False
    columns: Mapping[str, Covariate] = field(default_factory=dict)
    left: tuple[str, ...] = ()
    why: str = ""
    refused: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Panel:
    """What the sales turned out to be. `columns` are those of the sales and of lookups, `taken`
    names that no covariate may have, `last` the last period with sales by `periods.clock`.
    """

    columns: tuple[str, ...]
    series: tuple[str, ...]
    taken: frozenset[str]
    periods: Periods
    last: int


def table_names(looks: Sequence[Look]) -> list[str]:
    """A name for each source's table, from its file's name."""
    names: list[str] = []
    for look in looks:
        stem = re.sub(r"[*?\[\]]|\.[a-z0-9]+$|\.csv\.gz$", "", look.name.rstrip("/").split("/")[-1])
        name = re.sub(r"[^a-z0-9]+", "_", fold_words(stem)).strip("_") or "covariates"
        while name in OWN_TABLES or name == "sales" or name in names:
            name += "_raw"
        names.append(name)
    return names


def fold_words(text: str) -> str:
    """Lower case without accents; words stay apart."""
    return "_".join(part for part in (fold(p) for p in re.split(r"[\W_]+", text)) if part)


def joined(rows: pl.DataFrame, dimension: Further) -> pl.DataFrame:
    """The rows with the texts that a dimension adds to them."""
    texts = [c.name for c in dimension.look.sniffed.of_kind("text", "boolean")]
    new = [n for n in texts if n not in rows.columns]
    keys = list(dimension.on)
    kinds = {key: rows.schema[key] for key in keys}
    adds = dimension.look.rows.select([*keys, *new]).unique(subset=keys, keep="last")
    adds = adds.with_columns(pl.col(k).cast(kind, strict=False) for k, kind in kinds.items())
    return rows.join(adds, on=keys, how="left", maintain_order="left")


def dimension(look: Look, table: str, sales: Look) -> Further | None:
    """The source as a lookup, where it has no time and one row a key that sales have too."""
    if look.sniffed.of_kind("time"):
        return None
    shared = [name for name in _shared(look, sales.names) if look.column(name).distinct > 1]
    keys = next((name for name in shared if _is_key_of(look, name, sales)), None)
    if keys is None:
        return None
    return Further(look=look, table=table, on=(keys,), lookup=True)


def settled(found: Further, panel: Panel) -> Further:
    """A dimension once the series are known: a lookup if they need it, else statics of them."""
    gives = [name for name in panel.series if name in found.look.names and name not in found.on]
    why = f"no time, one row a `{'`, `'.join(found.on)}`"
    if gives:
        return replace(found, why=f"{why}; gives `{'`, `'.join(gives)}`")
    if not set(found.on) <= set(panel.series):
        return replace(found, why=f"{why}; its columns may become series")
    free = [c for c in found.look.sniffed.columns if c.name not in {*found.on, *panel.taken}]
    useful = [c for c in free if _static(c, found.look)]
    columns = {c.name: Covariate(role="static") for c in useful[:_MOST_COLUMNS]}
    refused = "" if columns else "none of its columns says something of a group of series"
    return replace(found, lookup=False, columns=columns, why=why, refused=refused)


def covariates(look: Look, table: str, panel: Panel, lookups: Sequence[Further]) -> Further:
    """The source as covariates of the series, or why it cannot be."""
    shared = _shared(look, panel.columns)
    keys = {key for lookup in lookups for key in lookup.on if _leads(lookup, panel)}
    on = tuple(name for name in shared if name in panel.series or name in keys)
    if not on:
        has = ", ".join(look.names)
        return Further(
            look=look, table=table, on=panel.series[:1],
            refused=f"it shares no column with the series ({', '.join(panel.series)}): has {has}",
        )  # fmt: skip
    on = tuple(n for n in on if n in panel.series) or on
    time = best_time(look) if look.sniffed.of_kind("time") else None
    if time is None and look.rows.select(on).is_unique().all():
        return settled(Further(look=look, table=table, on=on), panel)
    if time is None:
        return Further(
            look=look, table=table, on=on,
            refused=f"it has no time, and several rows for one `{on[0]}`",
        )  # fmt: skip
    return _timed(look, Further(look=look, table=table, on=on, time=time), panel)


def _timed(look: Look, found: Further, panel: Panel) -> Further:
    time = found.time or ""
    own = frequency_of(look.rows[time], time, panel.periods.clock.timezone).value
    here = panel.periods.clock.frequency
    coarser = _FINENESS[Frequency(own).unit] > _FINENESS[here.unit]
    clock = Clock(Frequency(own) if coarser else here, panel.periods.clock.timezone)
    ahead = _ahead(look, time, clock, panel)
    role: Role = "known-future" if ahead > 0 else "past-only"
    columns = _columns(look, {*found.on, *panel.series, *panel.taken, time})
    kept = dict(list(columns.items())[:_MOST_COLUMNS])
    horizon = panel.periods.horizon.value
    short = f", {ahead} of the {horizon} asked for" if ahead < horizon else ""
    words = panel.periods.words
    reach = f"reaches {ahead} {words} beyond the sales{short}" if ahead > 0 else (
        "ends with the sales, so its future is not known"
    )  # fmt: skip
    return replace(
        found,
        frequency=own if coarser else None,
        columns={n: Covariate(role=role, aggregate=c.aggregate, missing=c.missing)
                 for n, c in kept.items()},
        left=tuple(columns)[_MOST_COLUMNS:],
        why=reach,
        refused="" if kept else "none of its columns is a number, a yes or no, or one of few texts",
    )  # fmt: skip


def _ahead(look: Look, time: str, clock: Clock, panel: Panel) -> int:
    """Periods of the panel, after the last sale, that the table speaks of."""
    reach = panel.periods.horizon.value * 40
    later = panel.periods.clock.starts(pl.Series([panel.last + k for k in range(reach)]).to_numpy(),
                                       time)  # fmt: skip
    last = int(clock.ordinals(pl.Series(time, [look.latest(time)]))[0])
    return max(0, int((clock.ordinals(later) <= last).sum()) - 1)


def _columns(look: Look, taken: set[str]) -> dict[str, Covariate]:
    found = {}
    for column in look.sniffed.columns:
        if column.name not in taken | TAKEN and (made := _covariate(column, look)):
            found[column.name] = made
    return found


def _covariate(column: SniffedColumn, look: Look) -> Covariate | None:
    """How a column enters; promotions that no row states are none."""
    if column.kind == "boolean":
        return Covariate(role="past-only", aggregate="max", missing=None if look.textual else 0.0)
    if column.kind in ("number", "integer") and not is_code(column.name):
        flag = bool(look.rows[column.name].drop_nulls().is_in([0.0, 1.0]).all())
        promoted = flag or says(column.name, PROMOTION)
        return Covariate(
            role="past-only", aggregate="max" if flag else "mean", missing=0.0 if promoted else None
        )
    if column.kind == "text" and 1 < column.distinct <= _FEW and not is_code(column.name):
        return Covariate(role="past-only", aggregate="last")
    return None


def _static(column: SniffedColumn, look: Look) -> bool:
    """Whether a column tells groups of series apart."""
    if is_code(column.name) or column.name in TAKEN or column.kind == "time":
        return False
    few = 1 < column.distinct <= max(2, min(200, look.rows.height // 2))
    return few if column.kind in ("text", "boolean") else column.distinct > 1


def _leads(lookup: Further, panel: Panel) -> bool:
    """Whether a lookup turns its key into a column of the series."""
    return any(name in lookup.look.names for name in panel.series)


def _shared(look: Look, names: Sequence[str]) -> list[str]:
    """Columns of the source that the sales have under the same name and that may be keys."""
    there = set(names)
    keys = look.sniffed.of_kind("text", "integer", "boolean")
    return [column.name for column in keys if column.name in there]


def _is_key_of(look: Look, name: str, sales: Look) -> bool:
    """Whether the source has one row a value, and most of the sales find theirs."""
    values = look.rows[name].drop_nulls()
    if values.n_unique() < values.len() or name not in sales.rows.columns:
        return False
    known = sales.rows[name].cast(pl.String).is_in(values.cast(pl.String).unique().implode())
    return float(known.mean() or 0.0) >= _MATCH  # type: ignore[arg-type]
