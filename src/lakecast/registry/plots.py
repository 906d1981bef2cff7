"""Small SVG drawings for MLflow's artifact viewer; the report draws its own.

Pure functions from numbers to text. Names are escaped, nulls leave a gap.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from xml.sax.saxutils import escape

_WIDTH: Final = 720
_ROW: Final = 24
_LEFT: Final = 240
_TOP: Final = 40
_HEIGHT: Final = 320
_COLOURS: Final = ("#2f6fde", "#d9822b", "#2e9e5b", "#b0449c", "#6b7280", "#0f8a9d")
_STYLE: Final = "font-family:sans-serif;font-size:12px"


def bars(title: str, values: Mapping[str, float | None], mark: str = "") -> bytes:
    """Horizontal bars in the order given, each with its value; the one named `mark` stands out."""
    widest = max((abs(value) for value in _finite(values.values())), default=0.0) or 1.0
    room = _WIDTH - _LEFT - 80
    parts = []
    for row, (name, value) in enumerate(values.items()):
        y = _TOP + row * _ROW
        parts.append(_text(_LEFT - 8, y + 15, name, "end"))
        if value is None or not math.isfinite(value):
            parts.append(_text(_LEFT + 4, y + 15, "no value"))
            continue
        colour = _COLOURS[1 if name == mark else 0]
        width = room * abs(value) / widest
        parts.append(
            f'<rect x="{_LEFT}" y="{y + 2}" width="{width:.1f}" height="{_ROW - 6}" '
            f'fill="{colour}"/>'
        )
        parts.append(_text(_LEFT + width + 6, y + 15, f"{value:.4g}"))
    return _drawing(title, parts, _TOP + len(values) * _ROW + 12)


def lines(title: str, values: Mapping[str, Sequence[float | None]], first: int = 1) -> bytes:
    """A line a name over steps `first`, `first` + 1, ...; the vertical axis holds 0."""
    finite = [value for row in values.values() for value in _finite(row)]
    low, high = min([0.0, *finite]), max([0.0, *finite]) or 1.0
    steps = max((len(row) for row in values.values()), default=1)
    left, right, bottom = 64, _WIDTH - 24, _HEIGHT - 28

    def at(step: int, value: float) -> str:
        x = left + (right - left) * step / max(steps - 1, 1)
        return f"{x:.1f},{bottom - (bottom - _TOP) * (value - low) / (high - low):.1f}"

    parts = [
        f'<path d="M{left},{_TOP}V{bottom}H{right}" fill="none" stroke="#9aa0a6"/>',
        _text(left - 6, _TOP + 4, f"{high:.4g}", "end"),
        _text(left - 6, bottom + 4, f"{low:.4g}", "end"),
        _text(left, bottom + 18, str(first), "middle"),
        _text(right, bottom + 18, str(first + steps - 1), "middle"),
    ]
    for row, (name, points) in enumerate(values.items()):
        colour = _COLOURS[row % len(_COLOURS)]
        placed = [at(i, v) if v is not None and math.isfinite(v) else None
                  for i, v in enumerate(points)]  # fmt: skip
        parts += [
            f'<polyline points="{" ".join(run)}" fill="none" stroke="{colour}" stroke-width="2"/>'
            for run in _runs(placed)
        ]
        parts.append(_text(left + 12, _HEIGHT + 6 + row * 18, name, colour=colour))
    return _drawing(title, parts, _HEIGHT + 12 + 18 * len(values))


def _finite(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None and math.isfinite(value)]


def _runs(points: Sequence[str | None]) -> list[list[str]]:
    """Stretches without a gap."""
    runs: list[list[str]] = [[]]
    for point in points:
        if point is None:
            runs.append([])
        else:
            runs[-1].append(point)
    return [run for run in runs if run]


def _text(x: float, y: float, text: str, anchor: str = "start", colour: str = "#3c4043") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">'
        f"{escape(text)}</text>"
    )


def _drawing(title: str, parts: Sequence[str], height: int) -> bytes:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
        f'viewBox="0 0 {_WIDTH} {height}" style="{_STYLE}">'
        f'<rect width="100%" height="100%" fill="#ffffff"/>'
        f'<text x="16" y="24" fill="#202124" font-size="15">{escape(title)}</text>'
    )
    return "\n".join([head, *parts, "</svg>"]).encode()
