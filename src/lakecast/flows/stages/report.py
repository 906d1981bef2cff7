"""The stage `report`: everything a person should see, gathered from the lake."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from lakecast.columns import ACTUAL, CANDIDATE, CODE, CUTOFF, FORECAST, LEVEL, MODEL_VERSION, PRICE
from lakecast.core.hierarchy import SERIES
from lakecast.flows import bundles
from lakecast.flows.fingerprint import fingerprint
from lakecast.flows.notes import Notes
from lakecast.flows.stages.actuals import held_back
from lakecast.flows.stages.forecast import FORECASTS
from lakecast.flows.stages.training import BACKTEST, METRICS, read_note
from lakecast.lake.lake_panel import open_panel
from lakecast.lake.ledger import recall
from lakecast.lake.panels import PANEL, read_findings
from lakecast.machine import give_back
from lakecast.registry.promotions import TABLE as PROMOTIONS
from lakecast.registry.promotions import champion as champion_of
from lakecast.report.data import (
    COVERAGE,
    LEVELS,
    MONEY,
    ColumnSize,
    Decision,
    Load,
    Money,
    ReportData,
    Rule,
    Stage,
    Step,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from lakecast.flows.context import Context
    from lakecast.flows.outcome import StageOutcome
    from lakecast.lake.lake_panel import LakePanel
    from lakecast.registry.promotions import Promotion

NOTE: Final = "report"
FILE: Final = "report.html"
NOTEBOOK: Final = "report.ipynb"


def run_report(
    context: Context, stages: Sequence[StageOutcome], out: Path | None = None
) -> tuple[str, bool]:
    """Write the page; its path and whether it was written.

    The project's own page is left alone where it shows what is in the lake already.
    """
    path = out or context.settings.project / FILE
    actuals = actuals_of(context)
    wanted = _fingerprint(context, actuals)
    known = Notes(context.lake).read(NOTE)
    if out is None and known.get("fingerprint") == wanted and path.exists():
        return str(path), False
    from lakecast.report.html import render

    page = render(gather(context, stages, actuals))
    part = path.with_name(f".{path.name}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    part.write_text(page, encoding="utf-8")
    part.replace(path)
    if out is None:
        Notes(context.lake).write(NOTE, {"fingerprint": wanted, "actuals": actuals})
    return str(path), True


def actuals_of(context: Context) -> str | None:
    """The file of actuals given now or, where it is still there, the one given last.

    Relative to the project where it lies inside it, so that a moved project finds it.
    """
    project = context.settings.project
    if context.actuals is not None:
        path = Path(context.actuals).resolve()
        return str(path.relative_to(project) if path.is_relative_to(project) else path)
    last = Notes(context.lake).read(NOTE).get("actuals")
    return last if last and (project / last).exists() else None


def write_notebook(context: Context, out: Path | None = None) -> Path:
    """Write the notebook of the same analysis; its path."""
    import json

    from lakecast.report.notebook import notebook

    path = out or context.settings.project / NOTEBOOK
    path.parent.mkdir(parents=True, exist_ok=True)
    book = notebook(Path(os.path.relpath(context.settings.project, path.resolve().parent)))
    path.write_text(json.dumps(book, indent=1), encoding="utf-8")
    return path


def gather(
    context: Context, stages: Sequence[StageOutcome] = (), actuals: str | None = None
) -> ReportData:
    """What the page and the notebook show."""
    panel = open_panel(context.lake)
    champion = champion_of(context.lake.table(PROMOTIONS))
    told = read_note(context, champion.fingerprint) if champion else {}
    view = _View(context, panel, champion, told)
    cutoff = _cutoff(panel)
    return ReportData(
        spec=context.spec,
        cutoff=cutoff,
        as_of=context.as_of or cutoff,
        decision=view.decision(),
        loads=_loads(context),
        findings=read_findings(context.lake),
        history=view.named(context.lake.table(PANEL).scan()),
        held_back=held_back(context, panel, str(context.settings.project / actuals))
        if actuals
        else None,
        forecasts=view.forecasts(),
        stages=_stages(context, stages),
        sizes=_sizes(context),
        next_steps=_next_steps(context),
        **view.scores(),
    )


@dataclass(frozen=True, slots=True)
class _View:
    """The lake seen from one champion; `told` is the note of its training."""

    context: Context
    panel: LakePanel
    champion: Promotion | None
    told: dict[str, Any]

    def decision(self) -> Decision:
        """As the report puts it."""
        if self.champion is None:
            return Decision()
        told = self.told
        verdicts = told.get("verdicts", ())
        verdict = next((v for v in verdicts if v["champion"] == told["baseline"]), None)
        return Decision(
            kind=self.champion.kind,
            champion=told.get("champion"),
            challenger=told.get("challenger"),
            baseline=told.get("baseline"),
            members=tuple(told.get("members", ())),
            version=self.champion.model_version,
            gain=None if verdict is None else -verdict["difference"],
            interval=None if verdict is None else (-verdict["high"], -verdict["low"]),
            reasons=tuple(told.get("lines", ())),
        )

    def scores(self) -> dict[str, Any]:
        """The parts that come from the backtest; none where there is none of this champion."""
        if not self.told:
            return {}
        from lakecast.explain.importances import importances
        from lakecast.training.leaderboard import by_horizon, by_segment

        lake = self.context.lake
        table = lake.table(METRICS)
        if self.champion is None or table.fingerprint() != self.champion.fingerprint:
            return {"leaderboard": pl.DataFrame(self.told["leaderboard"], infer_schema_length=None)}
        scores = table.scan().collect()
        backtest = lake.table(BACKTEST).scan()
        # One large thing at a time: the champion, the prices, what is drawn.
        shares = importances(bundles.load(lake, self.champion.fingerprint).forecaster)
        give_back()
        money = self._money(backtest)
        give_back()
        return {
            "leaderboard": pl.DataFrame(self.told["leaderboard"], infer_schema_length=None),
            "by_horizon": by_horizon(scores),
            "by_segment": by_segment(scores),
            "levels": self._levels(),
            "coverage": pl.DataFrame(self.told.get("coverage", ()), schema=COVERAGE),
            "backtest": self._champions(backtest),
            "money": money,
            "importances": shares.rename({"share": "importance"}),
        }

    def _levels(self) -> pl.DataFrame:
        told = self.told.get("levels")
        return pl.DataFrame(told, infer_schema_length=None) if told else pl.DataFrame(schema=LEVELS)

    def forecasts(self) -> pl.DataFrame | None:
        """Of the panel's cutoff and the champion of now."""
        table = self.context.lake.table(FORECASTS)
        if self.champion is None or not table.exists():
            return None
        return (
            table.scan()
            .filter(
                (pl.col(MODEL_VERSION) == self.champion.model_version)
                & (pl.col(CUTOFF) == _cutoff(self.panel))
                & (pl.col(LEVEL) == SERIES)
            )
            .collect()
        )

    def named(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """Rows by series code, with the user's series columns in its place."""
        names = self.panel.info.columns.series
        ids = self.panel.series.lazy().select(CODE, *names)
        return rows.join(ids, on=CODE, how="inner")

    def _champions(self, backtest: pl.LazyFrame) -> pl.DataFrame:
        mine = backtest.filter(pl.col(CANDIDATE) == self.told["champion"])
        return self.named(mine.drop(CANDIDATE, "window")).drop(CODE).collect()

    def _money(self, backtest: pl.LazyFrame) -> Money | None:
        """Errors of all candidates at the price of their day; one candidate at a time is read."""
        info = self.panel.info
        if self.context.spec.panel.revenue is None:
            return None
        keys = [CODE, info.columns.time]
        known = backtest.filter(pl.col(ACTUAL).is_not_null() & (pl.col("window") > 0))
        first = known.select(pl.col(info.columns.time).min()).collect().item()
        if first is None:  # one window alone scores nobody
            return Money(by_candidate=pl.DataFrame(schema=MONEY))
        prices = self.context.lake.table(PANEL).scan().select(*keys, PRICE)
        prices = prices.filter(pl.col(info.columns.time) >= first).collect().lazy()
        error = (pl.col(FORECAST) - pl.col(ACTUAL)) * pl.col(PRICE)
        parts = [
            known.filter(pl.col(CANDIDATE) == row[CANDIDATE])
            .join(prices, on=keys, how="left")
            .group_by(CANDIDATE)
            .agg(
                error.clip(lower_bound=0).sum().alias("over"),
                (-error).clip(lower_bound=0).sum().alias("under"),
                pl.col(PRICE).is_not_null().mean().alias("priced"),
            )
            .collect(engine="streaming")
            for row in self.told["leaderboard"]
        ]
        scored = pl.concat(parts).sort(CANDIDATE)
        priced = scored["priced"].mean()
        return Money(
            by_candidate=scored.drop("priced"),
            priced=float(priced) if isinstance(priced, (int, float)) else 0.0,
        )


def _cutoff(panel: LakePanel) -> date | datetime:
    import numpy as np

    moment: date | datetime = panel.info.frequency.start(np.array([panel.info.cutoff]))[0].item()
    return moment


def _tables(context: Context) -> list[str]:
    return list(dict.fromkeys(source.table for source in context.spec.sources))


def _loads(context: Context) -> tuple[Load, ...]:
    return tuple(
        Load(
            table=load.table,
            source=load.source,
            read=load.read,
            landed=load.landed,
            quarantined=load.quarantined,
            repaired=load.repaired,
            rules=tuple(
                Rule(
                    name=tally.rule,
                    level=tally.level,
                    count=tally.count,
                    examples=tuple(f"row {e.row}: {e.column} = {e.value}" for e in tally.examples),
                )
                for tally in load.rules
            ),
        )
        for load in recall(context.lake, _tables(context)).loads
    )


def _sizes(context: Context) -> tuple[ColumnSize, ...]:
    return tuple(
        ColumnSize(
            table=load.table, column=column.name, rows=load.landed, before=column.before,
            after=column.after, dtype=column.type,
        )
        for load in recall(context.lake, _tables(context)).loads
        for column in load.columns
    )  # fmt: skip


def _stages(context: Context, now: Sequence[StageOutcome]) -> tuple[Stage, ...]:
    """What each stage took when it last did something."""
    from lakecast.flows.runner import RESOURCES, STAGES

    told = Notes(context.lake).read(RESOURCES)
    skipped = {one.stage for one in now if one.did != "done"}
    return tuple(
        Stage(
            name=name,
            seconds=told[name]["seconds"],
            cpu_seconds=told[name]["cpu"],
            peak_memory=told[name]["peak"],
            rows=told[name]["rows"],
            skipped=name in skipped,
        )
        for name in STAGES
        if name in told
    )


def _next_steps(context: Context) -> tuple[Step, ...]:
    from lakecast.logs import redact

    uri = shlex.quote(redact(context.settings.tracking_uri))
    return (
        Step(text="Compare every candidate of every training in MLflow.",
             command=f"mlflow ui --backend-store-uri {uri}"),
        Step(text="Ask for a few series, or for another plan.",
             command="lakecast forecast --series FILE --scenario FILE --out forecast.xlsx"),
        Step(text="Put new files beside the old ones and run again, every week.",
             command="lakecast run"),
    )  # fmt: skip


def _fingerprint(context: Context, actuals: str | None) -> str:
    lake = context.lake
    champion = champion_of(lake.table(PROMOTIONS))
    tables = (PANEL, FORECASTS, BACKTEST, METRICS, *_tables(context))
    return fingerprint(
        "report",
        context.spec,
        [lake.table(name).fingerprint() for name in tables],
        champion.version if champion else None,
        [actuals, _size(context, actuals)],
    )


def _size(context: Context, actuals: str | None) -> list[int] | None:
    path = context.settings.project / actuals if actuals else None
    if path is None or not path.exists():
        return None
    return [path.stat().st_size, path.stat().st_mtime_ns]
