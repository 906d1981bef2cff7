"""Clusters that are there already: a Ray head and a Dask scheduler in processes of their own."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from tests.crash.traces import compare, trace
from tests.projects import write_project
from tests.servers import SCRIPTS, free_port, program

from lakecast import Project

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.servers


def ran(folder: Path, **flags: str | None) -> Path:
    write_project(folder)
    project = Project.open(folder, flags={"workers": "2", "memory": "2GB", **flags})
    try:
        project.run()
    finally:
        project.close()
    return folder


def wait_for_workers(address: str, count: int) -> None:
    from distributed import Client

    with Client(address, timeout="30s") as client:
        client.wait_for_workers(count, timeout=60)


def room(folder: Path, **flags: str | None) -> int | None:
    """The bytes that a worker of the cluster may take, as the cluster tells them."""
    write_project(folder)
    project = Project.open(folder, flags=flags)
    try:
        footprint = project.context.engine.footprint
        return None if footprint is None else footprint.room
    finally:
        project.close()


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ran(tmp_path_factory.mktemp("local") / "loja")


def test_a_ray_cluster(alone: Path, tmp_path: Path) -> None:
    port = free_port()
    head = (
        SCRIPTS / "ray", "start", "--head", "--block", f"--port={port}", "--num-cpus=2",
        "--node-ip-address=127.0.0.1", "--include-dashboard=false", "--disable-usage-stats",
        f"--object-store-memory={200_000_000}", f"--memory={4_000_000_000}",
    )  # fmt: skip
    with program(*head, port=port):
        joined = {"engine": "ray", "cluster": f"127.0.0.1:{port}"}
        assert room(tmp_path / "asked", **joined) == 2_000_000_000
        folder = ran(tmp_path / "loja", **joined)
    compare(trace(folder), trace(alone))


def test_a_dask_scheduler(alone: Path, tmp_path: Path) -> None:
    port, here = free_port(), ("--host", "127.0.0.1")
    address = f"tcp://127.0.0.1:{port}"
    scheduler = (SCRIPTS / "dask", "scheduler", *here, "--port", port, "--no-dashboard")
    worker = (
        SCRIPTS / "dask", "worker", address, *here, "--nthreads", 1, "--nworkers", 2,
        "--no-dashboard", "--local-directory", tmp_path / "scratch",
        "--memory-limit", 2_000_000_000,
    )  # fmt: skip
    with program(*scheduler, port=port), program(*worker, port=port):
        joined = {"engine": "dask", "cluster": address}
        wait_for_workers(address, 2)
        assert room(tmp_path / "asked", **joined) == 2_000_000_000
        folder = ran(tmp_path / "loja", **joined)
    compare(trace(folder), trace(alone))
    shutil.rmtree(tmp_path / "scratch", ignore_errors=True)
