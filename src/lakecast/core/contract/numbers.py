"""Numbers as people write them: `1.234,56`, `R$ 10`, `1 234.5`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from lakecast.core.contract.plan import Writing

_NOISE: Final = r"[\s\u00a0\u202f]|(?:R|US|A|C)?\$|[€£¥]"
_INFINITE: Final = r"(?i)^[+-]?inf(inity)?$"
_TRUE: Final = ("true", "t", "yes", "y", "sim", "s", "verdadeiro", "1")
_FALSE: Final = ("false", "f", "no", "n", "nao", "não", "falso", "0")


def parse_numbers(values: pl.Series, writing: Writing) -> pl.Series:
    """Float64; null where the value is null or its text is no number; infinities stay.

    Texts are numbers with the decimal mark, the thousands mark (in groups of three) and an
    optional currency sign. A mark that was not declared makes the text unparseable, so `1.234` is
    never read as 1.234 where the decimal mark is a comma.
    """
    if values.dtype.is_numeric() or values.dtype in (pl.Boolean, pl.Null):
        return values.cast(pl.Float64)
    texts = values.cast(pl.String)
    quick = _quick(texts, writing)
    if quick.null_count() == texts.null_count():
        return quick
    left = texts.filter(quick.is_null() & texts.is_not_null())
    slow = _slow(left.unique(), writing)
    mended = texts.replace_strict(
        slow["text"], slow["number"], default=None, return_dtype=pl.Float64
    )
    return quick.fill_null(mended).alias(values.name)


def _quick(texts: pl.Series, writing: Writing) -> pl.Series:
    """Plain numbers, which are most."""
    if writing.decimal == ".":
        plain = texts
    else:
        hidden = texts.str.contains(".", literal=True)
        other = texts.str.replace(writing.decimal, ".", literal=True)
        plain = other.to_frame().select(pl.when(~hidden).then(pl.first())).to_series()
    if writing.thousands == ".":
        # "1.234" may be one thousand: only the slow way knows.
        grouped = texts.str.contains(".", literal=True)
        plain = plain.to_frame().select(pl.when(~grouped).then(pl.first())).to_series()
    number = plain.to_frame().select_seq(pl.first().cast(pl.Float64, strict=False).fill_nan(None))
    return number.to_series()


def _slow(texts: pl.Series, writing: Writing) -> pl.DataFrame:
    """`text` and its `number`, by the letter of the format."""
    bare = texts.str.replace_all(_NOISE, "")
    thousands = re.escape(writing.thousands.strip()) if writing.thousands else ""
    point = re.escape(writing.decimal)
    whole = rf"\d{{1,3}}(?:{thousands}\d{{3}})+|\d+" if thousands else r"\d+"
    pattern = rf"^[+-]?(?:(?:{whole})(?:{point}\d*)?|{point}\d+)(?:[eE][+-]?\d+)?$"
    fits = bare.str.contains(pattern)
    number = bare.str.replace_all(thousands, "") if thousands else bare
    number = number.str.replace(writing.decimal, ".", literal=True).cast(pl.Float64, strict=False)
    frame = pl.DataFrame({"text": texts, "number": number, "fits": fits, "bare": bare})
    infinite = pl.col("bare").str.contains(_INFINITE)
    return frame.with_columns(pl.when(pl.col("fits") | infinite).then(pl.col("number")))


def parse_booleans(values: pl.Series) -> pl.Series:
    """Boolean; null where the value is null or its text says neither yes nor no."""
    if values.dtype == pl.Boolean:
        return values
    text = values.cast(pl.String).str.strip_chars().str.to_lowercase()
    frame = text.to_frame("t").select(
        pl.when(pl.col("t").is_in(_TRUE))
        .then(statement=True)
        .when(pl.col("t").is_in(_FALSE))
        .then(statement=False)
        .alias(values.name)
    )
    return frame.to_series()
