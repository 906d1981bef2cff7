"""M5 in long form, 59 million rows of CSV, into the table `sales` with its contract.

Beside it pandas: it reads the same file in chunks of 1,000 and of 1,000,000 rows, narrows the types
of each chunk (texts to categories, float64 to float32, int64 to int32) and appends it to one
Parquet file; it checks nothing. The pairs with 1,000 rows run on a prefix of the file.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.harness import emit, pairs, peak_of, together, versions
from benchmarks.long_form import M5, ROWS, write_long

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

SMALL: Final = 1_000_000
_FLAT: Final = 1.1
_SPEC: Final = """
spec = 1
[[sources]]
table = "sales"
path = "{path}"
[panel]
series = ["item_id", "store"]
time = "date"
target = "quantity"
revenue = "valor"
frequency = "D"
"""


def ours(path: Path, folder: Path, memory: int | None = None) -> pl.LazyFrame:
    """Bring the file into a new lake in the folder; the table as it is then."""
    from lakecast.lake.ingest import ingest
    from lakecast.lake.store import Store
    from lakecast.lake.tables import Lake
    from lakecast.logs import Silent
    from lakecast.spec import loads

    shutil.rmtree(folder, ignore_errors=True)
    lake = Lake(Store.open(folder / "lake"))
    spec = loads(_SPEC.format(path=path))
    ingest(spec, lake, project=folder, memory=memory, progress=Silent())
    return lake.table("sales").scan()


def theirs(path: Path, target: Path, chunk: int) -> None:
    """pandas in chunks to Parquet."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer = None
    for frame in pd.read_csv(path, chunksize=chunk, parse_dates=["date"]):
        narrow = pa.Table.from_pandas(_narrowed(frame), preserve_index=False)
        writer = writer or pq.ParquetWriter(target, narrow.schema, compression="zstd")
        writer.write_table(narrow.cast(writer.schema))
    if writer is not None:
        writer.close()


def _narrowed(frame: Any) -> Any:
    """The narrowest types that are the same in every chunk."""
    for name, kind in frame.dtypes.items():
        if kind == "object":
            frame[name] = frame[name].astype("category")
        elif kind == "float64":
            frame[name] = frame[name].astype("float32")
        elif kind == "int64":
            frame[name] = frame[name].astype("int32")
    return frame


def check(path: Path, table: pl.LazyFrame) -> None:
    """Every row landed: the same number, the same float64 sums, the same days and products."""
    import polars as pl

    asked = [
        pl.len(),
        pl.col("quantity").cast(pl.Float64).sum(),
        pl.col("valor").cast(pl.Float64).sum(),
        pl.col("date").cast(pl.Date).max(),
        pl.col("item_id").n_unique(),
    ]
    dates = pl.col("date").cast(pl.String).str.to_date()
    want = pl.scan_csv(path).with_columns(dates).select(asked).collect(engine="streaming").row(0)
    have = table.select(asked).collect(engine="streaming").row(0)
    for one, other in zip(want, have, strict=True):
        near = isinstance(one, float) and abs(one - other) <= 1e-9 * abs(one)
        assert near or one == other, (want, have)


def _prefix(path: Path, rows: int, target: Path) -> Path:
    """The header and the first rows of a file."""
    if not target.exists():
        with path.open("rb") as source, target.open("wb") as sink:
            sink.writelines(islice(source, rows + 1))
    return target


def _peak(path: Path, folder: Path, memory: int) -> int:
    """Bytes of a process that does nothing else, from its start to its end."""
    words = ["-m", "benchmarks.ingest", "--load", str(path), "--scratch", str(folder)]
    return peak_of([sys.executable, *words, "--memory", str(memory)])


def _peaks(path: Path, given: argparse.Namespace, folder: Path) -> dict[str, object]:
    quarter = _prefix(path, given.rows // 4, folder / f"m5-{given.rows // 4}.csv")
    part = _peak(quarter, folder, given.memory)
    whole = _peak(path, folder, given.memory)
    return {
        "peak_quarter_bytes": part,
        "peak_whole_bytes": whole,
        "memory_bytes": given.memory,
        "flat": whole <= part * _FLAT,
        "within": whole <= given.memory,
    }


def _run(given: argparse.Namespace, folder: Path) -> None:
    path = folder / f"m5-{given.rows}.csv"
    if not path.exists():
        write_long(path, given.rows)
    rows = min(given.small_rows, given.rows)
    small = _prefix(path, rows, folder / f"m5-{rows}.csv")
    lake, target = folder / "ours", folder / "theirs.parquet"
    check(path, ours(path, lake, given.memory))
    print(f"1,000 rows a chunk, {rows} rows")
    by_thousand = pairs(
        partial(ours, small, lake, given.memory), partial(theirs, small, target, 1_000), given.pairs
    )
    print(f"1,000,000 rows a chunk, {given.rows} rows")
    by_million = pairs(
        partial(ours, path, lake, given.memory),
        partial(theirs, path, target, 1_000_000),
        given.pairs,
    )
    peaks = _peaks(path, given, folder)
    flat = bool(peaks["flat"]) and bool(peaks["within"])
    emit(
        "ingest",
        together(by_thousand.met(10), by_million.met(3), flat),
        **by_thousand.figures("thousand_"),
        thousand_rows=rows,
        **by_million.figures("million_"),
        rows=given.rows,
        **peaks,
        versions=versions("lakecast", "polars", "pyarrow", "pandas", "deltalake"),
        threads=len(os.sched_getaffinity(0)),
        data="M5 in long form, CSV",
        includes="both: parse, Parquet; ours: content hash, contract, Delta; theirs: narrow",
    )


def _given(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--small", action="store_true", help="400,000 rows")
    parser.add_argument("--small-rows", type=int, default=SMALL)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--memory", type=int, default=1 << 30, help="budget in bytes")
    parser.add_argument("--scratch", type=Path, help="where files go, and stay")
    parser.add_argument("--load", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.small:
        given.rows, given.small_rows = 400_000, 50_000
    return given


def main(arguments: Sequence[str] | None = None) -> None:
    """Run it all, or (`--load`) ours once."""
    given = _given(arguments)
    if given.load is not None:
        ours(given.load, given.scratch / "ours", given.memory)
        return
    if not M5.exists():
        sys.exit(f"M5 is not at {M5}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.scratch or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        _run(given, folder)


if __name__ == "__main__":
    main()
