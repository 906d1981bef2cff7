"""The engine of one machine: threads, no service. It is the default and the measure of others."""

from lakecast.engines.local.engine import LocalEngine

__all__ = ["LocalEngine"]
