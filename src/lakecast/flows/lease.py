"""One run a project at a time.

The holder stands in the metadata of the last commit of the lake's `lease` table, and taking or
giving it back is a commit that requires the version read, so two takers cannot both succeed on
any store. While it works, the holder renews a beat beside the table. A lease is dead when its
beat is older than `TTL`, or at once when its process is known to be gone.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
import uuid
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lakecast.errors import Conflict, LakecastError, LeaseHeld
from lakecast.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lakecast.lake.tables import Lake

TTL: Final = 120.0
BEAT: Final = 20.0
_POLL: Final = 0.5
_log = get_logger("flows.lease")


@dataclass(frozen=True, kw_only=True, slots=True)
class Holder:
    """Who holds the lease: enough to tell whether that process still lives."""

    token: str
    host: str
    boot: str
    pid: int
    started: float

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


def myself() -> Holder:
    """This process as a holder, with a fresh token."""
    return Holder(
        token=uuid.uuid4().hex,
        host=socket.gethostname(),
        boot=_boot(),
        pid=os.getpid(),
        started=_started(os.getpid()) or 0.0,
    )


@contextmanager
def lease(lake: Lake, *, wait: float = 0.0) -> Iterator[Holder]:
    """Hold the project's lease.

    Waits up to `wait` seconds for another holder, then raises `LeaseHeld` naming it.
    """
    me = myself()
    _take(lake, me, time.monotonic() + wait)
    stop = threading.Event()
    beating = threading.Thread(target=_beat, args=(lake, me, stop), daemon=True)
    beating.start()
    try:
        yield me
    finally:
        stop.set()
        beating.join()
        _give_back(lake, me)


def holder(lake: Lake) -> Holder | None:
    """Who holds the lease now and lives; None when it is free."""
    found, _ = _read(lake)
    return found if found is not None and _alive(lake, found) else None


def _take(lake: Lake, me: Holder, deadline: float) -> None:
    while True:
        found, version = _read(lake)
        if found is None or not _alive(lake, found):
            _renew(lake, me)
            if _write(lake, asdict(me), version):
                if found is not None:
                    _log.info("took over the lease of %s, which is gone", found)
                return
        elif time.monotonic() >= deadline:
            raise LeaseHeld(
                "another run holds this project",
                where=str(found),
                cure="wait for it to end, or call again with --wait SECONDS",
            )
        time.sleep(_POLL)


def _give_back(lake: Lake, me: Holder) -> None:
    found, version = _read(lake)
    if found == me:
        _write(lake, {}, version)
    lake.store.delete(_beat_path(me))


def _read(lake: Lake) -> tuple[Holder | None, int]:
    """The holder that the table names and the version that says so (-1: no table yet).

    The version is read first: if a commit comes in between, writing against it fails.
    """
    table = lake.table("lease")
    version = table.version()
    held = json.loads(table.metadata.get("lease", "{}"))
    return (Holder(**held) if held else None), version


def _write(lake: Lake, held: dict[str, object], version: int) -> bool:
    import pyarrow as pa

    try:
        return lake.table("lease").commit(
            add=(),
            schema=pa.schema([("holder", pa.string())]),
            fingerprint=str(held.get("token", "")),
            metadata={"lease": json.dumps(held)},
            expect_version=version,
        )
    except Conflict:
        return False


def _beat_path(who: Holder) -> str:
    return f"lease/_beat/{who.token}.json"


def _renew(lake: Lake, me: Holder) -> None:
    lake.store.write_bytes(_beat_path(me), json.dumps({"at": time.time()}).encode())


def _beat(lake: Lake, me: Holder, stop: threading.Event) -> None:
    while not stop.wait(BEAT):
        try:
            _renew(lake, me)
        except LakecastError as error:  # the next beat may come through before `TTL` is over
            _log.warning("could not renew the lease: %s", error)


def _alive(lake: Lake, who: Holder) -> bool:
    if (who.host, who.boot) == (socket.gethostname(), _boot()):
        return _started(who.pid) == who.started
    try:
        beat = json.loads(lake.store.read_bytes(_beat_path(who)))
    except FileNotFoundError:
        return False
    return bool(time.time() - beat["at"] < TTL)


def _boot() -> str:
    """Changes with every start of the machine; empty where the system does not say."""
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_text().strip() if path.exists() else ""


def _started(pid: int) -> float | None:
    """When a process of this machine began; None when there is none (or only a zombie)."""
    import psutil

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return float(process.create_time())
    except psutil.NoSuchProcess:
        return None
