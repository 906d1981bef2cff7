"""The benchmark of bookkeeping, on two candidates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from benchmarks.bookkeeping import candidates, check, ours

from lakecast.registry.tracking import open_tracking

if TYPE_CHECKING:
    from pathlib import Path


def test_every_value_is_compared(tmp_path: Path) -> None:
    tracking = open_tracking(f"sqlite:///{tmp_path}/mlflow.db", "benchmark")
    logs = candidates(2)
    fingerprint = ours(tracking, logs)
    check(tracking, fingerprint, logs)
    with pytest.raises(KeyError):
        check(tracking, fingerprint, candidates(3))
