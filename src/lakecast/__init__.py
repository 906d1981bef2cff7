"""Sales forecasting from the data lake to production, on a laptop or a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"
__all__ = ["Project", "__version__", "open"]

if TYPE_CHECKING:
    from lakecast.bootstrap import Project, open


def __getattr__(name: str) -> object:
    if name in ("Project", "open"):
        from lakecast import bootstrap

        return getattr(bootstrap, name)
    raise AttributeError(f"module 'lakecast' has no attribute {name!r}")
