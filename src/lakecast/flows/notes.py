"""Small JSON files beside the tables: what a stage took, what the gate decided.

They are for people. Losing one loses an explanation or makes a stage run again, never a result.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from lakecast.lake.tables import Lake

FOLDER: Final = "notes"


@dataclass(frozen=True, slots=True)
class Notes:
    """The notes of a lake; a note is replaced whole."""

    lake: Lake

    def read(self, name: str) -> dict[str, Any]:
        """A note; empty where there is none."""
        try:
            found = json.loads(self.lake.store.read_bytes(_path(name)))
        except FileNotFoundError:
            return {}
        return dict(found)

    def write(self, name: str, value: dict[str, Any]) -> None:
        """Put a note in place of the last one of that name."""
        text = json.dumps(value, default=str, ensure_ascii=False, sort_keys=True)
        self.lake.store.write_bytes(_path(name), text.encode())

    def update(self, name: str, **values: Any) -> None:
        """Replace some keys of a note."""
        self.write(name, self.read(name) | values)


def _path(name: str) -> str:
    return f"{FOLDER}/{name}.json"
