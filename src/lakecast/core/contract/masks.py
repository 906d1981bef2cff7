"""Masks: which rows of a chunk something is true of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterable


def alike(rows: int, *, value: bool) -> pl.Series:
    """The same for every row."""
    return pl.Series([value]).new_from_index(0, rows)


def either(masks: Iterable[pl.Series], rows: int) -> pl.Series:
    """Rows that any of the masks has; without a mask none."""
    found = alike(rows, value=False)
    for mask in masks:
        found |= mask
    return found
