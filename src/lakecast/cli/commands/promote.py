"""Make a registered model version the champion, or take over an alias moved by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakecast.cli.project import open_project

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from lakecast.cli.output import Output


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("version", metavar="VERSION", help="version of the registered model")


def call(args: Namespace, output: Output) -> int:
    """Record the promotion; the alias follows."""
    promotion = open_project(args, output).promote(args.version)
    output.line(f"champion is now version {promotion.model_version} ({promotion.recipe})")
    output.result({"model_version": promotion.model_version, "recipe": promotion.recipe})
    return 0
