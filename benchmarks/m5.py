"""`lakecast run` on the M5 competition: memory, minutes and WRMSSE, beside the plain recipe.

    python -m benchmarks.m5 --files FOLDER [--memory 4GB] [--scratch FOLDER] [--stores CA_1,TX_2]

The project `examples/m5` is prepared from the competition's files (not timed) and run from nothing
in a process of its own with its memory budget: ingest, panel, a backtest of one screening and three
scored windows, the gate, the refit, forecasts, the report. What is scored are the forecasts of the
chosen forecaster (`auto` in the table `backtest`, chosen nested) in the three windows. The plain
recipe forecasts from the same cutoffs, in a process each; what it forecast is kept in the scratch
folder. Peak is the summed PSS of a process and its children, imports included.

`--no-backtest` runs a given recipe as of four weeks before the end instead (one window is the least
a spec can ask for, so one fit more than the forecast needs) and scores the table `forecasts`.
`--score PROJECT` runs nothing: it scores a project that was run before.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from benchmarks.harness import emit, pss, together, versions
from benchmarks.wrmsse import HORIZON, MEAN, SERIES, Market, matrix, read, referee, seasonal_naive
from lakecast.columns import CANDIDATE, CODE, CUTOFF, FORECAST

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

EXAMPLE: Final = Path(__file__).resolve().parents[1] / "examples" / "m5"
RATIO: Final = 0.95
MINUTES: Final = 90
MINUTES_OF_RECIPE: Final = 30
WINDOWS: Final = 3
RECIPE: Final = """
families = ["gradient_boosting"]
strategy = "recursive"
objective = "tweedie"
scaling = "none"
partitions = ["dept_id"]
search = false
"""
SMALL: Final = """
families = ["gradient_boosting"]
strategy = "direct"
search = false
params.gradient_boosting = { num_iterations = 20 }
"""

Scores = dict[str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What was asked for on the command line."""

    files: Path
    scratch: Path
    memory: str
    stores: tuple[str, ...]
    backtest: bool
    small: bool
    peer: bool
    spec: Path

    @property
    def project(self) -> Path:
        """Where the project of these options lies."""
        kind = "backtest" if self.backtest else "recipe"
        return self.scratch / "-".join(["project", kind, self.memory, *self.stores])


@dataclass(frozen=True, kw_only=True, slots=True)
class Ran:
    """A process that ended well: wall seconds, peak bytes, and the JSON it printed last."""

    seconds: float
    peak: int
    told: Mapping[str, Any] = field(default_factory=dict)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, run, score, print."""
    args = _parser().parse_args(arguments)
    stores = tuple(args.stores.split(",")) if args.stores else ()
    plan = Plan(
        files=args.files,
        scratch=args.scratch,
        memory=args.memory,
        stores=("CA_1",) if args.small and not stores else stores,
        backtest=not args.no_backtest,
        small=args.small,
        peer=not args.no_peer,
        spec=args.spec,
    )
    market = read(plan.files, plan.stores)
    ran = None if args.score else run(plan, market)
    project = args.score or plan.project
    ours = backtested(project, market) if plan.backtest else forecast(project, market)
    report(plan, ran, judged(plan, market, ours))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="M5: memory, minutes and WRMSSE.")
    add = parser.add_argument
    add("--files", type=Path, required=True, help="folder with the competition's files")
    add("--scratch", type=Path, default=Path(tempfile.gettempdir()) / "lakecast-m5",
        help="where projects and the recipe's forecasts go")  # fmt: skip
    add("--memory", default="4GB", help="budget of the run")
    add("--stores", default="", help="only these, such as CA_1,TX_2: says nothing about all")
    add("--no-backtest", action="store_true", help="run a given recipe, and score its forecasts")
    add("--no-peer", action="store_true", help="leave the plain recipe out")
    add("--score", type=Path, metavar="PROJECT", help="score a project that was run before")
    add("--spec", type=Path, default=EXAMPLE / "lakecast.toml", help="another spec to run")
    add("--small", action="store_true", help="one store, few trees: a trial of the benchmark")
    return parser


def run(plan: Plan, market: Market) -> Ran:
    """Prepare the project and run it from nothing."""
    shutil.rmtree(plan.project, ignore_errors=True)
    plan.project.mkdir(parents=True)
    (plan.project / "lakecast.toml").write_text(spec_text(plan), encoding="utf-8")
    stores = ["--stores", ",".join(plan.stores)] if plan.stores else []
    prepare = [sys.executable, str(EXAMPLE / "prepare.py"), "--files", str(plan.files)]
    subprocess.run([*prepare, "--to", str(plan.project), *stores], check=True)
    command = [sys.executable, "-m", "lakecast", "run", "--json", "--project", str(plan.project)]
    command += ["--memory", plan.memory]
    if not plan.backtest:
        command += ["--as-of", f"{market.first + timedelta(days=market.days - HORIZON)}"]
    return measured(command, plan.project / "run.log")


def spec_text(plan: Plan) -> str:
    """The spec to run, with the section `train` that the options ask for."""
    text = plan.spec.read_text(encoding="utf-8")
    if not plan.backtest:
        text = text.replace("\nwindows = 4\n", "\nwindows = 1\n")
    own = SMALL if plan.small else "\n" if plan.backtest else RECIPE
    return text.replace("\n[train]\n", f"\n[train]{own}")


def measured(command: Sequence[str], log: Path) -> Ran:
    """Run a command whose last line may be JSON; what else it says goes to the log.

    Raises `RuntimeError` where it fails.
    """
    answer = log.with_suffix(".out")
    begun, peak = time.perf_counter(), 0
    with log.open("w") as err, answer.open("w") as out:
        process = subprocess.Popen(list(command), stdout=out, stderr=err)
        while process.poll() is None:
            looked = time.perf_counter()
            peak = max(peak, pss(process.pid))
            # A look walks all pages of the process: one in ten of its time goes into looking.
            time.sleep(max(0.02, 10 * (time.perf_counter() - looked)))
    seconds = time.perf_counter() - begun
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: see {log}")
    last = answer.read_text().rstrip().rpartition("\n")[2]
    return Ran(seconds=seconds, peak=peak, told=json.loads(last) if last[:1] == "{" else {})


def backtested(project: Path, market: Market) -> dict[int, NDArray[np.float64]]:
    """By cutoff, as a day, the [series, 28] forecasts of the chosen forecaster, as reconciled."""
    table = pl.scan_delta(str(project / "lake" / "backtest"))
    rows = table.filter(pl.col(CANDIDATE) == "auto, reconciled")
    if rows.select(pl.len()).collect().item() == 0:
        rows = table.filter(pl.col(CANDIDATE) == "auto")
    series = pl.scan_delta(str(project / "lake" / "series")).select(CODE, *SERIES)
    frame = rows.select(CODE, "date", CUTOFF, FORECAST).join(series, on=CODE).collect()
    return _by_cutoff(frame, market)


def forecast(project: Path, market: Market) -> dict[int, NDArray[np.float64]]:
    """As `backtested`, of the table `forecasts`: those of the series themselves."""
    rows = pl.scan_delta(str(project / "lake" / "forecasts")).drop_nulls(SERIES)
    return _by_cutoff(rows.select(*SERIES, "date", CUTOFF, FORECAST).collect(), market)


def _by_cutoff(frame: pl.DataFrame, market: Market) -> dict[int, NDArray[np.float64]]:
    found = {}
    for (cutoff,), rows in frame.group_by(pl.col(CUTOFF).cast(pl.Date)):
        day = (cutoff - market.first).days + 1
        found[day] = matrix(rows, market, day)
    if not found:
        raise RuntimeError("the project holds no forecasts to score: run it first")
    return dict(sorted(found.items()))


def judged(
    plan: Plan, market: Market, ours: Mapping[int, NDArray[np.float64]]
) -> dict[str, dict[int, Scores]]:
    """The scores of ours, the plain recipe and the seasonal naive, by cutoff."""
    found: dict[str, dict[int, Scores]] = {"ours": {}, "peer": {}, "naive": {}}
    for cutoff, forecasts in ours.items():
        judge = referee(market, cutoff)
        found["ours"][cutoff] = judge.scores(forecasts)
        found["naive"][cutoff] = judge.scores(seasonal_naive(market, cutoff))
        if plan.peer:
            theirs = pl.read_parquet(plain(plan, cutoff))
            found["peer"][cutoff] = judge.scores(matrix(theirs, market, cutoff))
        told = ", ".join(f"{who} {scores[cutoff][MEAN]:.4f}" for who, scores in found.items()
                         if cutoff in scores)  # fmt: skip
        print(f"cutoff {cutoff}: {told}", flush=True)
    return found


def plain(plan: Plan, cutoff: int) -> Path:
    """The plain recipe's forecasts from a cutoff, made where they are not kept yet."""
    name = "-".join(["plain", *(["small"] if plan.small else []), *plan.stores, str(cutoff)])
    out = plan.scratch / f"{name}.parquet"
    taken = out.with_suffix(".json")
    if not taken.exists():
        command = [sys.executable, "-m", "benchmarks.m5_reference", "--files", str(plan.files)]
        command += ["--cutoff", str(cutoff), "--out", str(out), "--stores", ",".join(plan.stores)]
        command += ["--rounds", "20"] if plan.small else []
        out.parent.mkdir(parents=True, exist_ok=True)
        taken.write_text(json.dumps(asdict(measured(command, out.with_suffix(".log")))))
    return out


def report(plan: Plan, ran: Ran | None, scores: Mapping[str, Mapping[int, Scores]]) -> None:
    """Print the last line; of some stores, few trees or an earlier run `met` says nothing."""
    means = {who: _mean(list(of.values())) for who, of in scores.items() if of}
    ratio = round(means["ours"][MEAN] / means["peer"][MEAN], 4) if plan.peer else None
    emit(
        "m5",
        _met(plan, ran, ratio, windows=len(scores["ours"])),
        ratio=ratio,
        wrmsse={who: of[MEAN] for who, of in means.items()},
        by_level={name: {who: of[name] for who, of in means.items()} for name in means["ours"]},
        by_cutoff=_by_window(scores),
        run=_run_figures(plan, ran),
        peer=_peer_figures(plan, list(scores["peer"])),
        versions=versions("lightgbm", "polars", "numpy"),
        threads=len(os.sched_getaffinity(0)),
        data=f"M5, {', '.join(plan.stores) or 'all stores'}, days to the end of the actuals",
        includes="run: from raw Parquet to forecasts and report; peer: from the files to forecasts",
    )  # fmt: skip


def _by_window(scores: Mapping[str, Mapping[int, Scores]]) -> dict[int, Scores]:
    """The means of each cutoff, by whose they are."""
    cutoffs = scores["ours"]
    return {c: {who: round(of[c][MEAN], 4) for who, of in scores.items() if of} for c in cutoffs}


def _mean(each: Sequence[Scores]) -> Scores:
    return {name: round(mean(scores[name] for scores in each), 4) for name in each[0]}


def _met(plan: Plan, ran: Ran | None, ratio: float | None, *, windows: int) -> bool | None:
    if ran is None or ratio is None or plan.stores or plan.small:
        return None
    within = ran.peak <= _bytes(plan.memory)
    in_time = ran.seconds <= 60 * (MINUTES if plan.backtest else MINUTES_OF_RECIPE)
    if not plan.backtest:
        return together(within, in_time)
    return together(within, in_time, ratio <= RATIO, windows == WINDOWS)


def _bytes(memory: str) -> int:
    from lakecast.settings import resolve

    return resolve(Path(), flags={"memory": memory}, environ={}).memory or 0


def _run_figures(plan: Plan, ran: Ran | None) -> dict[str, object] | None:
    if ran is None:
        return None
    kept = ("stage", "did", "rows", "seconds", "expected_seconds", "peak", "expected_peak")
    return {
        "memory": plan.memory,
        "peak_gb": round(ran.peak / 1e9, 3),
        "minutes": round(ran.seconds / 60, 2),
        "backtest": plan.backtest,
        "decision": ran.told.get("decision"),
        "stages": [{name: s.get(name) for name in kept} for s in ran.told.get("stages", [])],
    }


def _peer_figures(plan: Plan, cutoffs: Sequence[int]) -> dict[int, object]:
    """What a fit of the plain recipe took when it was made."""
    found: dict[int, object] = {}
    for cutoff in cutoffs:
        kept = json.loads(plain(plan, cutoff).with_suffix(".json").read_text())
        found[cutoff] = {
            "seconds": round(kept["seconds"], 1), "peak_gb": round(kept["peak"] / 1e9, 3)
        }  # fmt: skip
    return found


if __name__ == "__main__":
    main()
