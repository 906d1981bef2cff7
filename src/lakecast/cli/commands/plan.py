"""Say what `run` would do and why, without doing it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakecast.cli.project import open_project
from lakecast.cli.times import add_as_of, as_of

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from lakecast.cli.output import Output


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    add_as_of(parser)


def call(args: Namespace, output: Output) -> int:
    """Read only."""
    steps = open_project(args, output).plan(as_of=as_of(args))
    output.table(("stage", "does", "because"), [(s.stage, s.does, s.because) for s in steps])
    output.result({"stages": [s.to_dict() for s in steps]})
    return 0
