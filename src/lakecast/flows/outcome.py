"""What a run did, stage by stage."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from lakecast.machine import Peak, give_back

Did = Literal["done", "unchanged", "not due"]


@dataclass(frozen=True, kw_only=True, slots=True)
class StageOutcome:
    """One stage: `seconds` of wall time, `cpu` seconds, `peak` bytes of memory, `rows` written.

    `expected_...` is what was predicted, `formula_seconds` before earlier runs corrected it; None
    where nothing was.
    """

    stage: str
    did: Did
    rows: int | None = None
    seconds: float = 0.0
    cpu: float = 0.0
    peak: int = 0
    note: str = ""
    expected_peak: int | None = None
    expected_seconds: float | None = None
    formula_seconds: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON-able values."""
        return asdict(self)


def pace(told: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """How much longer than its formula each stage took when it was last done, within a tenth and
    ten times; `told` are outcomes by stage, as they were noted.
    """
    known = {
        stage: one["seconds"] / one["formula_seconds"]
        for stage, one in told.items()
        if one.get("formula_seconds")
    }
    return {stage: min(max(factor, 0.1), 10.0) for stage, factor in known.items()}


@dataclass(frozen=True, kw_only=True, slots=True)
class RunOutcome:
    """A whole run: the leaderboard as shown to people, the decision in words, the report."""

    stages: Sequence[StageOutcome]
    decision: str
    passed: bool
    report: str
    tracking_uri: str
    leaderboard: Sequence[Mapping[str, Any]] = field(default_factory=tuple)
    prediction: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As JSON-able values; the tracking URI without its password."""
        from lakecast.logs import redact

        return asdict(self) | {"tracking_uri": redact(self.tracking_uri)}


@dataclass(slots=True)
class Meter:
    """Wall time, cpu time and peak memory of a piece of work, filled when it ends."""

    seconds: float = 0.0
    cpu: float = 0.0
    peak: int = 0


@contextmanager
def metered() -> Iterator[Meter]:
    """Measure the body: processor time of all threads, memory with the children's.

    What the body leaves free is given back, so that the next one does not start from its peak.
    """
    meter, wall, cpu = Meter(), time.perf_counter(), time.process_time()
    peak = Peak()
    try:
        with peak:
            yield meter
    finally:
        meter.seconds = time.perf_counter() - wall
        meter.cpu = time.process_time() - cpu
        meter.peak = peak.bytes
        give_back()
