"""The `lakecast` command: parse, call the command, turn errors into exit codes."""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Final

from lakecast import __version__
from lakecast.cli.output import Output
from lakecast.errors import LakecastError
from lakecast.machine import keep_little

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS: Final = (
    "demo", "init", "run", "ingest", "panel", "features", "tune", "train", "select", "forecast",
    "report", "plan", "status", "promote", "rollback", "export",
)  # fmt: skip
_LONGEST: Final = 500


def parser() -> argparse.ArgumentParser:
    """The whole command line; each command's module adds its own part."""
    top = argparse.ArgumentParser(
        prog="lakecast",
        description="Sales forecasting from the data lake to production.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"lakecast {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMANDS:
        module = import_module(f"lakecast.cli.commands.{name}")
        summary = (module.__doc__ or "").splitlines()[0]
        sub = commands.add_parser(
            name, help=summary, description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip
        _common(sub)
        module.configure(sub)
        sub.set_defaults(call=module.call)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    # OpenMP's idle threads spin by default, which costs more than it gains on busy machines.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    keep_little()
    args = parser().parse_args(argv)
    output = Output(as_json=args.json)
    try:
        code = int(args.call(args, output) or 0)
        output.flush()  # here, where a reader that has gone away is noticed
        return code
    except LakecastError as error:
        if args.debug:
            raise
        output.error(error)
        return error.exit_code
    except KeyboardInterrupt:
        output.error(LakecastError("interrupted", cure="run the same command again to go on"))
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # the last resort: nobody is shown a traceback unasked
        if args.debug:
            raise
        output.error(_unexpected(error))
        return 1


def _unexpected(error: Exception) -> LakecastError:
    """What no room foresaw, in one line."""
    said = " ".join(str(error).split())
    return LakecastError(
        f"unexpected {type(error).__name__}" + (f": {said[:_LONGEST]}" if said else ""),
        cure="call the same command with --debug to see where it came from",
    )


def _common(sub: argparse.ArgumentParser) -> None:
    group = sub.add_argument_group("common options")
    what = "project folder (default: %(default)s)"
    group.add_argument("--project", metavar="DIR", default=".", help=what)
    group.add_argument("--json", action="store_true", help="print one JSON object on stdout")
    group.add_argument("--debug", action="store_true", help="show the traceback of an error")
    group.add_argument("--lake", metavar="URI", help="folder or s3:// URL of the lake")
    group.add_argument("--tracking-uri", metavar="URI", help="MLflow tracking URI")
    group.add_argument("--engine", metavar="NAME", help="local, ray or dask (default: local)")
    group.add_argument("--workers", metavar="N", help="threads or processes (default: all cores)")
    group.add_argument("--cluster", metavar="ADDRESS", help="a Ray or Dask cluster that is there")
    group.add_argument(
        "--fits", metavar="HOW", help="apart: a worker a fit (default); together: all on each"
    )
    group.add_argument("--memory", metavar="SIZE", help="memory budget, e.g. 4GB")


if __name__ == "__main__":
    sys.exit(main())
