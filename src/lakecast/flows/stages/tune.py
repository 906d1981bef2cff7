"""The stage `tune`: a search, kept trial by trial; its table and its run in MLflow at the end.

In this order, so that a kill anywhere is made good by running again: trials are written to the
study's file as they end, the run is looked up in MLflow by fingerprint and logged, and the table
is committed, from which the next training takes its points.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lakecast.errors import UsageError
from lakecast.flows.fingerprint import fingerprint
from lakecast.flows.tuned import ABOUT, TUNING, searched_part
from lakecast.spec import digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import polars as pl

    from lakecast.flows.context import Context
    from lakecast.flows.outcome import StageOutcome
    from lakecast.lake.lake_panel import LakePanel
    from lakecast.spec import Spec
    from lakecast.training.tune.court import Case
    from lakecast.training.tune.log import Tried
    from lakecast.training.tune.search import Found, Limits

STUDIES: Final = "studies"
_SECONDS: Final = {"m": 60.0, "h": 3600.0}


@dataclass(frozen=True, kw_only=True, slots=True)
class TuneOutcome:
    """What tuning found: the best trial, and the points that the next training screens.

    `best_value` is the metric's loss, the mean over the windows; None where every trial failed.
    """

    stages: tuple[StageOutcome, ...]
    trials: int
    metric: str
    best_value: float | None
    best_params: dict[str, Any]
    points: tuple[dict[str, Any], ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON-able values."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class Study:
    """A search of a project: the same one while spec, panel and code are as they are."""

    context: Context
    panel: LakePanel
    name: str
    limits: Limits


def make_study(context: Context, panel: LakePanel, limits: Limits) -> Study:
    """The study under its fingerprint. Raises `UsageError` where Optuna is not installed."""
    from lakecast.spec.model import Tune
    from lakecast.training.tune.log import need_optuna

    need_optuna()
    spec = context.spec
    tune = spec.tune or Tune()
    content = context.lake.table("panel").fingerprint()
    part = [*searched_part(spec), spec.backtest, spec.gate.metric, spec.gate.weight]
    name = fingerprint("tune", part, tune.windows, tune.over, content)
    return Study(context=context, panel=panel, name=name, limits=limits)


def limits_of(spec: Spec, trials: int | None, time: str | None) -> Limits:
    """How far to search: as asked, else as the spec says. Raises `UsageError`."""
    from lakecast.spec.model import Tune
    from lakecast.training.tune.search import Limits

    tune = spec.tune or Tune()
    if trials is not None and trials < 1:
        raise UsageError(
            f"not a number of trials: {trials}", where="--trials", cure="use 1 or more"
        )
    budget = time or tune.time
    return Limits(trials=trials or tune.trials, seconds=_seconds(budget) if budget else None)


def run_tune(study: Study) -> tuple[dict[str, Any], bool]:
    """Search what is still to be searched; what the table says of it, and whether it is new."""
    from lakecast.training.tune.log import open_log
    from lakecast.training.tune.search import found, wanted

    with _file(study) as (path, saved), open_log(path, study.name, saved) as log:
        total = wanted(log, study.limits)
        table = study.context.lake.table(TUNING)
        about = json.loads(table.metadata.get(ABOUT, "{}"))
        if total is not None and table.fingerprint() == _fingerprint(study, total):
            return about, False
        case = _case(study)
        done = None if total is None else found(log, case.space, total)
        done = done or _search(study, case, log)
    _log_run(study, done, case)
    return _commit(study, done, case), True


def _case(study: Study) -> Case:
    from lakecast.training.tune.court import make_case

    with study.context.progress.bar("tune: reading the panel", 1) as bar:
        case = make_case(study.panel, study.context.spec)
        bar.advance()
    return case


def _search(study: Study, case: Case, log: Any) -> Found:
    from lakecast.training.tune.crew import Alone, Processes, Spread
    from lakecast.training.tune.search import search
    from lakecast.training.tune.share import divide

    settings, engine = study.context.settings, study.context.engine
    size, share = divide(case, memory=settings.budget, threads=settings.threads)
    crew: Alone | Processes | Spread
    if engine.spread:
        crew = Spread(case, replace(share, threads=1), engine)
    else:
        crew = Alone(case, share) if size == 1 else Processes(case, share, size)
    with crew:
        return search(case, log, crew, study.limits, study.context.progress)


@contextmanager
def _file(study: Study) -> Iterator[tuple[Path, Callable[[], None]]]:
    """The study's file on this machine, and what to call when it changed. Older ones go.

    Optuna writes to a file system only: of a lake elsewhere a copy is brought and taken back.
    """
    store = study.context.lake.store
    kept = f"{STUDIES}/{study.name}.journal"
    for name in store.list(STUDIES):
        if not name.startswith(study.name):
            store.delete(f"{STUDIES}/{name}")
    if not store.remote:
        yield Path(store.path(kept)), lambda: None
        return
    with store.scratch() as folder:
        path = folder / "study.journal"
        if store.exists(kept):
            path.write_bytes(store.read_bytes(kept))
        yield path, lambda: store.write_bytes(kept, path.read_bytes())


def _fingerprint(study: Study, trials: int) -> str:
    return digest(study.name, trials)


def _commit(study: Study, done: Found, case: Case) -> dict[str, Any]:
    """Put the table in place of the last one; what is said of it."""
    import polars as pl

    table = study.context.lake.table(TUNING)
    rows = _rows(done, case).to_arrow(compat_level=pl.CompatLevel.oldest())
    about = _about(study, done, case)
    table.commit(
        add=[table.stage(rows)],
        remove="all" if table.exists() else (),
        schema=rows.schema,
        fingerprint=_fingerprint(study, len(done.tried)),
        metadata={ABOUT: json.dumps(about)},
    )
    return about


def _about(study: Study, done: Found, case: Case) -> dict[str, Any]:
    points = [_told(done, one) for one in done.chosen]
    best = done.best
    return {
        "part": digest(searched_part(study.context.spec)),
        "points": digest(points) if points else "",
        "until": case.until,
        "metric": study.context.spec.gate.metric,
        "trials": len(done.tried),
        "best_value": best.loss if best else None,
        "best_params": _told(done, best) if best else {},
        "chosen": [{**_told(done, one), "loss": one.loss} for one in done.chosen],
    }


def _rows(done: Found, case: Case) -> pl.DataFrame:
    """One row a trial; `features` is null where they are the spec's."""
    import msgspec
    import polars as pl

    chosen = {one.slot for one in done.chosen}
    rows = []
    for one in done.tried:
        point = done.point(one)
        features = point.features
        rows.append(
            {
                "trial": one.slot,
                "outcome": one.outcome,
                "loss": one.loss,
                "losses": json.dumps(one.losses),
                "family": point.family,
                "strategy": case.strategy,
                "params": json.dumps(dict(point.params)),
                "scaled": point.scaled,
                "feature_set": point.label,
                "features": None if features is None else msgspec.json.encode(features).decode(),
                "chosen": one.slot in chosen,
            }
        )
    kinds = {"trial": pl.Int32, "loss": pl.Float64, "features": pl.String}
    return pl.DataFrame(rows, schema_overrides=kinds)


def _told(done: Found, one: Tried) -> dict[str, Any]:
    """A trial's point, flat."""
    point = done.point(one)
    more = {} if point.features is None else {"features": point.label}
    more |= {} if point.scaled else {"scaling": "none"}
    return {"family": point.family, **point.params, **more}


def _log_run(study: Study, done: Found, case: Case) -> None:
    """One run in MLflow, looked up by fingerprint before it is made."""
    from lakecast.flows.stages.tracking import open_models
    from lakecast.flows.stages.training import cutoff_text
    from lakecast.registry.tracking import RunLog, TrainingLog

    about = _about(study, done, case)
    tracking, _ = open_models(study.context)
    losses = [one.loss for one in done.tried]
    run = RunLog(
        name=f"tuning up to {cutoff_text(study.panel.info)}",
        params={
            "metric": about["metric"],
            "trials": about["trials"],
            "best_params": json.dumps(about["best_params"]),
            **{f"best.{name}": value for name, value in about["best_params"].items()},
        },
        metrics={
            "best_value": [about["best_value"]],
            "loss_by_trial": losses,
            "seconds_by_trial": [one.seconds for one in done.tried],
        },
        files={
            "best_params.json": json.dumps(about["best_params"], indent=1).encode(),
            "trials.json": json.dumps(_rows(done, case).to_dicts(), indent=1).encode(),
        },
    )
    fingerprint = _fingerprint(study, len(done.tried))
    tracking.log(TrainingLog(fingerprint=fingerprint, run=run), study.context.progress)


def _seconds(text: str) -> float:
    if len(text) < 2 or not text[:-1].isdigit() or text[-1] not in _SECONDS:
        raise UsageError(
            f"not an amount of time: {text!r}", where="--time", cure="write it like 30m"
        )
    return int(text[:-1]) * _SECONDS[text[-1]]
