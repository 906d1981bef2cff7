"""The default spec against what it has to beat, and predicted peaks beside measured ones.

    python -m benchmarks.accuracy --data FOLDER [--only demo,olist] [--m5 PROJECT]
    python -m benchmarks.accuracy --only m5 --m5 PROJECT

Each project is made as a user makes it (`lakecast demo`, or `lakecast init` with one source and no
other choice) and run without tuning, each in a process of its own. What is compared are nested
RMSSE of the scored windows: of the forecaster that is chosen (`auto`), of the seasonal naive and of
the best of the statistical baselines, which is picked with the scores in sight. FOLDER holds
`online_retail/` and `olist/`; what is not there is left out and told. M5 is a project that
`benchmarks.m5` ran before.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from benchmarks.harness import emit, together, versions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FILES: Final = {
    "online_retail": "online_retail/online_retail_combined.parquet",
    "olist": "olist/vendas_diarias_categoria_uf.parquet",
}
STATISTICAL: Final = ("moving_average", "seasonal_mean", "theta")
NAIVE: Final = "seasonal_naive"
OURS: Final = "auto"
BUDGETED: Final = ("demo", "online_retail", "m5")
_NEAR: Final = 0.3


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, run each project, compare, print."""
    parser = _parser()
    args = parser.parse_args(arguments)
    asked = args.only.split(",") if args.only else ["demo", *FILES]
    if unknown := set(asked) - {"demo", "m5", *FILES}:
        parser.error(f"--only: no such project: {', '.join(sorted(unknown))}")
    if "m5" in asked:
        asked.remove("m5")
        if args.m5 is None:
            parser.error("--only m5 needs --m5 PROJECT")
    found: dict[str, dict[str, Any]] = {}
    for name in asked:
        source = args.data / FILES[name] if name in FILES else None
        if source is not None and not source.exists():
            print(f"{name}: left out, there is no {source}", flush=True)
            continue
        found[name] = compared(run(source, args.scratch / name))
        print(f"{name}: {json.dumps(found[name])}", flush=True)
    if args.m5:
        found["m5"] = compared(args.m5)
    emit(
        "accuracy",
        together(*(verdict(name, one) for name, one in found.items())) if found else None,
        projects=found,
        versions=versions("lightgbm", "polars", "numpy"),
        threads=len(os.sched_getaffinity(0)),
        data=", ".join(found),
        includes="all stages from raw files to the report, default spec, no tuning",
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Accuracy and predicted peaks of the default.")
    add = parser.add_argument
    add("--data", type=Path, default=Path(), help="folder with online_retail/ and olist/")
    add("--only", default="", help="some of demo, online_retail, olist, m5")
    add("--m5", type=Path, help="a project that benchmarks.m5 ran before")
    add("--scratch", type=Path, default=Path(tempfile.gettempdir()) / "lakecast-accuracy",
        help="where projects go")  # fmt: skip
    return parser


def run(source: Path | None, project: Path) -> Path:
    """Make the project and run it from nothing; what it told is kept as `run.out`."""
    shutil.rmtree(project, ignore_errors=True)
    if source is None:
        told = _lakecast("demo", "--json", "--project", project)
    else:
        _lakecast("init", "--source", source, "--project", project)
        told = _lakecast("run", "--json", "--project", project)
    (project / "run.out").write_text(told, encoding="utf-8")
    return project


def _lakecast(command: str, *options: str | Path) -> str:
    words = [sys.executable, "-m", "lakecast", command, *map(str, options)]
    done = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


def compared(project: Path) -> dict[str, Any]:
    """What a project's backtest and its last run told."""
    metrics = pl.scan_delta(str(project / "lake" / "metrics"))
    whole = metrics.filter(pl.col("window").is_null(), pl.col("horizon").is_null(), segment="total")
    rows = whole.select("candidate", "rmsse", "bias", "series", "rows").collect()
    rmsse = dict(rows.select("candidate", "rmsse").iter_rows())
    best = min((name for name in STATISTICAL if name in rmsse), key=lambda name: rmsse[name])
    ours = rows.row(by_predicate=pl.col("candidate") == OURS, named=True)
    return {
        "series": ours["series"],
        "scored": ours["rows"],
        "rmsse": {name: round(rmsse[name], 4) for name in (OURS, NAIVE, best)},
        "bias": round(ours["bias"], 4),
        "peaks_mb": _peaks(project / "run.out"),
    }


def _peaks(told: Path) -> dict[str, list[int]]:
    """Of each stage that ran: predicted, measured."""
    last = told.read_text(encoding="utf-8").rstrip().rpartition("\n")[2]
    stages: list[Mapping[str, Any]] = json.loads(last)["stages"]
    return {
        stage["stage"]: [round(stage[name] / 1e6) for name in ("expected_peak", "peak")]
        for stage in stages
        if stage.get("peak") and stage.get("expected_peak")
    }


def verdict(name: str, one: Mapping[str, Any]) -> bool | None:
    """Better than both, and where the budget is judged, the highest peaks nearly the same."""
    ours, *others = one["rmsse"].values()
    better = all(ours < other for other in others)
    if name not in BUDGETED:
        return better
    peaks = one["peaks_mb"].values()
    if not peaks:
        return together(better, None)
    predicted, measured = (max(pair[at] for pair in peaks) for at in (0, 1))
    return together(better, abs(predicted - measured) < _NEAR * measured)


if __name__ == "__main__":
    main()
