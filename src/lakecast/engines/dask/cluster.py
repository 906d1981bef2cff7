"""The connection to a Dask scheduler: started or joined when it is first needed."""

from __future__ import annotations

import os
import pickle
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from lakecast.engines.base import ONE_CORE
from lakecast.engines.protocol import Footprint
from lakecast.errors import LakecastError, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
    client: Any = None
    cluster: Any = None
    environ: dict[str, str | None] = field(default_factory=dict)
    stay: Any = None

    def restore(self) -> None:
        """The environment and Dask's configuration as they were before a local cluster."""
        self.clean()
        if self.stay is not None:
            self.stay.__exit__(None, None, None)
            self.stay = None

    def clean(self) -> None:
        """The environment as it was."""
        for name, value in self.environ.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


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
            client = self._held.client
            if client is None or client.status == "closed":  # it closes when the scheduler is lost
                from distributed import Client

                try:
                    self._held.client = Client(self.address or self._local(), timeout=_CONNECT)
                except (OSError, ValueError) as error:
                    raise self._unreachable(error) from error
            return self._held.client

    def slots(self) -> int:
        """Pieces that run at a time: the workers asked for, or the threads of those joined."""
        if not self.address:
            return self.workers
        return max(1, int(sum(self.connect().nthreads().values())))

    @property
    def footprint(self) -> Footprint:
        """What Dask's processes take; a worker's room is a thread's part of its memory limit."""
        if not self.address:
            return Footprint(service=_SERVICE, worker=_PROCESS, whole=True)
        told = self.connect().scheduler_info(n_workers=-1)["workers"].values()
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
        from distributed.client import (
            ClosedClientError,
            FutureCancelledError,
            FuturesCancelledError,
        )
        from distributed.comm.core import CommClosedError

        try:
            yield
        except KilledWorker as error:
            raise LakecastError(
                "workers died again and again at the same piece of work",
                where=self._place,
                cure="if they were killed for memory: fewer --workers, or larger machines",
            ) from error
        except (
            ClosedClientError, CommClosedError, FutureCancelledError, FuturesCancelledError
        ) as error:  # fmt: skip
            raise self._unreachable(error) from error

    def take(self, future: Any) -> Any:
        """A future's result, or what was raised where the work was done."""
        self.wait([future])
        with self.reaching():
            return future.result()

    def wait(self, futures: list[Any]) -> Any:
        """The first of them that is done, well or not.

        Raises `LakecastError` where a local cluster is without workers for a minute. Those of a
        scheduler that was joined may come back at any time, so they are waited for.
        """
        from distributed import wait

        alone = 0
        while alone < _LOOKS:
            try:
                with self.reaching(), self.connect().as_current():
                    done, _ = wait(futures, timeout=_LOOK, return_when="FIRST_COMPLETED")
            except TimeoutError:
                alone = alone + 1 if self._unmanned() else 0
            else:
                return next(iter(done))
        raise LakecastError(
            "no worker is left, and none could be started again",
            where=self._place,
            cure="see whether this machine has memory and processes left; fewer --workers",
        )

    def close(self) -> None:
        """Leave the scheduler; a local cluster ends."""
        with self._lock:
            held = self._held
            try:
                for part in (held.client, held.cluster):
                    if part is not None:
                        part.close()
            finally:
                held.client = held.cluster = None
                held.restore()  # workers that were started again wrote to it again

    @property
    def _place(self) -> str:
        return self.address or "the local Dask cluster"

    def _local(self) -> Any:
        from dask.config import set as configured
        from distributed import LocalCluster

        # What numpy reads when it is loaded has to stand in the environment that a worker is born
        # with: Dask writes it into this process's own, and would leave it there.
        born = {name: value for name, value in _WORKER.items() if name.endswith("_THREADS")}
        self._held.environ = {name: os.environ.get(name) for name in born}
        self._held.stay = self._held.stay or configured(_STAY)  # read whenever a worker dies
        with configured({"distributed.nanny.pre-spawn-environ": born}):
            self._held.cluster = LocalCluster(
                n_workers=self.workers,
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",
                memory_limit=self.memory // self.workers if self.memory else "auto",
                silence_logs="CRITICAL",
                env=_WORKER,
            )
        self._held.clean()
        return self._held.cluster

    def _unmanned(self) -> bool:
        """Whether a local cluster has no worker at the moment."""
        return not self.address and not self._held.cluster.scheduler.workers

    def _unreachable(self, error: Exception) -> Unreachable:
        return Unreachable(
            f"the Dask scheduler does not answer: {error}",
            where=self._place,
            cure="start it, mend `cluster` in the settings, or leave `cluster` out for a local one",
        )
