"""Names that Lakecast adds."""

from __future__ import annotations

import dataclasses

import pytest

from lakecast import columns
from lakecast.columns import Columns, interval_columns
from lakecast.errors import SpecError
from lakecast.spec import loads

SPEC = """
spec = 1
[[sources]]
table = "{table}"
path = "a.csv"
[panel]
series = ["{series}"]
time = "t"
target = "y"
"""


def test_interval_columns_go_by_level() -> None:
    assert interval_columns((80, 95)) == (
        "forecast-lo-80", "forecast-hi-80", "forecast-lo-95", "forecast-hi-95",
    )  # fmt: skip
    assert interval_columns(()) == ()


@pytest.mark.parametrize("name", sorted(columns.RESERVED))
def test_no_series_may_take_a_name_of_ours(name: str) -> None:
    with pytest.raises(SpecError, match=f"`{name}` is a name Lakecast adds itself"):
        loads(SPEC.format(table="sales", series=name))


@pytest.mark.parametrize("name", sorted(columns.OWN_TABLES))
def test_no_source_may_take_a_table_of_ours(name: str) -> None:
    with pytest.raises(SpecError):
        loads(SPEC.format(table=name, series="s"))


def test_columns_are_a_value() -> None:
    made = Columns(series=("a", "b"), time="t", target="y")
    assert made == Columns(series=("a", "b"), time="t", target="y")
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.time = "u"  # type: ignore[misc]
