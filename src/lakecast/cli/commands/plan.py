"""Say what `run` would do and why, what it would take, and what would be fit; do nothing.

Peak memory and minutes are of a stage that is done in full; on a cluster, what a worker takes is
told apart. The memory budget decides how many rows train; where it is too little, the command says
so and exits 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakecast.cli.project import open_project
from lakecast.cli.show import show_prediction
from lakecast.cli.times import add_as_of, as_of

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Sequence

    from lakecast.cli.output import Output
    from lakecast.flows.planning import Step


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    add_as_of(parser)


def call(args: Namespace, output: Output) -> int:
    """Read only."""
    project, moment = open_project(args, output), as_of(args)
    steps, found = project.plan(as_of=moment), project.predict(as_of=moment)
    output.table(("stage", "does", "because"), [(s.stage, s.does, s.because) for s in steps])
    output.line()
    show_prediction(found, output, fits=True)
    found.check([*(step.stage for step in steps if step.does != "nothing"), *_behind(steps)])
    output.result({"stages": [s.to_dict() for s in steps], "prediction": found.to_dict()})
    return 0


def _behind(steps: Sequence[Step]) -> tuple[str, ...]:
    """The stage that is done wherever training is."""
    trains = any(step.stage == "train" and step.does != "nothing" for step in steps)
    return ("select",) if trains else ()
