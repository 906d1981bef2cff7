"""What a source's format may say."""

from __future__ import annotations

import pytest

from lakecast.errors import SpecError
from lakecast.spec import loads

TEXT = """
spec = 1
[[sources]]
table = "sales"
path = "x.csv"
format = {{ {format} }}
[panel]
series = ["p"]
time = "t"
target = "q"
"""


@pytest.mark.parametrize(
    ("given", "key", "says"),
    [
        ('timezone = "Mars/Base"', "timezone", "unknown time zone"),
        ('dates = "dd/mm/yyyy"', "dates", "%d/%m/%Y"),
        ('encoding = "klingon"', "encoding", "unknown encoding"),
        ('decimal = ",", thousands = ","', "thousands", "both thousands and decimals"),
    ],
)
def test_a_format_that_cannot_be_read_is_refused_by_its_key(
    given: str, key: str, says: str
) -> None:
    with pytest.raises(SpecError, match=rf"sources\[0\].format.{key}: ") as refused:
        loads(TEXT.format(format=given))
    assert says in str(refused.value)


def test_formats_that_people_have() -> None:
    given = 'decimal = ",", thousands = ".", encoding = "utf-8-sig", dates = "%d/%m/%Y"'
    assert loads(TEXT.format(format=given)).sources[0].format.decimal == ","
