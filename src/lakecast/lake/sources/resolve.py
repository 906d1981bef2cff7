"""From a source of the spec to the items that are there now."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from lakecast.errors import SpecError
from lakecast.lake.sources.csv import CsvItem
from lakecast.lake.sources.delta import DeltaItem
from lakecast.lake.sources.files import File, hive_of
from lakecast.lake.sources.parquet import ParquetItem
from lakecast.lake.sources.sql import SqlItem
from lakecast.lake.store import Store
from lakecast.lake.tables import Table

if TYPE_CHECKING:
    from lakecast.lake.sources.base import Item
    from lakecast.spec.model import Source

_GLOB: Final = re.compile(r"[*?\[]")
_PARQUET: Final = (".parquet", ".pq", ".parq")
_TEXT: Final = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")


def items(source: Source, project: Path, *, since: str | None = None) -> tuple[Item, ...]:
    """What a source consists of now, sorted by name; `since` is the cursor of an SQL source.

    Raises `SpecError` where nothing is there.
    """
    if source.sql_env is not None:
        return (_sql(source, since),)
    base, pattern = _place(source.path or "", project)
    shown = _shown(source.path or "", base, project)
    if source.kind == "delta" and (pattern or not base.exists("_delta_log")):
        raise _nothing(source, "no Delta table")
    if pattern is None and _is_delta(source, base):
        return (DeltaItem(Table(shown, base), shown),)
    found = _files(base, pattern, shown)
    if not found:
        raise _nothing(source, "no file")
    return tuple(_item(source, file) for file in found)


def _nothing(source: Source, what: str) -> SpecError:
    return SpecError(
        f"{what} at {source.path!r}",
        where=f"lakecast.toml: source of table `{source.table}`",
        cure="paths are relative to the project's folder; check the pattern",
    )


def _sql(source: Source, since: str | None) -> SqlItem:
    return SqlItem(
        table=source.table,
        sql_env=source.sql_env or "",
        query=source.query or "",
        cursor=source.cursor,
        since=since,
    )


def _place(path: str, project: Path) -> tuple[Store, str | None]:
    """The deepest folder (or the file) without a wildcard, and the pattern below it.

    The project's own folder is no pattern, whatever it is called.
    """
    whole = path if "://" in path else (project / path).absolute().as_posix()
    own = project.absolute().as_posix()
    found = _GLOB.search(whole, len(own) if whole.startswith(own) else 0)
    if not found or ("://" not in path and Path(whole).exists()):  # `vendas [2024].csv` is a name
        return Store.open(whole.rstrip("/")), None
    cut = whole.rindex("/", 0, found.start())
    return Store.open(whole[:cut] or "/"), whole[cut + 1 :]


def _shown(path: str, base: Store, project: Path) -> str:
    """What `_source` says of the place: relative where it is inside the project."""
    if base.remote:
        return base.root
    root = Path(base.root)
    inside = project.absolute()
    if root.is_relative_to(inside):
        return root.relative_to(inside).as_posix()
    head = PurePosixPath(path)
    return root.as_posix() if head.is_absolute() or _GLOB.search(path) else head.as_posix()


def _is_delta(source: Source, base: Store) -> bool:
    return source.kind in (None, "delta") and base.exists("_delta_log")


def _files(base: Store, pattern: str | None, shown: str) -> list[File]:
    if pattern is None and (size := base.file_size()) is not None:
        folder, _, name = base.root.rpartition("/")
        return [File(store=Store(folder), path=name, name=shown, size=size)]
    wanted = _matcher(pattern)
    found = []
    for path, size in base.walk():
        if wanted.fullmatch(path) and not _hidden(path) and (pattern or _known(path)):
            name = path if shown in ("", ".") else f"{shown}/{path}"
            found.append(File(store=base, path=path, name=name, size=size, hive=hive_of(path)))
    return sorted(found, key=lambda file: file.name)


def _item(source: Source, file: File) -> Item:
    kind = source.kind or _kind(file)
    if kind == "parquet":
        return ParquetItem(file)
    return CsvItem(file, source.format.encoding, source.format.delimiter)


def _kind(file: File) -> str:
    if file.name.lower().endswith(_PARQUET):
        return "parquet"
    if file.name.lower().endswith(_TEXT):
        return "csv"
    with file.store.open_input_stream(file.path) as stream:
        return "parquet" if bytes(stream.read(4)) == b"PAR1" else "csv"


def _known(path: str) -> bool:
    return path.lower().endswith((*_PARQUET, *_TEXT))


def _hidden(path: str) -> bool:
    """Spark's markers and the like; a folder such as `_x=1` is a partition."""
    return any(part[0] in "_." and "=" not in part for part in path.split("/"))


def _matcher(pattern: str | None) -> re.Pattern[str]:
    """`*` and `?` stay within a folder, `**` does not."""
    if pattern is None:
        return re.compile(".*", re.DOTALL)
    parts = {r"\*\*/": "(?:.*/)?", r"\*\*": ".*", r"\*": "[^/]*", r"\?": "[^/]"}
    text = re.escape(pattern).replace(r"\[!", "[^").replace(r"\[", "[").replace(r"\]", "]")
    for mark, meaning in parts.items():
        text = text.replace(mark, meaning)
    return re.compile(text, re.DOTALL)
