"""Bytes that rows take while models are fit, as measured; what fits in is decided by these."""

from __future__ import annotations

from typing import Final

FLOAT: Final = 4
"""A value of the panel, or of a matrix."""
HELD: Final = 100_000_000
"""A panel of at most so many bytes is held in memory while models are fit."""
CELL: Final = 1
"""A cell of the binned set, whose bins are at most 255."""
BINNED: Final = 40
"""A row beside its cells: target, weight, period, group; LightGBM's own; holes."""
FITTING: Final = 51
"""A row while it is fit: gradients, scores, indices; copies of the above."""
PIECE: Final = 131_072
"""Rows of the panel that features are made of at a time, whole series."""
AT_ONCE: Final = 2
"""Pieces whose features are made at a time, each of them held whole."""
SAMPLE: Final = 200_000
"""Rows that the edges of bins are found in, at most."""
ROOM: Final = 2.5
"""A workbench may take this many times its budget while it fits one model."""
LEAST_ROWS: Final = 250_000
"""Fewer rows than that (or than there are) are not worth a training."""


def binned(rows: int, columns: int) -> int:
    """A binned set, and what it is trained with."""
    return rows * (columns * CELL + BINNED)


def fitted(rows: int, columns: int) -> int:
    """A binned set while a model of all its rows is fit."""
    return binned(rows, columns) + rows * FITTING


def fitted_apart(rows: int, columns: int) -> int:
    """A binned set while models of its parts are fit, which copy their rows."""
    return fitted(rows, columns) + rows * columns * CELL
