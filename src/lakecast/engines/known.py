"""The engines there are, by the name that settings give them; loaded when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from lakecast.errors import UsageError
from lakecast.logs import Progresses
from lakecast.settings import Settings

if TYPE_CHECKING:
    from lakecast.engines.protocol import Engine


def engine_of(settings: Settings, progresses: Progresses) -> Engine:
    """The engine that the settings name. Raises `UsageError` where its extra is not installed."""
    return ENGINES[settings.engine](settings, progresses)


def _local(settings: Settings, progresses: Progresses) -> Engine:
    from lakecast.engines.local import LocalEngine

    return LocalEngine(workers=settings.threads, progresses=progresses)


def _ray(settings: Settings, progresses: Progresses) -> Engine:
    _extra("ray", "ray")
    from lakecast.engines.ray import RayEngine
    from lakecast.engines.ray.cluster import RayCluster

    cluster = RayCluster(
        workers=settings.threads,
        address=settings.cluster,
        memory=settings.budget,
        runtime_env=settings.ray.get("runtime_env", {}),
    )
    return RayEngine(cluster=cluster, progresses=progresses)


def _dask(settings: Settings, progresses: Progresses) -> Engine:
    _extra("dask", "distributed")
    from lakecast.engines.dask import DaskEngine
    from lakecast.engines.dask.cluster import DaskCluster

    cluster = DaskCluster(
        workers=settings.threads, address=settings.cluster, memory=settings.budget
    )
    return DaskEngine(cluster=cluster, progresses=progresses)


ENGINES: Final[Mapping[str, Callable[[Settings, Progresses], Engine]]] = {
    "local": _local,
    "ray": _ray,
    "dask": _dask,
}
"""What each name of `settings.Engine` stands for; nothing of a cluster is imported or started."""


def _extra(extra: str, module: str) -> None:
    if find_spec(module) is None:
        raise UsageError(
            f"the engine `{extra}` is not installed",
            where="engine",
            cure=f"pip install 'lakecast[{extra}]'",
        )
