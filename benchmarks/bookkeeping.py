"""A hundred candidates logged to MLflow as a training logs them; one call a metric beside it."""

from __future__ import annotations

import argparse
import os
import tempfile
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from benchmarks.harness import emit, pairs, together, versions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakecast.registry.tracking import RunLog, Tracking

CANDIDATES: Final = 100
WINDOWS: Final = 4
HORIZON: Final = 28
MOST: Final = 0.05
_FIGURES: Final = ("mae", "rmse", "bias", "wape", "r2", "smape", "mase", "rmsse")
_PARAMS: Final = 12


def candidates(number: int) -> list[RunLog]:
    """What a training shows of each: params, a value a metric, a window and a horizon."""
    from lakecast.registry.tracking import RunLog

    drawn = np.random.default_rng(1)
    return [
        RunLog(
            name=f"candidate {place}",
            params={f"param_{i}": float(drawn.random()) for i in range(_PARAMS)},
            metrics={
                **{name: [float(drawn.random())] for name in (*_FIGURES, "coverage", "pinball")},
                **{f"{name}_by_window": drawn.random(WINDOWS).tolist() for name in _FIGURES},
                "rmsse_by_horizon": drawn.random(HORIZON).tolist(),
            },
        )
        for place in range(number)
    ]


def ours(tracking: Tracking, logs: Sequence[RunLog]) -> str:
    """One training in MLflow; its fingerprint."""
    from lakecast.registry.tracking import RunLog, TrainingLog

    fingerprint = uuid.uuid4().hex
    tracking.log(TrainingLog(fingerprint=fingerprint, run=RunLog(name="training"), candidates=logs))
    return fingerprint


def theirs(tracking: Tracking, logs: Sequence[RunLog]) -> None:
    """The same values by MLflow's own calls, one a value."""
    client = tracking.client
    parent = client.create_run(tracking.experiment, run_name="training").info.run_id
    for log in logs:
        tags = {"mlflow.parentRunId": parent}
        run = client.create_run(tracking.experiment, run_name=log.name, tags=tags).info.run_id
        for key, value in log.params.items():
            client.log_param(run, key, value)
        for key, values in log.metrics.items():
            for step, value in enumerate(values):
                client.log_metric(run, key, float(value or 0.0), step=step)
        client.set_terminated(run)
    client.set_terminated(parent)


def check(tracking: Tracking, fingerprint: str, logs: Sequence[RunLog]) -> None:
    """Every value of every candidate is there."""
    runs = tracking.client.search_runs(
        [tracking.experiment], f"tags.`lakecast.fingerprint` = '{fingerprint}'", max_results=5_000
    )
    found = {run.data.tags["mlflow.runName"]: run for run in runs}
    for log in logs:
        run = found[log.name]
        assert run.info.status == "FINISHED"
        assert run.data.params == {key: str(value) for key, value in log.params.items()}
        for key, values in log.metrics.items():
            points = tracking.client.get_metric_history(run.info.run_id, key)
            assert [p.value for p in sorted(points, key=lambda p: p.step)] == list(values), key


def _run(given: argparse.Namespace, folder: Path) -> None:
    from lakecast.registry.tracking import open_tracking

    tracking = open_tracking(f"sqlite:///{folder}/mlflow.db", "benchmark")
    logs = candidates(given.candidates)
    check(tracking, ours(tracking, logs[:3]), logs[:3])
    few = logs[: given.peers]
    ratios = pairs(lambda: ours(tracking, few), lambda: theirs(tracking, few), given.pairs)
    begun = time.perf_counter()
    ours(tracking, logs)
    each = (time.perf_counter() - begun) / len(logs)
    emit(
        "bookkeeping",
        together(each <= MOST),
        **ratios.figures(),
        candidates=len(logs),
        candidates_in_pairs=len(few),
        seconds_a_candidate=round(each, 4),
        values_a_candidate=sum(map(len, logs[0].metrics.values())) + len(logs[0].params),
        versions=versions("lakecast", "mlflow", "sqlalchemy"),
        threads=len(os.sched_getaffinity(0)),
        data="generated",
        includes="runs made, params and metrics, runs ended; sqlite on disk; not MLflow's import",
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--candidates", type=int, default=CANDIDATES)
    parser.add_argument("--peers", type=int, default=10, help="candidates in each pair")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--small", action="store_true", help="six candidates, two in a pair")
    given = parser.parse_args(arguments)
    if given.small:
        given.candidates, given.peers = 6, 2
    with tempfile.TemporaryDirectory() as folder:
        _run(given, Path(folder))


if __name__ == "__main__":
    main()
