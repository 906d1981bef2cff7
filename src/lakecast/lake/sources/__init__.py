"""Where rows come from: each source of a spec becomes items, and each item is one load."""

from __future__ import annotations

from lakecast.lake.sources.base import Content, Item, Malformed, Piece
from lakecast.lake.sources.resolve import items

__all__ = ["Content", "Item", "Malformed", "Piece", "items"]
