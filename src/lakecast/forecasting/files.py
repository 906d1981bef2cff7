"""Frames in and out of the files people use: Parquet, CSV, Excel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lakecast.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

FORMATS: Final = (".parquet", ".csv", ".xlsx")


def read_frame(path: Path) -> pl.DataFrame:
    """A Parquet or CSV file, whole; dates in CSV as ISO 8601.

    Raises `UsageError` for a file that is absent or of another kind.
    """
    import polars as pl

    if not path.exists():
        raise UsageError("no such file", where=str(path), cure="check the path")
    if path.suffix == ".parquet":
        return pl.read_parquet(path)
    if path.suffix == ".csv":
        return pl.read_csv(path, try_parse_dates=True)
    raise UsageError(
        f"cannot read a {path.suffix or 'nameless'} file",
        where=str(path),
        cure="use .parquet or .csv",
    )


def write_frame(frame: pl.DataFrame, path: Path) -> None:
    """Write a frame; the ending says how. An existing file is replaced whole or not at all."""
    if path.suffix not in FORMATS:
        raise UsageError(
            f"cannot write a {path.suffix or 'nameless'} file",
            where=str(path),
            cure=f"use {', '.join(FORMATS)}",
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}.part{path.suffix}")
    if path.suffix == ".parquet":
        frame.write_parquet(part)
    elif path.suffix == ".csv":
        frame.write_csv(part)
    else:
        frame.write_excel(part, autofit=False)
    part.replace(path)
