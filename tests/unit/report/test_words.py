"""Numbers and sentences as people read them."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime

import pytest

from lakecast.report import words
from lakecast.report.data import Decision


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "\u2013"), (math.nan, "\u2013"), (math.inf, "\u2013"), (0.0, "0"),
        (-0.0001, "\u22120.000100"),
        (12.345, "12.3"), (1.0, "1"), (1234.5, "1,234"), (-1234567.0, "\u22121,234,567"),
        (0.0123, "0.0123"), (99.96, "100"), (9.996, "10.0"), (-1e-9, "0"),
    ],
)  # fmt: skip
def test_number(value: float | None, text: str) -> None:
    assert words.number(value) == text


@pytest.mark.parametrize(
    ("value", "sign", "text"),
    [
        (0.1234, False, "12.3%"), (0.1234, True, "+12.3%"), (-0.5, True, "\u221250.0%"),
        (-0.0001, False, "0.0%"), (12.0, False, "1,200%"), (None, True, "\u2013"),
    ],
)  # fmt: skip
def test_percent(value: float | None, sign: bool, text: str) -> None:
    assert words.percent(value, sign=sign) == text


def test_amounts_sizes_and_times() -> None:
    assert words.money(-1070.4, "R$") == "\u2212R$\u202f1,070"
    assert words.money(0.456) == "0.456"
    assert words.money(None, "$") == "\u2013"
    assert [words.size(b) for b in (999, 1500, 2_500_000, 4e9, 5e13)] == [
        "999 B", "1.50 kB", "2.50 MB", "4 GB", "50,000 GB",
    ]  # fmt: skip
    assert [words.duration(s) for s in (0.04, 59.7, 61, 3661)] == [
        "0.0 s", "1 min 00 s", "1 min 01 s", "1 h 01 min",
    ]  # fmt: skip


def test_metrics_are_written_in_their_own_style() -> None:
    assert words.metric("rmsse", 0.7) == "0.700"
    assert words.metric("wape", 0.213) == "21.3%"
    assert words.metric("mae", 1234.0) == "1,234"
    assert words.metric("unheard_of", 2.5) == "2.50"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("gradient_boosting/direct", "Gradient boosting (direct)"), ("theta", "Theta"),
        ("ets", "ETS"), ("a/b/c", "A (b, c)"), ("auto", "Automatic choice"),
        (None, "\u2013"), ("", "\u2013"),
    ],
)  # fmt: skip
def test_candidates(name: str | None, text: str) -> None:
    assert words.candidate(name) == text


def test_periods_and_moments() -> None:
    assert [words.periods(f, 1) for f in ("h", "D", "W-SUN", "M")] == [
        "1 hour", "1 day", "1 week", "1 month",
    ]  # fmt: skip
    assert words.periods("D", 1200) == "1,200 days"
    assert words.moment(date(2017, 12, 3)) == "3 December 2017"
    assert words.moment(datetime(2017, 12, 3, 5, 30, tzinfo=UTC)) == "3 December 2017, 05:30"
    assert words.moment(datetime(2017, 12, 3, tzinfo=UTC)) == "3 December 2017"
    assert words.moment(None) == "\u2013"


@pytest.mark.parametrize(
    ("decision", "gain", "text"),
    [
        (Decision(), None, "There is no forecast yet"),
        (
            Decision(kind="first", champion="a", baseline="b"), 0.153,
            "Forecast errors are 15.3% smaller than with the best simple rule",
        ),
        (
            Decision(kind="external", champion="a", baseline="b"), -0.05,
            "Forecast errors are 5.0% larger than with the best simple rule",
        ),
        (Decision(kind="first", champion="a"), None, "A makes the forecasts"),
        (Decision(kind="first", champion="a"), math.nan, "A makes the forecasts"),
        (
            Decision(kind="baseline", champion="b", baseline="b"), 0.2,
            "No model beat the simple rules, so the best of them makes the forecasts",
        ),
    ],
)  # fmt: skip
def test_headline(decision: Decision, gain: float | None, text: str) -> None:
    assert words.headline(decision, gain) == text


def test_who_decided_is_told_with_what_it_chose() -> None:
    one = Decision(kind="first", champion="auto", members=("gradient_boosting/direct",))
    assert words.decided(one) == (
        "Gradient boosting (direct), the automatic choice, answers from now on: "
        "the first model of this project to pass the gate."
    )
    two = Decision(kind="refresh", champion="champion", members=("theta", "ets"), version="7")
    assert words.decided(two).startswith(
        "Theta and ETS, by demand class, the champion\u2019s recipe, version 7, answers"
    )
    assert words.decided(Decision()) == ""
    braces = Decision(kind="kept", champion="{0}", challenger="{x}")
    assert words.decided(braces) == (
        "{0} answers from now on as before, because {x} was not better by enough."
    )
