"""The series there are: buckets, parts of buckets, codes, and the statics that join covariates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from lakecast.columns import BUCKET, CODE
from lakecast.core.panel.hashing import xxh64
from lakecast.core.panel.rows import COUNTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lakecast.core.panel.plan import PanelPlan

SEED: Final = 42
PART: Final = "_part"
NO_PART: Final = -1
_BEGINS: Final = "_begins"
_SHORT: Final = 64
_JOINT: Final = "\x1f"


def buckets_of(frame: pl.DataFrame, series: Sequence[str], buckets: int) -> NDArray[np.int32]:
    """[n] XXH64, seed 42, of the UTF-8 values joined by U+001F, unsigned, mod `buckets`.

    Numbers and dates are written as Polars casts them to texts; null is the empty text.
    """
    texts = frame.select(
        pl.concat_str([pl.col(c).cast(pl.String).fill_null("") for c in series], separator=_JOINT)
    ).to_series()
    return (xxh64(texts, SEED) % np.uint64(buckets)).astype(np.int32)


def roster(
    combinations: pl.DataFrame, plan: PanelPlan, known: pl.DataFrame | None, buckets: int
) -> pl.DataFrame:
    """Series columns, attributes, `series_code` and `bucket`, sorted by the series columns.

    `combinations` are a survey's `series` up to the cutoff. An attribute with several values is the
    one it had in the earliest period, then the smallest, so later rows do not change it. `known`
    (series columns and codes of earlier panels) keep their codes; new series follow the largest
    known code, in sorted order.
    """
    series = list(plan.columns.series)
    one = combinations.select(series).unique().sort(series)
    for name in plan.attributes:
        one = one.join(_earliest(combinations, series, name), on=series, how="left")
    coded = _codes(one.sort(series), series, known)
    return coded.with_columns(pl.Series(BUCKET, buckets_of(coded, series, buckets), dtype=pl.Int32))


def divided(
    roster: pl.DataFrame, combinations: pl.DataFrame, plan: PanelPlan, *, cutoff: int, rows: int
) -> pl.DataFrame:
    """The roster, sorted as it was, with `_part`: what of a bucket is built at once.

    Neighbouring series (by code) of about so many rows, at least one series; parts are numbered by
    bucket, then code. `combinations` say when each series begins, at the earliest. A short series
    counts as 64 rows: so much is held of each whatever its length, in states and windows.
    """
    series = list(plan.columns.series)
    begins = combinations.group_by(series).agg(pl.col("first").min().alias(_BEGINS))
    length = (pl.lit(cutoff, pl.Int64) - pl.col(_BEGINS) + 1).clip(min(_SHORT, rows))
    placed = (
        roster.select(*series, CODE, BUCKET)
        .join(begins, on=series, how="left")
        .sort(BUCKET, CODE)
        .with_columns(((length.cum_sum() - length).over(BUCKET) // rows).alias(PART))
    )
    number = pl.struct(BUCKET, PART).rle_id().cast(pl.Int32).alias(PART)
    return roster.join(placed.select(CODE, number), on=CODE, how="left", maintain_order="left")


def parts_of(roster: pl.DataFrame, buckets: Sequence[int]) -> dict[int, list[int]]:
    """The parts of each of the buckets, ascending; `NO_PART` alone for one without series."""
    found = roster.group_by(BUCKET).agg(pl.col(PART).unique().sort())
    known = dict(found.iter_rows())
    return {bucket: known.get(bucket, [NO_PART]) for bucket in buckets}


def ambiguous(combinations: pl.DataFrame, plan: PanelPlan) -> pl.DataFrame:
    """How many series have several values of an attribute, as counts."""
    series = list(plan.columns.series)
    notes = []
    for name in plan.attributes:
        values = combinations.group_by(series).agg(pl.col(name).drop_nulls().n_unique())
        if several := values.filter(pl.col(name) > 1).height:
            notes.append(("ambiguous", name, several))
    return pl.DataFrame(notes, schema=COUNTS, orient="row")


def _earliest(combinations: pl.DataFrame, series: list[str], name: str) -> pl.DataFrame:
    seen = combinations.filter(pl.col(name).is_not_null()).sort(*series, "first", name)
    return seen.unique(series, keep="first", maintain_order=True).select(*series, name)


def _codes(one: pl.DataFrame, series: list[str], known: pl.DataFrame | None) -> pl.DataFrame:
    if known is None or known.is_empty():
        return one.with_columns(pl.int_range(one.height, dtype=pl.Int32).alias(CODE))
    kept = known.select(*(pl.col(c).cast(one.schema[c]) for c in series), pl.col(CODE))
    joined = one.join(kept, on=series, how="left", maintain_order="left")
    new = pl.col(CODE).is_null()
    following = int(known[CODE].max()) + new.cast(pl.Int32).cum_sum()  # type: ignore[arg-type]
    return joined.with_columns(
        pl.when(new).then(following).otherwise(pl.col(CODE)).cast(pl.Int32).alias(CODE)
    )
