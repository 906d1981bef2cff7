"""What every kind of source gives: a name, a content hash, and rows in pieces."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

PIECE_BYTES: Final = 16 << 20
_HASHED: Final = 8 << 20


@dataclass(frozen=True, slots=True)
class Malformed:
    """A row whose fields could not be told apart."""

    row: int
    text: str
    detail: str


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows in the order of the source, with `_row` (Int64, 1-based among all its data rows).

    `malformed` rows have their numbers from the same count. `size` is the bytes read for it.
    `hash` is that of the item's `content`, where the last piece tells it.
    """

    frame: pl.DataFrame
    malformed: tuple[Malformed, ...] = ()
    size: int = 0
    hash: str | None = None


@dataclass(frozen=True, slots=True)
class Content:
    """A hash of what an item holds now; `cursor` is how far an incremental query got.

    `rows` is None where they were not counted.
    """

    hash: str
    cursor: str | None = None
    rows: int | None = None


class Item(Protocol):
    """One file, table or query."""

    @property
    def name(self) -> str:
        """What `_source` says, relative to the project."""
        ...

    @property
    def textual(self) -> bool:
        """Whether all columns are texts that say null by a text."""
        ...

    @property
    def size(self) -> int | None:
        """Bytes to read, for progress."""
        ...

    @property
    def grows(self) -> bool:
        """Whether a load adds to earlier loads of the source instead of replacing them."""
        ...

    @property
    def tells(self) -> bool:
        """Whether its last piece tells the hash that `content` would have to read all for."""
        ...

    def content(self, scratch: Path) -> Content:
        """What it holds; a query is read into `scratch` here and only here."""
        ...

    def pieces(self, scratch: Path, piece_bytes: int) -> Iterator[Piece]:
        """The rows. At least one piece, if only to say the columns."""
        ...
