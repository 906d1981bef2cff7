"""Write a table of the lake to a file: .parquet, .csv or .xlsx."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lakecast.cli.project import open_project

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from lakecast.cli.output import Output


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("table", metavar="TABLE", help="a table that `lakecast status` lists")
    parser.add_argument("--out", metavar="FILE", required=True, help=".parquet, .csv or .xlsx")


def call(args: Namespace, output: Output) -> int:
    """Read the table, write the file."""
    from lakecast.forecasting.files import write_frame

    frame = open_project(args, output).table(args.table)
    write_frame(frame, Path(args.out))
    output.line(f"{frame.height:,} rows of {args.table} in {args.out}")
    output.result({"table": args.table, "rows": frame.height, "out": args.out})
    return 0
