"""Turns the files of the M5 competition into what `lakecast.toml` reads.

    python prepare.py --files FOLDER [--to PROJECT] [--stores CA_1,TX_2]

FOLDER holds `sales_train_evaluation`, `calendar` and `sell_prices`, as `.csv` the way they are
handed out or as `.parquet` (for the sales also `sales_train_evaluation_wide.parquet`) with the
same columns. Below PROJECT (default: this folder) it writes

    raw/sales/STORE.parquet   date, item_id, store_id, quantity, revenue; one row a series and day
    raw/prices/STORE.parquet  week (its Saturday), item_id, store_id, sell_price
    raw/calendar.parquet      date, state_id, snap, event_1, event_type_1, event_2, event_type_2
    raw/items.parquet         item_id, dept_id, cat_id
    raw/stores.parquet        store_id, state_id

A store at a time, so that memory stays below one gigabyte. Stores that are not asked for are
removed, so the folder holds exactly what the last call asked for.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

IDS: Final = ("item_id", "dept_id", "cat_id", "store_id", "state_id")
NO_EVENT: Final = "-"
_SALES: Final = ("sales_train_evaluation", "sales_train_evaluation_wide")
_EVENTS: Final = {
    "event_name_1": "event_1", "event_type_1": "event_type_1",
    "event_name_2": "event_2", "event_type_2": "event_type_2",
}  # fmt: skip
_ROW_GROUP: Final = 500_000


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and write the files."""
    parser = argparse.ArgumentParser(description="Write raw/ from the files of the M5 competition.")
    parser.add_argument("--files", type=Path, required=True, help="folder with the three files")
    parser.add_argument("--to", type=Path, default=Path(__file__).parent, help="project folder")
    parser.add_argument("--stores", help="only these, such as CA_1,TX_2 (default: all)")
    args = parser.parse_args(arguments)
    prepare(args.files, args.to, tuple(args.stores.split(",")) if args.stores else ())


def prepare(files: Path, project: Path, stores: Sequence[str] = ()) -> None:
    """Write `raw/` below a project's folder; no stores named means all. Exits where one is unknown.

    What is written for a store does not depend on which others are.
    """
    sales = source(files, *_SALES)
    calendar = days(source(files, "calendar").collect())
    known = sales.select(IDS).unique().collect()
    wanted = _wanted(known, stores)
    raw = project / "raw"
    _clear(raw, wanted)
    own = known.filter(pl.col("store_id").is_in(wanted))
    _write(own.select("item_id", "dept_id", "cat_id").unique().sort("item_id"), raw, "items")
    _write(own.select("store_id", "state_id").unique().sort("store_id"), raw, "stores")
    _write(by_state(calendar, own["state_id"].unique().sort()), raw, "calendar")
    for store in wanted:
        here = pl.col("store_id") == store
        weekly = source(files, "sell_prices").filter(here).collect()
        _write(prices(weekly, calendar), raw, f"prices/{store}")
        _write(long(sales.filter(here).collect(), weekly, calendar), raw, f"sales/{store}")


def source(folder: Path, *names: str) -> pl.LazyFrame:
    """The file of one of these names, as CSV or Parquet. Exits where there is none."""
    for name in names:
        if (path := folder / f"{name}.csv").exists():
            return pl.scan_csv(path, infer_schema_length=1000)
        if (path := folder / f"{name}.parquet").exists():
            return pl.scan_parquet(path)
    sys.exit(f"{folder} has no {names[0]}.csv or .parquet: --files names the competition's folder")


def days(calendar: pl.DataFrame) -> pl.DataFrame:
    """The calendar with `date` as a date and `week`, the Saturday on which its week began."""
    dated = calendar.with_columns(pl.col("date").cast(pl.String).str.to_date("%Y-%m-%d"))
    return dated.with_columns(pl.col("date").min().over("wm_yr_wk").alias("week")).sort("date")


def by_state(calendar: pl.DataFrame, states: Iterable[str]) -> pl.DataFrame:
    """A row a state and day: events, and whether SNAP food stamps may be spent there."""
    shared = [pl.col(old).fill_null(NO_EVENT).alias(new) for old, new in _EVENTS.items()]
    return pl.concat(
        calendar.select(
            "date",
            pl.lit(state).alias("state_id"),
            pl.col(f"snap_{state}").cast(pl.Int8).alias("snap"),
            *shared,
        )
        for state in states
    )


def prices(weekly: pl.DataFrame, calendar: pl.DataFrame) -> pl.DataFrame:
    """Weekly prices by the day on which the week begins; they hold until the next Friday."""
    weeks = calendar.select("wm_yr_wk", "week").unique()
    dated = weekly.join(weeks.cast({"wm_yr_wk": weekly.schema["wm_yr_wk"]}), on="wm_yr_wk")
    kept = dated.select("week", "item_id", "store_id", pl.col("sell_price").cast(pl.Float64))
    return kept.sort("item_id", "week")


def long(wide: pl.DataFrame, weekly: pl.DataFrame, calendar: pl.DataFrame) -> pl.DataFrame:
    """A row a series and day, by item and date; revenue is 0 before an item has a price."""
    wide = wide.sort("item_id")
    dates = calendar.filter(pl.col("d").is_in(wide.columns)).select("d", "date", "wm_yr_wk")
    sold = wide.select(dates["d"].to_list()).to_numpy()
    paid = np.nan_to_num(sold * _daily(wide["item_id"], weekly, dates["wm_yr_wk"]))
    items = np.repeat(np.arange(wide.height), dates.height)
    return pl.DataFrame(
        {
            "date": np.tile(dates["date"].to_numpy(), wide.height),
            "item_id": wide["item_id"].gather(items),
            "store_id": wide["store_id"].gather(items),
            "quantity": sold.ravel().astype(np.int32),
            "revenue": paid.round(2).ravel(),
        }
    )


def _daily(items: pl.Series, weekly: pl.DataFrame, week: pl.Series) -> NDArray[np.float64]:
    """[items, days] prices, NaN where there is none; `week` is the ascending week of each day."""
    weeks = week.unique().sort()
    found = pl.DataFrame([items]).join(weeks.to_frame(), how="cross", maintain_order="left_right")
    found = found.join(weekly.cast({week.name: week.dtype}), on=[items.name, week.name],
                       how="left", maintain_order="left")  # fmt: skip
    prices = found["sell_price"].cast(pl.Float64).to_numpy().reshape(len(items), len(weeks))
    return prices[:, np.searchsorted(weeks.to_numpy(), week.to_numpy())]


def _wanted(known: pl.DataFrame, stores: Sequence[str]) -> list[str]:
    there = known["store_id"].unique().sort().to_list()
    if unknown := sorted(set(stores) - set(there)):
        sys.exit(f"unknown store {unknown[0]}; there are {', '.join(there)}")
    return [store for store in there if not stores or store in stores]


def _clear(raw: Path, wanted: Sequence[str]) -> None:
    for kind in ("sales", "prices"):
        for path in (raw / kind).glob("*.parquet"):
            if path.stem not in wanted:
                path.unlink()


def _write(frame: pl.DataFrame, raw: Path, name: str) -> None:
    """Under another name first: a file that is there is whole."""
    path = raw / f"{name}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    frame.write_parquet(part, row_group_size=_ROW_GROUP)
    part.replace(path)


if __name__ == "__main__":
    main()
