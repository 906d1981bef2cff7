"""The table `promotions`: which model is champion, and how it came to be. The registry's truth.

It is a log: a promotion is a row, nothing is ever changed, and the champion is the last row. A row
goes in by one conditional commit, whose requirements (the table version read, the champion it
replaces, the table's schema) are read again and checked again when somebody else was faster.
MLflow's alias only follows; see `lakecast.registry.models.reconcile`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from lakecast.errors import Conflict, GateNotPassed, LakecastError, UsageError
from lakecast.spec import digest

if TYPE_CHECKING:
    from datetime import datetime

    import polars as pl

TABLE: Final = "promotions"
EXTERNAL: Final = "external"
Kind = Literal["first", "baseline", "refresh", "replacement", "rollback", "external"]
_ATTEMPTS: Final = 20


class Table(Protocol):
    """What is needed of a table of the lake; `lakecast.lake.tables.Table` is one."""

    def exists(self) -> bool:
        """Whether a first commit was made."""
        ...

    def version(self) -> int:
        """Version of the last commit, -1 where there is none."""
        ...

    def scan(self, *, version: int | None = None) -> pl.LazyFrame:
        """The rows at a version."""
        ...

    def stage(self, data: Any) -> Any:
        """Write an Arrow table to a file that counts once committed."""
        ...

    def commit(
        self, *, add: Sequence[Any], schema: Any, fingerprint: str, expect_version: int | None
    ) -> bool:
        """Add files; raises `Conflict` unless the table is at the expected version."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposal:
    """A model that is to become champion.

    `recipe` is the recipe's name, `fingerprint` that of the training that made it, `cutoff` the
    last period it was fit on (ISO 8601), `model_version` its version in MLflow, `figures` what the
    gate saw (JSON values).
    """

    kind: Kind
    recipe: str
    fingerprint: str
    cutoff: str
    model_version: str
    figures: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Promotion(Proposal):
    """A row of `promotions`.

    `version` counts promotions from 1. `previous` is the one that a rollback returns to: the
    champion replaced or, in a rollback's own row, the one before the champion returned to. `at` is
    in UTC.
    """

    version: int
    previous: int | None
    by: str
    at: datetime


def history(table: Table) -> tuple[Promotion, ...]:
    """All promotions, oldest first; empty where there is no table."""
    return _read(table)[1]


def champion(table: Table) -> Promotion | None:
    """The promotion that holds now."""
    return _last(history(table))


def promote(
    table: Table, proposal: Proposal, *, replacing: int | None, by: str, at: datetime
) -> Promotion:
    """Make a model champion in place of the promotion `replacing` (None: there is no champion).

    Doing it again does nothing: when the champion already is this model, it is returned. Raises
    `GateNotPassed` when somebody else is champion by now, because the gate judged against another.
    """

    def row(log: tuple[Promotion, ...]) -> Promotion:
        return Promotion(
            **_fields(proposal), version=len(log) + 1, previous=replacing, by=by, at=at
        )

    now = champion(table)
    if now is not None and _same(now, proposal):
        return now
    return _append(table, row, replacing)


def rollback(table: Table, *, by: str, at: datetime) -> Promotion:
    """Make the champion before this one champion again; once more goes one further back.

    Raises `UsageError` when there is none.
    """
    log = history(table)
    now = _last(log)
    if now is None or now.previous is None:
        raise UsageError(
            "there is no earlier champion to roll back to",
            where=TABLE,
            cure="`lakecast status` lists the promotions",
        )
    target = log[now.previous - 1]

    def row(log: tuple[Promotion, ...]) -> Promotion:
        return replace(target, kind="rollback", version=len(log) + 1, by=by, at=at)

    return _append(table, row, now.version)


class _Row(Protocol):
    def __call__(self, log: tuple[Promotion, ...], /) -> Promotion: ...


def _append(table: Table, row: _Row, replacing: int | None) -> Promotion:
    """One conditional commit, tried again on a conflict as long as its requirements hold."""
    for _ in range(_ATTEMPTS):
        version, log = _read(table)
        _require_champion(log, replacing)
        new = row(log)
        new = replace(new, at=new.at.astimezone(UTC))
        data = _frame([new]).to_arrow(compat_level=_oldest())
        try:
            table.commit(
                add=[table.stage(data)],
                schema=data.schema,
                fingerprint=digest(new.version, new.kind, new.fingerprint, new.model_version),
                expect_version=version,
            )
        except Conflict:
            continue
        return new
    raise Conflict(
        "other writers kept changing the promotions",
        where=TABLE,
        cure="call again when no other `lakecast` command works on this project",
    )


def _read(table: Table) -> tuple[int, tuple[Promotion, ...]]:
    """The version comes first, so that rows and version belong together."""
    version = table.version()
    if version < 0:
        return version, ()
    frame = table.scan(version=version).collect()
    _require_schema(frame)
    rows = frame.sort("version").iter_rows(named=True)
    return version, tuple(
        Promotion(**{**row, "figures": json.loads(row["figures"])}) for row in rows
    )


def _require_champion(log: tuple[Promotion, ...], replacing: int | None) -> None:
    now = _last(log)
    if (None if now is None else now.version) == replacing:
        return
    who = "there is no champion" if now is None else f"promotion {now.version} by {now.by} is"
    raise GateNotPassed(
        f"the champion changed since the gate judged: {who}"
        + ("" if now is None else f" champion, not {replacing or 'none'}"),
        where=TABLE,
        cure="run `lakecast select` again, which judges against the champion of now",
    )


def _require_schema(frame: pl.DataFrame) -> None:
    expected = _schema()
    if {name: kind for name, kind in frame.schema.items() if name in expected} != expected:
        raise LakecastError(
            f"columns are {dict(frame.schema)}, expected {expected}",
            where=TABLE,
            cure="the table was written by another version of Lakecast: use that one",
        )


def _last(log: tuple[Promotion, ...]) -> Promotion | None:
    return log[-1] if log else None


def _same(now: Promotion, proposal: Proposal) -> bool:
    return (now.fingerprint, now.model_version) == (proposal.fingerprint, proposal.model_version)


def _fields(proposal: Proposal) -> dict[str, Any]:
    return {name: getattr(proposal, name) for name in Proposal.__dataclass_fields__}


def _frame(rows: Sequence[Promotion]) -> pl.DataFrame:
    import polars as pl

    plain = [
        {**asdict(row), "figures": json.dumps(_finite(row.figures), sort_keys=True)} for row in rows
    ]
    return pl.DataFrame(plain, schema=_schema())


def _finite(value: object) -> object:
    """JSON has no NaN and no infinity: they become null."""
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _schema() -> dict[str, pl.DataType]:
    import polars as pl

    texts = {name: pl.String() for name in ("recipe", "fingerprint", "cutoff", "model_version")}
    return {
        "version": pl.Int64(),
        "previous": pl.Int64(),
        "kind": pl.String(),
        **texts,
        "figures": pl.String(),
        "by": pl.String(),
        "at": pl.Datetime("us", "UTC"),
    }


def _oldest() -> pl.CompatLevel:
    import polars as pl

    return pl.CompatLevel.oldest()
