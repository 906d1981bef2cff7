"""Texts that repeat are read once each: a coded column is an Enum of the texts of its chunk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def coded(rows: pl.DataFrame, texts: Mapping[str, pl.Series]) -> pl.DataFrame:
    """Columns of texts, given as `small` places (null: null) in series of distinct ones."""
    return rows.with_columns_seq(
        pl.col(name).cat.to(pl.Enum(distinct)) for name, distinct in texts.items()
    )


def small(codes: pl.Series, texts: int) -> pl.Series:
    """Places in a series of so many texts, as the numbers that an Enum of them is made of."""
    kind = pl.UInt8 if texts < 2**8 else pl.UInt16 if texts < 2**16 else pl.UInt32
    # They fit, so nobody need look: wrapping costs a fifth of a checked cast.
    return codes if codes.dtype == kind else codes.cast(kind, wrap_numerical=True)


def once(values: pl.Series, answer: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """`answer(values)`, asked once for each distinct text where the column is coded.

    The answer to a null is null then, whatever `answer` says.
    """
    kind = values.dtype
    if not isinstance(kind, pl.Enum):
        return answer(values)
    return spread(answer(kind.categories), values)


def spread(answers: pl.Series, values: pl.Series) -> pl.Series:
    """What was answered for the texts of a coded column, row by row."""
    places = pl.first().to_physical().cast(pl.UInt32)
    answered = values.to_frame().select_seq(pl.lit(answers).gather(places).alias(values.name))
    return answered.to_series()


def constant(name: str, text: str | None, rows: int) -> pl.Series:
    """A column of one text."""
    if text is None:
        return pl.Series(name, [None], dtype=pl.String).new_from_index(0, rows)
    return pl.Series(name, [text], dtype=pl.Enum([text])).new_from_index(0, rows)
