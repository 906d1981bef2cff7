"""What an ingest did, as values: printed by the CLI, kept on commits, drawn by the report."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from lakecast.core.contract.settle import Tally
from lakecast.lake.loads import live

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakecast.lake.tables import Lake

KEY: Final = "lakecast.load"


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnBytes:
    """A column's type in the lake, its bytes as read into memory and as stored."""

    name: str
    type: str
    before: int
    after: int


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadReport:
    """One load: landed + quarantined = read.

    `replaced` are the loads of the same source that went; `cursor` is how far a growing query got.
    """

    table: str
    source: str
    load: str
    read: int
    landed: int
    quarantined: int
    repaired: int
    rules: tuple[Tally, ...] = ()
    seconds: float = 0.0
    columns: tuple[ColumnBytes, ...] = ()
    replaced: tuple[str, ...] = ()
    cursor: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceName:
    """A source of a table, and its load where it has one."""

    table: str
    source: str
    load: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class IngestReport:
    """New loads, sources that were known, and sources that are gone but whose rows stay."""

    loads: tuple[LoadReport, ...] = ()
    skipped: tuple[SourceName, ...] = ()
    removed: tuple[SourceName, ...] = ()

    @property
    def read(self) -> int:
        """Rows read."""
        return sum(load.read for load in self.loads)

    @property
    def landed(self) -> int:
        """Rows that are now in the tables."""
        return sum(load.landed for load in self.loads)

    @property
    def quarantined(self) -> int:
        """Rows that are now in `quarantine`."""
        return sum(load.quarantined for load in self.loads)

    @property
    def repaired(self) -> int:
        """Rows that landed with an old text in `_repaired`."""
        return sum(load.repaired for load in self.loads)

    @property
    def changed(self) -> bool:
        """Whether any table changed."""
        return bool(self.loads)

    def to_json(self) -> dict[str, Any]:
        """Plain values with the totals."""
        totals = {
            name: getattr(self, name) for name in ("read", "landed", "quarantined", "repaired")
        }
        return {**asdict(self), **totals}


def pack(loads: Sequence[LoadReport]) -> str:
    """The reports of a commit's loads as it carries them."""
    return msgspec.json.encode(loads).decode()


def unpack(text: str) -> tuple[LoadReport, ...]:
    """What `pack` wrote."""
    return msgspec.json.decode(text, type=tuple[LoadReport, ...])


def report_of(lake: Lake, table: str, load: str) -> LoadReport | None:
    """The report of one load; None where the table's log no longer has it."""
    reports = (
        report
        for commit in lake.table(table).history()
        if KEY in commit.metadata
        for report in unpack(commit.metadata[KEY])
    )
    return next((report for report in reports if report.load == load), None)


def recall(lake: Lake, tables: Sequence[str]) -> IngestReport:
    """The reports of all loads that tables hold now, oldest first, read from their commits."""
    loads: list[LoadReport] = []
    for name in dict.fromkeys(tables):
        wanted = {str(load) for load in live(lake.table(name)).files}
        found: dict[str, LoadReport] = {}
        for commit in lake.table(name).history() if wanted else ():
            for report in unpack(commit.metadata.get(KEY, "[]")):
                found.setdefault(report.load, report)
            if wanted <= found.keys():
                break
        loads += [found[load] for load in sorted(wanted & found.keys())]
    return IngestReport(loads=tuple(loads))
