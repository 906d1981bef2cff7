"""What is made once a session: a project that has run, and an S3 server."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.projects import write_project
from tests.servers import free_port, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project after its first run; copy it, do not change it."""
    from lakecast import Project

    folder = write_project(tmp_path_factory.mktemp("finished") / "loja")
    Project.open(folder).run()
    return folder


@pytest.fixture
def project(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished project, in another place: it was moved, so to speak."""
    return shutil.copytree(finished, tmp_path / "loja ç #1")


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    """An S3 server in a process of its own: delta-rs may hold the interpreter's lock."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=30)
