"""Columns of texts, as Arrow parsed them.

A column whose texts repeat comes coded (an Enum of the texts of its piece): it is read, judged
and written once a text instead of once a row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import polars as pl

from lakecast.core.contract.coded import coded, small

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

_ENOUGH: Final = 10_000  # rows that tell whether a column's texts repeat
_LONG: Final = 8  # rows in a run, on average, from which runs are coded instead of rows

Way = Literal["whole", "coded", "runs"]


def ways_of(first: pa.Table) -> dict[str, Way]:
    """How each column is coded, or that it is not worth it, as far as the first rows tell."""
    return {
        name: _way(column) for name, column in zip(first.schema.names, first.columns, strict=True)
    }


def _way(column: pa.ChunkedArray) -> Way:
    if len(column) < _ENOUGH:
        return "coded"
    if _LONG * len(_Runs.of(column).values) <= len(column):
        return "runs"
    return "coded" if _repeats(column.dictionary_encode(), len(column)) else "whole"


def columns_of(rows: pa.Table, ways: Mapping[str, Way]) -> pl.DataFrame:
    """Each column coded where its texts repeat, else as it is."""
    columns: dict[str, pl.Series] = {}
    texts: dict[str, pl.Series] = {}
    for name, column in zip(rows.schema.names, rows.columns, strict=True):
        if (found := _coded(column, ways[name])) is None:
            columns[name] = pl.Series(pl.from_arrow(column))
        else:
            columns[name], texts[name] = found
    return coded(pl.DataFrame(columns), texts)


def _coded(column: pa.ChunkedArray, way: Way) -> tuple[pl.Series, pl.Series] | None:
    """Places in the distinct texts, and those; None where it is not worth it."""
    if way == "whole":
        return None
    runs = _Runs.of(column) if way == "runs" else None
    found = (column if runs is None else runs.values).dictionary_encode()
    if not _repeats(found, len(column)):
        return None
    codes, texts = _places(found)
    return codes if runs is None else runs.spread(codes), texts


class _Runs(NamedTuple):
    """A column as runs of one value; a run ends where a block does."""

    values: pa.ChunkedArray
    lengths: NDArray[np.int32]

    @classmethod
    def of(cls, column: pa.ChunkedArray) -> _Runs:
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        blocks = pc.run_end_encode(column).chunks
        lengths = [np.diff(block.run_ends.to_numpy(), prepend=0) for block in blocks]
        values = pa.chunked_array([block.values for block in blocks], column.type)
        return cls(values, np.concatenate([np.empty(0, np.int32), *lengths]))

    def spread(self, codes: pl.Series) -> pl.Series:
        """What is said of each run, row by row."""
        import numpy as np

        return pl.Series(np.repeat(codes.to_numpy(), self.lengths))


def _places(found: pa.ChunkedArray) -> tuple[pl.Series, pl.Series]:
    """Places in the distinct texts of a column (Arrow gives all its blocks the same), and those."""
    import pyarrow as pa

    texts = pl.Series(pl.from_arrow(found.chunk(0).dictionary))
    places = pa.chunked_array([block.indices for block in found.chunks])
    return small(pl.Series(pl.from_arrow(places)), texts.len()), texts


def _repeats(found: pa.ChunkedArray, rows: int) -> bool:
    """Whether texts come twice on average; a column without rows has none."""
    return rows > 0 and bool(2 * len(found.chunk(0).dictionary) <= rows)
