"""The connection to a Dask scheduler: started or joined when it is first needed."""

from __future__ import annotations

import os
import pickle
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, TypeVar

from lakecast.engines.base import ONE_CORE
from lakecast.engines.protocol import Footprint
from lakecast.errors import LakecastError, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

R = TypeVar("R")

_CONNECT: Final = "10s"
_LOOK: Final = 10.0  # seconds between two looks at whether anyone is there to work
_LOOKS: Final = 6  # in a row that find nobody: a worker is started again within a few seconds
_STAY: Final = {"distributed.deploy.lost-worker-timeout": "365 days"}
"""Dask gives a worker up for good that is down, for whatever reason, 15 seconds after it died once.

Its nanny starts it again however often it dies, so that it would be given up by chance.
"""
_SERVICE: Final = 10_000_000  # the scheduler is a thread of this process
_PROCESS: Final = 50_000_000
_WORKER: Final = {**ONE_CORE, "DASK_LOGGING__DISTRIBUTED": "critical"}


@dataclass(slots=True)
class _Held:
    """What a connection holds, and what was in the way of Dask's before: `clean` and `end`."""

    client: Any = None
    cluster: Any = None
    environ: dict[str, str | None] = field(default_factory=dict)
    stay: Any = None

    def note(self, names: Iterable[str]) -> None:
        """Keep what the environment says of these."""
        self.environ = {name: os.environ.get(name) for name in names}

    def clean(self) -> None:
        """The environment as it was noted."""
        for name, value in self.environ.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    def end(self) -> None:
        """Leave the scheduler, end a local cluster, restore environment and configuration.

        Each whatever becomes of the others.
        """
        with ExitStack() as ends:  # last in, first called
            ends.callback(self.environ.clear)
            if self.stay is not None:
                ends.callback(self.stay.__exit__, None, None, None)
            ends.callback(self.clean)  # workers that were started again wrote to it again
            for part in (self.cluster, self.client):
                if part is not None:
                    ends.callback(part.close)
            self.client = self.cluster = self.stay = None


@dataclass(frozen=True, kw_only=True, slots=True)
class DaskCluster:
    """Where work goes: `address` of a scheduler (None: a local cluster of `workers` processes).

    `memory` is what the processes of a local cluster may take together, in bytes.
    """

    workers: int
    address: str | None = None
    memory: int | None = None
    _held: _Held = field(default_factory=_Held, repr=False)
    _lock: Any = field(default_factory=Lock, repr=False)

    def connect(self) -> Any:
        """A `distributed.Client`. Raises `Unreachable` where nobody answers."""
        with self._lock:
            held = self._held
            if held.client is not None and held.client.status == "closed":
                held.end()  # the scheduler was lost
            if held.client is None:
                from distributed import Client

                try:
                    held.client = Client(self.address or self._local(), timeout=_CONNECT)
                except (OSError, RuntimeError, ValueError) as error:
                    held.end()
                    raise self.unreachable(error) from error
            return held.client

    def slots(self) -> int:
        """Pieces that run at a time: the workers asked for, or the threads of those joined."""
        if not self.address:
            return self.workers
        return max(1, int(sum(self._ask(lambda client: client.nthreads()).values())))

    @property
    def footprint(self) -> Footprint:
        """What Dask's processes take; a worker's room is a thread's part of its memory limit."""
        if not self.address:
            return Footprint(service=_SERVICE, worker=_PROCESS, whole=True)
        told = self._ask(lambda client: client.scheduler_info(n_workers=-1)["workers"]).values()
        rooms = [one["memory_limit"] // one["nthreads"] for one in told if one["memory_limit"]]
        room = min(rooms, default=self.memory or 0)
        return Footprint(service=0, worker=_PROCESS, whole=True, room=room)

    def submit(self, work: Callable[..., Any], *given: Any) -> Any:
        """A future of the work, which is done however often it was done before."""
        with self.reaching():
            return self.connect().submit(work, *given, pure=False)

    def send(self, value: Any) -> Any:
        """A future of the value on the cluster. Unlike scattered data it is made again if lost."""
        return self.submit(pickle.loads, pickle.dumps(value))

    @contextmanager
    def reaching(self) -> Iterator[None]:
        """Errors of the cluster itself as typed ones; those of the work are left as they are."""
        from distributed import KilledWorker

        try:
            yield
        except KilledWorker as error:
            raise LakecastError(
                "workers died again and again at the same piece of work",
                where=self._place,
                cure="if they were killed for memory: fewer --workers, or larger machines",
            ) from error
        except gone() as error:
            raise self.unreachable(error) from error

    def take(self, future: Any) -> Any:
        """A future's result, or what was raised where the work was done."""
        self.wait(future)
        with self.reaching():
            return future.result()

    def wait(self, future: Any) -> None:
        """Until it is done, well or not; see `patient`."""
        from distributed import wait

        def look(seconds: float) -> None:
            with self.reaching(), future.client.as_current():
                wait([future], timeout=seconds)

        self.patient(look)

    def patient(self, look: Callable[[float], R]) -> R:
        """What a look finds that raises `TimeoutError` after some seconds: as many as it takes.

        Raises `LakecastError` where a local cluster is without workers for a minute. Those of a
        scheduler that was joined may come back at any time, so they are waited for.
        """
        alone = 0
        while alone < _LOOKS:
            try:
                return look(_LOOK)
            except TimeoutError:
                alone = alone + 1 if self._unmanned() else 0
        raise LakecastError(
            "no worker is left, and none could be started again",
            where=self._place,
            cure="see whether this machine has memory and processes left; fewer --workers",
        )

    def unreachable(self, error: Exception) -> Unreachable:
        """What to raise for an error of the connection."""
        return Unreachable(
            f"the Dask scheduler does not answer: {error}",
            where=self._place,
            cure="start it, mend `cluster` in the settings, or leave `cluster` out for a local one",
        )

    def close(self) -> None:
        """Leave the scheduler; a local cluster ends."""
        with self._lock:
            self._held.end()

    @property
    def _place(self) -> str:
        return self.address or "the local Dask cluster"

    def _local(self) -> Any:
        from dask.config import set as configured
        from distributed import LocalCluster

        # What numpy reads when it is loaded has to stand in the environment that a worker is born
        # with: Dask writes it into this process's own, and would leave it there.
        born = {name: value for name, value in _WORKER.items() if name.endswith("_THREADS")}
        held = self._held
        held.note((*born, "PYTHONHASHSEED"))
        held.stay = configured(_STAY)  # read whenever a worker dies
        try:
            with configured({"distributed.nanny.pre-spawn-environ": born}):
                held.cluster = LocalCluster(
                    n_workers=self.workers,
                    threads_per_worker=1,
                    processes=True,
                    host="127.0.0.1",
                    dashboard_address="127.0.0.1:0",
                    memory_limit=self.memory // self.workers if self.memory else "auto",
                    silence_logs="CRITICAL",
                    env=_WORKER,
                )
        finally:
            held.clean()
        return held.cluster

    def _ask(self, question: Callable[[Any], R]) -> R:
        """What the scheduler answers."""
        client = self.connect()
        errors: tuple[type[Exception], ...] = (OSError, AttributeError, *gone())
        try:
            return question(client)
        except errors as error:  # Dask's own, also where it forgot its connection
            raise self.unreachable(error) from error

    def _unmanned(self) -> bool:
        """Whether a local cluster has no worker at the moment."""
        cluster = self._held.cluster
        return cluster is not None and not cluster.scheduler.workers


def gone() -> tuple[type[Exception], ...]:
    """The errors of a connection that is gone, and of the work that went with it."""
    from distributed.client import ClosedClientError, FutureCancelledError, FuturesCancelledError
    from distributed.comm.core import CommClosedError

    return ClosedClientError, CommClosedError, FutureCancelledError, FuturesCancelledError
