"""Backtest every candidate on rolling origins."""

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
    """Bring this stage, and what it needs, up to date."""
    project = open_project(args, output)
    show_stages(project.stage("train", as_of=as_of(args)), output)
    return 0
