"""Look at your files and write a commented spec: time, target, series, roles, frequency, season."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from lakecast.cli.output import Output
    from lakecast.flows.guess import Wishes


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--source", action="append", default=[], metavar="PATH",
        help="file, glob, folder, Delta table or s3:// URL; the first one holds the sales, further "
        "ones covariates and dimensions",
    )  # fmt: skip
    parser.add_argument(
        "--sql-env", metavar="NAME",
        help="environment variable with an SQLAlchemy URL: the sales come from --query",
    )  # fmt: skip
    parser.add_argument("--query", metavar="SELECT", help="the query, with --sql-env")
    for name in ("time", "target", "frequency", "timezone"):
        parser.add_argument(f"--{name}", metavar="NAME", help=f"the {name}, instead of a guess")
    parser.add_argument("--series", metavar="A,B", help="the series columns, instead of a guess")
    parser.add_argument("--horizon", type=int, metavar="N", help="periods ahead")
    parser.add_argument("--force", action="store_true", help="replace a lakecast.toml")


def call(args: Namespace, output: Output) -> int:
    """Write `lakecast.toml`; says what it assumed and why."""
    from pathlib import Path

    from lakecast.flows.guess import write_spec

    made = write_spec(Path(args.project), args.source, _wishes(args), force=args.force)
    output.line(f"wrote {made.path}")
    for assumption in made.assumptions:
        output.line(f"  {assumption}")
    output.line()
    output.line(f"next: lakecast run --project {args.project}")
    output.result({"spec": str(made.path), "assumptions": list(made.assumptions)})
    return 0


def _wishes(args: Namespace) -> Wishes:
    from lakecast.flows.guess import Wishes

    series = [name.strip() for name in (args.series or "").split(",")]
    return Wishes(
        time=args.time,
        target=args.target,
        series=tuple(name for name in series if name),
        frequency=args.frequency,
        timezone=args.timezone,
        horizon=args.horizon,
        sql_env=args.sql_env,
        query=args.query,
    )
