"""Which column is the time, the target, the money; which others may help."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from lakecast.columns import RESERVED
from lakecast.errors import UsageError
from lakecast.flows.guess.choice import Choice, named
from lakecast.flows.guess.words import (
    PROMOTION,
    STOCK,
    is_code,
    is_money,
    is_price,
    is_quantity,
    says,
    time_score,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from lakecast.flows.guess.look import Look
    from lakecast.lake.sources.sniff import SniffedColumn

TAKEN: Final = RESERVED | {"first", "last"}
"""Names that a covariate may not have."""
_MOST_PROMOTIONS: Final = 2
_DOUBT: Final = 0.01


@dataclass(frozen=True, kw_only=True, slots=True)
class Measures:
    """The numbers of the sales: what is forecast, its money, and what is known of each sale.

    `promotions` are past-only covariates beside the price; `available` says whether a row could
    be sold at all.
    """

    target: Choice[str]
    revenue: Choice[str] | None
    price: str | None
    promotions: tuple[str, ...]
    available: str | None


def time_column(look: Look, wished: str | None) -> Choice[str]:
    """The moment of the sale. Raises `UsageError` where no column holds times."""
    times = look.sniffed.of_kind("time")
    if wished is not None:
        named("--time", wished, look.names)
        if all(column.name != wished for column in times):
            examples = ", ".join(look.column(wished).examples)
            raise UsageError(
                f"`{wished}` holds no times that can be read, e.g. {examples}",
                where="--time",
                cure="write times like 2024-05-31, 31/05/2024 or 2024-05-31 18:30",
            )
        return Choice(wished, "as asked")
    if not times:
        raise UsageError(
            "no column of times found",
            where=look.name,
            cure=f"columns are: {', '.join(look.names)}; pass --time NAME, and write its values "
            "like 2024-05-31 or 31/05/2024",
        )
    best = best_time(look)
    why = "the only column of times" if len(times) == 1 else f"of {len(times)} columns of times"
    return Choice(best, why)


def best_time(look: Look) -> str:
    """Of the columns of times the likeliest moment of a row; the first of equals."""
    times = look.sniffed.of_kind("time")
    return max(times, key=lambda c: (time_score(c.name), c.nulls < _DOUBT)).name


def measures(look: Look, wished: str | None) -> Measures:
    """Target, revenue, price, promotions. Raises `UsageError` where nothing can be forecast."""
    target = _target(look, wished)
    rest = [c for c in _numbers(look) if c.name != target.value]
    money = _first(rest, is_money)
    price = _first(rest, is_price)
    flags = [*rest, *look.sniffed.of_kind("boolean")]
    promotions = [c.name for c in flags if says(c.name, PROMOTION) and c.name not in TAKEN]
    return Measures(
        target=target,
        revenue=Choice(money, "the money of a row; gives the realised price") if money else None,
        price=price,
        promotions=tuple(promotions[:_MOST_PROMOTIONS]),
        available=_first(list(look.sniffed.of_kind("boolean")), lambda n: says(n, STOCK)),
    )


def zeros(look: Look, name: str) -> int:
    """Rows whose value is zero or less."""
    return int((look.rows[name] <= 0).sum())


def _target(look: Look, wished: str | None) -> Choice[str]:
    numbers = _numbers(look)
    if wished is not None:
        return _wished_target(look, wished)
    tests: tuple[tuple[Callable[[str], bool], str], ...] = (
        (is_quantity, "its name says how many"),
        (is_money, "no column says how many; this one says how much"),
        (is_price, "no quantity: one sale a row, summed in money"),
    )
    for test, why in tests:
        if found := _first(numbers, test):
            return Choice(found, why)
    plain = [c.name for c in numbers if not is_code(c.name)]
    if len(plain) == 1:
        return Choice(plain[0], "the only column of numbers")
    raise UsageError(
        "no column says how many or how much was sold",
        where=look.name,
        cure=f"columns are: {', '.join(look.names)}; pass --target NAME",
    )


def _wished_target(look: Look, wished: str) -> Choice[str]:
    named("--target", wished, look.names)
    if look.column(wished).kind not in ("number", "integer"):
        examples = ", ".join(look.column(wished).examples)
        raise UsageError(
            f"`{wished}` is not numbers, e.g. {examples}",
            where="--target",
            cure="name a column of numbers",
        )
    return Choice(wished, "as asked")


def _numbers(look: Look) -> list[SniffedColumn]:
    return [c for c in look.sniffed.of_kind("number", "integer") if _told(look.rows[c.name])]


def _told(values: pl.Series) -> bool:
    return values.null_count() < values.len()


def _first(columns: list[SniffedColumn], test: Callable[[str], bool]) -> str | None:
    return next((c.name for c in columns if test(c.name)), None)
