"""The spec as a commented TOML text."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from lakecast.spec import Format

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lakecast.flows.guess.further import Further
    from lakecast.flows.guess.look import Look
    from lakecast.spec import Covariate

_BARE: Final = re.compile(r"^[A-Za-z0-9_-]+$")
_COMMENT_AT: Final = 36
_LONG: Final = 100


def quoted(text: str) -> str:
    """A TOML string."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def key(name: str) -> str:
    """A TOML key, quoted where it must be."""
    return name if _BARE.match(name) else quoted(name)


def listed(names: Sequence[str]) -> str:
    """A TOML array of strings."""
    return f"[{', '.join(quoted(name) for name in names)}]"


def inline(pairs: Mapping[str, str]) -> str:
    """A TOML inline table of values that are written already."""
    return f"{{ {', '.join(f'{key(k)} = {v}' for k, v in pairs.items())} }}"


def line(name: str, value: str, why: str = "") -> str:
    """`name = value`, and the reason behind it; a long one stands above."""
    plain = f"{name} = {value}"
    if not why:
        return plain
    why = " ".join(why.split())
    beside = f"{plain:<{_COMMENT_AT}}# {why}"
    return beside if len(beside) <= _LONG else f"# {why}\n{plain}"


def comment(lines: str) -> str:
    """The lines commented out; those that are comments already stay."""
    return "\n".join(t if t.startswith("#") else f"# {t}" for t in lines.splitlines())


def source(look: Look, table: str, dates: str | None, zone: str) -> list[str]:
    """The lines every `[[sources]]` has; `zone` is that of times that carry none."""
    lines = ["[[sources]]", line("table", quoted(table))]
    if look.path is not None:
        lines.append(line("path", quoted(look.path)))
    else:
        lines.append(line("sql_env", quoted(look.sql_env or ""), "holds the SQLAlchemy URL"))
        lines.append(line("query", quoted(look.query or "")))
    written = _format(look, dates, zone)
    return [*lines, line("format", inline(written))] if written else lines


def further(found: Further, zone: str) -> list[str]:
    """The block of a further source; commented out where it cannot be used."""
    dates = found.look.column(found.time).dates if found.time else None
    lines = source(found.look, found.table, dates, zone)
    lines.append(line("on", listed(found.on)))
    if found.time:
        lines.append(line("time", quoted(found.time), found.why))
    if found.frequency:
        lines.append(line("frequency", quoted(found.frequency), "coarser than the panel"))
    if found.lookup:
        lines.append(line("lookup", "true", found.why))
    lines += [f"columns.{key(n)} = {inline(_covariate(c))}" for n, c in found.columns.items()]
    lines += [f"# columns.{key(name)}: not taken, to keep the model small" for name in found.left]
    if found.refused:
        return [f"# Not used: {found.refused}", *map(comment, lines)]
    return lines


def _covariate(covariate: Covariate) -> dict[str, str]:
    pairs = {"role": quoted(covariate.role)}
    if covariate.aggregate != "last":
        pairs["aggregate"] = quoted(covariate.aggregate)
    if covariate.missing is not None:
        pairs["missing"] = f"{covariate.missing:g}"
    return pairs


def covariate_lines(columns: Mapping[str, Covariate]) -> list[str]:
    """`columns.x = { role = ... }` lines."""
    return [f"columns.{key(name)} = {inline(_covariate(c))}" for name, c in columns.items()]


def _format(look: Look, dates: str | None, zone: str) -> dict[str, str]:
    """What differs from the defaults; a delimiter is always said."""
    given, usual = look.sniffed.format, Format()
    texts = {
        "delimiter": given.delimiter,
        "decimal": given.decimal if given.decimal != usual.decimal else None,
        "thousands": given.thousands,
        "encoding": given.encoding if given.encoding != usual.encoding else None,
        "dates": dates,
        "timezone": zone if zone != usual.timezone else None,
    }
    return {name: quoted(value) for name, value in texts.items() if value is not None}
