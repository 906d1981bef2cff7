"""Reading one source through the contract into files of this machine; nothing lands yet."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from lakecast.ahead import ahead
from lakecast.columns import LOAD, REPAIRED, ROW, SOURCE
from lakecast.core.contract.coded import constant
from lakecast.core.contract.judge import Facts, finding, guess, judge
from lakecast.core.contract.names import rename
from lakecast.core.contract.rules import RULES, level_of
from lakecast.core.contract.settle import EXAMPLES, QUARANTINE, Example, Tally, merge, settle
from lakecast.errors import DataRefused
from lakecast.lake.keys import repeats
from lakecast.lake.narrow import plain
from lakecast.lake.parts import Parts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from concurrent.futures import Future
    from datetime import datetime
    from pathlib import Path

    import pyarrow as pa

    from lakecast.core.contract.judge import Judged
    from lakecast.core.contract.plan import Kind, Plan
    from lakecast.core.keyset import KeySet
    from lakecast.lake.narrow import Extremes
    from lakecast.lake.parts import Part
    from lakecast.lake.sources.base import Item, Malformed, Piece

_HOPELESS: Final = 100  # rows: from here on a file none of whose times can be read is refused


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """How a source is read: `schema` is the table's, `kinds` say what its covariates are.

    `keys` (None: there is no `row_key`) takes in those of the rows that land.
    """

    plan: Plan
    scratch: Path
    piece_bytes: int
    keys: KeySet | None
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    schema: pa.Schema | None = None
    as_of: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """A source that was read: rows that may land (Parquet) and rows set apart (Arrow) in scratch.

    `kinds` and `found` are the types of the rows and their extremes. `clock`: some time is more
    than a date. `sizes`: bytes of each column as read. `keys` holds the landed rows' keys too.
    `hash` is the source's, where its pieces told it.
    """

    kept: Sequence[Part]
    kinds: Mapping[str, pl.DataType]
    found: Mapping[str, Extremes]
    apart: Path
    read: int
    landed: int
    repaired: int
    clock: bool
    tallies: tuple[Tally, ...]
    sizes: Mapping[str, int]
    keys: KeySet | None
    hash: str | None

    @property
    def quarantined(self) -> int:
        """Rows set apart."""
        return self.read - self.landed

    def broke(self, rule: str) -> bool:
        """Whether a row broke the rule."""
        return any(tally.rule == rule and tally.count for tally in self.tallies)


def read(item: Item, reading: Reading, advance: Any) -> Draft:
    """Read a source to its end; `advance(bytes)` is told the progress.

    Raises `DataRefused` where a rule of level `reject` was broken, with all counts.
    """
    reader = _Reader(item, reading)
    try:
        with closing(ahead(item.pieces(reading.scratch, reading.piece_bytes))) as pieces:
            for piece in _worth(pieces):
                reader.take(piece)
                advance(piece.size)
    finally:
        reader.close()
    return reader.draft()


def _worth(pieces: Iterator[Piece]) -> Iterator[Piece]:
    """The pieces that have rows; where none has, one for its columns."""
    empty: Piece | None = None
    filled = False
    for piece in pieces:
        if piece.frame.height or piece.malformed:
            filled = True
            yield piece
        else:
            empty = piece
    if empty is not None and not filled:
        yield empty


class _Reader:
    """The state of one reading: it lives as long as `read` runs."""

    def __init__(self, item: Item, reading: Reading) -> None:
        self._item = item
        self._reading = reading
        self._facts = Facts(kinds=dict(reading.kinds), as_of=reading.as_of, textual=item.textual)
        self._names: dict[str, str] | None = None
        self._guessed = False
        zone = reading.plan.writing.timezone
        filled = {*reading.plan.filled, SOURCE, ROW}
        self._parts = Parts(reading.scratch, reading.schema, zone, filled)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="write")
        self._writing: Future[None] | None = None
        self._apart = _Sink(reading.scratch / "apart.arrow")
        self._tallies: tuple[Tally, ...] = ()
        self._sizes: Counter[str] = Counter()
        self._rows = Counter[str]()
        self._clock = False
        self._last: pl.DataFrame | None = None
        self._hash: str | None = None

    def take(self, piece: Piece) -> None:
        """One more piece."""
        self._hash = piece.hash
        plan = self._reading.plan
        frame = self._named(piece.frame)
        self._learn(frame)
        judged = judge(frame, plan, self._facts)
        self._facts = replace(self._facts, aware=judged.aware)
        settled = settle(self._repeated(judged))
        self._last = self._landing(settled.kept)
        self._clock |= settled.clock
        if self._guessed:
            self._keep(self._last)
        self._apart.write(pl.concat([settled.apart, _lines(piece.malformed)]))
        self._tallies = merge(
            [*self._tallies, *settled.tallies, *_malformed(piece.malformed, plan)]
        )
        self._rows.update(
            read=frame.height + len(piece.malformed),
            landed=settled.kept.height,
            repaired=settled.repaired,
        )
        for name in frame.columns:
            self._sizes[name] += int(frame[name].estimated_size())

    def _keep(self, rows: pl.DataFrame) -> None:
        """Have rows written while the next ones are judged."""
        time = self._reading.plan.time
        self._written()
        dates = [] if time is None or self._clock else [time]
        self._writing = self._writer.submit(self._parts.write, rows, dates)

    def _written(self) -> None:
        """Wait for the rows that are being written. Raises what writing raised."""
        if self._writing is not None:
            self._writing.result()

    def close(self) -> None:
        """Finish the files; without a row the columns at least are told."""
        with self._writer:
            if not self._guessed and self._last is not None:
                self._keep(self._last)
            self._written()
        self._parts.close()
        self._apart.close()

    def draft(self) -> Draft:
        """What was read. Raises `DataRefused`."""
        refuse(self._tallies, self._item.name)
        self._hopeless()
        return Draft(
            kept=tuple(self._parts.files),
            kinds=self._parts.kinds,
            found=self._parts.found,
            apart=self._apart.path,
            read=self._rows["read"],
            landed=self._rows["landed"],
            repaired=self._rows["repaired"],
            clock=self._clock,
            tallies=self._tallies,
            sizes=dict(self._sizes),
            keys=self._reading.keys,
            hash=self._hash,
        )

    def _named(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The columns under the spec's names; missing ones are null where the rule lets them."""
        plan = self._reading.plan
        if self._names is None:
            self._names, tallies = _match(frame.columns, plan)
            self._tallies = merge([*self._tallies, *tallies])
            refuse(self._tallies, self._item.name)
            _reserved(frame.columns, self._item.name)
            self._names |= _cased(frame.columns, self._names, self._reading, self._item.name)
        named = frame.rename(self._names, strict=False) if self._names else frame
        absent = [name for name in plan.required if name not in named.columns]
        return named.hstack([constant(name, None, named.height) for name in absent])

    def _learn(self, frame: pl.DataFrame) -> None:
        """The kinds of covariates the table does not have yet, from the first rows."""
        if self._guessed or not frame.height:
            return
        kinds = {**guess(frame, self._reading.plan), **self._facts.kinds}
        self._facts = replace(self._facts, kinds=kinds)
        self._guessed = True

    def _repeated(self, judged: Judged) -> Judged:
        plan = self._reading.plan
        keys = self._reading.keys
        if keys is None:
            return judged
        again = repeats(keys, judged.values, judged.sound(), plan)
        return judged.with_findings(finding("repeated_key", plan.row_key[0], again, plan))

    def _landing(self, kept: pl.DataFrame) -> pl.DataFrame:
        rows = plain(kept, self._reading.plan.writing.timezone)
        source = constant(SOURCE, self._item.name, rows.height)
        own = pl.exclude(ROW, REPAIRED)
        return rows.select(own, source, pl.col(ROW), pl.col(REPAIRED))

    def _hopeless(self) -> None:
        """A file whose every row is unreadable is one mistake in the spec, not a thousand rows."""
        if self._rows["landed"] or self._rows["read"] < _HOPELESS:
            return
        for tally in self._tallies:
            if tally.rule in ("unparseable", "malformed") and tally.count == self._rows["read"]:
                raise _refusal([tally], self._item.name, "every row is unreadable: ")


class _Sink:
    """An Arrow file whose schema is that of the first rows."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._writer: Any = None
        self._schema: dict[str, pl.DataType] = {}

    def write(self, frame: pl.DataFrame) -> None:
        """Append rows."""
        import pyarrow as pa

        if self._writer is None:
            self._schema = dict(frame.schema)
            schema = frame.clear().to_arrow(compat_level=pl.CompatLevel.oldest()).schema
            options = pa.ipc.IpcWriteOptions(compression="lz4")
            self._writer = pa.ipc.new_file(str(self.path), schema, options=options)
        if frame.height:
            rows = frame.select(pl.col(n).cast(kind) for n, kind in self._schema.items())
            self._writer.write_table(rows.to_arrow(compat_level=pl.CompatLevel.oldest()))

    def close(self) -> None:
        """Finish the file, if there is one."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def refuse(tallies: Sequence[Tally], where: str) -> None:
    """Raise `DataRefused` if a rule of level `reject` was broken."""
    fatal = [tally for tally in tallies if tally.level == "reject" and tally.count]
    if fatal:
        raise _refusal(fatal, where, "")


def _refusal(tallies: Sequence[Tally], where: str, before: str) -> DataRefused:
    said = "; ".join(_said(tally) for tally in tallies)
    cure = "; ".join(dict.fromkeys(RULES[tally.rule].cure for tally in tallies))
    return DataRefused(f"{before}{said}", where=where, cure=cure)


def _said(tally: Tally) -> str:
    """`null: 3 rows, e.g. row 5 produto=''`."""
    shown = [
        f"row {example.row} {example.column}={example.value!r}" if example.row else example.column
        for example in tally.examples[:EXAMPLES]
    ]
    count = f"{tally.count} row{'s' if tally.count > 1 else ''}"
    unit = count if any(example.row for example in tally.examples) else f"{tally.count}"
    return f"{tally.rule}: {unit}, e.g. {', '.join(shown)}"


def _match(found: Sequence[str], plan: Plan) -> tuple[dict[str, str], list[Tally]]:
    """Renames, and what is to be said of misnamed and missing columns."""
    near = rename(plan.declared, [name for name in found if name != ROW])
    level = level_of("misnamed_column", plan)
    tallies = []
    if near:
        told = tuple(Example(0, f"{old} for {new}", old) for old, new in near.items())
        tallies.append(Tally("misnamed_column", level, len(near), told[:EXAMPLES]))
    renames = near if level in ("repair", "warn") else {}
    have = {renames.get(name, name) for name in found}
    missing = [name for name in plan.required if name not in have]
    if missing:
        told = tuple(Example(0, name, "") for name in missing)[:EXAMPLES]
        tallies.append(
            Tally("missing_column", level_of("missing_column", plan), len(missing), told)
        )
    return renames, tallies


def _cased(
    found: Sequence[str], names: Mapping[str, str], reading: Reading, where: str
) -> dict[str, str]:
    """Renames to the table's spelling, for Delta takes `Loja` and `loja` for one column.

    Raises `DataRefused` where the file has both.
    """
    table = () if reading.schema is None else reading.schema.names
    spelled = {name.lower(): name for name in table}
    met: dict[str, str] = {}
    renames = {}
    for name in found:
        new = names.get(name, name)
        if (other := met.setdefault(new.lower(), new)) != new:
            raise DataRefused(
                f"columns `{other}` and `{new}` differ only in case",
                where=where,
                cure="rename or remove one of them",
            )
        if new not in reading.plan.declared and spelled.get(new.lower(), new) != new:
            renames[name] = spelled[new.lower()]
    return renames


def _reserved(names: Sequence[str], where: str) -> None:
    taken = {SOURCE, LOAD, REPAIRED} & set(names)
    if taken:
        raise DataRefused(
            f"column `{min(taken)}` has a name that Lakecast adds itself",
            where=where,
            cure="rename the column in the source",
        )


def _malformed(rows: Sequence[Malformed], plan: Plan) -> list[Tally]:
    if not rows:
        return []
    level = level_of("malformed", plan)
    told = tuple(Example(row.row, row.detail, row.text[:80]) for row in rows[:EXAMPLES])
    # Its fields cannot be told apart, so it can never land.
    return [Tally("malformed", "reject" if level == "reject" else "quarantine", len(rows), told)]


def _lines(rows: Sequence[Malformed]) -> pl.DataFrame:
    import msgspec

    return pl.DataFrame(
        {
            ROW: [row.row for row in rows],
            "raw": [msgspec.json.encode({"_line": row.text}).decode() for row in rows],
            "rules": ["malformed"] * len(rows),
            "detail": [f"malformed: {row.detail}" for row in rows],
        },
        schema=QUARANTINE,
    )
