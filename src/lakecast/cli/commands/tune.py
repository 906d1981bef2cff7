"""Search better parameters, features and objectives with Optuna, for the next training.

Never required. Trials are kept as they end: interrupted or killed, the same command goes on where
it stopped, and more trials go on from those there are. Needs `pip install 'lakecast[tune]'`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakecast.cli.project import open_project
from lakecast.cli.times import add_as_of, as_of

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from lakecast.cli.output import Output
    from lakecast.flows.stages.tune import TuneOutcome


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    add_as_of(parser)
    parser.add_argument(
        "--trials", type=int, metavar="N", help="most trials, instead of the spec's tune.trials"
    )
    parser.add_argument(
        "--time", metavar="TIME",
        help="time to search, like 30m or 2h, instead of the spec's tune.time; turned into a "
        "number of trials by what the first ones cost",
    )  # fmt: skip


def call(args: Namespace, output: Output) -> int:
    """Bring the panel up to date and search."""
    project = open_project(args, output)
    _show(project.tune(trials=args.trials, time=args.time, as_of=as_of(args)), output)
    return 0


def _show(outcome: TuneOutcome, output: Output) -> None:
    output.table(
        ("stage", "did", "rows", "seconds", "note"),
        [(s.stage, s.did, s.rows, s.seconds, s.note) for s in outcome.stages],
    )
    output.line()
    if outcome.best_value is None:
        output.line("no trial could be fit")
    else:
        best = ", ".join(f"{name} {_short(value)}" for name, value in outcome.best_params.items())
        output.line(f"best_value:   {outcome.best_value:.4f} ({outcome.metric})")
        output.line(f"best_params:  {best}")
    output.line()
    output.line(
        "next: lakecast run, which screens these beside the defaults"
        if outcome.points
        else "nothing is better than the defaults: there is nothing to train again"
    )
    output.result(outcome.to_dict())


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
