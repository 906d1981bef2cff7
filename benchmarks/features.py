"""Ten features over 3 M and 59 M rows, beside mlforecast on Polars with as many threads.

In memory: sorted float32 values to a float32 matrix (ours column-major, the peer's as it makes it;
`frame` tells what the peer takes for the columns of a frame instead). Parquet to Parquet: our stage
`features` on a panel in a lake; the peer reads one sorted file, and writes the same columns with
the same codec, null where a feature is not known (`theirs_nan_s` tells what it takes to leave the
NaN of its own that stands there instead). Fifty series of ours, and the lags and windows of the
peer's file, are compared with a float64 reference before anything is timed.
Peaks are those of a fresh process that has its inputs, its imports and its compiled kernels
already. They are judged at the largest size: a block of a million rows is what we hold at any.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from benchmarks import ten, ten_lake
from benchmarks.harness import Ratios, emit, pairs, peak_of, seconds, together, versions
from lakecast.columns import CODE

if TYPE_CHECKING:
    from collections.abc import Callable

    from lakecast.core.block import MemoryPanel

SIZES: Final = (3_000_000, ten.SERIES * ten.DAYS)
SMALL: Final = (200_000,)
THREADS: Final = 2
LEAST: Final = {"memory": 3.0, "parquet": 1.5}
MOST: Final = {"memory": 0.5, "parquet": 0.2}
"""What our peak may be of the peer's."""
CODEC: Final = "zstd"
LEVEL: Final = 1
"""Arrow's own level, at which our tables are written."""
THEIRS: Final = {
    **{f"lag{lag}": f"lag_{lag}" for lag in ten.LAGS},
    **{
        f"rolling_{kind}_lag1_window_size{window}": f"rolling_{kind}_{window}_lag_1"
        for window in ten.WINDOWS
        for kind in ("mean", "std")
    },
}
"""What the peer calls the features that are not known in the beginning."""
_LOOSE: Final = 0.01
"""The peer adds up in float32: standard deviations of whole counts are off by up to 0.003."""
_TINY: Final = 3 * ten.DAYS
_ROW: Final = 120
"""Bytes a row that the peer asks for."""


def main(argv: list[str] | None = None) -> None:
    """Both works at every size; the verdict of all of them together is the last line's."""
    asked = _parser().parse_args(argv)
    sizes = asked.rows or (SMALL if asked.small else SIZES)
    figures: dict[str, Any] = {}
    verdicts: list[bool | None] = []
    for rows in sizes:
        for work, measure in (("memory", in_memory), ("parquet", in_files)):
            if work in asked.works:
                found = measure(rows, asked.pairs)
                figures[f"{work}_{rows}"] = found
                verdicts.append(found["met"])
                print(f"{work}, {rows:,} rows: {found}", flush=True)
    emit(
        "features", together(*verdicts) if sizes == SIZES else None, **figures,
        least_ratio=LEAST, most_peak=MOST, threads=THREADS, codec=f"{CODEC} level {LEVEL}",
        versions=versions("lakecast", "mlforecast", "coreforecast", "polars", "numba", "pyarrow"),
        data=f"generated, {ten.DAYS} days a series, whole counts, seed 5",
        included="all from values in memory (or files) to matrix (or files); not: imports, "
        "compilation, making the input",
    )  # fmt: skip


def in_memory(rows: int, n: int) -> dict[str, Any]:
    """Values in memory to a matrix."""
    sales = ten.Sales.make(rows)
    panel, frame = sales.panel(), sales.frame()
    checked = ten.check(sales, ten.ours(panel, THREADS), ten.planned(panel).plan.names)
    works = (partial(ten.ours, panel, THREADS), partial(ten.their_matrix, frame, THREADS))
    ratios = pairs(*works, n, room=rows * _ROW)
    as_frame = seconds(partial(ten.theirs, frame, THREADS), rows * _ROW)
    del frame, panel
    peaks = (
        peak_of(_our_matrix, prepare=partial(_our_input, rows)),
        peak_of(_their_matrix, prepare=partial(_their_input, rows)),
    )
    found = {"checked_series": checked, "theirs_frame_s": round(as_frame, 3)}
    return _judged("memory", ratios, peaks, rows) | found


def in_files(rows: int, n: int) -> dict[str, Any]:
    """Parquet to Parquet."""
    folder = Path(tempfile.mkdtemp(prefix="features-"))
    try:
        sales = ten.Sales.make(rows)
        ten_lake.write_sources(sales, folder)
        checked = check_table(sales, our_files(folder))
        check_theirs(sales, their_files(folder))
        works = (partial(our_files, folder), partial(their_files, folder))
        ratios = pairs(*works, n, room=rows * _ROW)
        as_made = seconds(partial(their_files, folder, nulls=False), rows * _ROW)
        peaks = (
            peak_of(our_files, prepare=partial(_warm, folder, our_files)),
            peak_of(their_files, prepare=partial(_warm, folder, their_files)),
        )
    finally:
        shutil.rmtree(folder)
    found = {"checked_series": checked, "theirs_nan_s": round(as_made, 3)}
    return _judged("parquet", ratios, peaks, rows) | found


def _judged(work: str, ratios: Ratios, peaks: tuple[int, int], rows: int) -> dict[str, Any]:
    share = peaks[0] / max(peaks[1], 1)
    light = share <= MOST[work] or rows < max(SIZES)
    return {
        "met": together(ratios.met(LEAST[work]), light),
        **ratios.figures(),
        "ours_peak_mb": round(peaks[0] / 1e6),
        "theirs_peak_mb": round(peaks[1] / 1e6),
        "peak_share": round(share, 3),
    }


def our_files(folder: Path) -> Path:
    """The stage `features`; its folder."""
    from lakecast.flows.stages.features import run_features

    run_features(ten_lake.context(folder, THREADS), "benchmark")
    return folder


def their_files(folder: Path, *, nulls: bool = True) -> Path:
    """Read, transform, write; the file."""
    frame = pl.read_parquet(folder / ten_lake.SOURCE)
    out = folder / "theirs.parquet"
    found = ten.theirs(frame, THREADS).with_columns(
        pl.col("unique_id").alias(CODE),
        pl.col("y").cast(pl.Float64),
        *([pl.col(*THEIRS).fill_nan(None)] if nulls else []),
    )
    found.write_parquet(out, compression=CODEC, compression_level=LEVEL)
    return out


def check_table(sales: ten.Sales, folder: Path) -> int:
    """Compare some series of our table with the reference; how many."""
    table = ten_lake.context(folder).lake.table("features").scan()
    rows = table.filter(pl.col(CODE).is_in(sales.some.tolist())).sort(CODE, "ds").collect()
    names = tuple(ten.expected(sales.target[: ten.DAYS]))
    assert not any(rows.select(pl.col(names).is_nan().any()).row(0)), "a null is a null"
    matrix = np.column_stack([rows[name].to_numpy() for name in names])
    return ten.check(sales.compared(), matrix, names)


def check_theirs(sales: ten.Sales, file: Path) -> None:
    """Compare some series of the peer's file, nulls too, with the reference, as far as it goes."""
    frame = pl.scan_parquet(file).filter(pl.col(CODE).is_in(sales.some.tolist())).collect()
    for s in sales.some.tolist():
        rows, wanted = frame.filter(pl.col(CODE) == s), ten.expected(sales.of(s))
        for name, ours in THEIRS.items():
            unknown = np.isnan(wanted[ours])
            np.testing.assert_array_equal(rows[name].is_null().to_numpy(), unknown, name)
            np.testing.assert_allclose(rows[name].to_numpy(), wanted[ours], atol=_LOOSE)


def _our_input(rows: int) -> MemoryPanel:
    ten.ours(ten.Sales.make(_TINY).panel(), THREADS)
    return ten.Sales.make(rows).panel()


def _our_matrix(panel: MemoryPanel) -> object:
    return ten.ours(panel, THREADS)


def _their_input(rows: int) -> pl.DataFrame:
    ten.their_matrix(ten.Sales.make(_TINY).frame(), THREADS)
    return ten.Sales.make(rows).frame()


def _their_matrix(frame: pl.DataFrame) -> object:
    return ten.their_matrix(frame, THREADS)


def _warm(folder: Path, work: Callable[[Path], object]) -> Path:
    """Do the work on a few rows, so that only the work itself is measured on many."""
    with tempfile.TemporaryDirectory() as name:
        ten_lake.write_sources(ten.Sales.make(_TINY), Path(name))
        work(Path(name))
    return folder


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.features", description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", help="sizes instead of 3 M and 59 M")
    parser.add_argument("--small", action="store_true", help="a fifth of a million rows")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--works", nargs="+", choices=tuple(LEAST), default=list(LEAST))
    return parser


if __name__ == "__main__":
    main()
