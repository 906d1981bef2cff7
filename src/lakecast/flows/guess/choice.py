"""A decision and why it was taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from lakecast.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Wishes:
    """What the command line says; it overrides every guess. None or empty: guess.

    With `sql_env` and `query` the sales come from a query and all sources are further ones.
    """

    time: str | None = None
    target: str | None = None
    series: tuple[str, ...] = ()
    frequency: str | None = None
    timezone: str | None = None
    horizon: int | None = None
    sql_env: str | None = None
    query: str | None = None


@dataclass(frozen=True, slots=True)
class Choice(Generic[T]):
    """A value of the spec, and the reason in a few words."""

    value: T
    why: str


def named(flag: str, name: str, columns: Sequence[str]) -> str:
    """A column asked for by a flag. Raises `UsageError` where it is not there."""
    import difflib

    if name in columns:
        return name
    near = difflib.get_close_matches(name, columns, n=1)
    cure = f"did you mean `{near[0]}`?" if near else f"use one of: {', '.join(columns)}"
    raise UsageError(f"no column `{name}`", where=flag, cure=cure)
