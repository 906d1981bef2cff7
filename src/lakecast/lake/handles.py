"""delta-rs' handle of a table, in any folder that a person may have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from deltalake import DeltaTable

if TYPE_CHECKING:
    from lakecast.lake.store import Store


class Handle(DeltaTable):
    """A table of a local folder.

    delta-rs names its files as in a URL (`my%20project`) and Polars takes that for a path, so a
    folder with a space or an accent would not be found.
    """

    def file_uris(self, *args: Any, **kwargs: Any) -> list[str]:
        """Paths of the files."""
        return [unquote(uri) for uri in super().file_uris(*args, **kwargs)]


def open_handle(store: Store, version: int | None) -> DeltaTable:
    """A fresh handle of the table at a store. Raises what delta-rs raises."""
    kind = DeltaTable if store.remote else Handle
    return kind(store.uri(), version=version, storage_options=store.storage_options)
