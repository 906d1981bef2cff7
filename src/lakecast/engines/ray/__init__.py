"""Ray: a local cluster started on demand, or one at an address."""

from lakecast.engines.ray.engine import RayEngine

__all__ = ["RayEngine"]
