"""Reading a spec from TOML and giving it a stable hash."""

from __future__ import annotations

import difflib
import hashlib
import re
import tomllib
from typing import TYPE_CHECKING, Any

import msgspec

from lakecast.errors import SpecError
from lakecast.spec.model import Spec

if TYPE_CHECKING:
    from pathlib import Path

_PLACE = re.compile(r" - at `\$?\.?(?P<path>[^`]*)`")
_UNKNOWN = re.compile(r"unknown field `(?P<name>[^`]+)`")


def load(path: Path) -> Spec:
    """The spec in a file.

    Raises `SpecError` naming the file, the key path and the cure.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SpecError(
            "no spec here",
            where=str(path),
            cure="run `lakecast init --source FILE` in this folder, or name another with --project",
        ) from None
    return loads(text, where=path.name)


def loads(text: str, *, where: str = "lakecast.toml") -> Spec:
    """The spec in a TOML text; `where` names it in errors."""
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SpecError(
            f"not valid TOML: {error}", where=where, cure="mend the line named"
        ) from None
    try:
        spec = msgspec.convert(tree, Spec)
    except msgspec.ValidationError as error:
        raise _explain(error, where) from None
    from lakecast.spec.check import check

    check(spec, where=where)
    return spec


def canonical(value: Any) -> bytes:
    """Bytes that are equal when two values mean the same: sorted JSON with every default."""
    return msgspec.json.encode(_plain(value), order="sorted")


def digest(*values: Any) -> str:
    """32 hex digits over the canonical form of any spec values, texts, numbers and containers."""
    hashed = hashlib.sha256()
    for value in values:
        hashed.update(canonical(value))
        hashed.update(b"\x1f")
    return hashed.hexdigest()[:32]


def _plain(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _explain(error: msgspec.ValidationError, where: str) -> SpecError:
    text = str(error)
    place = _PLACE.search(text)
    path = place["path"] if place else ""
    what = _PLACE.sub("", text)
    unknown = _UNKNOWN.search(text)
    cure = "see docs/reference/spec.md for what the key takes"
    if unknown:
        near = difflib.get_close_matches(unknown["name"], _known_names(), n=1)
        what = f"unknown key `{unknown['name']}`"
        cure = f"did you mean `{near[0]}`?" if near else "remove it, or see docs/reference/spec.md"
    if "missing required field" in text:
        cure = "add the key; `lakecast init` writes a complete file"
    return SpecError(what, where=f"{where}: {path}" if path else where, cure=cure)


def _known_names() -> list[str]:
    names: set[str] = set()
    pending: list[type] = [Spec]
    from lakecast.spec import features, model

    every = (*vars(model).values(), *vars(features).values())
    pending += [kind for kind in every if isinstance(kind, type)]
    for kind in pending:
        names.update(getattr(kind, "__struct_fields__", ()))
    return sorted(names)
