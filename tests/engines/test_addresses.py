"""Clusters that are there already: a Ray head and a Dask scheduler in processes of their own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.crash.traces import compare, trace
from tests.projects import write_project
from tests.servers import free_port, wait_for

from lakecast import Project

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.servers
SCRIPTS = Path(sys.executable).parent


def ran(folder: Path, **flags: str | None) -> Path:
    write_project(folder)
    project = Project.open(folder, flags={"workers": "2", "memory": "2GB", **flags})
    try:
        project.run()
    finally:
        project.close()
    return folder


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ran(tmp_path_factory.mktemp("local") / "loja")


@contextmanager
def program(*command: object, port: int) -> Iterator[None]:
    """A program that runs until the body ends, with all that it started."""
    started = subprocess.Popen(
        [str(part) for part in command], start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0"},
    )  # fmt: skip
    try:
        wait_for(port)
        yield
    finally:
        os.killpg(started.pid, signal.SIGTERM)
        try:
            started.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(started.pid, signal.SIGKILL)
            started.wait(30)


def test_a_ray_cluster(alone: Path, tmp_path: Path) -> None:
    port = free_port()
    head = (
        SCRIPTS / "ray", "start", "--head", "--block", f"--port={port}", "--num-cpus=2",
        "--node-ip-address=127.0.0.1", "--include-dashboard=false", "--disable-usage-stats",
        f"--object-store-memory={200_000_000}",
    )  # fmt: skip
    with program(*head, port=port):
        folder = ran(tmp_path / "loja", engine="ray", cluster=f"127.0.0.1:{port}")
    compare(trace(folder), trace(alone))


def test_a_dask_scheduler(alone: Path, tmp_path: Path) -> None:
    port, here = free_port(), ("--host", "127.0.0.1")
    address = f"tcp://127.0.0.1:{port}"
    scheduler = (SCRIPTS / "dask", "scheduler", *here, "--port", port, "--no-dashboard")
    worker = (
        SCRIPTS / "dask", "worker", address, *here, "--nthreads", 1, "--nworkers", 2,
        "--no-dashboard", "--local-directory", tmp_path / "scratch",
    )  # fmt: skip
    with program(*scheduler, port=port), program(*worker, port=port):
        folder = ran(tmp_path / "loja", engine="dask", cluster=address)
    compare(trace(folder), trace(alone))
    shutil.rmtree(tmp_path / "scratch", ignore_errors=True)
