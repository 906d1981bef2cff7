"""The stages in their order: what is unchanged is left alone, what is due is done.

Everything that decides is read from the lake; no learner and no MLflow is loaded for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from lakecast.flows import due
from lakecast.flows.fingerprint import fingerprint
from lakecast.flows.notes import Notes
from lakecast.flows.outcome import Did, Meter, StageOutcome, metered, pace
from lakecast.flows.tuned import read_tuned
from lakecast.lake.loads import content_id

if TYPE_CHECKING:
    from lakecast.flows.budget.resolve import Prediction
    from lakecast.flows.context import Context
    from lakecast.flows.stages.training import Training
    from lakecast.flows.stages.tune import TuneOutcome
    from lakecast.lake.lake_panel import LakePanel
    from lakecast.registry.promotions import Promotion

RESOURCES: Final = "resources"
STAGES: Final = ("ingest", "panel", "train", "select", "forecast", "report")


@dataclass
class Runner:
    """One pass over the stages of one project; `done` says what came of each."""

    context: Context
    done: list[StageOutcome] = field(default_factory=list)
    _panel: LakePanel | None = None
    _training: Training | None = None
    _reason: str | None = None
    _prediction: Prediction | None = None

    # -- stages ------------------------------------------------------------------------------

    def ingest(self) -> None:
        """Sources into the lake."""
        from lakecast.flows.stages.ingest import run_ingest

        with metered() as meter:
            report = run_ingest(self.context)
        note = f"{len(report.loads)} loads, {len(report.skipped)} known"
        if report.quarantined:
            note += f", {report.quarantined:,} rows in quarantine"
        if report.removed:
            note += f", {len(report.removed)} sources gone (their rows stay)"
        self._say("ingest", "done" if report.changed else "unchanged", meter, report.read, note)

    def panel(self) -> None:
        """Rows into regular series."""
        from lakecast.flows.stages.panel import build_panel

        context = self.context
        wanted = self.panel_fingerprint()
        changed = context.lake.table("panel").fingerprint() != wanted
        with metered() as meter:
            if changed:
                build_panel(
                    context.spec,
                    context.lake,
                    context.engine,
                    fingerprint=wanted,
                    as_of=context.as_of,
                )
        if not changed:
            self._say("panel", "unchanged", meter)
            return
        info = self.opened().info
        self._say("panel", "done", meter, info.rows, f"{info.series:,} series")
        self._prediction = None

    def features(self) -> None:
        """The table of features; not a part of `run`, since models compute their own blocks."""
        from lakecast.flows.stages.features import FEATURES, run_features

        context = self.context
        panel = context.lake.table("panel").fingerprint()
        wanted = fingerprint("features", context.spec.features, context.spec.train.strategy, panel)
        if context.lake.table(FEATURES).fingerprint() == wanted:
            self._say("features", "unchanged", Meter())
            return
        with metered() as meter:
            rows = run_features(context, wanted)
        self._say("features", "done", meter, rows)

    def tune(self, trials: int | None = None, time: str | None = None) -> TuneOutcome:
        """Search better parameters, for the next training; not a part of `run`."""
        from lakecast.flows.stages.tune import TuneOutcome, limits_of, make_study, run_tune

        limits = limits_of(self.context.spec, trials, time)
        study = make_study(self.context, self.opened(), limits)
        with metered() as meter:
            told, new = run_tune(study)
        note = f"{told['trials']} trials, {len(told['chosen'])} better than the defaults"
        self._say("tune", "done" if new else "unchanged", meter, told["trials"], note)
        return TuneOutcome(
            stages=tuple(self.done),
            trials=told["trials"],
            metric=told["metric"],
            best_value=told["best_value"],
            best_params=told["best_params"],
            points=tuple(told["chosen"]),
        )

    def train(self) -> None:
        """Backtest, when due."""
        from lakecast.flows.stages.training import BACKTEST, run_train

        self._mend()
        if self.why() is not None and not self._ended(self.training()):
            self._follow()
        reason = self.why()
        if reason is None:
            self._say("train", "not due", Meter())
            return
        training = self.training()
        if self._ended(training):
            self._say("train", "unchanged", Meter(), note="already decided")
            return
        if self.context.lake.table(BACKTEST).fingerprint() == training.fingerprint:
            self._say("train", "unchanged", Meter(), note=reason)
            return
        self.prediction().check(("train", "select"))
        with metered() as meter:
            rows = run_train(training)
        self._say("train", "done", meter, rows, reason)

    def select(self) -> None:
        """Decide and register, when something was trained."""
        from lakecast.flows.stages.training import run_select

        if self.why() is None or self._ended(self.training()):
            self._say("select", "not due", Meter())
            return
        training = self.training()
        with metered() as meter:
            run_select(training)
            note = f"{training.decision.kind}: {training.decision.champion}"
            training.forget()
        self._say("select", "done", meter, note=note)

    def forecast(self) -> None:
        """The champion answers."""
        from lakecast.flows.stages.forecast import FORECASTS, run_forecast

        champion = self.champion()
        if champion is None:
            self._say("forecast", "not due", Meter(), note="no champion")
            return
        wanted = self.forecast_fingerprint(champion)
        if self.context.lake.table(FORECASTS).fingerprint() == wanted:
            self._say("forecast", "unchanged", Meter())
            return
        with metered() as meter:
            rows = run_forecast(self.context, champion, self.opened(), wanted)
        self._say("forecast", "done", meter, rows, f"model version {champion.model_version}")

    def report(self) -> str:
        """The HTML page; its path."""
        from lakecast.flows.stages.report import run_report

        with metered() as meter:
            path, written = run_report(self.context, self.done)
        self._say("report", "done" if written else "unchanged", meter)
        return path

    # -- what decides ------------------------------------------------------------------------

    def prediction(self) -> Prediction:
        """What the stages will take, and what the memory budget allows of them."""
        if self._prediction is None:
            from lakecast.flows.budget.facts import facts
            from lakecast.flows.budget.resolve import predict

            context = self.context
            earlier = pace(Notes(context.lake).read(RESOURCES))
            known = facts(context)
            self._prediction = predict(
                known, context.spec, context.settings.budget, earlier=earlier
            )
        return self._prediction

    def panel_fingerprint(self) -> str:
        """Of the panel that the lake's tables give now."""
        from lakecast.flows.stages.panel import panel_spec

        context = self.context
        tables = sorted({source.table for source in context.spec.sources})
        contents = [[name, content_id(context.lake, name)] for name in tables]
        return fingerprint("panel", panel_spec(context.spec), self._as_of(), contents)

    def forecast_fingerprint(self, champion: Promotion) -> str:
        """Of the forecasts that this champion gives on the panel there is."""
        panel = self.context.lake.table("panel").fingerprint()
        return fingerprint(
            "forecast", champion.model_version, champion.fingerprint, panel,
            self.context.spec.forecast,
        )  # fmt: skip

    def champion(self) -> Promotion | None:
        """Who forecasts now."""
        from lakecast.registry.promotions import TABLE, champion

        return champion(self.context.lake.table(TABLE))

    def why(self) -> str | None:
        """Why training is due; None when it is not."""
        if self._training is not None:
            return self._reason
        champion = self.champion()
        told = self._told(champion)
        last = self._last() or told
        standing = due.Standing(
            champion=champion,
            cutoff=self.cutoff(),
            decided=bool(told),
            spec=last.get("spec"),
            trained=last.get("cutoff") or (champion.cutoff if champion else ""),
            tuned=read_tuned(self.context).digest,
            tuned_then=last.get("tuned", ""),
        )
        self._reason = due.why(self.context.spec, standing, retrain=self.context.retrain)
        return self._reason

    def due(self) -> str | None:
        """As `why`, but None also where this very training was decided already."""
        reason = self.why()
        return None if reason is None or self._ended(self.training()) else reason

    def expect(self, prediction: Prediction) -> None:
        """Measure against a prediction made before; behind a new panel there is a new one."""
        self._prediction = prediction

    def check(self) -> Prediction:
        """The prediction; `UsageError` where the budget is too little for what will be done.

        To be asked of a runner of its own: it looks at the lake as it is before anything is done.
        """
        found = self.prediction()
        trains = found.whole and self.due() is not None
        found.check(("ingest", "panel", *(("train", "select") if trains else ()), "forecast"))
        return found

    def cutoff(self) -> str:
        """The panel's cutoff, ISO 8601."""
        from lakecast.flows.stages.training import cutoff_text

        return cutoff_text(self.opened().info)

    def opened(self) -> LakePanel:
        """The panel as it is now."""
        if self._panel is None:
            from lakecast.lake.lake_panel import open_panel

            self._panel = open_panel(self.context.lake)
        return self._panel

    def training(self) -> Training:
        """The training that is due, under its fingerprint."""
        if self._training is None:
            from lakecast.flows.stages.training import Training

            champion = self.champion()
            panel = self.context.lake.table("panel").fingerprint() or ""
            base = champion.fingerprint if champion else ""
            tuned = read_tuned(self.context)
            read = " ".join(part for part in (panel, base, tuned.digest) if part)
            prediction = self.prediction()
            self._training = Training(
                context=self.context,
                panel=self.opened(),
                fingerprint=due.training_fingerprint(prediction.spec, read),
                rows=prediction.rows,
                room=prediction.room,
                incumbent=champion,
                tuned=tuned,
            )
        return self._training

    def _told(self, champion: Promotion | None) -> dict[str, Any]:
        from lakecast.flows.stages.training import read_note

        return read_note(self.context, champion.fingerprint) if champion else {}

    def _last(self) -> dict[str, Any]:
        from lakecast.flows.stages.training import last_note

        return last_note(self.context)

    def _ended(self, training: Training) -> bool:
        from lakecast.flows.stages.training import ended

        return ended(self.context, training.fingerprint)

    def _mend(self) -> None:
        """End a training that was killed between its promotion and the alias."""
        from lakecast.flows.stages.registry import follow_alias
        from lakecast.flows.stages.training import end

        champion = self.champion()
        told = self._told(champion)
        if champion is not None and told and not told.get("ended"):
            follow_alias(self.context)
            end(self.context, champion.fingerprint)

    def _follow(self) -> None:
        """Take over an alias moved by hand, before anything is judged against the champion."""
        from lakecast.flows.stages.registry import follow_alias

        if follow_alias(self.context) != self.training().incumbent:
            self._training = None

    def _as_of(self) -> str | None:
        return None if self.context.as_of is None else self.context.as_of.isoformat()

    def _say(
        self, stage: str, did: Did, meter: Meter, rows: int | None = None, note: str = ""
    ) -> None:
        need = self._prediction.need(stage) if self._prediction else None
        outcome = StageOutcome(
            stage=stage, did=did, rows=rows, seconds=round(meter.seconds, 3),
            cpu=round(meter.cpu, 3), peak=meter.peak, note=note,
            expected_peak=need.memory if need else None,
            expected_seconds=round(need.seconds, 3) if need else None,
            formula_seconds=round(need.formula, 3) if need else None,
        )  # fmt: skip
        self.done.append(outcome)
        if did == "done":
            Notes(self.context.lake).update(RESOURCES, **{stage: outcome.to_dict()})
