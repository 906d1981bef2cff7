"""Look at your files and write a commented spec: time, target, series, roles, frequency, season."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from lakecast.cli.output import Output


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--source", action="append", required=True, metavar="PATH",
        help="file, glob, folder, Delta table or s3:// URL; the first one holds the sales, further "
        "ones covariates",
    )  # fmt: skip
    for name in ("time", "target", "frequency", "timezone"):
        parser.add_argument(f"--{name}", metavar="NAME", help=f"the {name}, instead of a guess")
    parser.add_argument("--series", metavar="A,B", help="the series columns, instead of a guess")
    parser.add_argument("--horizon", type=int, metavar="N", help="periods ahead")
    parser.add_argument("--force", action="store_true", help="replace a lakecast.toml")


def call(args: Namespace, output: Output) -> int:
    """Write `lakecast.toml`; says what it assumed and why."""
    from pathlib import Path

    from lakecast.flows.guess import Wishes, write_spec

    wishes = Wishes(
        time=args.time,
        target=args.target,
        series=tuple(args.series.split(",")) if args.series else (),
        frequency=args.frequency,
        timezone=args.timezone,
        horizon=args.horizon,
    )
    made = write_spec(Path(args.project), args.source, wishes, force=args.force)
    output.line(f"wrote {made.path}")
    for assumption in made.assumptions:
        output.line(f"  {assumption}")
    output.line()
    output.line(f"next: lakecast run --project {args.project}")
    output.result({"spec": str(made.path), "assumptions": list(made.assumptions)})
    return 0
