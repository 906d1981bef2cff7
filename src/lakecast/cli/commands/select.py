"""Decide by the gate whether the best candidate becomes champion, and register it.

Exit code 4 when no candidate passed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakecast.cli.project import open_project
from lakecast.cli.show import show_stages
from lakecast.cli.times import add_as_of, as_of

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from lakecast.cli.output import Output


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    add_as_of(parser)


def call(args: Namespace, output: Output) -> int:
    """Bring the backtest up to date and decide."""
    project = open_project(args, output)
    stages = project.stage("select", as_of=as_of(args))
    decision = project.decision()
    show_stages(stages, output, passed=decision.passed, decision=decision.text)
    output.line()
    output.line(decision.text)
    return 0 if decision.passed else 4
