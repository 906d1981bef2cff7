"""Every error Lakecast raises on purpose.

::

    LakecastError                 exit 1
    ├── UsageError                exit 2   the command line, a setting or a missing extra
    │   └── SpecError             exit 2   lakecast.toml
    ├── DataRefused               exit 3   the data contract refused a whole file
    ├── GateNotPassed             exit 4   no candidate may be promoted
    └── Unreachable               exit 5   a store, database, service or cluster; worth a retry
        ├── LeaseHeld             exit 5   another run holds the project
        └── Conflict              exit 5   another writer changed a table at the same time

Each carries what happened, where, and the cure. The exit code is read once, in ``lakecast.cli``.
"""

from __future__ import annotations

from typing import ClassVar


class LakecastError(Exception):
    """What happened, where (a file, key path, table, row) and what cures it."""

    exit_code: ClassVar[int] = 1
    terminal: ClassVar[bool] = True

    def __init__(self, what: str, *, where: str = "", cure: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.cure = cure

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        cure = f"\n  cure: {self.cure}" if self.cure else ""
        return f"{place}{self.what}{cure}"

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.what, self.where, self.cure))


def _rebuild(kind: type[LakecastError], what: str, where: str, cure: str) -> LakecastError:
    return kind(what, where=where, cure=cure)


class UsageError(LakecastError):
    """The command line, a setting or the environment asks for something that cannot be."""

    exit_code = 2


class SpecError(UsageError):
    """``lakecast.toml`` is not a valid spec; ``where`` is the file and the key path."""


class DataRefused(LakecastError):
    """A file broke a rule of level ``reject``: nothing of it landed."""

    exit_code = 3


class GateNotPassed(LakecastError):
    """No candidate passed the promotion gate."""

    exit_code = 4


class Unreachable(LakecastError):
    """A store, database, service or cluster did not answer. Trying again may help."""

    exit_code = 5
    terminal = False


class LeaseHeld(Unreachable):
    """Another run holds this project's lease; ``where`` names the holder."""


class Conflict(Unreachable):
    """Another writer changed a table between our reading and our commit; start again."""
