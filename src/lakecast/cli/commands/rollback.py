"""Make the champion before this one champion again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakecast.cli.project import open_project

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from lakecast.cli.output import Output


def configure(parser: ArgumentParser) -> None:
    """No options of its own."""


def call(args: Namespace, output: Output) -> int:
    """Record the rollback; the alias follows."""
    promotion = open_project(args, output).rollback()
    output.line(f"champion is again version {promotion.model_version} ({promotion.recipe})")
    output.result({"model_version": promotion.model_version, "recipe": promotion.recipe})
    return 0
