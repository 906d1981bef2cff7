"""Workers and schedulers of Dask that go for good, or come and go."""

from __future__ import annotations

import os
import subprocess
import time
from signal import SIGKILL
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from dask import config
from tests.servers import SCRIPTS, free_port, program

from lakecast.engines.dask import cluster as connection
from lakecast.engines.dask.cluster import DaskCluster
from lakecast.engines.dask.map import map_pieces
from lakecast.engines.dask.pool import DaskPool
from lakecast.errors import LakecastError, Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.servers
TIMEOUT = "distributed.deploy.lost-worker-timeout"
GIVEN_UP = 15.0
"""Seconds after which Dask looks at whether a worker that died is back."""


@pytest.fixture
def cluster() -> Iterator[DaskCluster]:
    found = DaskCluster(workers=1, memory=2_000_000_000)
    yield found
    found.close()


def same(piece: int) -> int:
    return piece


def wait_there(piece: int, flag: Path) -> int:
    flag.touch()
    time.sleep(60)
    return piece


def until_there(flag: Path) -> None:
    for _ in range(600):
        if flag.exists():
            return
        time.sleep(0.1)
    pytest.fail("the work never began")


def test_a_worker_comes_back_however_often_it_dies(cluster: DaskCluster) -> None:
    """It is down when Dask looks at it, since it died again and again until then."""
    assert list(map_pieces(cluster, same, [1])) == [1]
    (nanny,) = cluster._held.cluster.workers.values()
    ends, died = time.monotonic() + GIVEN_UP + 2, 0
    while time.monotonic() < ends:
        pid = nanny.pid
        if pid is not None:
            os.kill(pid, SIGKILL)
            died += 1
        time.sleep(0.2)
    assert died > 5
    assert list(map_pieces(cluster, same, [2, 3])) == [2, 3]


def test_work_that_nobody_is_left_for(
    cluster: DaskCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_LOOK", 0.5)
    flag = tmp_path / "begun"
    client = cluster.connect()
    future = client.submit(wait_there, 1, flag)
    until_there(flag)
    for nanny in cluster._held.cluster.workers.values():
        cluster._held.cluster.sync(nanny.kill)
        cluster._held.cluster.sync(nanny.close)
    with pytest.raises(LakecastError, match="no worker is left"):
        cluster.take(future)


def test_what_was_configured_is_again_once_it_is_closed(
    cluster: DaskCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    before, environ = config.get(TIMEOUT), dict(os.environ)
    cluster.connect()
    assert config.get(TIMEOUT) != before
    cluster.close()
    assert config.get(TIMEOUT) == before
    assert dict(os.environ) == environ
    os.environ["OMP_NUM_THREADS"] = "3"  # the user's, by now
    cluster.close()
    assert os.environ["OMP_NUM_THREADS"] == "3"


@pytest.mark.parametrize("pooled", [False, True])
def test_a_scheduler_that_dies_with_work_in_hand(pooled: bool, tmp_path: Path) -> None:
    port, here, flag = free_port(), ("--host", "127.0.0.1"), tmp_path / "begun"
    address = f"tcp://127.0.0.1:{port}"
    worker = (
        SCRIPTS / "dask", "worker", address, *here, "--nthreads", 1, "--no-dashboard",
        "--local-directory", tmp_path / "scratch", "--death-timeout", 5,
    )  # fmt: skip
    scheduler = (SCRIPTS / "dask", "scheduler", *here, "--port", port, "--no-dashboard")
    cluster = DaskCluster(workers=1, address=address)
    with program(*scheduler, port=port) as server, program(*worker, port=port):
        # A worker of another program has not these tests.
        work, piece = subprocess.check_call, ["sh", "-c", f"touch {flag}; sleep 60"]
        if pooled:
            with DaskPool(cluster, work) as pool:
                pool.submit(piece)
                until_there(flag)
                os.killpg(server.pid, SIGKILL)
                with pytest.raises(Unreachable, match="does not answer"):
                    pool.next()
        else:
            pieces = map_pieces(cluster, work, [piece, piece])
            killer = Thread(target=lambda: (until_there(flag), os.killpg(server.pid, SIGKILL)))
            killer.start()
            with pytest.raises(Unreachable, match="does not answer"):
                next(pieces)
            killer.join()
        with pytest.raises(Unreachable, match="does not answer"):
            cluster.take(cluster.submit(same, 1))
    cluster.close()
