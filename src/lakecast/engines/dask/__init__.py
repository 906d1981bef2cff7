"""Dask: a local cluster of processes started on demand, or a scheduler at an address."""

from lakecast.engines.dask.engine import DaskEngine

__all__ = ["DaskEngine"]
