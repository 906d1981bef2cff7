"""What a piece holds of each part, as slices of one table."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Slices(Mapping[int, "pa.Table"]):
    """A table by part; the slices are made as they are asked for.

    A table apart takes kilobytes, however few rows it has, and a piece may have rows of all parts.
    Rows `bounds[i]` to `bounds[i + 1]` are those of `parts[i]`; `parts` ascend. A part that has no
    rows is not among them.
    """

    table: pa.Table
    parts: NDArray[np.int32]
    bounds: NDArray[np.int64]

    def __getitem__(self, part: int) -> pa.Table:
        """The rows of a part."""
        at = bisect_left(self.parts, part)
        if at < len(self.parts) and self.parts[at] == part:
            begin, end = self.bounds.item(at), self.bounds.item(at + 1)
            if begin < end:
                return self.table.slice(begin, end - begin)
        raise KeyError(part)

    def __iter__(self) -> Iterator[int]:
        """The parts that have rows."""
        return iter(self.parts[np.diff(self.bounds) > 0].tolist())

    def __len__(self) -> int:
        """How many parts have rows."""
        return int(np.count_nonzero(np.diff(self.bounds)))


def size_of(parts: Mapping[int, pa.Table]) -> int:
    """Bytes of all parts of a piece."""
    tables = [parts.table] if isinstance(parts, Slices) else parts.values()
    return sum(table.nbytes for table in tables)
