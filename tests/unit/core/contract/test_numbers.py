"""Numbers as people write them."""

from __future__ import annotations

import math

import polars as pl
import pytest

from lakecast.core.contract.numbers import parse_booleans, parse_numbers
from lakecast.core.contract.plan import Writing

BRAZIL = Writing(decimal=",", thousands=".")
COMMA = Writing(decimal=",")
ENGLISH = Writing(decimal=".", thousands=",")


@pytest.mark.parametrize(
    ("text", "writing", "number"),
    [
        ("1.234,56", BRAZIL, 1234.56),
        ("R$ 1.234,56", BRAZIL, 1234.56),
        ("R$1.234.567", BRAZIL, 1234567.0),
        ("-1.234", BRAZIL, -1234.0),
        ("12", BRAZIL, 12.0),
        ("1,5", COMMA, 1.5),
        ("1\u00a0000,5", COMMA, 1000.5),
        (",5", COMMA, 0.5),
        ("1,234.5", ENGLISH, 1234.5),
        ("$ 3", Writing(), 3.0),
        ("€7.5", Writing(), 7.5),
        (" 7 ", Writing(), 7.0),
        ("+5", Writing(), 5.0),
        ("1e3", Writing(), 1000.0),
        ("1.5E-2", Writing(), 0.015),
        ("-inf", Writing(), -math.inf),
        ("Infinity", BRAZIL, math.inf),
    ],
)
def test_read(text: str, writing: Writing, number: float) -> None:
    assert parse_numbers(pl.Series([text]), writing).to_list() == [number]


@pytest.mark.parametrize(
    ("text", "writing"),
    [
        ("1.234", COMMA),  # an undeclared mark could mean either
        ("1.234,5", COMMA),
        ("12.34", BRAZIL),  # no group of three
        ("1.23.456", BRAZIL),
        ("1,5", Writing()),
        ("1,234,56", ENGLISH),
        ("abc", Writing()),
        ("5-", Writing()),
        ("(5)", Writing()),
        ("0x1", Writing()),
        ("", Writing()),
        ("-", BRAZIL),
        ("nan", Writing()),
        ("10 un", Writing()),
    ],
)
def test_not_a_number(text: str, writing: Writing) -> None:
    assert parse_numbers(pl.Series([text]), writing).to_list() == [None]


def test_null_stays_null_and_order_is_kept() -> None:
    texts = pl.Series("q", ["1.000,5", None, "x", "2", "1.000,5"])
    assert parse_numbers(texts, BRAZIL).to_list() == [1000.5, None, None, 2.0, 1000.5]
    assert parse_numbers(texts, BRAZIL).name == "q"


def test_typed_numbers_become_float64() -> None:
    for values in (pl.Series([1, None], dtype=pl.Int8), pl.Series([True, None])):
        parsed = parse_numbers(values, BRAZIL)
        assert parsed.dtype == pl.Float64
        assert parsed.to_list() == [1.0, None]


def test_yes_and_no() -> None:
    said = parse_booleans(pl.Series(["Sim", "não", "TRUE", "0", "maybe", None]))
    assert said.to_list() == [True, False, True, False, None, None]
