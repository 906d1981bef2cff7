"""Where engines, stores and models are wired together: the project as Python sees it.

>>> from lakecast import Project
>>> project = Project.open("my-project")        # doctest: +SKIP
>>> project.run()                               # doctest: +SKIP
>>> project.forecast(horizon=14)                # doctest: +SKIP
"""

from __future__ import annotations

import getpass
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, overload

from lakecast import settings as _settings
from lakecast import spec as _spec
from lakecast.core.contract.judge import instant
from lakecast.engines.known import engine_of
from lakecast.errors import LakecastError
from lakecast.flows.context import Context
from lakecast.flows.lease import holder, lease
from lakecast.flows.outcome import RunOutcome, StageOutcome
from lakecast.flows.runner import STAGES, Runner
from lakecast.lake.store import Store
from lakecast.lake.tables import Lake
from lakecast.logs import Progresses, Silent, redact
from lakecast.machine import few_heaps

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

    from lakecast.flows.budget.resolve import Prediction
    from lakecast.flows.planning import Step
    from lakecast.flows.stages.tune import TuneOutcome
    from lakecast.registry.promotions import Promotion
    from lakecast.report.data import ReportData

SPEC: Final = "lakecast.toml"
_SHOWN: Final = ("candidate", "rmsse", "rmse", "mae", "r2", "wape", "bias", "coverage")


@dataclass(frozen=True, slots=True)
class Decision:
    """What the gate said of the last training: whether something passed, and why, in words."""

    passed: bool
    text: str


@dataclass(frozen=True, slots=True)
class Project:
    """A folder with a `lakecast.toml`, its lake and its settings. Frames out are Polars."""

    context: Context

    @classmethod
    def open(
        cls,
        folder: str | Path = ".",
        *,
        flags: Mapping[str, str | None] | None = None,
        progress: Progresses | None = None,
    ) -> Project:
        """Open the project in a folder.

        `flags` are settings by name, over the environment and `lakecast.local.toml`. Raises
        `SpecError` where there is no valid spec, `UsageError` for a setting that is not valid.
        """
        path = Path(folder)
        spec = _spec.load(path / SPEC)
        settings = _settings.resolve(path, flags=flags)
        told = progress or Silent()
        few_heaps(settings.threads)
        return cls(
            Context(
                spec=spec,
                settings=settings,
                lake=Lake(Store.open(settings.lake)),
                engine=engine_of(settings, told),
                progress=told,
                now=lambda: datetime.now(UTC),
                user=_user(),
            )
        )

    def run(
        self,
        *,
        as_of: datetime | None = None,
        retrain: bool = False,
        wait: float = 0.0,
        actuals: str | None = None,
        tell: Callable[[Prediction], None] | None = None,
    ) -> RunOutcome:
        """Bring everything up to date and forecast.

        `wait` seconds for another run of this project, then `LeaseHeld`. `actuals` is a file of
        raw sales after the cutoff, for the report only. `tell` is called with what the stages will
        take, before they begin; a second time behind the first panel, where the rest can be told.
        Raises `UsageError`, before work begins, where the memory budget is too little.
        """
        told = self._runner(as_of=as_of, retrain=retrain).check()
        runner = self._runner(as_of=as_of, retrain=retrain, actuals=actuals)
        runner.expect(told)
        with lease(self.context.lake, wait=wait):
            if tell is not None:
                tell(told)
            runner.ingest()
            runner.panel()
            if tell is not None and not told.whole:
                tell(runner.prediction())
            for stage in STAGES[2:-1]:
                getattr(runner, stage)()
            report = runner.report()
        return self._outcome(runner, report)

    def stage(
        self, name: str, *, as_of: datetime | None = None, wait: float = 0.0
    ) -> tuple[StageOutcome, ...]:
        """Bring one stage, and those before it, up to date."""
        runner = self._runner(as_of=as_of)
        wanted = ("ingest", "panel", "features") if name == "features" else STAGES
        with lease(self.context.lake, wait=wait):
            for stage in wanted[: wanted.index(name) + 1]:
                getattr(runner, stage)()
        return tuple(runner.done)

    def tune(
        self,
        *,
        trials: int | None = None,
        time: str | None = None,
        as_of: datetime | None = None,
        wait: float = 0.0,
    ) -> TuneOutcome:
        """Search better parameters for the next training, which becomes due where some are found.

        `trials` and `time` (like `30m`) replace those of the spec. Several workers are processes
        that import the calling script: call it below `if __name__ == "__main__":`.
        """
        runner = self._runner(as_of=as_of)
        with lease(self.context.lake, wait=wait):
            runner.ingest()
            runner.panel()
            return runner.tune(trials, time)

    def forecast(
        self,
        *,
        series: pl.DataFrame | None = None,
        horizon: int | None = None,
        scenario: pl.DataFrame | None = None,
        as_of: datetime | None = None,
    ) -> pl.DataFrame:
        """The champion's forecasts from where the panel stands; nothing is written.

        `series`: only those, one row each. `scenario`: known-future covariates that replace the
        plan. Raises `LakecastError` where there is no champion or no panel.
        """
        from lakecast.flows.stages.forecast import labelled, standing

        runner = self._runner(as_of=as_of)
        champion = self._champion()
        predictor = standing(runner.context, champion, runner.opened())
        frame = predictor.forecast(series, horizon=horizon, covariates=scenario)
        return labelled(frame, champion)

    def report(
        self, *, notebook: bool = False, out: str | None = None, actuals: str | None = None
    ) -> Path:
        """Write the report, or the notebook, from what is in the lake; its path."""
        from lakecast.flows.stages.report import run_report, write_notebook

        context = replace(self.context, actuals=actuals)
        path = Path(out) if out else None
        if notebook:
            return write_notebook(context, path)
        return Path(run_report(context, (), path)[0])

    def report_data(self) -> ReportData:
        """What the report shows, as values and frames."""
        from lakecast.flows.stages.report import actuals_of, gather

        return gather(self.context, (), actuals_of(self.context))

    def table(self, name: str) -> pl.DataFrame:
        """A table of the lake, whole. Raises `LakecastError` where there is none of that name."""
        return self.context.lake.table(name).scan().collect()

    def frame(self, name: str) -> Any:
        """A table of the lake as the engine's own lazy frame: see `flows.frames.open_frame`."""
        from lakecast.flows.frames import open_frame

        return open_frame(self.context, name)

    def write(
        self, name: str, frame: Any, *, mode: Literal["replace", "append"] = "replace"
    ) -> int:
        """Save such a frame as a table, in one commit; its version. See `flows.frames`."""
        from lakecast.flows.frames import write_frame

        return write_frame(self.context, name, frame, mode)

    def close(self) -> None:
        """End a cluster that was started on demand; what comes next starts it again."""
        self.context.engine.close()

    @property
    def champion(self) -> Promotion | None:
        """Who forecasts now."""
        from lakecast.registry.promotions import TABLE, champion

        return champion(self.context.lake.table(TABLE))

    def decision(self) -> Decision:
        """What the gate said last. Raises `LakecastError` where nothing was trained yet."""
        from lakecast.flows.stages.training import last_note

        told = last_note(self.context)
        if not told:
            raise LakecastError(
                "nothing was trained yet", where="lake", cure="run `lakecast run` or `train`"
            )
        return Decision(passed=bool(told["passed"]), text="\n".join(told["lines"]))

    def plan(self, *, as_of: datetime | None = None) -> tuple[Step, ...]:
        """What `run` would do and why."""
        from lakecast.flows.planning import plan

        return plan(self._runner(as_of=as_of))

    def predict(self, *, as_of: datetime | None = None) -> Prediction:
        """What the stages of `run` take, and what the memory budget allows of the training."""
        return self._runner(as_of=as_of).prediction()

    def status(self) -> dict[str, Any]:
        """Tables, champion, lease."""
        champion, held = self.champion, holder(self.context.lake)
        lake = self.context.lake
        return {
            "project": str(self.context.settings.project),
            "lake": lake.store.root,
            "tracking_uri": redact(self.context.settings.tracking_uri),
            "champion": None
            if champion is None
            else f"version {champion.model_version}: {champion.recipe} "
            f"({champion.kind}, up to {champion.cutoff})",
            "lease": str(held) if held else None,
            "tables": list(_tables(lake)),
        }

    def promote(self, version: str) -> Promotion:
        """Make a registered version champion. Raises `LakecastError` where MLflow lacks it."""
        from lakecast.flows.stages.registry import promote_version

        with lease(self.context.lake):
            return promote_version(self.context, version)

    def rollback(self) -> Promotion:
        """Make the champion before this one champion again."""
        from lakecast.flows.stages.registry import roll_back

        with lease(self.context.lake):
            return roll_back(self.context)

    def _champion(self) -> Promotion:
        champion = self.champion
        if champion is None:
            raise LakecastError(
                "there is no champion yet", where="promotions", cure="run `lakecast run`"
            )
        return champion

    def _runner(self, *, as_of: datetime | None = None, **changes: Any) -> Runner:
        """A runner at a moment, which is meant in the panel's zone where it names none."""
        zone = self.context.spec.panel.timezone
        moment = None if as_of is None else instant(as_of, zone)
        return Runner(replace(self.context, as_of=moment, **changes))

    def _outcome(self, runner: Runner, report: str) -> RunOutcome:
        from lakecast.flows.stages.training import read_note

        champion = self._champion()
        told = read_note(self.context, champion.fingerprint)
        decision = self.decision()
        return RunOutcome(
            stages=tuple(runner.done),
            decision=decision.text,
            passed=decision.passed,
            report=report,
            tracking_uri=self.context.settings.tracking_uri,
            leaderboard=[
                {name: row.get(name) for name in _SHOWN} for row in told.get("leaderboard", ())
            ],
            prediction=runner.prediction().to_dict(),
        )


@overload
def open(  # noqa: A001 - read as `lakecast.open`
    table: str, *, project: str | Path = ..., engine: Literal["local"] = ...
) -> pl.LazyFrame: ...


@overload
def open(table: str, *, project: str | Path = ..., engine: str) -> Any: ...  # noqa: A001


def open(  # noqa: A001
    table: str, *, project: str | Path = ".", engine: str = "local"
) -> Any:
    """A table of a project's lake, lazily: a Polars frame, or one of a cluster's own.

    `engine="dask"` gives a `dask.dataframe.DataFrame`, read by the workers of the cluster that the
    project's settings name, or of a local one. Raises `UsageError` for an unknown engine, or one
    that has no frames.
    """
    opened = Project.open(project, flags={"engine": engine})
    if engine == "local":
        return opened.context.lake.table(table).scan()
    from lakecast.flows.frames import open_frame

    return open_frame(opened.context, table)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no passwd entry, as in some containers
        return "unknown"


def _tables(lake: Lake) -> Iterator[dict[str, Any]]:
    for name in lake.names():
        if name == "lease":
            continue
        table = lake.table(name)
        files = table.files()
        yield {
            "table": name,
            "version": table.version(),
            "files": len(files),
            "rows": sum(file.rows for file in files),
            "fingerprint": (table.fingerprint() or "")[:12],
        }
