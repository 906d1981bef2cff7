"""Write the report: one HTML file that needs no network, or a Jupyter notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakecast.cli.project import open_project

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from lakecast.cli.output import Output


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--notebook", action="store_true", help="write a notebook instead")
    parser.add_argument("--out", metavar="FILE", help="where to write it")
    parser.add_argument(
        "--actuals", metavar="FILE", help="raw sales after the cutoff, drawn beside the forecasts"
    )


def call(args: Namespace, output: Output) -> int:
    """Write from what is in the lake; nothing is computed anew."""
    project = open_project(args, output)
    path = project.report(notebook=args.notebook, out=args.out, actuals=args.actuals)
    output.line(f"report: {path}")
    output.result({"report": str(path)})
    return 0
