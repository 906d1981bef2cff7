"""Panel, features and forecast for ever more rows: seconds a row and peak memory must stay.

Generated sales (a thousand days a series, in the order of the days) are landed in a lake of each
size, which is not timed. Each stage then runs in a process of its own, through the functions that
`lakecast run` calls: first on a lake of a few rows, which is the start-up (imports, compiled
kernels) and told apart, then on the lake of that size. The forecast is that of a small boosting,
trained once on the few rows. Peak is the most that was resident in the process after its start-up,
imports included, as the kernel counts it: looks at intervals miss more of a short run than of a
long one. Allocators are told what the command `lakecast` tells them.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import psutil

from benchmarks.generated import SPEC, Sales
from benchmarks.harness import emit, versions
from lakecast import spec as specs
from lakecast.columns import CODE
from lakecast.core.block import Future
from lakecast.machine import Peak, few_heaps, keep_little
from lakecast.settings import resolve

if TYPE_CHECKING:
    from lakecast.core.intervals import Residuals
    from lakecast.flows.context import Context
    from lakecast.lake.lake_panel import LakePanel
    from lakecast.models.bundle import Predictor
    from lakecast.registry.promotions import Promotion

STAGES: Final = ("panel", "features", "forecast")
SIZES: Final = (10_000_000, 100_000_000, 300_000_000)
SMALL: Final = (300_000, 1_000_000)
TINY: Final = Sales(series=100, days=400)
DAYS: Final = 1000
TIME: Final = 1.3
"""What seconds a row may grow by, from the smallest size to any other."""
PEAK: Final = 1.1
_MODEL: Final = "scale"


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """One stage at one size; `start_up` seconds came before the `seconds` timed."""

    stage: str
    rows: int
    start_up: float
    seconds: float
    peak: int

    @property
    def each(self) -> float:
        """Microseconds a row."""
        return 1e6 * self.seconds / self.rows

    def told(self) -> dict[str, Any]:
        """For the last line."""
        return {
            "stage": self.stage, "rows": self.rows, "start_up_s": round(self.start_up, 2),
            "seconds": round(self.seconds, 2), "us_a_row": round(self.each, 4),
            "peak_mb": round(self.peak / 1e6),
        }  # fmt: skip


def main(argv: list[str] | None = None) -> None:
    """Run it all, or (`--stage`) one stage of one lake, as the processes do that are measured."""
    asked = _parser().parse_args(argv)
    if asked.stage:
        _child(asked.stage, Path(asked.folder))
        return
    keep_little()
    sizes = asked.rows or (SMALL if asked.small else SIZES)
    scratch = Path(tempfile.mkdtemp(prefix="scale-", dir=asked.folder))
    try:
        figures = [one for rows in sorted(sizes) for one in _size(scratch, rows)]
    finally:
        shutil.rmtree(scratch)
    grown = growth(figures)
    emit(
        "scale", None if asked.rows or asked.small else met(grown),
        figures=[figure.told() for figure in figures], growth=grown,
        limits={"us_a_row": TIME, "peak": PEAK}, threads=psutil.cpu_count(),
        versions=versions("lakecast", "polars", "numpy", "numba", "pyarrow", "lightgbm"),
        data=f"generated, {DAYS} days a series, ordered by day; landing is not timed",
    )  # fmt: skip


def growth(figures: list[Figure]) -> dict[str, dict[str, float]]:
    """By stage, the largest ratio to the smallest size: of microseconds a row, and of the peak."""
    grown = {}
    for stage in STAGES:
        first, *others = [figure for figure in figures if figure.stage == stage]
        grown[stage] = {
            "us_a_row": max((round(o.each / first.each, 3) for o in others), default=1.0),
            "peak": max((round(o.peak / first.peak, 3) for o in others), default=1.0),
        }
    return grown


def met(grown: dict[str, dict[str, float]]) -> bool:
    """Whether every stage stayed within the limits."""
    return all(one["us_a_row"] <= TIME and one["peak"] <= PEAK for one in grown.values())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", help="sizes instead of 10, 100 and 300 M")
    parser.add_argument("--small", action="store_true", help="a third of a million, and a million")
    parser.add_argument("--folder", help="where the scratch folder is made; 300 M rows take 5 GB")
    parser.add_argument("--stage", choices=STAGES, help=argparse.SUPPRESS)
    return parser


def _size(scratch: Path, rows: int) -> list[Figure]:
    """All stages at one size; its lake is gone afterwards."""
    folder = scratch / str(rows)
    for name, sales in (("tiny", TINY), ("lake", Sales(series=max(rows // DAYS, 1), days=DAYS))):
        place = folder / name
        place.mkdir(parents=True)
        (place / "lakecast.toml").write_text(SPEC, encoding="utf-8")
        sales.land(_context(place).lake)
    print(f"{rows:,} rows landed", flush=True)
    figures = [_measured(stage, folder) for stage in STAGES]
    shutil.rmtree(folder)
    return figures


def _measured(stage: str, folder: Path) -> Figure:
    command = [
        sys.executable, "-m", "benchmarks.scale", "--stage", stage, "--folder", str(folder)
    ]  # fmt: skip
    subprocess.run(command, check=True)
    told = json.loads((folder / f"{stage}.json").read_text(encoding="utf-8"))
    figure = Figure(stage=stage, **told)
    print(json.dumps(figure.told()), flush=True)
    return figure


def _child(stage: str, folder: Path) -> None:
    """One stage on the tiny lake, then on the other one; writes what it took."""
    few_heaps(psutil.cpu_count() or 1)
    _run(stage, folder / "tiny")
    if stage == "panel":
        _teach(folder)
    start_up = time.time() - psutil.Process().create_time()
    with Peak() as peak:
        begun = time.perf_counter()
        rows = _run(stage, folder / "lake")
        seconds = time.perf_counter() - begun
    told = {"rows": rows, "start_up": start_up, "seconds": seconds, "peak": peak.bytes}
    (folder / f"{stage}.json").write_text(json.dumps(told), encoding="utf-8")


def _run(stage: str, place: Path) -> int:
    """The rows of the panel that the stage made or went over."""
    from lakecast.lake.lake_panel import open_panel

    context = _context(place)
    if stage == "panel":
        from lakecast.flows.stages.panel import build_panel

        return build_panel(context.spec, context.lake, context.engine, fingerprint="scale").rows
    if stage == "features":
        from lakecast.flows.stages.features import run_features

        return run_features(context, "scale")
    from lakecast.flows.stages.forecast import run_forecast

    panel = open_panel(context.lake)
    run_forecast(context, _promotion(), panel, "scale")
    return panel.info.rows


def _teach(folder: Path) -> None:
    """Fit the small boosting on the tiny panel and put its bundle into both lakes."""
    from lakecast.flows import bundles
    from lakecast.lake.lake_panel import open_panel

    predictor = _fitted(_context(folder / "tiny"), open_panel(_context(folder / "tiny").lake))
    for name in ("tiny", "lake"):
        bundles.keep(_context(folder / name).lake, _MODEL, predictor)


def _fitted(context: Context, panel: LakePanel) -> Predictor:
    from lakecast.core import intervals
    from lakecast.models import families
    from lakecast.models.bundle import Predictor, Terms
    from lakecast.models.recipes import Tabular
    from lakecast.training.finish import at_end

    info, horizon = panel.info, context.spec.forecast.horizon
    params = families.resolve("gradient_boosting", {"num_iterations": 50})
    recipe = Tabular(
        family="gradient_boosting", strategy="recursive", params=params, horizon=horizon
    )
    forecaster = recipe.fit(panel, info.cutoff)
    state, norm = at_end(panel, forecaster)
    return Predictor(
        forecaster=forecaster,
        calibration=intervals.calibrate(_noise(), context.spec.forecast.levels, (7, horizon)),
        norm=norm,
        info=info,
        terms=Terms(horizon=horizon, limit=None, minimum=0.0),
        state=state,
        series=panel.series_frame().select(CODE, *info.columns.series),
        future=Future(horizon=horizon),
    )


def _noise() -> Residuals:
    """Residuals to calibrate by: what they say of the data is not what is measured."""
    from lakecast.core.classes import CLASSES
    from lakecast.core.intervals import Residuals

    rng, size = np.random.default_rng(1), 1000
    kinds, groups = rng.integers(0, len(CLASSES), size), rng.integers(0, 2, size)
    return Residuals(
        values=rng.normal(0, 1, size), classes=kinds.astype(np.int8), groups=groups.astype(np.int8)
    )


def _promotion() -> Promotion:
    from lakecast.registry.promotions import Promotion

    return Promotion(
        kind="first", recipe=_MODEL, fingerprint=_MODEL, cutoff="", model_version="1",
        version=1, previous=None, by=_MODEL, at=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip


def _context(place: Path) -> Context:
    from lakecast.engines.local import LocalEngine
    from lakecast.flows.context import Context
    from lakecast.lake.store import Store
    from lakecast.lake.tables import Lake
    from lakecast.logs import Silent

    settings = resolve(place)
    return Context(
        spec=specs.load(place / "lakecast.toml"), settings=settings,
        lake=Lake(Store.open(settings.lake)), engine=LocalEngine(workers=settings.threads),
        progress=Silent(), now=lambda: datetime.now(UTC), user=_MODEL,
    )  # fmt: skip


if __name__ == "__main__":
    main()
