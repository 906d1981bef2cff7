"""A tracking store that is set up once, because MLflow needs seconds for it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from lakecast.registry.tracking import Tracking, open_tracking

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("empty") / "mlflow.db"
    open_tracking(f"sqlite:///{path}", "set-up")
    return path


@pytest.fixture
def uri(empty_store: Path, tmp_path: Path) -> str:
    folder = tmp_path / "pasta de vendas ç #1"
    folder.mkdir()
    shutil.copy(empty_store, folder / "mlflow.db")
    return f"sqlite:///{folder}/mlflow.db"


@pytest.fixture
def tracking(uri: str) -> Tracking:
    return open_tracking(uri, "lojas")
