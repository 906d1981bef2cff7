"""A project that has run once: made once a session, copied for each test that wants one."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.projects import write_project

if TYPE_CHECKING:
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
