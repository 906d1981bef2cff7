"""Which rows of a chunk break which rules."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import polars as pl

from lakecast.core.contract.coded import once, spread
from lakecast.core.contract.masks import alike, either
from lakecast.core.contract.numbers import parse_booleans, parse_numbers
from lakecast.core.contract.rules import level_on
from lakecast.core.contract.times import Times, parse_times

if TYPE_CHECKING:
    from lakecast.core.contract.plan import Kind, Plan
    from lakecast.spec.model import Bound, Level

LATEST: Final = date(2200, 12, 31)
_SURE: Final = 0.9


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What earlier chunks and the lake decided: the kind of each guessed covariate, and whether
    the source's times carry a zone (None: no time was seen yet). `as_of` carries a zone.

    `textual` is true of CSV, where the texts of format.nulls mean null in every column.
    """

    kinds: Mapping[str, Kind] = field(default_factory=dict)
    aware: bool | None = None
    as_of: datetime | None = None
    textual: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """Rows (`mask`) that break a rule in a column, and what that leads to."""

    rule: str
    column: str
    level: Level
    mask: pl.Series


@dataclass(frozen=True, slots=True)
class Judged:
    """A chunk as it was read, as it was understood, and what is wrong with it.

    `raw` and `values` have the same rows and columns, `_row` among them. `clock` is true of rows
    whose time is more than a date; `aware` is the chunk's answer to `Facts.aware`.
    """

    raw: pl.DataFrame
    values: pl.DataFrame
    findings: tuple[Finding, ...]
    clock: pl.Series
    aware: bool | None

    def sound(self) -> pl.Series:
        """Rows that land as far as the findings go."""
        fatal = [f.mask for f in self.findings if f.level in ("quarantine", "reject")]
        return ~either(fatal, self.raw.height)

    def with_findings(self, *more: Finding) -> Judged:
        """The same chunk with more found, those without a row left out."""
        kept = tuple(finding for finding in more if finding.mask.any())
        return replace(self, findings=(*self.findings, *kept))


def guess(chunk: pl.DataFrame, plan: Plan) -> dict[str, Kind]:
    """The kind of each guessed covariate, from a first chunk.

    A text column is boolean or numeric where nine tenths of its filled values read so.
    """
    return {name: _kind(chunk[name], plan) for name in plan.guessed if name in chunk.columns}


def judge(chunk: pl.DataFrame, plan: Plan, facts: Facts) -> Judged:
    """Read every value of a chunk and find every rule broken but those across rows.

    `chunk` has the spec's names and `_row`; columns may be texts or typed.
    """
    raw, kinds = _plain(chunk)
    filled = _nulled(raw, kinds, plan, textual=facts.textual)
    numbers = _numbers(filled, plan, facts)
    odd = {name: parsed for name, parsed in numbers.items() if not _finite(parsed)}
    # NaN is null: pandas writes one for the other.
    known = {name: parsed.fill_nan(None) for name, parsed in odd.items()}
    booleans = {
        name: once(filled[name], parse_booleans)
        for name, kind in facts.kinds.items()
        if kind == "boolean" and name in filled.columns
    }
    times = _times(filled[plan.time], plan) if plan.time in filled.columns else None
    moments = {} if times is None or plan.time is None else {plan.time: times.utc}
    values = filled.with_columns(
        series.alias(name) for name, series in {**numbers, **known, **booleans, **moments}.items()
    )
    aware = facts.aware if times is None else _awareness(times, facts)
    found: list[Finding] = []
    for name, parsed in {**numbers, **booleans, **moments}.items():
        found += _unread(filled[name], parsed, name, plan)
    found += _nulls(filled, plan)
    found += _infinite(filled, odd, plan)
    found += _sales(values, plan)
    if times is not None:
        found += _timely(times, plan, facts, aware)
    clock = alike(raw.height, value=False) if times is None else times.clock | times.aware
    empty = Judged(raw, values, (), clock, aware)
    return empty.with_findings(*found)


def finding(rule: str, column: str, mask: pl.Series, plan: Plan) -> Finding:
    """A finding at the level the spec gives it; nulls of the mask are no finding."""
    return Finding(rule, column, level_on(rule, column, plan), mask.fill_null(value=False))


def instant(moment: datetime, zone: str) -> datetime:
    """A moment in UTC; without a zone it is meant in `zone`."""
    placed = moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))
    return placed.astimezone(UTC)


def _kind(values: pl.Series, plan: Plan) -> Kind:
    if values.dtype == pl.Boolean:
        return "boolean"
    if values.dtype.is_numeric():
        return "number"
    texts = _null_texts(values.cast(pl.String), plan).drop_nulls().head(10_000)
    enough = max(1.0, _SURE * texts.len())
    if parse_numbers(texts, plan.writing).drop_nulls().len() >= enough:
        return "number"
    return "boolean" if parse_booleans(texts).drop_nulls().len() >= enough else "text"


def _plain(chunk: pl.DataFrame) -> tuple[pl.DataFrame, Mapping[str, pl.DataType]]:
    """Categories and bytes as the texts they are, durations as ISO 8601; a coded column stays
    where it has fewer texts than rows. And the types, for Polars makes each Enum anew when asked.
    """
    kinds = chunk.schema
    coded = [n for n, kind in kinds.items() if _is_category(kind, chunk.height)]
    spans = [n for n, kind in kinds.items() if kind == pl.Duration]
    packed = [n for n, kind in kinds.items() if kind == pl.Binary]
    if not coded and not spans and not packed:
        return chunk, kinds
    plain = chunk.with_columns(
        pl.col(coded).cast(pl.String),
        pl.col(spans).dt.to_string("iso"),
        *(_decoded(chunk[name]) for name in packed),
    )
    return plain, plain.schema


def _is_category(kind: pl.DataType, rows: int) -> bool:
    return kind == pl.Categorical or (isinstance(kind, pl.Enum) and kind.categories.len() > rows)


def _decoded(packed: pl.Series) -> pl.Series:
    """Bytes as text, for older writers of Parquet mark no text as such; the rest is escaped."""
    try:
        return packed.cast(pl.String)
    except pl.exceptions.ComputeError:
        texts = [None if v is None else v.decode(errors="backslashreplace") for v in packed]
        return pl.Series(packed.name, texts, dtype=pl.String)


def _nulled(
    raw: pl.DataFrame, kinds: Mapping[str, pl.DataType], plan: Plan, *, textual: bool
) -> pl.DataFrame:
    """Texts that mean null are null: in a CSV everywhere, else where a number or time is read."""
    read = {*plan.numbers, *plan.guessed, plan.time}
    names = [
        name
        for name, kind in kinds.items()
        if kind in (pl.String, pl.Enum) and (textual or name in read)
    ]
    coded = [kind.categories for name in names if isinstance(kind := kinds[name], pl.Enum)]
    if coded and not _tell_null(pl.concat(coded), plan).any():  # all at once: a call costs more
        names = [name for name in names if kinds[name] == pl.String]
    return raw.with_columns(_null_texts(raw[name], plan) for name in names) if names else raw


def _tell_null(texts: pl.Series, plan: Plan) -> pl.Series:
    told = pl.first().str.strip_chars().is_in(list(plan.writing.nulls))
    return texts.to_frame().select_seq(told).to_series()


def _null_texts(values: pl.Series, plan: Plan) -> pl.Series:
    texts = values.dtype.categories if isinstance(values.dtype, pl.Enum) else values
    told = _tell_null(texts, plan)
    if not told.any():
        return values
    means = told if texts is values else spread(told, values)
    return values.to_frame().select(pl.when(~means).then(pl.first())).to_series()


def _numbers(filled: pl.DataFrame, plan: Plan, facts: Facts) -> dict[str, pl.Series]:
    names = [*plan.numbers, *(n for n, kind in facts.kinds.items() if kind == "number")]
    return {
        name: once(filled[name], lambda texts: parse_numbers(texts, plan.writing))
        for name in dict.fromkeys(names)
        if name in filled.columns
    }


def _times(values: pl.Series, plan: Plan) -> Times:
    kind = values.dtype
    if not isinstance(kind, pl.Enum):
        return parse_times(values, plan.writing)
    told = parse_times(kind.categories, plan.writing)
    flags = (_flags(flag, values) for flag in (told.aware, told.clock))
    return Times(spread(told.utc, values), *flags)


def _flags(told: pl.Series, values: pl.Series) -> pl.Series:
    """What is true of the texts of a coded column, row by row; of a null nothing is."""
    if not told.any():
        return alike(values.len(), value=False)
    return spread(told, values).fill_null(value=False)


def _awareness(times: Times, facts: Facts) -> bool | None:
    if facts.aware is not None:
        return facts.aware
    seen = times.aware.filter(times.utc.is_not_null())
    return bool(seen[0]) if seen.len() else None


def _unread(texts: pl.Series, parsed: pl.Series, name: str, plan: Plan) -> Iterator[Finding]:
    if parsed.null_count() > texts.null_count():
        yield finding("unparseable", name, parsed.is_null() & texts.is_not_null(), plan)


def _nulls(filled: pl.DataFrame, plan: Plan) -> Iterator[Finding]:
    for name in plan.filled:
        if name in filled.columns and filled[name].null_count():
            yield finding("null", name, filled[name].is_null(), plan)


def _finite(parsed: pl.Series) -> bool:
    """Whether all numbers surely are finite: their sum is, and takes a tenth of looking at each."""
    return math.isfinite(parsed.sum())


def _infinite(
    filled: pl.DataFrame, numbers: Mapping[str, pl.Series], plan: Plan
) -> Iterator[Finding]:
    for name, parsed in numbers.items():
        wrong = parsed.is_infinite()
        if name in plan.filled:
            wrong |= parsed.is_nan()
        yield finding("not_finite", name, wrong & filled[name].is_not_null(), plan)


def _sales(values: pl.DataFrame, plan: Plan) -> Iterator[Finding]:
    """Rules that only `sales` has."""
    if plan.target in values.columns and _extreme(values[plan.target], 0, None):
        yield finding("negative", plan.target, values[plan.target] < 0, plan)
    for name, prefix in plan.cancelled.items():
        if name in values.columns:
            yield finding("cancelled", name, _starts(values[name], prefix), plan)
    for name, bound in plan.bounds.items():
        if name in values.columns and values[name].dtype.is_numeric():
            yield finding("out_of_range", name, _outside(values[name], bound), plan)


def _starts(values: pl.Series, prefix: str) -> pl.Series:
    return once(values, lambda texts: texts.cast(pl.String).str.starts_with(prefix))


def _outside(values: pl.Series, bound: Bound) -> pl.Series:
    wrong = alike(values.len(), value=False)
    if bound.minimum is not None and _extreme(values, bound.minimum, None):
        wrong |= values < bound.minimum
    if bound.maximum is not None and _extreme(values, None, bound.maximum):
        wrong |= values > bound.maximum
    if bound.above is not None:
        wrong |= values <= bound.above
    return wrong


def _extreme(values: pl.Series, least: Any, most: Any) -> bool:
    """Whether any value lies outside; most columns are cleared by their extremes alone."""
    low = values.min() if least is not None else None
    high = values.max() if most is not None else None
    return bool((low is not None and low < least) or (high is not None and high > most))


def _timely(times: Times, plan: Plan, facts: Facts, aware: bool | None) -> Iterator[Finding]:
    name = plan.time or ""
    early = datetime(plan.earliest.year, plan.earliest.month, plan.earliest.day)  # noqa: DTZ001
    late = datetime(LATEST.year, LATEST.month, LATEST.day)  # noqa: DTZ001
    first, last = instant(early, plan.zone), instant(late, plan.zone)
    if _extreme(times.utc, first, last):
        yield finding("absurd", name, (times.utc < first) | (times.utc > last), plan)
    if aware is not None and (aware or times.aware.any()):
        unlike = (times.aware != aware) & times.utc.is_not_null()
        yield finding("mixed_timezone", name, unlike, plan)
    if facts.as_of is not None and not plan.ahead:
        now = instant(facts.as_of, plan.zone)
        if _extreme(times.utc, None, now):
            sensible = times.utc.is_between(first, last)
            yield finding("future", name, (times.utc > now) & sensible, plan)
