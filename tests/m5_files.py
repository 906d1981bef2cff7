"""Files such as the M5 competition hands out, small: two stores of two states, three items.

Weekly prices change now and then; `HOBBIES_1_001` comes on sale in the third week. Everything is
drawn from a fixed seed.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from pathlib import Path

FIRST: Final = date(2011, 1, 29)
AHEAD: Final = 28
STORES: Final = {"CA_1": "CA", "TX_2": "TX"}
ITEMS: Final = ("FOODS_1_001", "FOODS_2_001", "HOBBIES_1_001")
LATE: Final = ("HOBBIES_1_001", 14)
EVENTS: Final = {7: ("SuperBowl", "Sporting"), 16: ("ValentinesDay", "Cultural")}


def write_files(folder: Path, days: int = 60, *, kind: str = "csv") -> dict[str, pl.DataFrame]:
    """Write the three files and return them by name."""
    folder.mkdir(parents=True, exist_ok=True)
    frames = {
        "sales_train_evaluation": sales(days),
        "calendar": calendar(days + AHEAD),
        "sell_prices": prices(days + AHEAD),
    }
    for name, frame in frames.items():
        if kind == "csv":
            frame.write_csv(folder / f"{name}.csv")
        else:
            frame.write_parquet(folder / f"{name}.parquet")
    return frames


def sales(days: int) -> pl.DataFrame:
    """A row a series, a column a day."""
    random = np.random.default_rng(3)
    rows: list[dict[str, Any]] = []
    for store, state in STORES.items():
        for item in ITEMS:
            department, category = item.rpartition("_")[0], item.partition("_")[0]
            weekly = 2.0 + np.isin(np.arange(days) % 7, (0, 1))
            units = random.poisson(weekly)
            if item == LATE[0]:
                units[: LATE[1]] = 0
            ids = {"id": f"{item}_{store}_evaluation", "item_id": item, "dept_id": department,
                   "cat_id": category, "store_id": store, "state_id": state}  # fmt: skip
            rows.append({**ids, **{f"d_{day + 1}": int(n) for day, n in enumerate(units)}})
    return pl.DataFrame(rows)


def calendar(days: int) -> pl.DataFrame:
    """A row a day; weeks begin on Saturday."""
    return pl.DataFrame(
        {
            "date": [str(FIRST + timedelta(days=day)) for day in range(days)],
            "wm_yr_wk": [week_of(day) for day in range(days)],
            "d": [f"d_{day + 1}" for day in range(days)],
            "event_name_1": [EVENTS.get(day, (None, None))[0] for day in range(days)],
            "event_type_1": [EVENTS.get(day, (None, None))[1] for day in range(days)],
            "event_name_2": pl.Series([None] * days, dtype=pl.String),
            "event_type_2": pl.Series([None] * days, dtype=pl.String),
            "snap_CA": [int(day % 10 == 3) for day in range(days)],
            "snap_TX": [int(day % 10 == 5) for day in range(days)],
        }
    )


def week_of(day: int) -> int:
    """The number of the week that holds a day; the first day is 0."""
    return 11101 + day // 7


def price_of(item: str, store: str, day: int) -> float:
    """What an item costs on a day, by whole weeks."""
    base = {"CA_1": 2.0, "TX_2": 3.0}[store] + ITEMS.index(item)
    return base if (day // 7) % 4 else base - 0.5


def prices(days: int) -> pl.DataFrame:
    """A row an item, store and week on sale."""
    rows = [
        (store, item, week_of(day), price_of(item, store, day))
        for store in STORES
        for item in ITEMS
        for day in range(LATE[1] if item == LATE[0] else 0, days, 7)
    ]
    names = ["store_id", "item_id", "wm_yr_wk", "sell_price"]
    return pl.DataFrame(rows, schema=names, orient="row")
