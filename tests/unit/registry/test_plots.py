from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from lakecast.registry.plots import bars, lines

SVG = "{http://www.w3.org/2000/svg}"


def drawn(picture: bytes) -> ET.Element:
    return ET.fromstring(picture)


def texts(picture: bytes) -> list[str]:
    return [item.text or "" for item in drawn(picture).iter(f"{SVG}text")]


def test_bars_are_as_long_as_their_values() -> None:
    picture = bars("rmsse", {"a": 0.5, "b": 1.0, "c": None, "d": float("nan")}, mark="b")
    boxes = [item for item in drawn(picture).iter(f"{SVG}rect") if item.get("x")]
    widths = [float(box.attrib["width"]) for box in boxes]
    assert widths[0] * 2 == pytest.approx(widths[1])
    assert boxes[0].get("fill") != boxes[1].get("fill")
    assert texts(picture) == ["rmsse", "a", "0.5", "b", "1", "c", "no value", "d", "no value"]


def test_names_are_escaped() -> None:
    assert "<script>&" in texts(bars("x", {"<script>&": 1.0}))


def test_a_gap_splits_a_line() -> None:
    picture = lines("error", {"a": [1.0, 2.0, None, 3.0, 4.0], "b": [0.0] * 5})
    points = [item.attrib["points"] for item in drawn(picture).iter(f"{SVG}polyline")]
    assert [len(run.split()) for run in points] == [2, 2, 5]


def test_higher_values_are_drawn_higher() -> None:
    (line,) = drawn(lines("e", {"a": [1.0, 4.0, -2.0]})).iter(f"{SVG}polyline")
    y = [float(point.split(",")[1]) for point in line.attrib["points"].split()]
    assert y[1] < y[0] < y[2]


@pytest.mark.parametrize("values", [{}, {"a": []}, {"a": [None]}, {"a": [0.0]}])
def test_nothing_to_draw_is_still_a_picture(values: dict[str, list[float | None]]) -> None:
    assert drawn(lines("empty", values)).tag == f"{SVG}svg"
    assert drawn(bars("empty", {})).tag == f"{SVG}svg"
