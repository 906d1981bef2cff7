"""From findings to what lands, what is quarantined and what is counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from lakecast.columns import REPAIRED, ROW
from lakecast.core.contract.coded import constant
from lakecast.core.contract.masks import either
from lakecast.spec.model import Level

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lakecast.core.contract.judge import Finding, Judged

EXAMPLES: Final = 5
QUARANTINE: Final = {ROW: pl.Int64, "raw": pl.String, "rules": pl.String, "detail": pl.String}


@dataclass(frozen=True, slots=True)
class Example:
    """One value that broke a rule; `row` is 1-based among the source's data rows."""

    row: int
    column: str
    value: str


@dataclass(frozen=True, slots=True)
class Tally:
    """How many rows broke a rule at a level, and the first of them."""

    rule: str
    level: Level
    count: int
    examples: tuple[Example, ...]

    def plus(self, other: Tally) -> Tally:
        """Both, the examples of this one first."""
        examples = (*self.examples, *other.examples)[:EXAMPLES]
        return Tally(self.rule, self.level, self.count + other.count, examples)


@dataclass(frozen=True, slots=True)
class Settled:
    """`kept` has the values, `_row` and `_repaired`; `apart` has the columns of `QUARANTINE`.

    Together they are all rows of the chunk, each once. `clock`: a kept time is more than a date.
    """

    kept: pl.DataFrame
    apart: pl.DataFrame
    tallies: tuple[Tally, ...]
    repaired: int
    clock: bool


def settle(judged: Judged) -> Settled:
    """Part the rows of a chunk."""
    sound = judged.sound()
    repairs = [finding for finding in judged.findings if finding.level == "repair"]
    values = judged.values.with_columns(
        _old_texts(judged, repairs),
        *(
            pl.when(~finding.mask).then(pl.col(finding.column)).alias(finding.column)
            for finding in _by_column(repairs)
        ),
    )
    kept = values if sound.all() else values.filter(sound)
    return Settled(
        kept=kept,
        apart=_apart(judged, ~sound),
        tallies=tally(judged),
        repaired=kept.height - kept[REPAIRED].null_count(),
        clock=bool((judged.clock & sound).any()),
    )


def tally(judged: Judged) -> tuple[Tally, ...]:
    """One tally a rule and level; a row that breaks a rule in two columns counts once."""
    groups: dict[tuple[str, Level], list[Finding]] = {}
    for finding in judged.findings:
        groups.setdefault((finding.rule, finding.level), []).append(finding)
    return tuple(_tally(judged.raw, group) for group in groups.values())


def merge(tallies: Iterable[Tally]) -> tuple[Tally, ...]:
    """Tallies of one rule and level become one, in the order first seen."""
    merged: dict[tuple[str, Level], Tally] = {}
    for item in tallies:
        key = (item.rule, item.level)
        merged[key] = merged[key].plus(item) if key in merged else item
    return tuple(merged.values())


def texts_of(frame: pl.DataFrame) -> pl.Series:
    """Each row as a JSON object of texts; nulls stay null."""
    columns = [pl.col(name).cast(pl.String, strict=False) for name in _plain_columns(frame)]
    if not columns:
        return pl.Series("raw", ["{}"] * frame.height, dtype=pl.String)
    packed = frame.select(pl.struct(columns).struct.json_encode().alias("raw"))
    return packed.to_series()


def _plain_columns(frame: pl.DataFrame) -> list[str]:
    nested = (pl.List, pl.Struct, pl.Array, pl.Binary, pl.Object)
    return [n for n, kind in frame.schema.items() if n != ROW and not isinstance(kind, nested)]


def _tally(raw: pl.DataFrame, group: Sequence[Finding]) -> Tally:
    mask = group[0].mask
    examples: list[Example] = []
    for finding in group:
        mask |= finding.mask
        examples += _examples(raw, finding)
    first = sorted(examples, key=lambda example: example.row)[:EXAMPLES]
    return Tally(group[0].rule, group[0].level, int(mask.sum()), tuple(first))


def _examples(raw: pl.DataFrame, finding: Finding) -> list[Example]:
    column = finding.column if finding.column in raw.columns else ROW
    rows = raw.filter(finding.mask).head(EXAMPLES).select(pl.col(ROW).alias("r"), value=column)
    return [Example(int(row), finding.column, _short(value)) for row, value in rows.iter_rows()]


def _short(value: object) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= 80 else f"{text[:79]}\u2026"


def _apart(judged: Judged, mask: pl.Series) -> pl.DataFrame:
    if not mask.any():
        return pl.DataFrame(schema=QUARANTINE)
    raw = judged.raw.filter(mask)
    told = [
        (finding, finding.mask.filter(mask))
        for finding in judged.findings
        if finding.level != "warn"
    ]
    rules = {finding.rule: None for finding, _ in told}
    named = [
        pl.when(either((m for f, m in told if f.rule == rule), raw.height)).then(pl.lit(rule))
        for rule in rules
    ]
    details = [pl.when(m).then(_detail(raw, finding)) for finding, m in told]
    return raw.select(
        pl.col(ROW).cast(pl.Int64),
        texts_of(raw).alias("raw"),
        pl.concat_str(named, separator=",", ignore_nulls=True).alias("rules"),
        pl.concat_str(details, separator="; ", ignore_nulls=True).alias("detail"),
    )


def _detail(raw: pl.DataFrame, finding: Finding) -> pl.Expr:
    said = pl.lit(f"{finding.rule} {finding.column}")
    if finding.column not in _plain_columns(raw):
        return said
    value = pl.col(finding.column).cast(pl.String, strict=False).str.slice(0, 80)
    return pl.concat_str([said, pl.lit("="), value.fill_null("")])


def _old_texts(judged: Judged, repairs: Sequence[Finding]) -> pl.Series:
    """`_repaired`: JSON {column: old text} of repaired rows, else null."""
    if not repairs:
        return constant(REPAIRED, None, judged.raw.height)
    parts = []
    for finding in _by_column(repairs):
        old = pl.struct(pl.col(finding.column).cast(pl.String)).struct.json_encode()
        parts.append(pl.when(finding.mask).then(old.str.strip_prefix("{").str.strip_suffix("}")))
    joined = pl.concat_str(parts, separator=",", ignore_nulls=True)
    told = judged.raw.select(pl.when(joined != "").then(pl.lit("{") + joined + pl.lit("}")))
    return told.to_series().alias(REPAIRED)


def _by_column(repairs: Sequence[Finding]) -> list[Finding]:
    """One finding a column: its mask is that of all of them."""
    columns: dict[str, Finding] = {}
    for finding in repairs:
        known = columns.get(finding.column)
        mask = finding.mask if known is None else known.mask | finding.mask
        columns[finding.column] = type(finding)(finding.rule, finding.column, "repair", mask)
    return list(columns.values())
