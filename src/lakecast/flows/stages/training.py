"""The stages `train` and `select`: a backtest, a decision, and what becomes of it.

In this order, so that a kill anywhere is made good by running again: every fit is kept as it
ends; `backtest` and `metrics` are committed; the bundle of the chosen recipe is kept; runs and
model are logged to MLflow, looked up by fingerprint first; the decision is noted; the promotion is
committed; the alias follows; the note says that the training ended.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from lakecast.flows import bundles
from lakecast.flows.budget.resolve import with_rows
from lakecast.flows.checkpoint import WORK, LakeCheckpoint
from lakecast.flows.due import training_hash
from lakecast.flows.notes import Notes
from lakecast.flows.stages.tracking import log_training
from lakecast.registry.promotions import TABLE as PROMOTIONS
from lakecast.registry.promotions import Promotion, Proposal, champion, promote

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl
    import pyarrow as pa

    from lakecast.core.block import PanelInfo
    from lakecast.flows.context import Context
    from lakecast.flows.tuned import Tuned
    from lakecast.lake.lake_panel import LakePanel
    from lakecast.training.hierarchy import Tree
    from lakecast.training.hierarchy_plan import Above
    from lakecast.training.leaderboard import Segment
    from lakecast.training.select import Decision
    from lakecast.training.train import Job, Ran

BACKTEST: Final = "backtest"
METRICS: Final = "metrics"
LAST: Final = "last-training"
COMPARISON: Final = "model_comparison.json"
_FEW: Final = 30  # a column with more values than this is no segment


@dataclass
class Training:
    """One training under way: what `train` made is used by `select` without reading it back.

    The memory budget sets `rows`, the most that a fit sees, and `room`, the bytes that rows and
    binned sets may take.
    """

    context: Context
    panel: LakePanel
    fingerprint: str
    incumbent: Promotion | None
    tuned: Tuned
    rows: int
    room: int

    @property
    def cutoff(self) -> str:
        """The panel's cutoff, ISO 8601."""
        return cutoff_text(self.panel.info)

    @cached_property
    def job(self) -> Job:
        """What is trained on."""
        from lakecast.training.train import Job

        return Job(
            panel=self.panel,
            spec=with_rows(self.context.spec, self.rows),
            memory=self.room,
            threads=self.context.settings.threads,
            points=self.tuned.points(),
            series=self.panel.series,
            engine=self.context.engine.quiet(),
            together=self.context.settings.fits == "together",
        )

    @cached_property
    def ran(self) -> Ran:
        """The backtest; fits kept by an earlier try are not made again."""
        from lakecast.training.backtest import Hooks
        from lakecast.training.train import train

        checkpoint = LakeCheckpoint(self.context.lake, self.fingerprint)
        checkpoint.clear_others()
        hooks = Hooks(checkpoint=checkpoint, progress=self.context.progress)
        return train(self.job, hooks, champion=self._incumbent_recipe())

    @cached_property
    def decision(self) -> Decision:
        """What the gate says."""
        from lakecast.training.train import decide

        return decide(self.job, self.ran, self.tree)

    @cached_property
    def tree(self) -> Tree | None:
        """The levels above the series in the backtest's windows; None where there are none."""
        from lakecast.training.hierarchy import tree_of

        folds, threads = self.ran.backtest.folds, self.context.settings.threads
        return tree_of(self.panel, self.panel.series, folds, self.context.spec, threads)

    @cached_property
    def above(self) -> Above | None:
        """How whoever forecasts now forecasts the levels; None where there are none."""
        from lakecast.training.hierarchy_plan import above

        if self.tree is None:
            return None
        decision, spec = self.decision, self.context.spec
        return above(self.tree, decision.backtest, decision.champion, spec)

    @cached_property
    def levels(self) -> list[dict[str, Any]]:
        """A row a level with the champion's figures, JSON values; empty where there are none."""
        from lakecast.training.hierarchy_tables import levels_told

        return levels_told(self.above, self.context.spec.forecast) if self.above else []

    @cached_property
    def scores(self) -> pl.DataFrame:
        """Figures by candidate, window, horizon and segment; the levels are a segment."""
        import polars as pl

        from lakecast.training.hierarchy_tables import level_scores
        from lakecast.training.leaderboard import scores

        parts = self.context.spec.train.parts
        found = scores(self.decision.backtest, (*segments(self.panel), *shares(self.panel, parts)))
        if self.above is None:
            return found
        return pl.concat([found, level_scores(self.above, self.decision.backtest)])

    @cached_property
    def board(self) -> pl.DataFrame:
        """The leaderboard."""
        from lakecast.training.leaderboard import leaderboard

        spec, decision = self.context.spec, self.decision
        return leaderboard(
            decision.backtest, self.scores, spec.forecast, spec.gate, decision.champion
        )

    @property
    def coverage(self) -> pl.DataFrame:
        """What the champion's nested intervals held: see `training.calibration.coverage`."""
        from lakecast.training.calibration import coverage

        decision = self.decision
        return coverage(decision.backtest, decision.champion, self.context.spec.forecast)

    def lighten(self) -> None:
        """Let go of all forecasts but the champion's, once everybody is scored."""
        _ = self.board, self.above
        left = self.decision.backtest.only(self.decision.champion)
        self.__dict__["decision"] = replace(self.decision, backtest=left)
        self.__dict__["ran"] = replace(self.ran, backtest=left)

    def forget(self) -> None:
        """Let go of fits, binned sets and forecasts: what comes next reads the lake."""
        for name, value in vars(type(self)).items():
            if isinstance(value, cached_property):
                self.__dict__.pop(name, None)

    def _incumbent_recipe(self) -> dict[str, Any] | None:
        if self.incumbent is None:
            return None
        from lakecast.models.packing import read_about

        with bundles.unpacked(self.context.lake, self.incumbent.fingerprint) as folder:
            return dict(read_about(folder)["terms"]["recipe"])


def run_train(training: Training) -> int:
    """Commit `backtest` and `metrics`; the number of backtest rows."""
    _replace(training, METRICS, iter([training.scores]))
    return _replace(training, BACKTEST, _rows(training))


def _rows(training: Training) -> Iterator[pl.DataFrame]:
    """Every candidate's forecasts, and those of the series as the levels moved them."""
    from lakecast.training.backtest import pieces

    yield from pieces(training.decision.backtest, training.panel.info)
    moved = training.above.moved() if training.above else None
    if moved is not None:
        yield from pieces(moved, training.panel.info)


def run_select(training: Training) -> Promotion | None:
    """Make what was decided true; the promotion, None where the champion stays."""
    context, notes = training.context, Notes(training.context.lake)
    promotion = champion(context.lake.table(PROMOTIONS))
    _keep_bundle(training)
    registry = log_training(training)
    notes.write(_note(training.fingerprint), told(training))
    context.lake.store.write_bytes(COMPARISON, _comparison(training))
    if training.decision.choice is not None:
        promotion = _promote(training, registry.version)
        registry.models.follow(promotion)
    end(context, training.fingerprint)
    return promotion


def end(context: Context, fingerprint: str) -> None:
    """Note that a training came to its end; what was kept on the way goes."""
    notes = Notes(context.lake)
    notes.write(LAST, {"fingerprint": fingerprint})
    notes.update(_note(fingerprint), ended=True)
    context.lake.store.delete(WORK)


def ended(context: Context, fingerprint: str) -> bool:
    """Whether that training came to its end."""
    return bool(Notes(context.lake).read(_note(fingerprint)).get("ended"))


def read_note(context: Context, fingerprint: str) -> dict[str, Any]:
    """What a training was decided like; empty where it did not get that far."""
    return Notes(context.lake).read(_note(fingerprint))


def last_note(context: Context) -> dict[str, Any]:
    """The note of the last training that was decided; empty where there is none."""
    notes = Notes(context.lake)
    return notes.read(f"training-{notes.read(LAST)['fingerprint']}") if notes.read(LAST) else {}


def told(training: Training) -> dict[str, Any]:
    """The decision as the report and `select` read it back."""
    decision, info = training.decision, training.panel.info
    return {
        "fingerprint": training.fingerprint,
        "spec": training_hash(training.context.spec),
        "cutoff": training.cutoff,
        "tuned": training.tuned.digest,
        "kind": decision.kind,
        "passed": decision.passed,
        "champion": decision.champion,
        "challenger": decision.challenger,
        "baseline": decision.baseline,
        "members": list(decision.choice.members) if decision.choice else [],
        "lines": list(decision.lines()),
        "notes": [*training.ran.notes, *([training.above.note()] if training.above else [])],
        "verdicts": [
            {"champion": v.champion, "difference": v.difference, "low": v.low, "high": v.high}
            for v in decision.verdicts
        ],
        "series": info.series,
        "levels": training.levels,
        "leaderboard": training.board.to_dicts(),
        "coverage": training.coverage.to_dicts(),
        "trials": [
            {
                "family": t.family,
                "strategy": t.strategy,
                "scaled": t.scaled,
                "partition": t.partition,
                "params": dict(t.params),
                "loss": t.loss,
                "chosen": t.chosen,
            }
            for t in training.ran.trials
        ],
    }


def segments(panel: LakePanel) -> tuple[Segment, ...]:
    """Id and static columns with few values, as segments of the scores."""
    import numpy as np

    from lakecast.training.leaderboard import Segment

    found = []
    codes = panel.series["series_code"].to_numpy()
    for name, values in panel.info.categories.items():
        if 1 < len(values) <= _FEW and len(values) < panel.info.series:
            of = np.full(int(codes.max()) + 1, -1, np.int32)
            place = {value: index for index, value in enumerate(values)}
            column = panel.series[name].cast(str).to_list()
            of[codes] = [place.get(value, -1) for value in column]
            found.append(Segment(name=name, values=tuple(values), of=of))
    return tuple(found)


def shares(panel: LakePanel, parts: int) -> tuple[Segment, ...]:
    """The parts of the series that models are fit on, as a segment; none of a single part."""
    import numpy as np

    from lakecast.core.block import share_of
    from lakecast.training.leaderboard import PARTS, Segment

    if parts == 1:
        return ()
    codes = np.arange(int(panel.series["series_code"].max()) + 1, dtype=np.int32)  # type: ignore[arg-type]
    values = tuple(str(index + 1) for index in range(parts))
    return (Segment(name=PARTS, values=values, of=share_of(codes, parts)),)


def cutoff_text(info: PanelInfo) -> str:
    """A panel's cutoff, ISO 8601."""
    import numpy as np

    return str(info.frequency.start(np.array([info.cutoff]))[0])


def _keep_bundle(training: Training) -> None:
    from lakecast.models.standing import Standing
    from lakecast.training.finish import finish
    from lakecast.training.hierarchy_tables import levels_of_bundle

    context = training.context
    if training.decision.choice is None or bundles.kept(context.lake, training.fingerprint):
        return
    panel = training.panel
    training.lighten()
    with context.progress.bar("fitting the champion on all data", 1) as bar:
        standing = Standing(
            series=panel.series_frame().drop("bucket", "first", "last"),
            futures=panel.futures(),
            texts=panel.vocabularies,
        )
        above = training.above
        levels = None if above is None else levels_of_bundle(above, context.spec.forecast)
        predictor = finish(training.job, training.ran, training.decision, standing, levels)
        bundles.keep(context.lake, training.fingerprint, predictor)
        bar.advance()


def _promote(training: Training, version: str) -> Promotion:
    context, decision = training.context, training.decision
    figures = {
        "metric": context.spec.gate.metric,
        "verdicts": [list(verdict.lines()) for verdict in decision.verdicts],
    }
    kind: Any = decision.kind
    proposal = Proposal(
        kind=kind,
        recipe=", ".join(decision.choice.members) if decision.choice else "",
        fingerprint=training.fingerprint,
        cutoff=training.cutoff,
        model_version=version,
        figures=figures,
    )
    return promote(
        context.lake.table(PROMOTIONS),
        proposal,
        replacing=training.incumbent.version if training.incumbent else None,
        by=context.user,
        at=context.now(),
    )


def _replace(training: Training, name: str, frames: Iterator[pl.DataFrame]) -> int:
    """Put frames in the place of the table, once a training, one at a time; its rows."""
    table = training.context.lake.table(name)
    if table.fingerprint() == training.fingerprint:
        return sum(file.rows for file in table.files())
    rows = _reader(frames)
    staged = table.stage(rows)
    table.commit(
        add=[staged] if staged.rows else [],
        remove="all" if table.exists() else (),
        schema=rows.schema,
        fingerprint=training.fingerprint,
    )
    return staged.rows


def _reader(frames: Iterator[pl.DataFrame]) -> pa.RecordBatchReader:
    """Of at least one frame."""
    import polars as pl
    import pyarrow as pa

    tables = (frame.to_arrow(compat_level=pl.CompatLevel.oldest()) for frame in frames)
    first = next(tables)
    batches = (batch for table in chain([first], tables) for batch in table.to_batches())
    return pa.RecordBatchReader.from_batches(first.schema, batches)


def _comparison(training: Training) -> bytes:
    import json

    from lakecast.training.leaderboard import model_comparison

    return json.dumps(model_comparison(training.board), indent=2, ensure_ascii=False).encode()


def _note(fingerprint: str) -> str:
    return f"training-{fingerprint}"
