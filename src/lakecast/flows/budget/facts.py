"""What a prediction rests on: sizes that the lake knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lakecast.columns import CODE
from lakecast.errors import LakecastError
from lakecast.lake.panels import PANEL

if TYPE_CHECKING:
    from lakecast.flows.context import Context
    from lakecast.lake.lake_panel import LakePanel
    from lakecast.spec import Spec
    from lakecast.training.outline import Ground, Outline


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """Sizes of a project.

    `loaded` is the number of rows of all sources that are in the lake. `ground` is None before
    there is a panel; `fits` also where no features compile or no window fits, which training will
    say in its own words.
    """

    loaded: int
    threads: int
    ground: Ground | None = None
    fits: Outline | None = None


def facts(context: Context) -> Facts:
    """Of the lake as it is now; reads commit logs and the table `series`."""
    lake, threads = context.lake, context.settings.threads
    names = {source.table for source in context.spec.sources}
    tables = [table for table in map(lake.table, sorted(names)) if table.exists()]
    rows = sum(file.rows for table in tables for file in table.files())
    if not lake.table(PANEL).exists():
        return Facts(loaded=rows, threads=threads)
    from lakecast.lake.lake_panel import open_panel

    ground = ground_of(open_panel(lake))
    fits = outline_of(context.spec, ground) if ground.first.size else None
    return Facts(loaded=rows, threads=threads, ground=ground, fits=fits)


def ground_of(panel: LakePanel) -> Ground:
    """The panel as an outline sees it."""
    from lakecast.training.outline import Ground

    begins = panel.series.sort(CODE)["first"].to_numpy()
    return Ground(panel.info, panel.info.frequency.ordinal(begins))


def outline_of(spec: Spec, ground: Ground) -> Outline | None:
    """The fits of a training; None where there can be none."""
    from lakecast.training.outline import outline

    try:
        return outline(spec, ground)
    except LakecastError:
        return None
