"""A failure before and after each thing that a run writes, then a second run.

Whatever is written is written through one of a few doors: a table's commit, a small file, a call of
MLflow. A first run notes in which order they are used; then each is made to fail in turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from tests.crash.traces import Trace, compare, fresh, trace

from lakecast import Project
from lakecast.lake.store import Store
from lakecast.lake.tables import Table

if TYPE_CHECKING:
    from pathlib import Path

CALLS = (
    "create_run",
    "log_batch",
    "log_artifacts",
    "set_terminated",
    "create_registered_model",
    "create_model_version",
    "set_registered_model_alias",
    "set_registered_model_tag",
)
# The first use of each door; several uses of one are told apart by what they write.
POINTS = (
    "commit sales",
    "commit promo",
    "commit findings",
    "commit series",
    "commit future",
    "commit panel",
    "write work",
    "commit metrics",
    "commit backtest",
    "write models",
    "mlflow create_run",
    "mlflow log_batch",
    "mlflow log_artifacts",
    "mlflow set_terminated",
    "mlflow create_registered_model",
    "mlflow create_model_version",
    "write notes/training",
    "write model_comparison",
    "commit promotions",
    "mlflow set_registered_model_alias",
    "mlflow set_registered_model_tag",
    "write notes/last-training",
    "write notes/resources",
    "commit forecasts",
    "write notes/report",
)


class Boom(BaseException):
    """Stands for a kill: nothing in the product catches it."""


@dataclass
class Doors:
    """Counts uses of the doors; fails at the chosen one, once."""

    point: str = ""
    when: str = ""
    used: list[str] = field(default_factory=list)

    def through(self, point: str, work: Callable[[], Any]) -> Any:
        first = point == self.point and point not in self.used
        self.used.append(point)
        if first and self.when == "before":
            raise Boom
        result = work()
        if first and self.when == "after":
            raise Boom
        return result


@contextmanager
def watched(doors: Doors) -> Iterator[None]:
    """All doors lead through the counter for as long as the body runs."""
    from mlflow.tracking import MlflowClient

    with pytest.MonkeyPatch.context() as patch:
        commit, write = Table.commit, Store.write_bytes

        def committed(self: Table, **change: Any) -> Any:
            return doors.through(f"commit {self.name}", lambda: commit(self, **change))

        def written(self: Store, path: str, data: bytes) -> Any:
            return doors.through(f"write {_named(path)}", lambda: write(self, path, data))

        patch.setattr(Table, "commit", committed)
        patch.setattr(Store, "write_bytes", written)
        for name in CALLS:
            patch.setattr(MlflowClient, name, _called(doors, name, getattr(MlflowClient, name)))
        yield


def _called(doors: Doors, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    def through(self: Any, *args: Any, **named: Any) -> Any:
        return doors.through(f"mlflow {name}", lambda: call(self, *args, **named))

    return through


def _named(path: str) -> str:
    """Without the hashes in it."""
    folder, _, rest = path.partition("/")
    return path.removesuffix(".json").split("-0")[0] if not rest else _below(folder, rest)


def _below(folder: str, rest: str) -> str:
    if folder != "notes":
        return folder
    name = rest.removesuffix(".json")
    return "notes/training" if name.startswith("training-") else f"notes/{name}"


def test_every_door_is_in_the_list(tmp_path: Path, prepared: Path) -> None:
    folder, doors = fresh(tmp_path / "p", prepared), Doors()
    with watched(doors):
        Project.open(folder).run()
    assert set(doors.used) - {"commit lease", "write lease"} == set(POINTS)


@pytest.mark.parametrize("when", [pytest.param("before", marks=pytest.mark.slow), "after"])
@pytest.mark.parametrize("point", POINTS)
def test_a_second_run_makes_good(
    point: str, when: str, tmp_path: Path, prepared: Path, undisturbed: Trace
) -> None:
    folder = fresh(tmp_path / "p", prepared)
    with watched(Doors(point, when)), pytest.raises(Boom):
        Project.open(folder).run()
    Project.open(folder).run()
    compare(trace(folder), undisturbed)


@pytest.mark.slow
def test_failing_everywhere_in_one_life(tmp_path: Path, prepared: Path, undisturbed: Trace) -> None:
    """Each run gets one door further than the last."""
    folder, tries = fresh(tmp_path / "p", prepared), 0
    for point in POINTS:
        with watched(Doors(point, "after")):
            try:
                Project.open(folder).run()
            except Boom:
                tries += 1
    Project.open(folder).run()
    assert tries > len(POINTS) / 2
    compare(trace(folder), undisturbed)
