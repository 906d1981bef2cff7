"""Say what is there: tables, champion, what would be done next, who holds the lease."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakecast.cli.project import open_project

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from lakecast.cli.output import Output


def configure(parser: ArgumentParser) -> None:
    """No options of its own."""


def call(args: Namespace, output: Output) -> int:
    """Read only."""
    status = open_project(args, output).status()
    output.line(f"project   {status['project']}")
    output.line(f"lake      {status['lake']}")
    output.line(f"champion  {status['champion'] or 'none yet'}")
    output.line(f"lease     {status['lease'] or 'free'}")
    output.line()
    output.table(
        ("table", "version", "files", "rows", "fingerprint"),
        [
            (row["table"], row["version"], row["files"], row["rows"], row["fingerprint"])
            for row in status["tables"]
        ],
    )
    output.result(status)
    return 0
