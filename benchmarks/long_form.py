"""M5's sales as the transactions a shop would export: one CSV, a row a product, store and day."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

M5: Final = Path(__file__).resolve().parents[2] / "shared" / "data" / "m5"
ROWS: Final = 59_181_090
_NAMED: Final = {"item_id": "item_id", "dept_id": "dept", "cat_id": "cat", "store_id": "store"}
_IDS: Final = {**_NAMED, "state_id": "state"}


def write_long(path: Path, rows: int = ROWS, *, data: Path = M5) -> int:
    """Write the first rows, day after day, all products of a day in the order of M5; the number.

    Columns item_id, dept, cat, store, state, date, quantity, valor (quantity x price, 0 where
    the product had no price yet).
    """
    wide = pl.read_parquet(data / "sales_train_evaluation_wide.parquet")
    ids = wide.select(pl.col(old).alias(new) for old, new in _IDS.items())
    written = 0
    partial = path.with_suffix(".part")
    with partial.open("wb") as sink:
        for day in _days(wide, ids, data):
            some = day.head(rows - written)
            some.write_csv(sink, include_header=not written)
            written += some.height
            if written == rows:
                break
    partial.replace(path)
    return written


def _days(wide: pl.DataFrame, ids: pl.DataFrame, data: Path) -> Iterator[pl.DataFrame]:
    calendar = pl.read_parquet(data / "calendar.parquet").select("d", "date", "wm_yr_wk")
    weeks = {week: place for place, week in enumerate(calendar["wm_yr_wk"].unique().sort())}
    prices = _prices(wide, weeks, data)
    for name, date, week in calendar.filter(pl.col("d").is_in(wide.columns)).iter_rows():
        price = np.nan_to_num(prices[:, weeks[week]])
        quantity = wide[name]
        yield ids.with_columns(
            pl.lit(date).alias("date"),
            quantity.alias("quantity"),
            pl.Series("valor", np.round(quantity.to_numpy() * price, 2)),
        )


def _prices(wide: pl.DataFrame, weeks: dict[int, int], data: Path) -> NDArray[np.float64]:
    """Price by series (rows of `wide`) and week; NaN where there is none."""
    on = ["item_id", "store_id"]
    places = wide.select(on).with_row_index("row")
    found = pl.read_parquet(data / "sell_prices.parquet").join(places, on=on)
    matrix = np.full((wide.height, len(weeks)), np.nan)
    columns = found["wm_yr_wk"].replace_strict(weeks, return_dtype=pl.Int64)
    matrix[found["row"].to_numpy(), columns.to_numpy()] = found["sell_price"].to_numpy()
    return matrix


def main() -> None:
    """Write the file named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--rows", type=int, default=ROWS)
    given = parser.parse_args()
    print(write_long(given.path, given.rows))


if __name__ == "__main__":
    main()
