"""Partitioned training against one model of all series: time and accuracy, on threads and on Ray.

    python -m benchmarks.partitioned [--parts 4] [--engine ray]

The demo's spec with boosting alone and `train.parts`: the model of all series, a model a part and
their mean go through the same backtest. Figures are those of the scored windows, from the table
`metrics`. Seconds are those of all fits of one kind at the panel's cutoff: that of all series by
one worker, the parts by all workers side by side.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from benchmarks.harness import emit, versions

if TYPE_CHECKING:
    from lakecast import Project
    from lakecast.lake.lake_panel import LakePanel
    from lakecast.training.backtest import Candidate

WORKERS: Final = 2
METRICS: Final = ("rmsse", "rmse", "mae", "bias")
TRAIN: Final = """
[train]
families = ["gradient_boosting"]
strategy = "recursive"
search = false
parts = {parts}
"""


def main(argv: list[str] | None = None) -> None:
    """Run the demo with parts, then time the fits."""
    asked = _parser().parse_args(argv)
    scratch = Path(tempfile.mkdtemp(prefix="partitioned-"))
    try:
        project = _run(scratch / "demo", asked)
        figures = _accuracy(project)
        seconds = _seconds(project, asked.parts)
        project.close()
    finally:
        shutil.rmtree(scratch)
    emit(
        "partitioned", None, parts=asked.parts, engine=asked.engine, threads=WORKERS,
        accuracy=figures, seconds=seconds,
        versions=versions("lakecast", "ray", "dask", "lightgbm"),
        data="the demo, boosting alone, recursive",
        included="fits at the panel's cutoff, panel read from the lake; not: the cluster's start",
    )  # fmt: skip


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.partitioned", description=__doc__)
    parser.add_argument("--parts", type=int, default=4)
    parser.add_argument("--engine", choices=("local", "ray", "dask"), default="ray")
    parser.add_argument("--small", action="store_true", help="two parts")
    return parser


def _run(folder: Path, asked: argparse.Namespace) -> Project:
    from lakecast import Project
    from lakecast.flows import demo
    from lakecast.logs import Silent

    demo.write(folder, Silent())
    spec = folder / "lakecast.toml"
    parts = 2 if asked.small else asked.parts
    spec.write_text(spec.read_text("utf-8") + TRAIN.format(parts=parts), "utf-8")
    project = Project.open(folder, flags={"engine": asked.engine, "workers": str(WORKERS)})
    project.run()
    return project


def _accuracy(project: Project) -> dict[str, dict[str, float]]:
    """By candidate, over all scored windows: of all series, and of each member on its own part."""
    scores = project.table("metrics").filter(
        pl.col("window").is_null(), pl.col("horizon").is_null()
    )
    whole = scores.filter(segment="total")
    found = {
        row["candidate"]: {name: row[name] for name in METRICS}
        for row in whole.iter_rows(named=True)
        if row["candidate"].startswith(("gradient_boosting", "seasonal_mean"))
    }
    for row in scores.filter(segment="train.parts").iter_rows(named=True):
        if f"/part-{row['value']}-of-" in row["candidate"]:
            found[row["candidate"]] |= {f"own_{name}": row[name] for name in METRICS}
        if row["candidate"] == "gradient_boosting/recursive":
            found[row["candidate"]] |= {f"part_{row['value']}_rmsse": row["rmsse"]}
    return found


def _seconds(project: Project, parts: int) -> dict[str, float]:
    from lakecast.lake.lake_panel import open_panel
    from lakecast.training.candidates import parted, tabular

    panel = open_panel(project.context.lake)
    model = tabular("gradient_boosting", "recursive", {})
    members = [one for one in parted(model, parts) if one.part]
    work = partial(_fit, panel=panel, spec=project.context.spec)
    engine = project.context.engine
    timed = {}
    for name, pieces in (("all_series", [model]), ("parts", members)):
        list(engine.map(work, pieces, title=name))  # once to warm up
        begun = time.perf_counter()
        list(engine.map(work, pieces, title=name))
        timed[name] = round(time.perf_counter() - begun, 2)
    return timed


def _fit(candidate: Candidate, *, panel: LakePanel, spec: Any) -> None:
    from lakecast.models.workbench import Workbench
    from lakecast.training.candidates import recipe

    cutoff = panel.info.cutoff
    Workbench(panel, (cutoff,)).fit(recipe(candidate, spec, {}), cutoff)


if __name__ == "__main__":
    main()
