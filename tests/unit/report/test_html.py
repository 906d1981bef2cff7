"""The page: whole, alone, safe, the same every time, and honest when a part is empty."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from lakecast.report.charts import embed, payload
from lakecast.report.data import Decision, Load, Money, ReportData, Rule
from lakecast.report.html import render
from lakecast.spec import loads

if TYPE_CHECKING:
    from collections.abc import Callable

    Page = Any  # what `read` of the conftest gives

SECTIONS = (
    "summary", "forecasts", "models", "errors", "money", "residuals", "drivers", "data", "quality",
    "resources", "next",
)  # fmt: skip
HOSTILE = (
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "<!--<script>",
    "{{ 7*7 }} {% raw %}",
    "a\u2028b\u2029c & <b>d</b> '\"",
    "javascript:alert(1)",
)


@pytest.fixture(scope="module")
def full(retailer: Callable[..., ReportData]) -> ReportData:
    return retailer(8)


@pytest.fixture(scope="module")
def page(full: ReportData, read: Callable[[str], Page]) -> Page:
    return read(render(full))


def test_every_section_is_there_and_in_the_contents(page: Page) -> None:
    assert tuple(page.sections) == SECTIONS
    links = [value for value in page.values("href") if value != "#main"]
    assert links == [f"#{name}" for name in SECTIONS]
    ids = page.values("id")
    assert len(ids) == len(set(ids))


def test_nothing_is_fetched(full: ReportData, page: Page) -> None:
    assert not page.values("src")
    assert all(value.startswith("#") for value in page.values("href"))
    text = render(full)
    addresses = set(re.findall(r"[a-z]+://[^\s\"'<>)]*", text)) - {"http://www.w3.org/2000/svg"}
    assert not addresses
    assert "@import" not in text
    assert "url(" not in text.replace("url(#hatch)", "")


def test_the_policy_admits_this_script_and_style_alone(page: Page) -> None:
    policy = next(value for value in page.values("content") if "default-src" in value)
    script = next(text for text in page.texts["script"] if not text.startswith("{"))
    for kind, text in (("script", script), ("style", page.texts["style"][0])):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not page.values("style")
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]


def test_the_headline_and_the_figures(page: Page) -> None:
    top = page.sections["summary"]
    assert "Forecast errors are 15.0% smaller than with the best simple rule" in top
    assert "8 series of daily quantity, 2 January 2017 to 4 December 2017" in top
    assert "Gradient boosting (direct), version 1, answers from now on" in top
    assert "0.712 against 0.838, 225 series in 3 windows" in top
    assert "$\u202f10,324" in top
    assert "4,836" in page.sections["quality"]
    assert "1,469,307" in page.sections["data"]
    assert "AI" not in re.findall(r"\w+", " ".join(page.sections.values()))


def test_the_same_data_give_the_same_bytes(retailer: Callable[..., ReportData]) -> None:
    assert render(retailer(3)) == render(retailer(3))
    assert render(retailer(3)) != render(retailer(3, seed=2))


def test_the_order_of_rows_does_not_matter(full: ReportData) -> None:
    assert full.history is not None
    assert full.backtest is not None
    assert full.forecasts is not None
    turned = replace(
        full,
        history=full.history.collect().reverse().lazy(),
        backtest=full.backtest.reverse(),
        forecasts=full.forecasts.reverse(),
    )
    assert render(turned) == render(full)


def test_the_payload_survives_the_page(full: ReportData, page: Page) -> None:
    values = payload(full)
    assert page.payload == values
    assert json.loads(embed(values)) == values


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_text(name: str, full: ReportData, read: Callable[[str], Page]) -> None:
    text = render(_renamed(full, name))
    found, harmless = read(text), read(render(_renamed(full, "harmless")))
    assert [tag[:2] for tag in found.attributes] == [tag[:2] for tag in harmless.attributes]
    assert name in [series["name"] for series in found.payload["curves"]["series"]]
    assert name in found.sections["quality"]
    assert name in found.sections["data"]
    raw = text.split('<script id="payload"')[1].split("</script>")[0].split(">", 1)[1]
    assert not set("<>&\u2028\u2029") & set(raw)


def _renamed(full: ReportData, name: str) -> ReportData:
    def swap(frame: pl.DataFrame) -> pl.DataFrame:
        return frame.with_columns(pl.col("category").replace("SOFT DRINKS", name))

    assert full.history is not None
    assert full.backtest is not None
    assert full.forecasts is not None
    assert full.held_back is not None
    rule = Rule(name="null", level="quarantine", count=1, examples=(name,))
    load = replace(full.loads[0], source=name, rules=(rule,))
    return replace(
        full,
        history=swap(full.history.collect()).lazy(),
        backtest=swap(full.backtest),
        forecasts=swap(full.forecasts),
        held_back=swap(full.held_back),
        loads=(load, *full.loads[1:]),
        importances=full.importances.with_columns(pl.col("feature").replace("price", name)),
    )


EMPTY: dict[str, tuple[dict[str, Any], str, str]] = {
    "no money": ({"money": None}, "money", "No money column is known"),
    "no loads": ({"loads": ()}, "quality", "Nothing has been read"),
    "nothing refused": (
        {"loads": (Load(table="sales", source="a.csv", read=2, landed=2, quarantined=0),)},
        "quality", "Every row passed every rule"),
    "no findings": ({"findings": pl.DataFrame()}, "quality", "Nothing stands out"),
    "no candidates": ({"leaderboard": pl.DataFrame()}, "models", "No candidate was scored"),
    "no horizons": ({"by_horizon": pl.DataFrame()}, "errors", "No errors by horizon"),
    "no segments": ({"by_segment": pl.DataFrame()}, "errors", "No errors by segment"),
    "no backtest": ({"backtest": None}, "residuals", "No forecast of the backtest"),
    "no importances": ({"importances": pl.DataFrame()}, "drivers", "The champion is a simple rule"),
    "no stages": ({"stages": (), "sizes": ()}, "resources", "No stage was measured"),
    "no steps": ({"next_steps": ()}, "next", "lakecast report --notebook"),
    "no decision": ({"decision": Decision()}, "summary", "There is no forecast yet"),
    "nothing kept back": ({"held_back": None}, "forecasts", "The line is what was sold"),
    "no forecasts": ({"forecasts": None}, "forecasts", "The line is what was sold"),
    "no series": (
        {"history": None, "backtest": None, "forecasts": None, "held_back": None},
        "forecasts", "There are no series to draw"),
}  # fmt: skip


@pytest.mark.parametrize("case", EMPTY)
def test_what_is_empty_is_said(
    case: str, full: ReportData, page: Page, read: Callable[[str], Page]
) -> None:
    changed, section, words = EMPTY[case]
    emptied = {
        name: getattr(full, name).clear() if isinstance(value, pl.DataFrame) else value
        for name, value in changed.items()
    }
    found = read(render(replace(full, **emptied)))
    assert tuple(found.sections) == SECTIONS
    assert words in found.sections[section]
    assert "The line" in words or words not in page.sections[section]


def test_zero_rows_everywhere(full: ReportData, read: Callable[[str], Page]) -> None:
    bare = ReportData(spec=full.spec, cutoff=date(2017, 1, 1), as_of=date(2017, 1, 2))
    found = read(render(bare))
    assert tuple(found.sections) == SECTIONS
    assert "nothing to forecast" in found.sections["summary"]
    assert full.history is not None
    assert full.backtest is not None
    assert full.forecasts is not None
    cleared = replace(
        bare,
        history=full.history.clear(),
        backtest=full.backtest.clear(),
        forecasts=full.forecasts.clear(),
        money=Money(by_candidate=full.money.by_candidate.clear()) if full.money else None,
    )
    assert read(render(cleared)).payload["curves"]["series"] == []


def test_one_series(retailer: Callable[..., ReportData], read: Callable[[str], Page]) -> None:
    found = read(render(retailer(1)))
    assert "One series of daily quantity" in found.sections["summary"]
    assert len(found.payload["curves"]["series"]) == 1


@pytest.mark.parametrize("kind", ["baseline", "first"])
def test_a_baseline_as_champion_says_so(
    kind: Any, full: ReportData, read: Callable[[str], Page]
) -> None:
    decision = Decision(kind=kind, champion="weekday_mean", baseline="weekday_mean", gain=0.0)
    found = read(render(replace(full, decision=decision)))
    assert "No model beat the simple rules" in found.sections["summary"]
    assert "Saved" not in found.sections["summary"]
    assert found.payload["segments"]["names"] == ["Weekday mean"]


def test_a_refused_challenger_is_named(full: ReportData, read: Callable[[str], Page]) -> None:
    decision = replace(full.decision, kind="kept", challenger="random_forest/direct")
    top = read(render(replace(full, decision=decision))).sections["summary"]
    assert "as before, because random forest (direct) was not better by enough" in top


def test_without_known_future_columns(full: ReportData, read: Callable[[str], Page]) -> None:
    spec = loads(
        'spec = 1\n[[sources]]\ntable = "sales"\npath = "s.csv"\n'
        '[panel]\nseries = ["category"]\ntime = "day"\ntarget = "quantity"\n'
    )
    assert "none" in read(render(replace(full, spec=spec))).sections["data"]


def test_hours_are_drawn_with_their_clock(read: Callable[[str], Page]) -> None:
    spec = loads(
        'spec = 1\n[[sources]]\ntable = "sales"\npath = "s.csv"\n[panel]\nseries = ["shop"]\n'
        'time = "at"\ntarget = "units"\nfrequency = "h"\n[forecast]\nhorizon = 24\n'
    )
    start = datetime(2024, 3, 9, tzinfo=UTC)
    at = pl.Series("at", [start + timedelta(hours=h) for h in range(72)])
    history = pl.DataFrame({"shop": ["A"] * 48, "at": at[:48], "units": range(48)})
    forecasts = pl.DataFrame({"shop": ["A"] * 24, "at": at[48:], "forecast": [1.5] * 24})
    found = read(
        render(
            ReportData(
                spec=spec, cutoff=at[47], as_of=at[48], history=history.lazy(), forecasts=forecasts
            )
        )
    )
    curves = found.payload["curves"]
    assert (curves["times"][0], curves["times"][-1]) == ("2024-03-09T00:00", "2024-03-11T23:00")
    assert curves["last"] == 47
    assert "Data to 10 March 2024, 23:00" in " ".join(found.texts["p"])


def test_the_demo_fits_in_three_megabytes(retailer: Callable[..., ReportData]) -> None:
    assert len(render(retailer(225)).encode()) < 3_000_000
