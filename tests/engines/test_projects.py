"""A whole project on Ray and on Dask: the tables, notes and MLflow of one machine, bit for bit.

With two workers, and with a worker killed in every map, split and build of the run.
"""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.crash.traces import compare, trace
from tests.projects import write_project

from lakecast import Project
from lakecast.engines.order import fold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa

    from lakecast.engines.protocol import Engine, Footprint

pytestmark = pytest.mark.servers
FAMILIES = ("linear_regression", "gradient_boosting")


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project as one machine leaves it."""
    return ran(tmp_path_factory.mktemp("local"), "local")


def ran(folder: Path, engine: str, wrap: Callable[[Engine], Engine] | None = None) -> Path:
    write_project(folder, families=FAMILIES, train="parts = 2\n")
    project = Project.open(folder, flags={"engine": engine, "workers": "2", "memory": "2GB"})
    found = project.context.engine if wrap is None else wrap(project.context.engine)
    try:
        Project(replace(project.context, engine=found)).run()
    finally:
        found.close()
    return folder


@dataclass(frozen=True)
class Dying:
    """An engine whose workers die at the first piece of each piece of work that they are given."""

    inner: Engine
    flags: Path

    @property
    def workers(self) -> int:
        return self.inner.workers

    @property
    def spread(self) -> bool:
        return True

    @property
    def footprint(self) -> Footprint | None:
        return self.inner.footprint

    def quiet(self) -> Dying:
        return replace(self, inner=self.inner.quiet())

    def map(
        self, work: Callable[[Any], Any], pieces: Sequence[Any], *, title: str
    ) -> Iterator[Any]:
        return self.inner.map(self._dying(work, title), pieces, title=title)

    def reduce(
        self,
        work: Callable[[Any], Any],
        merge: Callable[[Any, Any], Any],
        pieces: Sequence[Any],
        *,
        title: str,
    ) -> Any:
        return fold(merge, self.map(work, pieces, title=title))

    def exchange(
        self,
        split: Callable[[Any], Mapping[int, pa.Table]],
        pieces: Sequence[Any],
        build: Callable[[int, Iterable[Iterable[pa.Table]]], Any],
        buckets: Mapping[int, Sequence[int]],
        *,
        title: str,
    ) -> Iterator[Any]:
        split, build = self._dying(split, f"{title} split"), self._dying(build, f"{title} build")
        return self.inner.exchange(split, pieces, build, buckets, title=title)

    def pool(self, work: Callable[[Any], Any]) -> Any:
        return self.inner.pool(self._dying(work, "pool"))

    def close(self) -> None:
        self.inner.close()

    def _dying(self, work: Callable[..., Any], title: str) -> Callable[..., Any]:
        flag = self.flags / f"{len(list(self.flags.iterdir()))} {title}".replace("/", "-")
        flag.touch()
        return partial(_once, work=work, flag=str(flag))


def _once(*given: Any, work: Callable[..., Any], flag: str) -> Any:
    died = Path(flag).with_suffix(".died")
    if not died.exists():
        died.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return work(*given)


@pytest.mark.parametrize("engine", ["ray", "dask"])
def test_tuning_finds_what_one_machine_finds(engine: str, tmp_path: Path) -> None:
    assert tuned(tmp_path / "there", engine) == tuned(tmp_path / "here", "local")


def tuned(folder: Path, engine: str) -> Any:
    write_project(folder, families=FAMILIES)
    flags = {"engine": engine, "workers": "2", "memory": "2GB"}
    project = Project.open(folder, flags=flags)
    try:
        found = project.tune(trials=6)
    finally:
        project.close()
    table = project.table("tuning")
    kept = [name for name in table.columns if "second" not in name]
    return found.best_value, found.best_params, found.points, table.select(kept).to_dicts()


@pytest.mark.parametrize("engine", ["ray", "dask"])
def test_a_run_leaves_what_one_machine_leaves(engine: str, alone: Path, tmp_path: Path) -> None:
    compare(trace(ran(tmp_path / "loja", engine)), trace(alone))


@pytest.mark.parametrize("engine", ["ray", "dask"])
def test_workers_killed_in_every_stage_leave_no_trace(
    engine: str, alone: Path, tmp_path: Path
) -> None:
    flags = tmp_path / "flags"
    flags.mkdir()
    folder = ran(tmp_path / "loja", engine, lambda inner: Dying(inner, flags))
    died = sorted(path.stem for path in flags.glob("*.died"))
    assert len(died) >= 6, died
    assert {"panel build", "panel split", "pool", "forecast"} <= {d.split(" ", 1)[1] for d in died}
    compare(trace(folder), trace(alone))
