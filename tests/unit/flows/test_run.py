"""`run`: what is unchanged is left alone, what changed is done once."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from tests.projects import DAYS, HORIZON, SERIES, write_plan, write_project, write_sales

from lakecast import Project
from lakecast.errors import LakecastError, UsageError
from lakecast.flows.notes import Notes
from lakecast.flows.stages.registry import follow_alias
from lakecast.flows.stages.tracking import open_models
from lakecast.registry.models import ALIAS

if TYPE_CHECKING:
    from pathlib import Path

    from lakecast.flows.outcome import RunOutcome

HEAVY = ("mlflow", "lightgbm", "numba", "scipy", "sklearn", "sqlalchemy", "jinja2")
KEYS = ["produto", "loja", "horizon"]
ALL_UNCHANGED = {
    "ingest": "unchanged",
    "panel": "unchanged",
    "train": "not due",
    "select": "not due",
    "forecast": "unchanged",
    "report": "unchanged",
}


def did(outcome: RunOutcome) -> dict[str, str]:
    return {stage.stage: stage.did for stage in outcome.stages}


def run(folder: Path, **how: Any) -> dict[str, str]:
    return did(Project.open(folder).run(**how))


def edit(folder: Path, old: str, new: str) -> None:
    path = folder / "lakecast.toml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def versions(folder: Path) -> dict[str, int]:
    return {row["table"]: row["version"] for row in Project.open(folder).status()["tables"]}


# --- nothing to do


def test_a_finished_project_has_a_forecast_for_every_series_and_day(project: Path) -> None:
    rows = Project.open(project).table("forecasts")
    assert rows.height == SERIES * HORIZON
    assert rows["forecast"].null_count() == 0
    assert (rows["forecast"].min() or 0.0) >= 0.0
    assert rows.group_by("produto", "loja").len()["len"].to_list() == [HORIZON] * SERIES


def test_a_second_run_does_nothing(project: Path) -> None:
    before, page = versions(project), (project / "report.html").stat().st_mtime_ns
    assert run(project) == ALL_UNCHANGED
    assert versions(project) == before
    assert (project / "report.html").stat().st_mtime_ns == page


def test_a_second_run_loads_no_learner_and_no_mlflow(project: Path) -> None:
    code = (
        "import json, sys; from lakecast import Project; Project.open(sys.argv[1]).run();"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(project)], capture_output=True, text=True, check=True
    )
    loaded = json.loads(done.stdout.splitlines()[-1])
    assert "polars" in loaded
    assert set(loaded) & set(HEAVY) == set()


def test_a_plan_says_so_too(project: Path) -> None:
    steps = {step.stage: step.does for step in Project.open(project).plan()}
    assert steps == {
        "ingest": "look",
        "panel": "nothing",
        "train": "nothing",
        "forecast": "nothing",
    }


# --- new data


def test_a_new_file_adds_a_changed_one_replaces_a_removed_one_stays(project: Path) -> None:
    more = project / "raw" / "vendas_2.csv"
    write_sales(more, DAYS, DAYS + 2)
    done = run(project)
    assert (done["ingest"], done["panel"], done["train"], done["forecast"], done["report"]) == (
        "done", "done", "not due", "done", "done",
    )  # fmt: skip
    assert Project.open(project).table("sales").height == SERIES * (DAYS + 2)

    text = more.read_text(encoding="utf-8").splitlines()
    more.write_text("\n".join(text[:-1]) + "\n", encoding="utf-8")
    assert run(project)["ingest"] == "done"
    assert Project.open(project).table("sales").height == SERIES * (DAYS + 2) - 1

    more.unlink()
    assert run(project) == ALL_UNCHANGED
    assert Project.open(project).table("sales").height == SERIES * (DAYS + 2) - 1


def test_forecasts_of_earlier_cutoffs_are_kept(project: Path) -> None:
    first = Project.open(project).table("forecasts")
    write_sales(project / "raw" / "vendas_2.csv", DAYS, DAYS + 1)
    run(project)
    rows = Project.open(project).table("forecasts")
    assert rows["cutoff"].n_unique() == 2
    kept = rows.filter(pl.col("cutoff") == first["cutoff"][0]).select(first.columns)
    assert kept.sort(KEYS).equals(first.sort(KEYS))


def test_forecasting_again_replaces_itself(project: Path) -> None:
    opened = Project.open(project)
    first = opened.table("forecasts")
    opened.context.lake.store.delete("forecasts")
    assert run(project)["forecast"] == "done"
    assert Project.open(project).table("forecasts").sort(KEYS).equals(first.sort(KEYS))


# --- when training is due


def test_a_week_later_training_is_due(project: Path) -> None:
    write_sales(project / "raw" / "vendas_2.csv", DAYS, DAYS + 7)
    write_plan(project / "raw" / "promo.csv", DAYS + 60)
    done = run(project)
    assert (done["train"], done["select"]) == ("done", "done")
    assert run(project) == ALL_UNCHANGED


def test_a_change_of_the_training_part_of_the_spec_is_a_reason(project: Path) -> None:
    edit(project, "lags = [1, 7]", "lags = [1, 7, 14]")
    assert run(project)["train"] == "done"
    assert run(project) == ALL_UNCHANGED


def test_what_is_kept_is_not_trained_again_at_every_new_day(project: Path) -> None:
    edit(project, "windows = 2\n", "windows = 2\n\n[gate]\nmax_bias = 0.0\n")
    outcome = Project.open(project).run()
    assert did(outcome)["train"] == "done"
    assert not outcome.passed
    assert Project.open(project).champion.version == 1  # type: ignore[union-attr]
    assert run(project) == ALL_UNCHANGED
    write_sales(project / "raw" / "vendas_2.csv", DAYS, DAYS + 1)
    done = run(project)
    assert (done["train"], done["forecast"]) == ("not due", "done")


def test_retrain_asks_for_it(project: Path) -> None:
    assert run(project, retrain=True)["train"] == "done"
    assert run(project) == ALL_UNCHANGED


# --- resuming


class Boom(Exception):
    """Stands for a kill."""


def test_a_training_goes_on_where_it_was_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, finished: Path
) -> None:
    from lakecast.flows.checkpoint import LakeCheckpoint

    folder = write_project(tmp_path / "p")
    kept: list[tuple[str, int]] = []
    keep = LakeCheckpoint.keep

    def counted(self: Any, candidate: str, window: int, frame: pl.DataFrame) -> None:
        keep(self, candidate, window, frame)
        kept.append((candidate, window))
        if len(kept) == 4:
            raise Boom

    monkeypatch.setattr(LakeCheckpoint, "keep", counted)
    with pytest.raises(Boom):
        run(folder)
    run(folder)
    assert len(set(kept)) == len(kept) > 4
    assert not Project.open(folder).context.lake.store.exists("work")
    keys = ["candidate", "window", "series_code", "horizon"]
    mine, theirs = (Project.open(p).table("backtest").sort(keys) for p in (folder, finished))
    assert mine.equals(theirs)


# --- promotions


def test_promote_and_rollback(project: Path) -> None:
    opened = Project.open(project)
    run(project, retrain=True)
    assert opened.champion.model_version == "2"  # type: ignore[union-attr]
    back = opened.rollback()
    assert (back.kind, back.model_version) == ("rollback", "1")
    done = run(project)
    assert (done["train"], done["forecast"]) == ("not due", "done")
    again = opened.promote("2")
    assert (again.kind, again.model_version) == ("external", "2")
    assert open_models(opened.context)[1].alias() == "2"
    assert run(project)["train"] == "not due"


def test_no_rollback_where_there_is_nothing_before(project: Path) -> None:
    with pytest.raises(UsageError, match="no earlier champion"):
        Project.open(project).rollback()


def test_an_unknown_version_is_not_promoted(project: Path) -> None:
    with pytest.raises(LakecastError, match="version 9"):
        Project.open(project).promote("9")


def test_an_alias_moved_by_hand_is_taken_over_by_the_next_training(project: Path) -> None:
    run(project, retrain=True)
    opened = Project.open(project)
    _, models = open_models(opened.context)
    models.tracking.client.set_registered_model_alias(models.name, ALIAS, "1")
    run(project, retrain=True)
    log = opened.table("promotions").sort("version")
    assert log["kind"].to_list()[2] == "external"
    assert log["by"].to_list()[2] == "external"
    assert log["model_version"].to_list()[:3] == ["1", "2", "1"]


def test_an_alias_that_is_gone_is_set_again(project: Path) -> None:
    opened = Project.open(project)
    _, models = open_models(opened.context)
    models.tracking.client.delete_registered_model_alias(models.name, ALIAS)
    follow_alias(opened.context)
    assert models.alias() == "1"


def test_an_empty_tracking_store_does_not_stop_a_retrain(project: Path) -> None:
    (project / "mlflow.db").unlink()
    done = run(project, retrain=True)
    assert (done["select"], done["forecast"]) == ("done", "done")
    assert open_models(Project.open(project).context)[1].alias() == "1"


def test_a_promoted_version_whose_bundle_is_lost_is_fetched(project: Path) -> None:
    opened = Project.open(project)
    opened.context.lake.store.delete("models")
    with pytest.raises(LakecastError, match="bundle is gone"):
        opened.forecast()
    opened.promote("1")
    assert opened.forecast().height == SERIES * HORIZON


# --- what people ask


def test_asking_writes_nothing(project: Path) -> None:
    before = versions(project)
    frame = Project.open(project).forecast(horizon=3)
    assert frame.height == SERIES * 3
    assert versions(project) == before


def test_a_moved_project_forecasts_the_same(project: Path, finished: Path) -> None:
    here, there = (Project.open(folder).forecast().sort(KEYS) for folder in (project, finished))
    assert here.equals(there)


def test_as_of_is_a_parameter(project: Path) -> None:
    moment = datetime(2024, 5, 20, tzinfo=UTC)
    Project.open(project).run(as_of=moment)
    rows = Project.open(project).table("forecasts")
    assert str(rows["cutoff"].min()) == "2024-05-19"


@pytest.mark.parametrize("asked", ["nothing", "every row"])
def test_the_model_in_mlflow_gives_the_numbers_of_forecast(project: Path, asked: str) -> None:
    from lakecast.registry.connection import talking

    ours = Project.open(project).forecast().sort(KEYS)
    uri = Project.open(project).context.settings.tracking_uri
    with talking(uri):
        import mlflow

        mlflow.set_tracking_uri(uri)
        model = mlflow.pyfunc.load_model("models:/lojas@champion")
        question = model.input_example.head(0)
        if asked == "every row":
            question = ours.select("produto", "loja", "data_venda").to_pandas()
        answer = pl.from_pandas(model.predict(question)).sort(KEYS)
    assert answer.height == ours.height == SERIES * HORIZON
    for name in ("produto", "loja", "source", "forecast", "forecast-lo-80", "forecast-hi-80"):
        assert answer[name].to_list() == ours[name].to_list()


# --- the report


def test_actuals_are_remembered_relative_to_the_project(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = project / "later.csv"
    write_sales(later, DAYS, DAYS + HORIZON)
    monkeypatch.chdir(project.parent)
    assert run(project, actuals=f"{project.name}/later.csv")["report"] == "done"
    opened = Project.open(project)
    assert Notes(opened.context.lake).read("report")["actuals"] == "later.csv"
    monkeypatch.chdir(tmp_path / "..")
    assert run(project) == ALL_UNCHANGED
    held = opened.report_data().held_back
    assert held is not None
    assert held.height == SERIES * HORIZON
    later.unlink()
    assert run(project)["report"] == "done"


def test_a_report_elsewhere_leaves_the_projects_own_alone(project: Path, tmp_path: Path) -> None:
    path = Project.open(project).report(out=str(tmp_path / "other" / "page.html"))
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert run(project) == ALL_UNCHANGED


def test_a_table_by_name(project: Path) -> None:
    import lakecast

    assert lakecast.open("sales", project=project).collect().height == SERIES * DAYS
    with pytest.raises(LakecastError, match="table `nothing` does not exist"):
        Project.open(project).table("nothing")
    with pytest.raises(UsageError, match="unknown engine"):
        lakecast.open("sales", project=project, engine="pigeons")


def test_one_window_scores_nobody_and_says_so(tmp_path: Path) -> None:
    outcome = Project.open(write_project(tmp_path / "loja", windows=1)).run()
    page = (tmp_path / "loja" / outcome.report).read_text(encoding="utf-8")
    assert "No window of the backtest was scored" in page
    assert "No money column is known" not in page
