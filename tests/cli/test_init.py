"""`lakecast init` at the command line."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import pytest

from lakecast.cli.main import main
from lakecast.spec import load


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with sales of two products over ten weeks."""
    days = [date(2024, 1, 1) + timedelta(days=i) for i in range(70)]
    lines = [f"{day},{name},{n + 1}" for n, day in enumerate(days) for name in ("pen", "cup")]
    (tmp_path / "sales.csv").write_text("\n".join(["date,product,quantity", *lines]))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_whole_output(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "--source", "sales.csv", "--project", "shop"]) == 0
    assert capsys.readouterr().out == (
        "wrote shop/lakecast.toml\n"
        "  time = date: the only column of times\n"
        "  target = quantity: its name says how many\n"
        "  series = product: the table has one row for each of them and period\n"
        "  frequency = D: dates come day by day\n"
        "  timezone = UTC: times carry no zone: days are cut as they are written\n"
        "  horizon = 8: 70 days of history bear no more\n"
        "\n"
        "next: lakecast run --project shop\n"
    )


def test_the_whole_file(here: Path) -> None:
    main(["init", "--source", "sales.csv", "--project", "shop"])
    assert (here / "shop" / "lakecast.toml").read_text() == (
        "spec = 1\n"
        'name = "shop"\n'
        "\n"
        "[[sources]]\n"
        'table = "sales"\n'
        'path = "../sales.csv"\n'
        'format = { delimiter = "," }\n'
        "\n"
        "[panel]\n"
        'series = ["product"]                # the table has one row for each of them and period\n'
        'time = "date"                       # the only column of times\n'
        'target = "quantity"                 # its name says how many\n'
        'frequency = "D"                     # dates come day by day\n'
        'timezone = "UTC"                    '
        "# times carry no zone: days are cut as they are written\n"
        "seasons = [7]                       # in days\n"
        "\n"
        "[forecast]\n"
        "horizon = 8                         # 70 days of history bear no more\n"
        "levels = [80]                       # intervals that hold 80% of what comes\n"
        "\n"
        "[train]\n"
        'every = "7d"                        # older champions are fit anew\n'
    )


def test_json(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "--source", "sales.csv", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["spec"] == "lakecast.toml"
    assert "frequency = D: dates come day by day" in told["assumptions"]


def test_flags_reach_the_spec(here: Path) -> None:
    flags = [
        "--series",
        "product",
        "--frequency",
        "W-SUN",
        "--horizon",
        "2",
        "--target",
        "quantity",
    ]
    assert main(["init", "--source", "sales.csv", *flags, "--timezone", "Europe/Lisbon"]) == 0
    spec = load(here / "lakecast.toml")
    assert (spec.panel.frequency, spec.forecast.horizon) == ("W-SUN", 2)
    assert spec.panel.timezone == "Europe/Lisbon"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ([], "no source"),
        (["--source", "none.csv"], "no file at 'none.csv'"),
        (["--source", "sales.csv", "--time", "day"], "no column `day`"),
        (["--sql-env", "NOT_SET_ANYWHERE", "--query", "SELECT 1"], "the variable is not set"),
        (["--sql-env", "X"], "go together"),
    ],
)
def test_what_cannot_be_exits_2_and_says_why(
    here: Path, capsys: pytest.CaptureFixture[str], flags: list[str], said: str
) -> None:
    assert main(["init", *flags]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert "cure:" in told
    assert not (here / "lakecast.toml").exists()


def test_a_spec_stays_without_force(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "--source", "sales.csv"]) == 0
    assert main(["init", "--source", "sales.csv"]) == 2
    assert "--force" in capsys.readouterr().err
    assert main(["init", "--source", "sales.csv", "--force"]) == 0
