"""What could not be sold is unknown: it changes no forecast, no score, and breaks nothing."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import polars as pl
import pytest

from lakecast import Project
from lakecast.errors import DataRefused, SpecError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

BEGIN, DAYS = date(2024, 1, 1), 120
SPEC = """\
spec = 1
[[sources]]
table = "sales"
path = "raw/vendas.csv"
columns.em_estoque = { role = "past-only", aggregate = "min" }
[panel]
series = ["loja"]
time = "dia"
target = "quantidade"
frequency = "D"
seasons = [7]
buckets = 2
available = "em_estoque"
[forecast]
horizon = 7
[train]
families = ["linear_regression"]
search = false
[backtest]
windows = 3
"""
Row = tuple[str, int, float, bool]


def project(folder: Path, rows: Iterable[Row]) -> Project:
    (folder / "raw").mkdir(parents=True)
    table = [(s, BEGIN + timedelta(days=d), q, "sim" if ok else "não") for s, d, q, ok in rows]
    frame = pl.DataFrame(table, schema=["loja", "dia", "quantidade", "em_estoque"], orient="row")
    frame.write_csv(folder / "raw" / "vendas.csv")
    (folder / "lakecast.toml").write_text(SPEC, encoding="utf-8")
    return Project.open(folder)


def out(shop: int, day: int) -> bool:
    """Nine days out of stock in every thirty-six."""
    return day > 0 and (day // 9 + shop) % 4 == 0


def shops(sold_out: float) -> Iterable[Row]:
    """Five shops with a rhythm whose stock-outs say `sold_out`; and the odd ones."""
    for shop in range(5):
        for day in range(DAYS):
            empty = out(shop, day)
            sold = 5.0 + shop + 3 * ((day + shop) % 7 == 5) + (day * 7 + shop * 3) % 4
            yield f"s{shop}", day, sold_out if empty else sold, not empty
    yield from (("never", day, 4.0, False) for day in range(DAYS))
    yield from (("ended", day, 7.0, True) for day in range(30))
    yield "once, long ago", 3, 2.0, True
    yield "once, at last", DAYS - 1, 3.0, True


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Project:
    found = project(tmp_path_factory.mktemp("stock") / "p", shops(0.0))
    found.run()
    return found


def test_every_series_is_answered(ran: Project) -> None:
    table = ran.table("forecasts")
    assert table["forecast"].null_count() == 0
    assert table.group_by("loja").len()["len"].to_list() == [7] * 9
    answers = dict(table.select("loja", "source").unique().iter_rows())
    odd = {name: answers[name] for name in ("never", "ended", "once, long ago", "once, at last")}
    assert odd == {
        "never": "cold-start", "ended": "ended", "once, long ago": "ended",
        "once, at last": "short",
    }  # fmt: skip
    zero = table.filter(pl.col("source") == "ended")["forecast"]
    assert zero.to_list() == [0.0] * 14
    shown = table.filter(pl.col("loja").str.starts_with("s"))
    assert (shown["forecast"] > 2).all()
    assert shown["forecast-lo-80"].null_count() == shown["forecast-hi-80"].null_count() == 0


def test_stock_outs_are_not_scored(ran: Project) -> None:
    names = dict(ran.table("series").select("series_code", "loja").iter_rows())
    scored = ran.table("backtest").filter(candidate="seasonal_naive")
    for code, day, actual in scored.select("series_code", "dia", "actual").iter_rows():
        number = (day - BEGIN).days
        empty = names[code] == "never" or (
            names[code].startswith("s") and out(int(names[code][1:]), number)
        )
        assert (actual is None) == empty
    total = ran.table("metrics").filter(
        pl.col("horizon").is_null(), candidate="seasonal_naive", segment="total"
    )
    by_window = total.filter(pl.col("window").is_not_null())
    inside = scored.filter(pl.col("window").is_in(by_window["window"].implode()))
    assert by_window["rows"].sum() == inside["actual"].count()
    assert total.filter(pl.col("window").is_null())["rows"].to_list() == [by_window["rows"].sum()]


def test_what_a_stock_out_says_changes_nothing(ran: Project, tmp_path: Path) -> None:
    other = project(tmp_path / "p", shops(997.0))
    other.run()
    for name in ("forecasts", "metrics", "backtest"):
        mine, theirs = (one.table(name).drop("model_version", strict=False) for one in (ran, other))
        assert mine.sort(mine.columns).equals(theirs.sort(mine.columns))


def test_a_panel_that_was_never_in_stock_is_answered_all_the_same(tmp_path: Path) -> None:
    rows = [(f"s{shop}", day, 5.0, False) for shop in range(3) for day in range(60)]
    found = project(tmp_path / "p", rows)
    found.run()
    table = found.table("forecasts")
    assert table["forecast"].to_list() == [0.0] * 21
    assert table["source"].unique().to_list() == ["cold-start"]


def test_a_panel_of_new_series_only_is_refused_with_its_cure(tmp_path: Path) -> None:
    rows = [(f"s{shop}", day, 5.0, True) for shop in range(3) for day in range(5)]
    with pytest.raises(SpecError, match="no backtest window fits") as caught:
        project(tmp_path / "p", rows).run()
    assert "history" in caught.value.cure


def test_a_panel_without_a_sale_is_refused(tmp_path: Path) -> None:
    rows = [(f"s{shop}", day, 0.0, True) for shop in range(3) for day in range(60)]
    with pytest.raises(DataRefused, match="the panel has no series"):
        project(tmp_path / "p", rows).run()


def test_the_report_sets_what_intervals_held_beside_what_was_asked(ran: Project) -> None:
    found = ran.report_data().coverage
    assert found["level"].unique().to_list() == [80]
    whole = found.filter(pl.col("class").is_null(), pl.col("horizon").is_null())
    assert whole["rows"].to_list() == [
        found.filter(pl.col("class").is_not_null(), pl.col("horizon").is_null())["rows"].sum()
    ]
    scored = ran.table("metrics").filter(
        pl.col("horizon").is_null(), pl.col("window").is_null(), candidate="naive", segment="total"
    )
    assert 0 < whole["rows"][0] <= scored["rows"][0]
