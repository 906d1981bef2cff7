"""A file somewhere: its place, its bytes' hash, and what its folders say about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote

import xxhash

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

    from lakecast.lake.store import Store

_NULL = "__HIVE_DEFAULT_PARTITION__"
_BLOCK = 1 << 20  # stays in the processor's cache


@dataclass(frozen=True, kw_only=True, slots=True)
class File:
    """A file of a store; `name` is what `_source` says, `hive` what its folders say."""

    store: Store
    path: str
    name: str
    size: int
    hive: Mapping[str, str | None] = field(default_factory=dict)

    def content(self) -> str:
        """A hash of its bytes; on S3 its entity tag and size, which need no download."""
        if self.store.remote:
            with self.store.open_input_stream(self.path) as stream:
                tag = dict(stream.metadata() or {}).get("ETag", b"")
            text = tag.decode() if isinstance(tag, bytes) else str(tag)
            return xxhash.xxh3_128_hexdigest(f"{text}{self.size}".encode())
        hashed, block = self.hasher(), memoryview(bytearray(_BLOCK))
        with self.store.reaching(), self.store.open_input_stream(self.path) as stream:
            while count := stream.readinto(block):
                hashed.update(block[:count])
        return hashed.hexdigest()

    @staticmethod
    def hasher() -> xxhash.xxh3_128:
        """What `content` hashes the bytes of a file with that has no tag."""
        return xxhash.xxh3_128()

    def with_partition(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The rows and, as texts, the columns that only the folders name."""
        import polars as pl

        named = [
            pl.Series(name, [value], dtype=pl.String).new_from_index(0, frame.height)
            for name, value in self.hive.items()
            if name not in frame.columns
        ]
        return frame.hstack(named)


def hive_of(path: str) -> dict[str, str | None]:
    """`a=1/b=x/file` says {a: 1, b: x}."""
    pairs = [part.split("=", 1) for part in path.split("/")[:-1] if "=" in part]
    return {name: None if value == _NULL else unquote(value) for name, value in pairs}
