"""Bring everything up to date: ingest, panel, train and select when due, forecast, report.

What the stages will take in memory and time is told before they begin; a memory budget that is too
little for them is refused then. Stages whose inputs have not changed are left alone. Killed at any
moment, the same command goes on where it stopped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakecast.cli.project import open_project
from lakecast.cli.show import show_prediction, show_run
from lakecast.cli.times import add_as_of, as_of

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from lakecast.cli.output import Output


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    add_as_of(parser)
    parser.add_argument("--retrain", action="store_true", help="train even if it is not due")
    parser.add_argument(
        "--wait", type=float, default=0.0, metavar="SECONDS",
        help="how long to wait for another run of this project (default: 0)",
    )  # fmt: skip
    parser.add_argument(
        "--actuals", metavar="FILE", help="raw sales after the cutoff, drawn beside the forecasts"
    )


def call(args: Namespace, output: Output) -> int:
    """Run; 0 when forecasts were written."""
    project = open_project(args, output)
    outcome = project.run(
        as_of=as_of(args),
        retrain=args.retrain,
        wait=args.wait,
        actuals=args.actuals,
        tell=lambda found: show_prediction(found, output),
    )
    show_run(outcome, output)
    return 0
