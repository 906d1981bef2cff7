"""Forecast with the champion, for all series or some, as planned or under another scenario."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lakecast.cli.project import open_project
from lakecast.cli.times import add_as_of, as_of

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from lakecast.cli.output import Output


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    add_as_of(parser)
    parser.add_argument("--series", metavar="FILE", help="only the series listed in this file")
    parser.add_argument(
        "--scenario", metavar="FILE",
        help="what if: series columns, time and known-future covariates that replace the plan",
    )  # fmt: skip
    parser.add_argument("--horizon", type=int, metavar="N", help="periods ahead")
    parser.add_argument("--out", metavar="FILE", help="write to .parquet, .csv or .xlsx")


def call(args: Namespace, output: Output) -> int:
    """Forecast; the table `forecasts` is written only for the plain question."""
    from lakecast.forecasting.files import read_frame, write_frame

    project = open_project(args, output)
    frame = project.forecast(
        series=read_frame(Path(args.series)) if args.series else None,
        scenario=read_frame(Path(args.scenario)) if args.scenario else None,
        horizon=args.horizon,
        as_of=as_of(args),
    )
    if args.out:
        write_frame(frame, Path(args.out))
    output.line(f"{frame.height:,} forecasts" + (f" in {args.out}" if args.out else ""))
    if not args.out:
        shown = frame.head(20)
        output.table(shown.columns, shown.rows())
    output.result(
        {"rows": frame.height, "out": args.out, "forecasts": None if args.out else frame.to_dicts()}
    )
    return 0
