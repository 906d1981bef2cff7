"""What people and machines read, whole: times, sizes and places are replaced by words first."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from tests.projects import HORIZON, SERIES, write_project

from lakecast import Project
from lakecast.cli.main import COMMANDS, main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Call = Callable[..., tuple[int, str, str]]

REPORT = "report:   <project>/report.html\nMLflow:   mlflow ui --backend-store-uri "


def plain(text: str, folder: Path) -> str:
    """Without what differs from run to run."""
    text = text.replace(str(folder), "<project>")
    text = re.sub(r"\b[0-9a-f]{12}\b", "<fingerprint>", text)
    text = re.sub(r" +\d+\.\d{3}  ", "  <s>  ", text)
    return re.sub(r" +\d+\.\d{3}$", "  <s>", text, flags=re.MULTILINE)


def test_status(call: Call, project: Path) -> None:
    code, out, err = call("status", "--project", project)
    assert (code, err) == (0, "")
    champion = Project.open(project).champion
    assert champion is not None
    out = re.sub(
        r"^(backtest|metrics)( +\d+ +\d+) +[\d,]+", r"\1\2  <rows>", out, flags=re.MULTILINE
    )
    assert plain(out, project) == (
        "project   <project>\n"
        "lake      <project>/lake\n"
        f"champion  version 1: {champion.recipe} (first, up to 2024-05-29)\n"
        "lease     free\n"
        "\n"
        "table       version  files   rows  fingerprint\n"
        "backtest          0      1  <rows>  <fingerprint>\n"
        "findings          0      0      0  <fingerprint>\n"
        "forecasts         0      1     84  <fingerprint>\n"
        "future            0      2     84  <fingerprint>\n"
        "metrics           0      1  <rows>  <fingerprint>\n"
        "panel             0      2  1,800  <fingerprint>\n"
        "promo             0      1    172  <fingerprint>\n"
        "promotions        0      1      1  <fingerprint>\n"
        "sales             0      1  1,800  <fingerprint>\n"
        "series            0      2     12  <fingerprint>\n"
    )


def test_status_of_a_project_that_never_ran(call: Call, tmp_path: Path) -> None:
    folder = write_project(tmp_path / "p")
    code, out, _ = call("status", "--project", folder)
    assert code == 0
    assert plain(out, folder) == (
        "project   <project>\n"
        "lake      <project>/lake\n"
        "champion  none yet\n"
        "lease     free\n"
        "\n"
        "table  version  files  rows  fingerprint\n"
    )
    assert sorted(path.name for path in folder.iterdir()) == ["lakecast.toml", "raw"]


def test_plan(call: Call, project: Path, tmp_path: Path) -> None:
    code, out, _ = call("plan", "--project", project)
    assert code == 0
    steps, budget, fits = (part + "\n" for part in out.split("\n\n")[:3])
    assert steps == (
        "stage     does     because\n"
        "ingest    look     sources are hashed to see what changed\n"
        "panel     nothing  spec and tables are as they were\n"
        "train     nothing  the last training is young enough and its spec unchanged\n"
        "forecast  nothing  champion and panel are as they were\n"
    )
    assert re.match(r"memory budget: \S+ GB\nstage +peak memory +minutes\n", budget)
    told = [line.split()[0] for line in budget.splitlines()[2:]]
    assert told == ["ingest", "panel", "train", "select", "forecast", "report"]
    assert re.match(r"for +model +fits +regressors each +rows +features +trees +leaves\n", fits)
    code, out, _ = call("plan", "--project", write_project(tmp_path / "new"))
    assert code == 0
    assert out.split("\n\n")[0] + "\n" == (
        "stage   does   because\n"
        "ingest  look   sources are hashed to see what changed\n"
        "panel   build  there is no panel yet\n"
        "train   train  there is no champion yet\n"
    )
    assert out.endswith("what follows can be told once there is a panel\n\n")


def test_run_with_nothing_to_do(call: Call, project: Path) -> None:
    code, out, err = call("run", "--project", project)
    assert (code, err) == (0, "")
    budget, stages, rest = plain(out, project).split("\n\n", 2)
    assert budget.startswith("memory budget: ")
    assert re.sub(r" +", " ", stages) == (
        "stage did rows seconds predicted peak memory predicted note\n"
        "ingest unchanged 0 <s> - - - 0 loads, 2 known\n"
        "panel unchanged - <s> - - -\n"
        "train not due - <s> - - -\n"
        "select not due - <s> - - -\n"
        "forecast unchanged - <s> - - -\n"
        "report unchanged - <s> - - -"
    )
    assert re.match(r"candidate +rmsse +rmse +mae +r2 +wape +bias +coverage\n", rest)
    assert "therefore   the challenger becomes the first champion\n" in rest
    assert rest.endswith(f"{REPORT}'sqlite:///<project>/mlflow.db'\n")  # a shell reads it


def test_forecast(call: Call, project: Path, tmp_path: Path) -> None:
    code, out, _ = call("forecast", "--project", project)
    lines = out.splitlines()
    assert code == 0
    assert lines[0] == "84 forecasts"
    assert lines[1].split() == [
        "produto", "loja", "data_venda", "cutoff", "horizon", "forecast", "forecast-lo-80",
        "forecast-hi-80", "source", "level", "model_version",
    ]  # fmt: skip
    assert len(lines) == 22
    for ending in ("csv", "parquet", "xlsx"):
        path = tmp_path / f"out.{ending}"
        code, out, _ = call("forecast", "--project", project, "--horizon", 3, "--out", path)
        assert (code, out) == (0, f"36 forecasts in {path}\n")
        assert path.stat().st_size > 0


def test_forecast_of_some_series_under_a_scenario(call: Call, project: Path) -> None:
    series, scenario = project / "series.csv", project / "scenario.csv"
    series.write_text("produto,loja\narroz,norte\n", encoding="utf-8")
    days = [f"2024-05-{d:02d}" for d in (30, 31)] + [f"2024-06-{d:02d}" for d in range(1, 6)]
    scenario.write_text(
        "produto,loja,data_venda,em_promocao\n" + "".join(f"arroz,norte,{day},1\n" for day in days),
        encoding="utf-8",
    )
    one = ["forecast", "--project", project, "--series", series, "--json"]
    plan, what_if = (json.loads(call(*one, *more)[1]) for more in ([], ["--scenario", scenario]))
    assert plan["rows"] == what_if["rows"] == HORIZON
    total, offered = (sum(row["forecast"] for row in a["forecasts"]) for a in (plan, what_if))
    assert offered > total


def test_export(call: Call, project: Path, tmp_path: Path) -> None:
    path = tmp_path / "panel.csv"
    code, out, _ = call("export", "panel", "--project", project, "--out", path)
    assert (code, out) == (0, f"1,800 rows of panel in {path}\n")


def test_features(call: Call, project: Path) -> None:
    code, out, _ = call("features", "--project", project, "--json")
    assert code == 0
    assert json.loads(out)["stages"][-1]["did"] == "done"
    code, out, _ = call("features", "--project", project)
    assert code == 0
    assert "features  unchanged" in out


def test_report_says_where(call: Call, project: Path) -> None:
    assert call("report", "--project", project)[1] == f"report: {project / 'report.html'}\n"
    code, out, _ = call("report", "--project", project, "--notebook")
    assert (code, out) == (0, f"report: {project / 'report.ipynb'}\n")


# --- machines

KEYS: dict[str, set[str]] = {
    "status": {"project", "lake", "tracking_uri", "champion", "lease", "tables"},
    "plan": {"stages", "prediction"},
    "run": {"stages", "prediction", "decision", "passed", "report", "tracking_uri", "leaderboard"},
    "forecast": {"rows", "out", "forecasts"},
    "report": {"report"},
    "ingest": {"stages"},
    "panel": {"stages"},
    "train": {"stages"},
    "select": {"stages", "passed", "decision"},
}


@pytest.mark.parametrize("command", KEYS)
def test_json_is_one_object_and_nothing_else(command: str, call: Call, project: Path) -> None:
    code, out, err = call(command, "--project", project, "--json")
    assert (code, err) == (0, "")
    assert len(out.splitlines()) == 1
    assert json.loads(out).keys() == KEYS[command]


def test_json_of_what_is_inside(call: Call, project: Path) -> None:
    def said(command: str) -> dict[str, Any]:
        return dict(json.loads(call(command, "--project", project, "--json")[1]))

    assert said("status")["tables"][0].keys() == {
        "table", "version", "files", "rows", "fingerprint",
    }  # fmt: skip
    assert said("plan")["stages"][0].keys() == {"stage", "does", "because"}
    assert said("run")["stages"][0].keys() == {
        "stage", "did", "rows", "seconds", "cpu", "peak", "note",
        "expected_peak", "expected_seconds", "formula_seconds",
    }  # fmt: skip
    row = said("forecast")["forecasts"][0]
    assert row.keys() >= {"level", "produto", "loja", "data_venda", "cutoff", "horizon", "source"}
    assert said("forecast")["rows"] == SERIES * HORIZON


# --- help


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    out = capsys.readouterr().out
    assert out.startswith(f"usage: lakecast {command} ")
    assert "--project DIR" in out


def test_help_lists_every_command_with_its_purpose(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    out = capsys.readouterr().out
    for command in COMMANDS:
        assert re.search(rf"^    {command} +\S.*\S", out, re.MULTILINE), command
