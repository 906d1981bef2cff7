"""One run that nobody disturbed, for all comparisons."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.crash.traces import Trace, trace

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def undisturbed(finished: Path) -> Trace:
    """What a run leaves that was left in peace."""
    return trace(finished)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow store without anything in it, because setting one up takes seconds."""
    from lakecast.registry.tracking import open_tracking

    path = tmp_path_factory.mktemp("mlflow") / "empty.db"
    open_tracking(f"sqlite:///{path}", "set-up")
    return path
