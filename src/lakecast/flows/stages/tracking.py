"""What a training shows in MLflow, and the registration of its model."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lakecast.core.metrics import METRICS
from lakecast.flows import bundles

if TYPE_CHECKING:
    import polars as pl

    from lakecast.flows.context import Context
    from lakecast.flows.stages.training import Training
    from lakecast.registry.models import Models
    from lakecast.registry.tracking import RunLog, Tracking

_LISTED: Final = 20  # versions of so many tables are tags of a run


@dataclass(frozen=True, kw_only=True, slots=True)
class Registered:
    """The project's model in MLflow; `version` is empty where the champion stays."""

    models: Models
    version: str


def open_models(context: Context) -> tuple[Tracking, Models]:
    """The project's experiment and registered model."""
    from lakecast.registry.models import Models
    from lakecast.registry.tracking import open_tracking

    tracking = open_tracking(context.settings.tracking_uri, context.spec.name)
    return tracking, Models(tracking, context.spec.name)


def log_training(training: Training) -> Registered:
    """Log runs and, where there is a new champion, register its bundle; both once a training."""
    from lakecast.models.bundle import Predictor
    from lakecast.registry.models import Origin
    from lakecast.registry.prototype import prototype
    from lakecast.registry.tracking import TrainingLog

    context = training.context
    tracking, models = open_models(context)
    run_id = tracking.find(training.fingerprint) or tracking.log(
        TrainingLog(
            fingerprint=training.fingerprint,
            run=_parent(training),
            candidates=_candidates(training),
        ),
        context.progress,
    )
    if training.decision.choice is None:
        return Registered(models=models, version="")
    with bundles.unpacked(context.lake, training.fingerprint) as folder:
        predictor = Predictor.load(folder)
        origin = Origin(
            fingerprint=training.fingerprint,
            run_id=run_id,
            recipe=", ".join(training.decision.choice.members),
            cutoff=training.cutoff,
        )
        version = models.register(folder, prototype(predictor), origin)
    return Registered(models=models, version=version)


def _parent(training: Training) -> RunLog:
    from lakecast.registry.tracking import RunLog

    spec, decision, panel = training.context.spec, training.decision, training.panel
    champion = training.board.filter(training.board["champion"])
    return RunLog(
        name=f"training up to {training.cutoff}",
        params={
            "panel.series": panel.info.series,
            "panel.rows": panel.info.rows,
            "panel.frequency": panel.info.frequency.text,
            "forecast.horizon": spec.forecast.horizon,
            "backtest.windows": len(decision.backtest.folds),
            "gate.metric": spec.gate.metric,
            "decision": decision.kind,
            "champion": decision.champion,
            "recipe": ", ".join(decision.choice.members) if decision.choice else "",
        },
        metrics={name: [value] for name, value in _figures(champion).items()},
        tags=_versions(training.context),
        files={
            "decision.txt": "\n".join(decision.lines()).encode(),
            "leaderboard.json": json.dumps(training.board.to_dicts(), indent=1).encode(),
            **_levels(training),
            **_plots(training),
        },
    )


def _candidates(training: Training) -> list[RunLog]:
    from lakecast.registry.tracking import RunLog
    from lakecast.training.leaderboard import by_horizon, by_window

    windows, horizons = by_window(training.scores), by_horizon(training.scores)
    logs = []
    for row in training.board.iter_rows(named=True):
        name = row["candidate"]
        mine = windows.filter(windows["candidate"] == name).sort("window")
        far = horizons.filter(horizons["candidate"] == name).sort("horizon")
        metric = training.context.spec.gate.metric
        logs.append(
            RunLog(
                name=name,
                params={
                    "family": row["family"],
                    "strategy": row["strategy"],
                    "nested": row["nested"],
                    **json.loads(row["best_params"]),
                },
                metrics={
                    **{key: [row[key]] for key in (*METRICS, "coverage", "pinball")},
                    **{f"{key}_by_window": mine[key].to_list() for key in METRICS},
                    f"{metric}_by_horizon": far[metric].to_list(),
                    **_own(training, name),
                },
            )
        )
    return logs


def _own(training: Training, name: str) -> dict[str, list[float | None]]:
    """Figures of a model that was fit on one part of the series, on that part alone."""
    from lakecast.training.leaderboard import PARTS

    part = training.decision.backtest.candidate(name).part
    if not part:
        return {}
    scores = training.scores
    mine = scores.filter(
        (scores["candidate"] == name)
        & (scores["segment"] == PARTS)
        & (scores["value"] == str(part[0] + 1))
        & scores["window"].is_null()
        & scores["horizon"].is_null()
    )
    row = mine.row(0, named=True)
    return {f"own_{key}": [row[key]] for key in METRICS}


def _levels(training: Training) -> dict[str, bytes]:
    """The champion's figures by level, where there are levels."""
    told = training.levels
    return {"levels.json": json.dumps(told, indent=1).encode()} if told else {}


def _plots(training: Training) -> dict[str, bytes]:
    from lakecast.registry.plots import bars, lines
    from lakecast.training.leaderboard import by_horizon

    metric, decision = training.context.spec.gate.metric, training.decision
    board = {row["candidate"]: row[metric] for row in training.board.iter_rows(named=True)}
    table = by_horizon(training.scores)
    shown = dict.fromkeys((decision.champion, decision.baseline))
    far = {
        name: table.filter(table["candidate"] == name).sort("horizon")[metric].to_list()
        for name in shown
    }
    return {
        "plots/leaderboard.svg": bars(f"{metric}, backtest", board, decision.champion),
        "plots/by_horizon.svg": lines(f"{metric} by horizon", far),
    }


def _versions(context: Context) -> dict[str, str]:
    """Delta versions of the tables that a training reads."""
    tables = {"panel", *(source.table for source in context.spec.sources)}
    return {
        f"lakecast.table.{name}": str(context.lake.table(name).version())
        for name in sorted(tables)[:_LISTED]
    }


def _figures(champion: pl.DataFrame) -> dict[str, float | None]:
    if champion.is_empty():
        return {}
    row = champion.row(0, named=True)
    return {name: row[name] for name in (*METRICS, "coverage")}
