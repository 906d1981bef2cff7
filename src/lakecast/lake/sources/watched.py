"""A stored file as a parser reads it in a thread of its own: watched, and held back."""

from __future__ import annotations

import codecs
from threading import Condition
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from lakecast.lake.sources.files import File

_AHEAD: Final = 4  # blocks
_PATIENCE: Final = 0.2  # seconds


class Watched:
    """Counts bytes, remembers how the text ended, and lets few blocks be read beyond those used.

    Arrow's own reading ahead is 32 blocks, whatever a block is. A block may give no rows, so who
    waits for rows is let on after a while. With `utf8` a text that is not UTF-8 raises
    `UnicodeDecodeError`: to look at a block at once costs less than Arrow's look at each value.
    """

    def __init__(self, file: File, *, utf8: bool = False, hashed: bool = False) -> None:
        self._hash = file.hasher() if hashed else None
        self._size, self._total = file.size, 0
        self._utf8 = codecs.getincrementaldecoder("utf-8")() if utf8 else None
        self._stream = file.store.open_input_stream(file.path, decompress=True)
        self._tail = b""
        self._read = 0
        self._room = Condition()
        self._ahead = 0
        self._wanted = True
        self.closed = False

    def read(self, count: int = -1) -> bytes:
        """As a file does; nothing more once it was let go."""
        with self._room:
            while not self._room.wait_for(self._may_read, _PATIENCE) and not self._wanted:
                pass
            if self._ahead < 0:
                return b""
            self._ahead += 1
        data = bytes(self._stream.read(count if count >= 0 else None))
        self._tail = (self._tail + data)[-8:] if len(data) < 8 else data[-8:]
        self._read += len(data)
        self._total += len(data)
        if self._hash is not None:
            self._hash.update(data)
        if self._utf8 is not None:
            _check(data, self._utf8)
        return data

    def _may_read(self) -> bool:
        return self._ahead < _AHEAD

    def used(self) -> None:
        """The rows of a block have come."""
        with self._room:
            self._ahead -= self._ahead > 0
            self._wanted = False
            self._room.notify_all()

    def wanted(self) -> None:
        """Rows are waited for."""
        with self._room:
            self._wanted = True

    def let_go(self) -> None:
        """Nobody wants more: a reader that waits ends."""
        with self._room:
            self._ahead = -1 << 30
            self._room.notify_all()

    def taken(self) -> int:
        """Bytes read since last asked."""
        count, self._read = self._read, 0
        return count

    def digest(self) -> str | None:
        """The hash of the file, if it was asked for and all of the file was read."""
        return self._hash.hexdigest() if self._hash and self._total == self._size else None

    @property
    def closed_quote(self) -> bool:
        """Whether the text ended with a quote."""
        return self._tail.rstrip(b"\r\n\0 \t").endswith(b'"')

    def close(self) -> None:
        """As a file does."""
        self._stream.close()
        self.closed = True

    def readable(self) -> bool:
        """As a file does."""
        return True

    def writable(self) -> bool:
        """As a file does."""
        return False

    def seekable(self) -> bool:
        """As a file does."""
        return False


def _check(data: bytes, utf8: codecs.IncrementalDecoder) -> None:
    """Raise `UnicodeDecodeError` where a text goes on with no UTF-8; no data is its end."""
    cut, _ = utf8.getstate()  # the letter that the last block ended in
    if cut or not data.isascii():
        utf8.decode(data, final=not data)
