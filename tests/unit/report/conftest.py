"""The made-up retailer, and a reader of pages that minds every tag."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from lakecast.report.data import ReportData

VOID = {"meta", "link", "br", "img", "input", "hr"}


@dataclass
class Page(HTMLParser):
    """What a page holds; a tag that is not closed in order is an error."""

    open: list[str] = field(default_factory=list)
    attributes: list[tuple[str, str, str]] = field(default_factory=list)
    texts: dict[str, list[str]] = field(default_factory=dict)
    section: str = ""
    sections: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag == "section":
            self.section = dict(attrs).get("id") or ""
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open[-1] == tag, f"</{tag}> closes <{self.open[-1]}>"
        self.open.pop()
        if tag == "section":
            self.section = ""

    def handle_data(self, data: str) -> None:
        inside = self.open[-1] if self.open else ""
        self.texts.setdefault(inside, []).append(data)
        if self.section:
            self.sections[self.section] = self.sections.get(self.section, "") + data

    def values(self, name: str) -> list[str]:
        """Values of one attribute on any tag."""
        return [value for _, found, value in self.attributes if found == name]

    @property
    def payload(self) -> dict[str, Any]:
        """The data that the script draws."""
        scripts = self.texts["script"]
        found = json.loads(next(text for text in scripts if text.startswith("{")))
        assert isinstance(found, dict)
        return found


def _read(text: str) -> Page:
    page = Page()
    page.feed(text)
    page.close()
    assert not page.open, f"never closed: {page.open}"
    return page


def _module() -> ModuleType:
    place = importlib.util.spec_from_file_location(
        "retailer", Path(__file__).with_name("retailer.py")
    )
    assert place is not None
    assert place.loader is not None
    module = importlib.util.module_from_spec(place)
    place.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def retailer() -> Callable[..., ReportData]:
    """`retailer(series, seed=, name=)`."""
    made: Callable[..., ReportData] = _module().retailer
    return made


@pytest.fixture(scope="session")
def read() -> Callable[[str], Page]:
    """Parses a page; fails where a tag is left open."""
    return _read
