"""The example `m5`: what `prepare.py` writes, and the panel that the spec makes of it."""

from __future__ import annotations

import importlib.util
import shutil
from datetime import date, timedelta
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest
from tests.m5_files import AHEAD, FIRST, ITEMS, LATE, STORES, price_of, week_of, write_files

from lakecast import Project

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "m5"
DAYS = 60
SATURDAY = 5


@pytest.fixture(scope="module")
def module() -> ModuleType:
    found = importlib.util.spec_from_file_location("m5_prepare", EXAMPLE / "prepare.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.fixture
def files(tmp_path: Path) -> Path:
    write_files(tmp_path / "files", DAYS)
    return tmp_path / "files"


def read(project: Path, name: str) -> pl.DataFrame:
    return pl.read_parquet(project / "raw" / f"{name}.parquet")


def test_sales_are_a_row_a_series_and_day(module: ModuleType, files: Path, tmp_path: Path) -> None:
    module.prepare(files, tmp_path)
    wide = pl.read_csv(files / "sales_train_evaluation.csv")
    for store in STORES:
        rows = read(tmp_path, f"sales/{store}")
        assert rows.height == len(ITEMS) * DAYS
        for row in rows.rows(named=True):
            day = (row["date"] - FIRST).days
            ours = (pl.col("item_id") == row["item_id"]) & (pl.col("store_id") == row["store_id"])
            assert row["quantity"] == wide.filter(ours)[f"d_{day + 1}"].item()
            price = price_of(row["item_id"], row["store_id"], day)
            assert row["revenue"] == pytest.approx(row["quantity"] * price)


def test_an_item_without_a_price_yet_earned_nothing(
    module: ModuleType, files: Path, tmp_path: Path
) -> None:
    module.prepare(files, tmp_path, ["TX_2"])
    early = read(tmp_path, "sales/TX_2").filter(pl.col("item_id") == LATE[0]).head(LATE[1])
    assert early["revenue"].to_list() == [0.0] * LATE[1]


def test_prices_begin_on_saturday(module: ModuleType, files: Path, tmp_path: Path) -> None:
    module.prepare(files, tmp_path, ["CA_1"])
    rows = read(tmp_path, "prices/CA_1")
    assert {day.weekday() for day in rows["week"]} == {SATURDAY}
    for row in rows.rows(named=True):
        assert row["sell_price"] == price_of(row["item_id"], "CA_1", (row["week"] - FIRST).days)
    assert rows["week"].max() + timedelta(days=6) >= FIRST + timedelta(days=DAYS + AHEAD - 1)


def test_the_calendar_is_by_state(module: ModuleType, files: Path, tmp_path: Path) -> None:
    module.prepare(files, tmp_path)
    rows = read(tmp_path, "calendar")
    assert rows.height == 2 * (DAYS + AHEAD)
    snap = rows.filter(snap=1).group_by("state_id").agg(pl.col("date").min()).sort("state_id")
    assert snap.rows() == [("CA", date(2011, 2, 1)), ("TX", date(2011, 2, 3))]
    assert rows.filter(date=date(2011, 2, 5))["event_1"].unique().to_list() == ["SuperBowl"]
    assert rows["event_2"].unique().to_list() == [module.NO_EVENT]


def test_csv_and_parquet_give_the_same(module: ModuleType, files: Path, tmp_path: Path) -> None:
    write_files(tmp_path / "others", DAYS, kind="parquet")
    module.prepare(files, tmp_path / "a")
    module.prepare(tmp_path / "others", tmp_path / "b")
    written = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*.*"))
    assert len(written) == 7
    for path in written:
        ours, theirs = (pl.read_parquet(tmp_path / side / path) for side in "ab")
        assert ours.equals(theirs)
        assert ours.schema == theirs.schema


def test_only_the_stores_of_the_last_call_stay(
    module: ModuleType, files: Path, tmp_path: Path
) -> None:
    module.prepare(files, tmp_path)
    whole = read(tmp_path, "sales/TX_2")
    module.main(["--files", str(files), "--to", str(tmp_path), "--stores", "TX_2"])
    left = sorted(path.name for path in (tmp_path / "raw").glob("*/*"))
    assert left == ["TX_2.parquet", "TX_2.parquet"]
    assert read(tmp_path, "sales/TX_2").equals(whole)
    assert read(tmp_path, "stores").rows() == [("TX_2", "TX")]


def test_what_is_not_there_is_said(module: ModuleType, files: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="unknown store NY_1; there are CA_1, TX_2"):
        module.prepare(files, tmp_path, ["NY_1"])
    (files / "calendar.csv").unlink()
    with pytest.raises(SystemExit, match=r"has no calendar\.csv or \.parquet"):
        module.prepare(files, tmp_path)
    assert not (tmp_path / "raw").exists()


def test_the_panel_holds_what_was_known(module: ModuleType, files: Path, tmp_path: Path) -> None:
    shutil.copy(EXAMPLE / "lakecast.toml", tmp_path)
    module.prepare(files, tmp_path)
    project = Project.open(tmp_path)
    project.stage("panel")
    names = project.table("series").drop("bucket", "first", "last")
    assert set(names.columns) == {"series_code", *module.IDS}
    panel = project.table("panel").join(names, on="series_code")
    known = pl.concat([panel, project.table("future").join(names, on="series_code")],
                      how="diagonal")  # fmt: skip
    assert known.height == len(STORES) * len(ITEMS) * (DAYS + AHEAD) - 2 * _late(panel)
    for row in known.rows(named=True):
        day = (row["date"] - FIRST).days
        assert row["sell_price"] == pytest.approx(price_of(row["item_id"], row["store_id"], day))
        assert row["snap"] == (day % 10 == {"CA": 3, "TX": 5}[row["state_id"]])
    assert week_of(6) == week_of(0) != week_of(7)


def _late(panel: pl.DataFrame) -> int:
    """Days before the first sale of the item that comes late, which a panel leaves out."""
    first = panel.filter(pl.col("item_id") == LATE[0])["date"].min()
    assert isinstance(first, date)
    return (first - FIRST).days
