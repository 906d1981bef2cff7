"""The connection to a Ray cluster: started or joined when it is first needed."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lakecast.engines.base import ONE_CORE
from lakecast.engines.protocol import Footprint
from lakecast.errors import LakecastError, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_CONNECT: Final = 5.0  # seconds
_STORE: Final = (100_000_000, 4_000_000_000)
"""Least and most bytes of a local cluster's object store; beyond it Ray spills to disk."""
_SERVICE: Final = 360_000_000  # GCS, raylet, agents, dashboard: measured, idle
_WORKER: Final = 30_000_000
_THREAD: Final = ThreadPoolExecutor(1, thread_name_prefix="lakecast-ray")


@dataclass(frozen=True, kw_only=True, slots=True)
class RayCluster:
    """Where work goes: `address` (None: a local cluster of `workers` processes).

    `memory` bounds the object store of a local cluster, in bytes. `runtime_env` is Ray's own; over
    an address it brings this package to the workers unless it says otherwise.
    """

    workers: int
    address: str | None = None
    memory: int | None = None
    runtime_env: Mapping[str, Any] = field(default_factory=dict)

    def connect(self) -> Any:
        """The module `ray`, connected. Raises `Unreachable` where nobody answers."""
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no telemetry
        if self.address and _has_token():
            os.environ.setdefault("RAY_AUTH_MODE", "token")
        import ray

        if not ray.is_initialized():
            if self.address:
                self._reach(self.address)
            try:
                _staying(ray.init, self._options())
            except (ConnectionError, OSError, RuntimeError, TimeoutError, ValueError) as error:
                raise self._unreachable(error) from error
        return ray

    def slots(self) -> int:
        """Pieces that run at a time: the workers asked for, or the cores of the cluster joined."""
        if not self.address:
            return self.workers
        return max(1, int(self.connect().cluster_resources().get("CPU", 1)))

    @property
    def footprint(self) -> Footprint:
        """What Ray's processes take; a worker's room is a core's part of its machine's memory.

        That of the machine which has least: work may go to any of them.
        """
        if not self.address:
            return Footprint(service=_SERVICE, worker=_WORKER, whole=False)
        machines = [node["Resources"] for node in self.connect().nodes() if node["Alive"]]
        rooms = [
            int(one["memory"]) // int(one["CPU"])
            for one in machines
            if "memory" in one and one.get("CPU", 0) >= 1
        ]
        room = min(rooms, default=self.memory or 0)
        return Footprint(service=0, worker=_WORKER, whole=False, room=room)

    def get(self, refs: Any) -> Any:
        """`ray.get`, with errors as they were raised where the work was done."""
        ray = self.connect()
        try:
            return ray.get(refs)
        except ray.exceptions.RayTaskError as error:
            cause = error.cause if isinstance(error.cause, Exception) else error
            raise cause from None
        except (ray.exceptions.WorkerCrashedError, ray.exceptions.OutOfMemoryError) as error:
            raise LakecastError(
                f"workers died again and again: {_short(error)}",
                where=self._place,
                cure="if they were killed for memory: fewer --workers, or larger machines",
            ) from error
        except ray.exceptions.RayError as error:
            raise self._unreachable(error) from error

    def close(self) -> None:
        """Leave the cluster; a local one ends."""
        import ray

        ray.shutdown()

    @property
    def _place(self) -> str:
        return self.address or "the local Ray cluster"

    def _options(self) -> dict[str, Any]:
        quiet = {"log_to_driver": False, "logging_level": "error", "configure_logging": False}
        given = {**self.runtime_env}
        env = {**ONE_CORE, **given.pop("env_vars", {})}
        if self.address:
            given.setdefault("py_modules", [str(Path(__file__).parents[2])])
            return {"address": self.address, "runtime_env": {**given, "env_vars": env}, **quiet}
        least, most = _STORE
        store = min(max((self.memory or most) // 4, least), most)
        return {
            "address": "local",
            "num_cpus": self.workers,
            "object_store_memory": store,
            "include_dashboard": False,
            "_node_ip_address": "127.0.0.1",
            "runtime_env": {**given, "env_vars": env},
            **quiet,
        }

    def _reach(self, address: str) -> None:
        """Ray itself would try for minutes."""
        host, _, port = address.rpartition("://")[2].rpartition(":")
        if not port.isdigit():
            return
        try:
            socket.create_connection((host, int(port)), timeout=_CONNECT).close()
        except OSError as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: Exception) -> Unreachable:
        return Unreachable(
            f"the Ray cluster does not answer: {_short(error)}",
            where=self._place,
            cure="start it, mend `cluster` in the settings, or leave it out for a local one; one "
            "that asks for a token finds it in RAY_AUTH_TOKEN or ~/.ray/auth_token",
        )


def _has_token() -> bool:
    """Whether Ray would find a token to show to a cluster that asks for one."""
    named = os.environ.get("RAY_AUTH_TOKEN_PATH")
    place = Path(named) if named else Path.home() / ".ray" / "auth_token"
    return bool(os.environ.get("RAY_AUTH_TOKEN")) or place.exists()


def _staying(start: Callable[..., object], options: Mapping[str, Any]) -> None:
    """Call on a thread that stays: the system ends Ray's processes with the thread that began them,
    not with its process.
    """
    if threading.current_thread() is threading.main_thread():
        start(**options)
    else:
        _THREAD.submit(start, **options).result()


def _short(error: Exception) -> str:
    lines: Sequence[str] = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
