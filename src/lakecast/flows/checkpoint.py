"""Finished fits of a backtest, kept in the lake until the training ends."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from lakecast.spec import digest

if TYPE_CHECKING:
    from lakecast.lake.tables import Lake

WORK: Final = "work"


@dataclass(frozen=True, slots=True)
class LakeCheckpoint:
    """`training.backtest.Checkpoint`: a Parquet file a candidate and window, below `work`."""

    lake: Lake
    fingerprint: str

    @property
    def lasting(self) -> bool:
        """True."""
        return True

    def has(self, candidate: str, window: int) -> bool:
        """Whether `keep` was given it."""
        return self.lake.store.exists(self._path(candidate, window))

    def done(self, candidate: str, window: int) -> pl.DataFrame | None:
        """What `keep` was given, or None."""
        try:
            found = self.lake.store.read_bytes(self._path(candidate, window))
        except FileNotFoundError:
            return None
        return pl.read_parquet(io.BytesIO(found))

    def keep(self, candidate: str, window: int, frame: pl.DataFrame) -> None:
        """Keep a frame; a kill leaves all of it or nothing."""
        held = io.BytesIO()
        frame.write_parquet(held)
        self.lake.store.write_bytes(self._path(candidate, window), held.getvalue())

    def clear_others(self) -> None:
        """Delete what trainings before this one left."""
        for name in self.lake.store.list(WORK):
            if name != self.fingerprint:
                self.lake.store.delete(f"{WORK}/{name}")

    def _path(self, candidate: str, window: int) -> str:
        return f"{WORK}/{self.fingerprint}/{digest(candidate, window)}.parquet"
