"""The stage `tune`: kept in the lake, shown in MLflow, taken by the next training."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
from tests.projects import write_project

from lakecast import Project
from lakecast.cli.main import main
from lakecast.errors import UsageError
from lakecast.flows.notes import Notes
from lakecast.flows.runner import Runner
from lakecast.flows.stages.tracking import open_models
from lakecast.flows.tuned import read_tuned
from lakecast.logs import Silent
from lakecast.training.tune.search import _Search

if TYPE_CHECKING:
    from pathlib import Path

    from lakecast.flows.stages.tune import TuneOutcome

TRIALS = 8


def tune(folder: Path, **asked: Any) -> TuneOutcome:
    return Project.open(folder, flags={"workers": "1"}).tune(**asked)


def did(outcome: TuneOutcome) -> str:
    assert [stage.stage for stage in outcome.stages] == ["ingest", "panel", "tune"]
    return outcome.stages[-1].did


def edit(folder: Path, old: str, new: str) -> None:
    path = folder / "lakecast.toml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_from_the_search_to_the_next_training(project: Path) -> None:
    outcome = tune(project, trials=TRIALS)
    opened = Project.open(project)
    rows = opened.table("tuning").sort("trial")
    assert did(outcome) == "done"
    assert rows["trial"].to_list() == list(range(TRIALS))
    assert outcome.trials == TRIALS
    assert outcome.best_value == rows["loss"].min()
    assert outcome.best_params["family"] == "linear_regression"
    assert 0 < len(outcome.points) <= 2
    assert rows["chosen"].sum() == len(outcome.points)
    assert all(point["loss"] < rows["loss"][0] for point in outcome.points)

    tracking, _ = open_models(opened.context)
    runs = tracking.client.search_runs([tracking.experiment], "metrics.best_value > 0")
    (run,) = runs
    assert run.data.metrics["best_value"] == pytest.approx(outcome.best_value)
    assert json.loads(run.data.params["best_params"]) == outcome.best_params
    points = tracking.client.get_metric_history(run.info.run_id, "loss_by_trial")
    assert len(points) == rows["loss"].drop_nulls().len()

    train = next(step for step in opened.plan() if step.stage == "train")
    assert train.because == "tuning has found other parameters"
    opened.run()
    told = Notes(opened.context.lake)
    last = told.read(f"training-{told.read('last-training')['fingerprint']}")
    screened = [trial["params"]["alpha"] for trial in last["trials"] if trial["params"]]
    assert {point["alpha"] for point in outcome.points} <= set(screened)
    assert {stage.did for stage in Project.open(project).run().stages} == {"unchanged", "not due"}


def test_again_only_when_more_is_asked(project: Path) -> None:
    tune(project, trials=3)
    assert did(tune(project, trials=3)) == "unchanged"
    assert did(tune(project, trials=4)) == "done"
    assert Project.open(project).table("tuning").height == 4
    assert did(tune(project, time="1m", trials=2)) == "done"
    assert did(tune(project, time="1m", trials=2)) == "unchanged"
    edit(project, 'calendar = ["weekday"]', "calendar = []")
    assert did(tune(project, trials=3)) == "done"


def test_an_unchanged_search_opens_no_panel(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tune(project, trials=2)
    monkeypatch.setattr("lakecast.training.tune.court.make_case", None)
    assert did(tune(project, trials=2)) == "unchanged"


def test_a_search_that_was_interrupted_goes_on(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[int] = []
    original = _Search._go_on

    def stopping(self: Any, run: Any, *more: Any) -> bool:
        if len(ended) == 2:
            raise KeyboardInterrupt
        on = original(self, run, *more)
        ended.extend([] if on else [run.slot])
        return on

    monkeypatch.setattr(_Search, "_go_on", stopping)
    with pytest.raises(KeyboardInterrupt):
        tune(project, trials=4)
    monkeypatch.undo()
    assert not Project.open(project).context.lake.table("tuning").exists()
    tune(project, trials=4)
    lines = next((project / "lake" / "studies").glob("*.journal")).read_text().splitlines()
    told = [json.loads(line) for line in lines]
    complete = [line for line in told if line.get("state") == 1]
    assert len(complete) == 4


def test_points_of_another_spec_are_left_out(project: Path) -> None:
    tune(project, trials=TRIALS)
    context = Project.open(project).context
    assert read_tuned(context).points() is not None
    edit(project, 'calendar = ["weekday"]', "calendar = []")
    other = read_tuned(Project.open(project).context)
    assert (other.digest, other.points()) == ("", None)


def test_nothing_was_tuned(project: Path) -> None:
    context = Project.open(project).context
    assert read_tuned(context).points() is None
    assert Runner(context).why() is None


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"trials": 0}, "--trials: not a number of trials: 0"),
        ({"time": "soon"}, "--time: not an amount of time: 'soon'"),
        ({"time": "m"}, "--time: not an amount of time: 'm'"),
    ],
)
def test_what_cannot_be_asked(project: Path, asked: dict[str, Any], error: str) -> None:
    with pytest.raises(UsageError, match=error):
        tune(project, **asked)


def test_without_optuna(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert main(["tune", "--project", str(project)]) == 2
    assert "pip install 'lakecast[tune]'" in capsys.readouterr().err


def test_the_command_tells_people_and_machines(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["tune", "--project", str(project), "--trials", str(TRIALS), "--workers", "1"]
    assert main([*arguments, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["trials"] == TRIALS
    assert told["best_params"]["alpha"] > 0
    assert main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "tune" in lines[3]
    assert lines[5] == f"best_value:   {told['best_value']:.4f} (rmsse)"
    assert lines[6].startswith("best_params:  family linear_regression, alpha ")
    assert lines[-1] == "next: lakecast run, which screens these beside the defaults"


def test_too_short_a_history_to_tune(tmp_path: Path) -> None:
    folder = write_project(tmp_path / "p", days=30, windows=3)
    assert main(["tune", "--project", str(folder)]) == 2


def test_progress_is_told(project: Path) -> None:
    titles: list[tuple[str, int | None]] = []

    class Told(Silent):
        def bar(self, title: str, total: int | None = None, unit: str = "") -> Any:
            titles.append((title, total))
            return super().bar(title, total, unit)

    Project.open(project, flags={"workers": "1"}, progress=Told()).tune(trials=3)
    assert ("tune", 3) in titles
