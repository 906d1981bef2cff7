"""The `--as-of` option."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lakecast.errors import UsageError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace


def add_as_of(parser: ArgumentParser) -> None:
    """Add `--as-of`."""
    parser.add_argument(
        "--as-of", metavar="TIME",
        help="moment the run pretends to be at, ISO 8601 (default: the end of the last complete "
        "period in the data)",
    )  # fmt: skip


def as_of(args: Namespace) -> datetime | None:
    """The moment asked for, in UTC where it names no zone."""
    if args.as_of is None:
        return None
    try:
        moment = datetime.fromisoformat(args.as_of)
    except ValueError:
        raise UsageError(
            f"not a time: {args.as_of!r}", where="--as-of", cure="write it like 2024-05-31"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
