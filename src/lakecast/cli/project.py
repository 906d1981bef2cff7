"""Opening the project that the common options name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import Namespace

    from lakecast.bootstrap import Project
    from lakecast.cli.output import Output

_SETTINGS = ("lake", "tracking_uri", "engine", "workers", "memory", "cluster", "fits")


def open_project(args: Namespace, output: Output) -> Project:
    """The project of `--project`, with settings from the flags and progress to the output."""
    from lakecast.bootstrap import Project

    flags = {name: getattr(args, name) for name in _SETTINGS}
    return Project.open(Path(args.project), flags=flags, progress=output)
