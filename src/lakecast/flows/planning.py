"""What a run would do, read from the lake alone."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from lakecast.flows.stages.forecast import FORECASTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lakecast.flows.runner import Runner


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One stage, what `run` would do about it, and why."""

    stage: str
    does: str
    because: str

    def to_dict(self) -> dict[str, str]:
        """As JSON-able values."""
        return asdict(self)


def plan(runner: Runner) -> tuple[Step, ...]:
    """The steps of a run, from what the lake holds now; sources are not read."""
    return tuple(_steps(runner))


def _steps(runner: Runner) -> Iterator[Step]:
    lake = runner.context.lake
    yield Step(stage="ingest", does="look", because="sources are hashed to see what changed")
    table = lake.table("panel")
    if not table.exists():
        yield Step(stage="panel", does="build", because="there is no panel yet")
        yield Step(stage="train", does="train", because="there is no champion yet")
        return
    same = table.fingerprint() == runner.panel_fingerprint()
    yield Step(
        stage="panel",
        does="nothing" if same else "rebuild",
        because="spec and tables are as they were" if same else "spec or tables changed",
    )
    reason = runner.due()
    yield Step(
        stage="train",
        does="nothing" if reason is None else "train and select",
        because=reason or "the last training is young enough and its spec unchanged",
    )
    champion = runner.champion()
    fresh = (
        same
        and reason is None
        and champion is not None
        and lake.table(FORECASTS).fingerprint() == runner.forecast_fingerprint(champion)
    )
    yield Step(
        stage="forecast",
        does="nothing" if fresh else "forecast",
        because="champion and panel are as they were" if fresh else "champion or panel change",
    )
