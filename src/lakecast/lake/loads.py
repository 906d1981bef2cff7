"""Which loads a table holds. The table's partitions are the truth: no second book is kept.

A load's id is `<sequence>-<source>-<content>[-<as_of>]`: where it stands in the table's order, who
it is from (12 hex of table and source name), what it held and under which contract (12 hex), and,
only where rows lay in the future, the `as_of` that said so. A changed source keeps its sequence.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import xxhash

from lakecast.columns import LOAD

if TYPE_CHECKING:
    from datetime import datetime

    import pyarrow as pa

    from lakecast.lake.tables import FileRef, Lake, Table

CODE: Final = 1  # raise it when the same content would land otherwise
_DIGITS: Final = 12


@dataclass(frozen=True, slots=True)
class LoadId:
    """A load's id in its parts."""

    sequence: int
    source: str
    content: str
    as_of: str = ""

    def __str__(self) -> str:
        parts = [f"{self.sequence:06d}", self.source, self.content]
        return "-".join([*parts, self.as_of] if self.as_of else parts)

    @classmethod
    def parse(cls, text: str) -> LoadId | None:
        """None for a partition that is not ours."""
        parts = text.split("-")
        if len(parts) not in (3, 4) or not parts[0].isdigit():
            return None
        return cls(int(parts[0]), *parts[1:])

    def covers(self, content: str, as_of: datetime | None) -> bool:
        """Whether this load is what reading the source again would give."""
        return self.content == content and self.as_of in ("", moment_part(as_of))


@dataclass(frozen=True, slots=True)
class Live:
    """The loads of a table at a version, with their files.

    `schema` is None until a row has landed: types are chosen by the first load that has rows.
    """

    version: int = -1
    files: dict[LoadId, list[FileRef]] = field(default_factory=dict)
    schema: pa.Schema | None = None

    def of(self, source: str) -> list[LoadId]:
        """Loads of a source, in their order."""
        return sorted((load for load in self.files if load.source == source), key=str)

    def next_sequence(self) -> int:
        """A sequence after all others."""
        return 1 + max((load.sequence for load in self.files), default=0)


def live(table: Table) -> Live:
    """The loads a table holds now."""
    found = table.snapshot()
    if found is None:
        return Live()
    files: dict[LoadId, list[FileRef]] = {}
    for file in found.files:
        load = LoadId.parse(file.partition_values.get(LOAD) or "")
        if load is not None:
            files.setdefault(load, []).append(file)
    rows = sum(file.rows for file in found.files)
    return Live(found.version, files, found.schema if rows else None)


def content_id(lake: Lake, table: str) -> str:
    """Hash of a table's sorted load ids: what a fingerprint means by the table's content."""
    return content_of(live(lake.table(table)).files)


def content_of(loads: Iterable[LoadId]) -> str:
    """Hash of load ids, whatever their order."""
    return short("\n".join(sorted(str(load) for load in loads)), 32)


def source_part(table: str, source: str) -> str:
    """The part of a load's id that says who it is from."""
    return short(f"{table}\x1f{source}", _DIGITS)


def content_part(content: str, contract: str) -> str:
    """The part that says what was read, and how."""
    return short(f"{content}\x1f{contract}\x1f{CODE}", _DIGITS)


def moment_part(as_of: datetime | None) -> str:
    """The part that says against which `as_of` rows lay in the future."""
    return "" if as_of is None else short(as_of.isoformat(), 8)


def short(text: str, digits: int) -> str:
    """So many hex digits of a text's hash."""
    return xxhash.xxh3_128_hexdigest(text.encode())[:digits]
