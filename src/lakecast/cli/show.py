"""What `run` and the stage commands say at the end."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from lakecast.logs import redact

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakecast.cli.output import Output
    from lakecast.flows.outcome import RunOutcome, StageOutcome


def show_stages(stages: Sequence[StageOutcome], output: Output, **more: Any) -> None:
    """One line a stage: what was done, how long, how many rows; `more` goes into the JSON."""
    output.table(
        ("stage", "did", "rows", "seconds", "note"),
        [(s.stage, s.did, s.rows, s.seconds, s.note) for s in stages],
    )
    output.result({"stages": [s.to_dict() for s in stages], **more})


def show_run(outcome: RunOutcome, output: Output) -> None:
    """Stages, leaderboard, decision, where the report is, how to open MLflow."""
    output.table(
        ("stage", "did", "rows", "seconds", "note"),
        [(s.stage, s.did, s.rows, s.seconds, s.note) for s in outcome.stages],
    )
    if outcome.leaderboard:
        output.line()
        head = tuple(outcome.leaderboard[0])
        output.table(head, [tuple(row.values()) for row in outcome.leaderboard])
    output.line()
    output.line(outcome.decision)
    output.line()
    output.line(f"report:   {outcome.report}")
    output.line(
        f"MLflow:   mlflow ui --backend-store-uri {shlex.quote(redact(outcome.tracking_uri))}"
    )
    output.result(outcome.to_dict())
