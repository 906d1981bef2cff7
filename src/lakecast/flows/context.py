"""What every stage is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lakecast.engines.protocol import Engine
    from lakecast.lake.tables import Lake
    from lakecast.logs import Progresses
    from lakecast.settings import Settings
    from lakecast.spec import Spec


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """One run of one project.

    `as_of` None: the data decide. `now` and `user` sign promotions and are read for nothing else,
    so that no result depends on the clock.
    """

    spec: Spec
    settings: Settings
    lake: Lake
    engine: Engine
    progress: Progresses
    now: Callable[[], datetime]
    user: str
    as_of: datetime | None = None
    retrain: bool = False
    actuals: str | None = None
