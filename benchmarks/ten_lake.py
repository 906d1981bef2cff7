"""The yardstick's sales as Parquet: a panel in a lake for us, one sorted file for the peer."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from benchmarks import ten
from lakecast import spec as specs
from lakecast.columns import BUCKET, CODE, OBSERVED
from lakecast.core.panel.build import Built
from lakecast.core.panel.findings import FINDINGS
from lakecast.flows.context import Context
from lakecast.lake import panels
from lakecast.lake.parquet_files import write_parquet

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lakecast.core.block import Block

SOURCE: Final = "sales.parquet"


def write_sources(sales: ten.Sales, folder: Path) -> None:
    """The panel in `folder`/lake, and the same rows, in order, in `folder`/sales.parquet."""
    (folder / "lakecast.toml").write_text(ten.SPEC, encoding="utf-8")
    _write_panel(sales, context(folder))
    rows = sales.frame().to_arrow(compat_level=pl.CompatLevel.oldest())
    with (folder / SOURCE).open("wb") as sink:
        write_parquet(rows, sink)


def context(folder: Path, threads: int = 1) -> Context:
    """What the stages of the project in the folder are given."""
    from lakecast.engines.local import LocalEngine
    from lakecast.lake.store import Store
    from lakecast.lake.tables import Lake
    from lakecast.logs import Silent
    from lakecast.settings import resolve

    settings = resolve(folder)
    return Context(
        spec=specs.load(folder / "lakecast.toml"), settings=settings,
        lake=Lake(Store.open(settings.lake)), engine=LocalEngine(workers=threads),
        progress=Silent(), now=lambda: datetime.now(UTC), user="benchmark",
    )  # fmt: skip


def _write_panel(sales: ten.Sales, context: Context) -> None:
    panel = sales.panel()
    blocks = iter(panel.held)
    staged = [
        panels.stage_bucket(context.lake, bucket, _built(list(islice(blocks, len(held)))))
        for bucket, held in enumerate(sales.buckets())
        if held
    ]
    about = {
        "series": [*ten.COLUMNS.series], "time": ten.COLUMNS.time, "target": ten.COLUMNS.target,
        "frequency": "D", "timezone": "UTC", "seasons": [7], "cutoff": panel.info.cutoff,
        "covariates": {}, "texts": [], "numeric": [], "vocabularies": {}, "horizon": 28,
        "sizes": {str(s.bucket): {"rows": s.rows, "series": s.series} for s in staged},
    }  # fmt: skip
    findings = pl.DataFrame(schema={**FINDINGS, BUCKET: pl.Int32()})
    change = panels.Change(
        staged=staged, buckets=ten.BUCKETS, findings=findings, about=about, fingerprint="benchmark"
    )
    panels.commit_buckets(context.lake, change)


def _built(blocks: list[Block]) -> Iterator[Built]:
    for block in blocks:
        codes = pl.Series(CODE, block.codes)
        last = pl.Series([ten.FIRST + ten.DAYS - 1] * len(codes), dtype=pl.Int32)
        series = pl.DataFrame(
            {
                CODE: codes, "unique_id": codes, "first": pl.Series(block.first), "last": last,
            }
        ).with_columns(pl.col("first", "last").cast(pl.Date))  # fmt: skip
        panel = pl.DataFrame(
            {
                CODE: np.repeat(block.codes, block.lengths),
                "ds": block.ordinals().astype("M8[D]"),
                "y": block.target.astype(np.float64),
                OBSERVED: np.ones(block.rows, np.bool_),
            }
        )
        yield Built(
            panel=panel, future=panel.select(CODE, "ds").head(0), series=series,
            findings=pl.DataFrame(schema=FINDINGS),
        )  # fmt: skip
