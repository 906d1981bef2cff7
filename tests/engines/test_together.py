"""Models that all workers of a cluster fit together, beside those of one machine."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from traceback import extract_stack
from typing import Any

import numpy as np
import pytest
from tests.projects import write_project

from lakecast import Project
from lakecast.errors import LakecastError
from lakecast.lake.lake_panel import LakePanel, open_panel
from lakecast.models import families
from lakecast.models.protocol import Forecaster
from lakecast.models.recipes import Tabular
from lakecast.models.workbench import Workbench

pytestmark = [pytest.mark.servers, pytest.mark.timeout(900)]  # Ray Train takes long to set up
TOLERANCE = 0.02
"""By how much forecasts of more than one worker may differ, of their own mean."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = write_project(tmp_path_factory.mktemp("together") / "loja")
    Project.open(made).stage("panel")
    return made


@pytest.fixture(scope="module", params=[("ray", 1), ("ray", 2), ("dask", 1), ("dask", 2)], ids=str)
def project(request: pytest.FixtureRequest, folder: Path) -> Iterator[Project]:
    engine, workers = request.param
    flags = {"engine": engine, "workers": str(workers), "memory": "2GB"}
    opened = Project.open(folder, flags=flags)
    yield opened
    opened.close()


def recipe(panel: LakePanel, *, scaled: bool = True) -> Tabular:
    params = families.resolve("gradient_boosting", {"num_iterations": 40, "num_leaves": 15})
    features = Project.open(Path(panel.store.root).parent).context.spec.features
    return Tabular(
        family="gradient_boosting", strategy="recursive", params=params, horizon=7,
        features=features, scaled=scaled,
    )  # fmt: skip


def values(forecaster: Forecaster, panel: LakePanel) -> np.ndarray:
    bench = Workbench(panel, (panel.info.cutoff,))
    return bench.forecast(forecaster, panel.info.cutoff, 7).values


@pytest.fixture
def unbroken(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No fit began again: with one worker less it would be the model of one machine."""
    yield
    said = [record.getMessage() for record in caplog.get_records("call")]
    assert [one for one in said if "begins again" in one] == []


@pytest.mark.usefixtures("unbroken")
@pytest.mark.parametrize("scaled", [True, False])
def test_the_model_is_that_of_one_machine(project: Project, scaled: bool) -> None:
    panel = open_panel(project.context.lake)
    cutoff, sketch = panel.info.cutoff, recipe(panel, scaled=scaled)
    alone = values(Workbench(panel, (cutoff,)).fit(sketch, cutoff), panel)
    bench = Workbench(panel, (cutoff,), together=project.context.engine.quiet())
    together = values(bench.fit(sketch, cutoff), panel)
    if project.context.engine.workers == 1:
        np.testing.assert_array_equal(together, alone)
    else:
        assert np.abs(together - alone).mean() <= TOLERANCE * alone.mean()


@pytest.mark.usefixtures("unbroken")
def test_earlier_cutoffs_see_nothing_later(project: Project) -> None:
    panel = open_panel(project.context.lake)
    cutoffs, sketch = (panel.info.cutoff - 14, panel.info.cutoff), recipe(panel)
    alone = Workbench(panel, cutoffs).fit(sketch, cutoffs[0])
    bench = Workbench(panel, cutoffs, together=project.context.engine.quiet())
    together = values(bench.fit(sketch, cutoffs[0]), panel)
    if project.context.engine.workers == 1:
        np.testing.assert_array_equal(together, values(alone, panel))
    else:
        expected = values(alone, panel)
        assert np.abs(together - expected).mean() <= TOLERANCE * expected.mean()


@dataclass(frozen=True)
class Breaking:
    """A job whose first worker dies in the middle of the first try."""

    inner: Any
    flag: str

    @property
    def parts(self) -> Mapping[int, int]:
        return self.inner.parts

    @property
    def columns(self) -> int:
        return self.inner.columns

    @property
    def categories(self) -> tuple[int, ...]:
        return self.inner.categories

    @property
    def params(self) -> Mapping[str, Any]:
        return self.inner.params

    def train(self, parts: Sequence[int], network: Mapping[str, Any]) -> str:
        self._die()
        return self.inner.train(parts, network)

    def arrays(self, part: int) -> tuple[Any, Any, Any]:
        self._die()
        return self.inner.arrays(part)

    def _die(self) -> None:
        if not Path(self.flag).exists():
            Path(self.flag).touch()
            os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True)
class BreakingWorkers:
    engine: Any
    flag: str

    @property
    def workers(self) -> int:
        return self.engine.workers

    def map(self, work: Any, pieces: Sequence[Any], *, title: str) -> Any:
        return self.engine.map(work, pieces, title=title)

    def fit(self, job: Any) -> str:
        return self.engine.fit(Breaking(job, self.flag))


def test_a_fit_that_breaks_begins_again(project: Project, tmp_path: Path) -> None:
    panel = open_panel(project.context.lake)
    cutoff, sketch, flag = panel.info.cutoff, recipe(panel), tmp_path / "died"
    alone = values(Workbench(panel, (cutoff,)).fit(sketch, cutoff), panel)
    workers = BreakingWorkers(project.context.engine.quiet(), str(flag))
    if project.context.engine.workers == 1 and project.context.settings.engine == "ray":
        with pytest.raises(LakecastError, match="broke with any number of workers"):
            Workbench(panel, (cutoff,), together=workers).fit(sketch, cutoff)
        return
    together = values(Workbench(panel, (cutoff,), together=workers).fit(sketch, cutoff), panel)
    assert flag.exists()
    assert np.abs(together - alone).mean() <= TOLERANCE * alone.mean()


@dataclass(frozen=True)
class Ambushed(Breaking):
    """A job whose first part's worker dies once LightGBM trains in it."""

    def arrays(self, part: int) -> tuple[Any, Any, Any]:
        if not Path(self.flag).exists():
            Path(self.flag).touch()
            Thread(target=_die_in_training, args=(self.flag,), daemon=True).start()
        return self.inner.arrays(part)


def _die_in_training(flag: str) -> None:
    while True:
        for frame in sys._current_frames().values():
            inside = {one.filename.rpartition("lightgbm")[2] for one in extract_stack(frame)}
            if {"/dask.py", "/basic.py"} <= inside:
                Path(flag).write_text("while it trained", encoding="utf-8")
                os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.001)


@dataclass(frozen=True)
class AmbushedWorkers(BreakingWorkers):
    def fit(self, job: Any) -> str:
        return self.engine.fit(Ambushed(job, self.flag))


def test_a_dask_worker_that_dies_while_all_train(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The others would wait for it for ever."""
    flags = {"engine": "dask", "workers": "2", "memory": "2GB"}
    project, flag = Project.open(folder, flags=flags), tmp_path / "died"
    panel = open_panel(project.context.lake)
    cutoff, sketch = panel.info.cutoff, recipe(panel)
    alone = values(Workbench(panel, (cutoff,)).fit(sketch, cutoff), panel)
    try:
        workers = AmbushedWorkers(project.context.engine.quiet(), str(flag))
        together = values(Workbench(panel, (cutoff,), together=workers).fit(sketch, cutoff), panel)
    finally:
        project.close()
    assert flag.read_text(encoding="utf-8") == "while it trained"
    assert [one for one in caplog.messages if "begins again" in one]
    assert np.abs(together - alone).mean() <= TOLERANCE * alone.mean()


@pytest.mark.usefixtures("unbroken")
def test_a_run_together(tmp_path: Path) -> None:
    """The whole journey: the champion is of the family that one machine chooses."""
    found = {}
    for engine, fits in (("local", "apart"), ("ray", "together")):
        made = write_project(
            tmp_path / engine, families=("gradient_boosting",),
            train='strategy = "recursive"\nscaling = "none"\n',
        )  # fmt: skip
        flags = {"engine": engine, "workers": "2", "memory": "2GB", "fits": fits}
        project = Project.open(made, flags=flags)
        try:
            project.run()
        finally:
            project.close()
        champion = project.champion
        assert champion is not None
        rows = project.table("forecasts").sort("produto", "loja", "data_venda")
        found[engine] = champion.recipe, rows["forecast"].to_numpy()
    assert found["ray"][0] == found["local"][0]
    mine, theirs = found["ray"][1], found["local"][1]
    assert np.abs(mine - theirs).mean() <= TOLERANCE * theirs.mean()
