"""Work on the parts of a panel, by whoever an engine has for it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar

from lakecast.core.block import Parted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lakecast.core.block import PanelData
    from lakecast.engines.protocol import MapBlocks

R = TypeVar("R")


def by_parts(
    engine: MapBlocks | None, panel: PanelData, work: Callable[[PanelData], R], *, title: str
) -> Iterator[R]:
    """`work` on each part of the panel, in their order, by the engine's workers.

    Here, on the panel as it is, where there is no engine or the panel does not lie in parts.
    """
    if engine is None or not isinstance(panel, Parted) or not panel.parts:
        return iter([work(panel)])
    return engine.map(partial(_part, panel=panel, work=work), panel.parts, title=title)


def _part(number: int, *, panel: Parted, work: Callable[[PanelData], R]) -> R:
    return work(panel.part([number]))
