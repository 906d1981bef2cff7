"""What a prediction rests on: sizes that the lake knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from lakecast.columns import CODE
from lakecast.errors import LakecastError
from lakecast.lake.panels import PANEL

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lakecast.engines.protocol import Footprint
    from lakecast.flows.context import Context
    from lakecast.lake.lake_panel import LakePanel
    from lakecast.spec import Spec
    from lakecast.training.outline import Ground, Outline


@dataclass(frozen=True, kw_only=True, slots=True)
class Crew:
    """The workers of a cluster, and whether they fit models together."""

    workers: int
    footprint: Footprint
    together: bool = False

    def each(self, budget: int, here: int) -> int:
        """Bytes that a worker may take where this process takes so many."""
        if self.footprint.room is not None:
            return self.footprint.room
        return max(budget - here, 0) // self.workers


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """Sizes of a project.

    `loaded` is the number of rows of all sources, `keyed` of those with a key: what the lake has of
    them, or what the files seem to have. `ground` is None before there is a panel; `fits` also
    where no features compile or no window fits, which training will say in its own words. `crew`
    are the processes that work; None: threads of this one.
    """

    loaded: int
    keyed: int = 0
    threads: int
    ground: Ground | None = None
    fits: Outline | None = None
    crew: Crew | None = None


def facts(context: Context) -> Facts:
    """Of the lake as it is now; reads commit logs, the table `series`, and heads of new files."""
    lake, crew = context.lake, _crew(context)
    threads = crew.workers if crew else context.settings.threads
    counts = {source.table: 0 for source in context.spec.sources}
    keyed = {source.table for source in context.spec.sources if source.row_key}
    for name in counts:
        counts[name] = _rows(context, name)
    loaded, keys = sum(counts.values()), sum(counts[name] for name in keyed)
    if not lake.table(PANEL).exists():
        return Facts(loaded=loaded, keyed=keys, threads=threads, crew=crew)
    from lakecast.lake.lake_panel import open_panel

    ground = ground_of(open_panel(lake), context.spec)
    fits = outline_of(context.spec, ground) if ground.first.size else None
    return Facts(loaded=loaded, keyed=keys, threads=threads, ground=ground, fits=fits, crew=crew)


def _crew(context: Context) -> Crew | None:
    engine = context.engine
    if engine.footprint is None:
        return None
    together = context.settings.fits == "together"
    return Crew(workers=engine.workers, footprint=engine.footprint, together=together)


def _rows(context: Context, name: str) -> int:
    """Rows of a table, or of its sources where it is not in the lake yet; 0 where they are not
    there either, which `ingest` will say in its own words.
    """
    from lakecast.lake.sources.count import estimate

    table = context.lake.table(name)
    if table.exists():
        return sum(file.rows for file in table.files())
    project = context.settings.project
    try:
        return sum(estimate(one, project) for one in context.spec.sources if one.table == name)
    except LakecastError:
        return 0


def ground_of(panel: LakePanel, spec: Spec) -> Ground:
    """The panel as an outline sees it, and the levels over it that a spec asks for.

    A level is left out while the panel lacks a column of it, which building it anew will bring.
    """
    from lakecast.core.hierarchy import Hierarchy
    from lakecast.training.hierarchy import levels_of
    from lakecast.training.outline import Ground

    series, info = panel.series.sort(CODE), panel.info
    levels = [level for level in levels_of(spec) if set(level) <= set(series.columns)]
    owners = {name: _numbered(series[name]) for name in info.categories}
    first = info.frequency.ordinal(series["first"].to_numpy())
    return Ground(info, first, owners, Hierarchy.build(series, levels) if levels else None)


def _numbered(texts: pl.Series) -> NDArray[np.int32]:
    """A number for each text, -1 for null."""
    return texts.cast(pl.String).rank("dense").cast(pl.Int32).fill_null(-1).to_numpy()


def outline_of(spec: Spec, ground: Ground) -> Outline | None:
    """The fits of a training; None where there can be none."""
    from lakecast.training.outline import outline

    try:
        return outline(spec, ground)
    except LakecastError:
        return None
