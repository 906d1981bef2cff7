"""Training in MLflow: a parent run a training, a child a candidate; where people look.

Runs are looked up by fingerprint before they are made and only then finished, so that a training
that was killed and runs again completes what is there. Nothing here decides anything: the truth
is in the lake.
"""

from __future__ import annotations

import math
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lakecast import __version__
from lakecast.logs import Silent
from lakecast.registry.address import artifact_root, mend
from lakecast.registry.connection import connect, talking

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlflow.entities import Metric, Run
    from mlflow.tracking import MlflowClient

    from lakecast.logs import Progresses

FINGERPRINT: Final = "lakecast.fingerprint"
CANDIDATE: Final = "lakecast.candidate"
VERSION: Final = "lakecast.version"
_PARENT: Final = "mlflow.parentRunId"
_METRICS_A_CALL: Final = 1000
_PARAMS_A_CALL: Final = 100
_PARAM_LENGTH: Final = 6000
_NOT_IN_A_NAME: Final = re.compile(r"[^\w\-./ ]")


@dataclass(frozen=True, kw_only=True, slots=True)
class RunLog:
    """What one run shows.

    `metrics` holds a value a step (a window of the backtest, or a horizon); nulls and NaN are
    left out. `files` maps paths under the run's artifacts to their content. `params` are decided
    by the fingerprint: MLflow refuses another value for a run that is completed later, so what
    changes from run to run (seconds, bytes) is a metric.
    """

    name: str
    params: Mapping[str, object] = field(default_factory=dict)
    metrics: Mapping[str, Sequence[float | None]] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingLog:
    """A training: its own run and one run a candidate; candidates' names are unique."""

    fingerprint: str
    run: RunLog
    candidates: Sequence[RunLog] = ()


@dataclass(frozen=True, slots=True)
class Tracking:
    """One experiment of one tracking store. Made by `open_tracking`."""

    uri: str
    experiment: str
    client: MlflowClient

    def find(self, fingerprint: str) -> str | None:
        """Id of the finished parent run of a training, if there is one."""
        with talking(self.uri):
            parent = self._runs(fingerprint).get("")
        return parent.info.run_id if parent is not None and _finished(parent) else None

    def log(self, training: TrainingLog, progress: Progresses | None = None) -> str:
        """Write a training, or what is missing of it; returns the parent's run id.

        Raises `Unreachable` when the store does not answer.
        """
        with talking(self.uri):
            there = self._runs(training.fingerprint)
            parent = there.get("")
            if parent is not None and _finished(parent):
                return str(parent.info.run_id)
            tags = {FINGERPRINT: training.fingerprint, VERSION: __version__}
            parent = parent or self._create(training.run, tags)
            bars = progress or Silent()
            with bars.bar("mlflow", len(training.candidates), "runs") as bar:
                for log in training.candidates:
                    self._child(log, parent, there.get(log.name), tags)
                    bar.advance()
            self._fill(parent, training.run)
            return str(parent.info.run_id)

    def _child(self, log: RunLog, parent: Run, there: Run | None, tags: Mapping[str, str]) -> None:
        if there is not None and _finished(there):
            return
        own = {**tags, CANDIDATE: log.name, _PARENT: parent.info.run_id}
        self._fill(there or self._create(log, own), log)

    def _create(self, log: RunLog, tags: Mapping[str, str]) -> Run:
        return self.client.create_run(self.experiment, run_name=log.name, tags={**log.tags, **tags})

    def _fill(self, run: Run, log: RunLog) -> None:
        """Everything a run shows, then its end. Doing it again writes nothing twice."""
        run_id = run.info.run_id
        params = [(_name(key), _text(value)) for key, value in log.params.items()]
        metrics = _points(log.metrics, run.info.start_time)
        self._batches(run_id, params, metrics)
        if log.files:
            with tempfile.TemporaryDirectory(prefix="lakecast-") as folder:
                _write(Path(folder), log.files)
                self.client.log_artifacts(run_id, folder)
        self.client.set_terminated(run_id)

    def _batches(
        self, run_id: str, params: Sequence[tuple[str, str]], metrics: Iterator[Metric]
    ) -> None:
        from mlflow.entities import Param

        pending = iter([Param(key, value) for key, value in params])
        while True:
            some = list(islice(pending, _PARAMS_A_CALL))
            points = list(islice(metrics, _METRICS_A_CALL - len(some)))
            if not some and not points:
                return
            self.client.log_batch(run_id, metrics=points, params=some)

    def _runs(self, fingerprint: str) -> dict[str, Run]:
        """Runs of a fingerprint by candidate, the parent under ''; the first made wins."""
        found: dict[str, Run] = {}
        token: str | None = None
        while True:
            page = self.client.search_runs(
                [self.experiment],
                f"tags.`{FINGERPRINT}` = '{fingerprint}'",
                order_by=["attributes.start_time ASC"],
                page_token=token,
            )
            for run in page:
                found.setdefault(run.data.tags.get(CANDIDATE, ""), run)
            token = page.token
            if not token:
                return found


def open_tracking(uri: str, experiment: str) -> Tracking:
    """The experiment of that name at a tracking URI; both are made where absent.

    Runs of a sqlite store keep their files beside the database, and a project that was moved is
    mended first. Raises `Unreachable` within seconds when a server does not answer.
    """
    mend(uri)
    client = connect(uri)
    with talking(uri):
        return Tracking(uri, _experiment(client, experiment, artifact_root(uri)), client)


def _experiment(client: MlflowClient, name: str, root: str | None) -> str:
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            return str(client.create_experiment(name, artifact_location=root))
        except MlflowException:  # somebody else made it in between, or it is a real refusal
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


def _finished(run: Run) -> bool:
    return bool(run.info.status == "FINISHED")


def _points(metrics: Mapping[str, Sequence[float | None]], at: int) -> Iterator[Metric]:
    """One point a value, at the run's start: the same again when a killed run is completed."""
    from mlflow.entities import Metric

    for key, values in metrics.items():
        for step, value in enumerate(values):
            if value is not None and math.isfinite(value):
                yield Metric(_name(key), float(value), at, step)


def _name(key: str) -> str:
    return _NOT_IN_A_NAME.sub("_", key)[:250]


def _text(value: object) -> str:
    return str(value)[:_PARAM_LENGTH]


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
