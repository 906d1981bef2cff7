"""The same project on local threads, Ray and Dask, with one and two workers: time and results.

    python -m benchmarks.engines [--files FOLDER] [--store CA_1] [--department HOBBIES_1]

Projects: the demo, and with the competition's files a department of one store of M5 (416 series of
1,941 days) without its levels. Each run is a process of its own on a fresh lake: first the cluster
is started and its workers have imported what they need (`start_up_s`, told apart), then
`Project.run` is timed, ingest to report. Engines take turns; the overhead is the median of the
rounds' ratios to local with as many workers. Tables `panel`, `backtest` and `forecasts` of all runs
must be equal, row by row, before anything is said.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any, Final

from benchmarks.harness import Ratios, emit, together, versions

ENGINES: Final = ("local", "ray", "dask")
WORKERS: Final = (1, 2)
MOST: Final = 1.3
"""What a run may take of one on local threads."""
TABLES: Final = ("panel", "backtest", "forecasts")
EXAMPLE: Final = Path(__file__).resolve().parents[1] / "examples" / "m5"
ROWS: Final = "rows = 13_000_000\n"
BOOSTING: Final = """families = ["gradient_boosting"]
strategy = "recursive"
search = false
params.gradient_boosting = { num_iterations = 100 }
"""
"""What the part of M5 trains; what the example itself does takes too long for five rounds."""
Runs = dict[str, list[dict[str, Any]]]


def main(argv: list[str] | None = None) -> None:
    """All projects; or (`--child`) one run, as the processes do that are timed."""
    asked = _parser().parse_args(argv)
    if asked.child:
        _child(asked.child, asked.workers, Path(asked.folder))
        return
    scratch = Path(tempfile.mkdtemp(prefix="engines-", dir=asked.folder))
    found: dict[str, Any] = {}
    try:
        for name, source in _sources(asked, scratch).items():
            found[name] = _project(source, scratch, 1 if asked.small else asked.rounds)
            print(f"{name}: {json.dumps(found[name])}", flush=True)
    finally:
        shutil.rmtree(scratch)
    verdicts = [
        one["met"] for cases in found.values() for case, one in cases.items() if "local" not in case
    ]
    emit(
        "engines", together(*verdicts) if asked.files else None, projects=found, most=MOST,
        threads="as many as workers",
        versions=versions("lakecast", "ray", "dask", "distributed", "lightgbm", "polars"),
        data="the demo"
        + (f", M5's department {asked.department} in store {asked.store}" if asked.files else ""),
        included="ingest to report on a fresh lake; not: starting the cluster, imports",
    )  # fmt: skip


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engines", description=__doc__)
    parser.add_argument("--files", type=Path, help="folder with the files of the M5 competition")
    parser.add_argument("--store", default="CA_1", help="the store of M5 that is run")
    parser.add_argument("--department", default="HOBBIES_1", help="and the department of it")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", help="where the scratch folder is made")
    parser.add_argument("--small", action="store_true", help="one round")
    parser.add_argument("--child", choices=ENGINES, help=argparse.SUPPRESS)
    parser.add_argument("--workers", type=int, default=1, help=argparse.SUPPRESS)
    return parser


def _sources(asked: argparse.Namespace, scratch: Path) -> dict[str, Path]:
    """Folders with a spec and raw files, by the name of the project."""
    from lakecast.flows import demo
    from lakecast.logs import Silent

    demo.write(scratch / "demo", Silent())
    found = {"demo": scratch / "demo"}
    if asked.files:
        found["m5"] = _part_of_m5(asked, scratch / "m5")
    return found


def _part_of_m5(asked: argparse.Namespace, folder: Path) -> Path:
    """A department of a store: its spec without a search, and without levels, which are forecast by
    the driver alone."""
    import polars as pl

    folder.mkdir()
    program = str(EXAMPLE / "prepare.py")
    where = ["--files", str(asked.files), "--to", str(folder), "--stores", asked.store]
    subprocess.run([sys.executable, program, *where], check=True)
    items = pl.scan_parquet(folder / "raw" / "items.parquet")
    wanted = items.filter(dept_id=asked.department).select("item_id")
    for kind in ("sales", "prices"):
        path = folder / "raw" / kind / f"{asked.store}.parquet"
        rows = pl.scan_parquet(path).join(wanted, on="item_id", maintain_order="left").collect()
        rows.write_parquet(path)
    spec = (EXAMPLE / "lakecast.toml").read_text(encoding="utf-8")
    spec = spec[: spec.index("# The competition's twelve")]
    assert ROWS in spec, "the example's `train` is not what it was"
    (folder / "lakecast.toml").write_text(spec.replace(ROWS, BOOSTING), encoding="utf-8")
    return folder


def _project(source: Path, scratch: Path, rounds: int) -> dict[str, Any]:
    runs: Runs = {}
    for index in range(rounds):
        order = ENGINES if index % 2 == 0 else ENGINES[::-1]
        for workers in WORKERS:
            for engine in order:
                told = _run(source, scratch / "run", engine, workers)
                runs.setdefault(f"{engine}-{workers}", []).append(told)
                print(f"round {index + 1}, {engine}, {workers} workers: {told}", flush=True)
    digests = {told["digest"] for cases in runs.values() for told in cases}
    assert len(digests) == 1, f"the engines' tables differ: {digests}"
    return {case: _figures(case, runs) for case in runs}


def _figures(case: str, runs: Runs) -> dict[str, Any]:
    """A case beside local threads with as many workers: `overhead` is its seconds over theirs."""
    local = runs[f"local-{case.rpartition('-')[2]}"]
    ratios = Ratios(*(tuple(told["seconds"] for told in some) for some in (runs[case], local)))
    return {
        "met": ratios.met(1 / MOST),
        "overhead": round(1 / ratios.median, 3),
        **ratios.figures(),
        "start_up_s": [told["start_up_s"] for told in runs[case]],
    }


def _run(source: Path, folder: Path, engine: str, workers: int) -> dict[str, Any]:
    """One run on a fresh lake; raw files are linked, not copied."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "raw").symlink_to(source / "raw")
    shutil.copy(source / "lakecast.toml", folder)
    command = [
        sys.executable, "-m", "benchmarks.engines", "--child", engine,
        "--workers", str(workers), "--folder", str(folder),
    ]  # fmt: skip
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    told: dict[str, Any] = json.loads((folder / "told.json").read_text(encoding="utf-8"))
    return told


def _child(engine: str, workers: int, folder: Path) -> None:
    from lakecast import Project
    from lakecast.machine import keep_little

    keep_little()
    begun = time.perf_counter()
    project = Project.open(folder, flags={"engine": engine, "workers": str(workers)})
    pieces = range(8 * workers)
    list(project.context.engine.map(partial(_warm, wait=0.2), pieces, title="warm"))
    _warm(0, wait=0.0)
    start_up = time.perf_counter() - begun
    begun = time.perf_counter()
    project.run()
    seconds = time.perf_counter() - begun
    told = {
        "seconds": round(seconds, 2), "start_up_s": round(start_up, 2), "digest": _digest(project),
    }  # fmt: skip
    project.close()
    (folder / "told.json").write_text(json.dumps(told), encoding="utf-8")


def _warm(piece: int, *, wait: float) -> int:
    """Load what a worker needs; waits, so that no worker takes all pieces."""
    import lightgbm  # noqa: F401

    import lakecast.core.features.kernel
    import lakecast.core.features.windows
    import lakecast.training.spread  # noqa: F401

    time.sleep(wait)
    return piece


def _digest(project: Any) -> str:
    """A hash of the tables' rows in an order of their own."""
    import hashlib

    total = hashlib.sha256()
    for name in TABLES:
        frame = project.table(name)
        columns = sorted(frame.columns)
        rows = frame.select(columns).sort(columns)
        total.update(rows.write_csv().encode())
    return total.hexdigest()[:16]


if __name__ == "__main__":
    main()
