"""The row rules as data: docs, reports and errors are made from this table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from lakecast.core.contract.plan import Plan
    from lakecast.spec.model import Level


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """A rule: its level where the spec names none, what breaks it and what cures that."""

    name: str
    level: Level
    description: str
    cure: str


_ALL: Final = (
    Rule(
        name="missing_column",
        level="reject",
        description="A column the spec needs is not in the file.",
        cure="name the column as the file does, or send a file that has it",
    ),
    Rule(
        name="misnamed_column",
        level="repair",
        description="A column matches only when case, accents, spaces and signs are ignored; "
        "it is renamed.",
        cure="write the name in the spec as it stands in the file",
    ),
    Rule(
        name="malformed",
        level="quarantine",
        description="A line has more or fewer fields than the header, or a quote is never closed.",
        cure="quote fields that hold the delimiter, or set format.delimiter",
    ),
    Rule(
        name="unparseable",
        level="quarantine",
        description="A text is no number or no time in the format given. `repair` empties "
        "columns that may be empty.",
        cure="set format.decimal, format.thousands or format.dates",
    ),
    Rule(
        name="null",
        level="quarantine",
        description="A column that must be filled is empty: series, time, target, row_key and "
        "the columns of `on`.",
        cure="fill it, or list in format.nulls only what means null",
    ),
    Rule(
        name="not_finite",
        level="quarantine",
        description="A number is infinite, or NaN where it must be filled. `repair` empties "
        "columns that may be empty.",
        cure="mend the division that made it",
    ),
    Rule(
        name="repeated_key",
        level="quarantine",
        description="A row's `row_key` was in this file or in the lake before (`repeated = "
        '"last"` or `"sum"`: counted only).',
        cure='choose source.repeated, or remove row_key where equal rows are all real',
    ),
    Rule(
        name="negative",
        level="warn",
        description="The target is negative. contract.negative: `net` counts it, `drop` "
        "quarantines, `refuse` rejects.",
        cure="choose contract.negative",
    ),
    Rule(
        name="cancelled",
        level="warn",
        description="A column of contract.cancelled starts with its prefix; treated like a "
        "negative target.",
        cure="choose contract.negative",
    ),
    Rule(
        name="future",
        level="quarantine",
        description="The time lies after `as_of`, where one is given; the row is read again "
        "when `as_of` has moved. Sources with a known-future column may say what comes.",
        cure="mend the clock of the source, or choose a later --as-of",
    ),
    Rule(
        name="absurd",
        level="quarantine",
        description="The time lies before contract.earliest or after the year 2200.",
        cure="mend the time, or set contract.earliest",
    ),
    Rule(
        name="mixed_timezone",
        level="quarantine",
        description="Some times of a file carry a zone and some do not; those unlike the first "
        "one break the rule. `warn` reads zoneless ones in format.timezone.",
        cure="write all times of a file the same way",
    ),
    Rule(
        name="out_of_range",
        level="quarantine",
        description="A value lies outside contract.bounds. `repair` empties columns that may "
        "be empty.",
        cure="mend the value, or the bound",
    ),
)  # fmt: skip
RULES: Final = {rule.name: rule for rule in _ALL}
_NEGATIVE: Final[dict[str, Level]] = {"net": "warn", "drop": "quarantine", "refuse": "reject"}


def level_of(rule: str, plan: Plan) -> Level:
    """The level of a rule: contract.levels, else what other keys say, else its default."""
    if rule in plan.levels:
        return plan.levels[rule]
    if rule in ("negative", "cancelled"):
        return _NEGATIVE[plan.negative]
    if rule == "repeated_key" and plan.repeated != "refuse":
        return "warn"
    return RULES[rule].level


def level_on(rule: str, column: str, plan: Plan) -> Level:
    """The level of a rule on one column; a row never lands without what it must have.

    Where `repair` would empty a column that must be filled, or `warn` would let a hole pass, the
    row is quarantined instead.
    """
    level = plan.bounds[column].level if _bounded(rule, column, plan) else level_of(rule, plan)
    empties = rule in ("unparseable", "null", "not_finite") or level == "repair"
    if column in plan.filled and empties and level in ("repair", "warn"):
        return "quarantine"
    return level


def _bounded(rule: str, column: str, plan: Plan) -> bool:
    return rule == "out_of_range" and rule not in plan.levels and column in plan.bounds
