"""The `--as-of` option."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from lakecast.errors import UsageError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace


def add_as_of(parser: ArgumentParser) -> None:
    """Add `--as-of`."""
    parser.add_argument(
        "--as-of", metavar="TIME",
        help="moment the run pretends to be at, ISO 8601, in the panel's zone where it names none "
        "(default: the end of the last complete period in the data)",
    )  # fmt: skip


def as_of(args: Namespace) -> datetime | None:
    """The moment asked for; without a zone it is meant in the panel's."""
    if args.as_of is None:
        return None
    try:
        return datetime.fromisoformat(args.as_of)
    except ValueError:
        raise UsageError(
            f"not a time: {args.as_of!r}", where="--as-of", cure="write it like 2024-05-31"
        ) from None
