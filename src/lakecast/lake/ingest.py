"""From sources to `sales`, covariate tables and `quarantine`: every row read lands exactly once,
or the whole file is rejected and nothing of it lands; the same source again changes nothing.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from lakecast.core.contract.judge import instant
from lakecast.core.contract.plan import plan_of
from lakecast.errors import Conflict, LakecastError, SpecError
from lakecast.lake.draft import Reading, read
from lakecast.lake.keys import known
from lakecast.lake.landing import Landing, land, stage, tidy
from lakecast.lake.ledger import IngestReport, LoadReport, SourceName, recall, report_of
from lakecast.lake.loads import LoadId, content_id, content_part, live, moment_part, source_part
from lakecast.lake.narrow import kinds_of
from lakecast.lake.sources import items
from lakecast.lake.sources.base import PIECE_BYTES, Content

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from lakecast.core.contract.plan import Plan
    from lakecast.core.keyset import KeySet
    from lakecast.lake.draft import Draft
    from lakecast.lake.landing import Staged
    from lakecast.lake.loads import Live
    from lakecast.lake.sources import Item
    from lakecast.lake.tables import Lake
    from lakecast.logs import Progresses
    from lakecast.spec.model import Source, Spec

_ATTEMPTS: Final = 5
_GROUP_LOADS: Final = 100
_GROUP_BYTES: Final = 8 << 20
_MOST_PIECE: Final = 16 << 20
_LEAST_PIECE: Final = 1 << 20


def ingest(  # noqa: PLR0913 - the arguments of a stage, all but two by name
    spec: Spec,
    lake: Lake,
    *,
    project: Path,
    as_of: datetime | None = None,
    memory: int | None = None,
    progress: Progresses,
) -> IngestReport:
    """Bring the lake up to what the sources hold now.

    `as_of` without a zone is meant in the panel's. Sources are read in the order of the spec and
    of their names, one load each; small ones land together. What was read before an error lands.

    Raises `DataRefused` for the first file that breaks a rule of level `reject`, `SpecError` where
    a source is not there, `Unreachable` where a store or database does not answer.
    """
    moment = None if as_of is None else instant(as_of, spec.panel.timezone)
    run = _Run(lake, project, moment, _piece_bytes(memory), progress)
    met = [one for source in spec.sources for one in run.meet(source, plan_of(spec, source))]
    try:
        for load in met:
            load()
    except LakecastError:
        run.settle()
        raise
    run.settle()
    tables = sorted({source.table for source in spec.sources})
    tidy(lake, run.seen.keys(), tables)
    return IngestReport(
        loads=tuple(run.loads), skipped=tuple(run.skipped), removed=_removed(lake, tables, run)
    )


@dataclass(slots=True)
class _Run:
    """One ingest under way. `seen` maps the source part of load ids to the sources met, `held` and
    `keys` what is known of tables that no other writer has changed since. `group` are the loads of
    one table that are read and not yet committed, each with what reads it again.
    """

    lake: Lake
    project: Path
    as_of: datetime | None
    piece_bytes: int
    progress: Progresses
    loads: list[LoadReport] = field(default_factory=list)
    skipped: list[SourceName] = field(default_factory=list)
    seen: dict[str, str] = field(default_factory=dict)
    keys: dict[str, KeySet] = field(default_factory=dict)
    held: dict[str, Live] = field(default_factory=dict)
    group: list[tuple[Staged, Callable[[int], None]]] = field(default_factory=list)

    def meet(self, source: Source, plan: Plan) -> Iterator[Callable[[], None]]:
        """Note every item of a source; what is given back loads one of them."""
        for item in items(source, self.project):
            part = source_part(plan.table, item.name)
            if part in self.seen:
                raise SpecError(
                    f"`{item.name}` belongs to two sources of table `{plan.table}`",
                    where="lakecast.toml: sources",
                    cure="narrow one of the patterns",
                )
            self.seen[part] = item.name
            yield partial(self._load, partial(self._beyond, source, item, plan), plan, part)

    def _beyond(self, source: Source, item: Item, plan: Plan) -> Item:
        """The item as it is to be read now: a growing one beyond what the lake has of it."""
        if not item.grows:
            return item
        since = self._since(plan, source_part(plan.table, item.name))
        return items(source, self.project, since=since)[0]

    def _since(self, plan: Plan, part: str) -> str | None:
        """Where the last load of a growing source ended."""
        loads = self._live(plan.table).of(part)
        if not loads:
            return None
        told = report_of(self.lake, plan.table, str(loads[-1]))
        if told is None:
            raise LakecastError(
                f"the log of table `{plan.table}` no longer says how far `{self.seen[part]}` got",
                where=f"load {loads[-1]}",
                cure="delete the table's folder and ingest again",
            )
        return told.cursor

    def _load(
        self, item: Callable[[], Item], plan: Plan, part: str, attempts: int = _ATTEMPTS
    ) -> None:
        """Read an item unless the lake has it; commit once it is worth a commit."""
        if self.group and self.group[0][0].to.plan.table != plan.table:
            self.settle()
        with self.lake.store.scratch() as scratch:
            staged = self._once(item(), plan, part, scratch)
        if staged is not None:
            self.group.append((staged, partial(self._load, item, plan, part)))
            if self._full(staged):
                self.settle(attempts)

    def _full(self, last: Staged) -> bool:
        """Whether the group is to be committed; a table without types takes one load at a time."""
        untyped = last.to.live.schema is None or self.held[last.to.plan.table].schema is None
        size = sum(staged.file.size for staged, _ in self.group)
        return untyped or size > _GROUP_BYTES or len(self.group) >= _GROUP_LOADS

    def settle(self, attempts: int = _ATTEMPTS) -> None:
        """Commit the group; read it again when another writer interferes."""
        group, self.group = self.group, []
        if not group:
            return
        table = group[0][0].to.plan.table
        try:
            land(self.lake, [staged for staged, _ in group])
        except Conflict:
            self.keys.pop(table, None)
            if attempts == 1:
                raise
            again = [load for _, load in group]
        else:
            self.loads += [staged.report for staged, _ in group]
            again = []
        finally:
            self.held.pop(table, None)
        for load in again:
            load(attempts - 1)
        self.settle(attempts - 1)

    def _once(self, item: Item, plan: Plan, part: str, scratch: Path) -> Staged | None:
        """The item's load, ready to be committed; None where there is nothing to do."""
        began = time.perf_counter()
        held = self._live(plan.table)
        old = held.of(part)
        content: Content | None = None
        replaced: list[LoadId] = []
        if old or not item.tells or self._gone(held):  # else the lake has nothing like it
            content = item.content(scratch)
            wanted = content_part(content.hash, plan.digest())
            if _known(old, wanted, self.as_of) or (item.grows and content.rows == 0):
                last = str(old[-1]) if old else ""
                self.skipped.append(SourceName(table=plan.table, source=item.name, load=last))
                return None
            replaced = [] if item.grows else old or self._moved(held, wanted)
        draft = self._read(item, plan, _Before(held, replaced), scratch)
        content = content or (Content(draft.hash) if draft.hash else item.content(scratch))
        if not draft.read and not replaced:
            self.skipped.append(SourceName(table=plan.table, source=item.name))
            return None
        late = moment_part(self.as_of) if draft.broke("future") else ""
        sequence = replaced[0].sequence if replaced else held.next_sequence()
        landing = Landing(
            plan=plan,
            source=item.name,
            load=LoadId(sequence, part, content_part(content.hash, plan.digest()), late),
            live=held,
            replaced=replaced,
            cursor=content.cursor,
            seconds=time.perf_counter() - began,
        )
        staged = stage(self.lake, draft, landing)
        self.seen.update((load.source, item.name) for load in replaced)
        self.held[plan.table] = staged.live()
        if draft.keys is not None:
            self.keys[plan.table] = draft.keys
        return staged

    def _gone(self, held: Live) -> list[LoadId]:
        """Loads of sources that are not met any more."""
        return [load for load in held.files if load.source not in self.seen]

    def _moved(self, held: Live, wanted: str) -> list[LoadId]:
        """The load of a source that is gone and held the same: its file has another name now."""
        return sorted((load for load in self._gone(held) if load.content == wanted), key=str)[:1]

    def _live(self, table: str) -> Live:
        """A table's loads, as of the last commit of this run."""
        if table not in self.held:
            self.held[table] = live(self.lake.table(table))
        return self.held[table]

    def _read(self, item: Item, plan: Plan, before: _Before, scratch: Path) -> Draft:
        schema = before.live.schema
        reading = Reading(
            plan=plan,
            scratch=scratch,
            piece_bytes=self.piece_bytes,
            keys=self._keys(plan, before),
            schema=schema,
            kinds={} if schema is None else kinds_of(schema, plan.guessed),
            as_of=self.as_of,
        )
        with self.progress.bar(f"ingest {item.name}", item.size, "B") as bar:
            return read(item, reading, bar.advance)

    def _keys(self, plan: Plan, before: _Before) -> KeySet | None:
        """Keys of all other loads; read from the lake once, or when a load is replaced.

        They are taken, for the reading adds to them, and put back once its load has landed.
        """
        if not plan.row_key:
            return None
        held = self.keys.pop(plan.table, None)
        if held is not None and not before.replaced:
            return held
        return known(self.lake.table(plan.table), before.live, before.replaced, plan)


@dataclass(frozen=True, slots=True)
class _Before:
    live: Live
    replaced: list[LoadId]


def _known(loads: list[LoadId], content: str, as_of: datetime | None) -> bool:
    return any(load.covers(content, as_of) for load in loads)


def _removed(lake: Lake, tables: list[str], run: _Run) -> tuple[SourceName, ...]:
    """Sources with rows in the lake that were not met; their rows stay."""
    gone = {
        str(load)
        for name in tables
        for load in live(lake.table(name)).files
        if load.source not in run.seen
    }
    if not gone:
        return ()
    return tuple(
        SourceName(table=report.table, source=report.source, load=report.load)
        for report in recall(lake, tables).loads
        if report.load in gone
    )


def _piece_bytes(memory: int | None) -> int:
    """A piece is held several times over: as text, parsed, and as Parquet."""
    if memory is None:
        return PIECE_BYTES
    return max(_LEAST_PIECE, min(_MOST_PIECE, memory // 64))


__all__ = ["content_id", "ingest", "recall"]
