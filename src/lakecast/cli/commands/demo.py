"""Forecast a real grocery retailer: writes an ordinary project, then runs it.

The last 28 days are kept back: their promotions are the known future, their sales are drawn
beside the forecasts.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lakecast.cli.project import open_project
from lakecast.cli.show import show_run

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from lakecast.cli.output import Output


def configure(parser: ArgumentParser) -> None:
    """The project gets a folder of its own."""
    parser.set_defaults(project="lakecast-demo")


def call(args: Namespace, output: Output) -> int:
    """Write what is missing of the project, then run it."""
    from lakecast.flows.demo import write

    folder = Path(args.project)
    held_back = write(folder, output)
    outcome = open_project(args, output).run(actuals=str(held_back))
    show_run(outcome, output)
    output.line()
    output.line("Next:")
    output.line(f"  look at the spec        {folder / 'lakecast.toml'}")
    output.line(f"  what is in the lake     lakecast status --project {folder}")
    output.line("  your own files          lakecast init --source PATH --project DIR")
    return 0
