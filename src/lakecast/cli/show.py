"""What `run` and the stage commands say at the end."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from lakecast.logs import redact

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakecast.cli.output import Output
    from lakecast.flows.budget.resolve import Prediction
    from lakecast.flows.outcome import RunOutcome, StageOutcome
    from lakecast.training.outline import Fit


def show_prediction(found: Prediction, output: Output, *, fits: bool = False) -> None:
    """What the stages take: memory, minutes; with `fits` the list of them; then what to know."""
    output.line(f"memory budget: {size(found.budget)}")
    if found.crew is None:
        output.table(
            ("stage", "peak memory", "minutes"),
            [(n.stage, size(n.memory), f"{n.seconds / 60:.1f}") for n in found.needs],
        )
    else:
        output.table(
            ("stage", "peak memory", "of it here", "a worker", "workers", "minutes"),
            [
                (n.stage, size(n.memory), size(n.here), size(n.worker or None), n.workers or None,
                 f"{n.seconds / 60:.1f}")
                for n in found.needs
            ],
        )  # fmt: skip
    if not found.whole:
        output.line("what follows can be told once there is a panel")
    if fits and found.fits:
        output.line()
        show_fits(found.fits, output)
    for note in found.notes:
        output.line(f"note: {note}")
    output.line()


def show_fits(fits: Sequence[Fit], output: Output) -> None:
    """The fits that there are at most, those alike in one line."""
    alike: dict[tuple[object, ...], list[Fit]] = {}
    for fit in fits:
        alike.setdefault((fit.purpose, fit.model, fit.models), []).append(fit)
    output.table(
        ("for", "model", "fits", "regressors each", "rows", "features", "trees", "leaves"),
        [
            (purpose, model, len(some), models, most(some, "rows"), most(some, "columns"),
             most(some, "rounds"), most(some, "leaves"))
            for (purpose, model, models), some in alike.items()
        ],
    )  # fmt: skip


def most(fits: Sequence[Fit], name: str) -> int:
    """The largest of a figure."""
    return max(int(getattr(fit, name)) for fit in fits)


def size(amount: int | None) -> str:
    """Bytes for people."""
    from lakecast.flows.budget.resolve import shown

    return "-" if amount is None else shown(amount)


def show_stages(stages: Sequence[StageOutcome], output: Output, **more: Any) -> None:
    """One line a stage: what was done, how long, how many rows; `more` goes into the JSON."""
    output.table(
        ("stage", "did", "rows", "seconds", "note"),
        [(s.stage, s.did, s.rows, s.seconds, s.note) for s in stages],
    )
    output.result({"stages": [s.to_dict() for s in stages], **more})


def _done(stage: StageOutcome) -> tuple[object, ...]:
    worked = stage.did == "done"
    return (
        stage.stage, stage.did, stage.rows, stage.seconds,
        stage.expected_seconds if worked else None,
        size(stage.peak if worked else None), size(stage.expected_peak if worked else None),
        stage.note,
    )  # fmt: skip


def show_run(outcome: RunOutcome, output: Output) -> None:
    """Stages beside what was predicted of them, leaderboard, decision, report, MLflow."""
    output.table(
        ("stage", "did", "rows", "seconds", "predicted", "peak memory", "predicted", "note"),
        [_done(stage) for stage in outcome.stages],
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
