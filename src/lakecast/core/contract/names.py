"""Matching the spec's column names with a file's."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def rename(declared: Sequence[str], found: Sequence[str]) -> dict[str, str]:
    """The file's name of each declared column it has only under another spelling.

    Case, accents, spaces, underscores and other signs are ignored; a spelling that fits two
    columns of the file fits none.
    """
    taken = set(declared) & set(found)
    free: dict[str, list[str]] = {}
    for name in found:
        if name not in taken:
            free.setdefault(fold(name), []).append(name)
    renames = {}
    for name in declared:
        near = [] if name in taken else free.get(fold(name), [])
        if len(near) == 1:
            renames[near.pop()] = name
    return renames


def fold(name: str) -> str:
    """The name's letters and digits, lower case, without accents."""
    plain = unicodedata.normalize("NFKD", name.strip().lstrip("\ufeff")).casefold()
    return "".join(c for c in plain if c.isalnum())
