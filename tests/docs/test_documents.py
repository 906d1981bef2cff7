"""Documents tell the truth: links lead somewhere, blocks run, nothing is left undocumented."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from lakecast import errors
from lakecast.cli.main import COMMANDS
from lakecast.spec import loads

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])
LINK = re.compile(r"\[[^\]]*\]\((?!https?://|#)([^)#\s]+)[^)]*\)")
BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_links_lead_somewhere(document: Path) -> None:
    broken = [
        target
        for target in LINK.findall(document.read_text(encoding="utf-8"))
        if not (document.parent / target).exists()
    ]
    assert broken == []


def _blocks(language: str) -> list[tuple[str, str]]:
    """(document, text) of the blocks of a language, but for those marked `not run: reason`."""
    return [
        (_name(document), text)
        for document in DOCUMENTS
        for found, mark, text in BLOCK.findall(document.read_text(encoding="utf-8"))
        if found == language and "not run:" not in mark
    ]


@pytest.mark.parametrize(("document", "text"), _blocks("toml"))
def test_toml_blocks_are_valid(document: str, text: str) -> None:
    if text.startswith("spec = 1"):
        loads(text, where=document)
    else:
        tomllib.loads(text)


@pytest.mark.parametrize(("document", "text"), _blocks("python"))
def test_python_blocks_run(document: str, text: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", text], cwd=tmp_path, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{document}: {done.stderr}"


def test_every_command_is_in_the_reference() -> None:
    text = (ROOT / "docs/reference/commands.md").read_text(encoding="utf-8")
    assert [name for name in COMMANDS if f"## lakecast {name}\n" not in text] == []


def test_every_error_and_exit_code_is_explained() -> None:
    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.LakecastError)
    ]
    drawn = errors.__doc__ or ""
    assert [
        k.__name__ for k in kinds if not re.search(rf"{k.__name__} +exit {k.exit_code}", drawn)
    ] == []
    journey = (ROOT / "docs/explanation/journey.md").read_text(encoding="utf-8")
    assert [k.exit_code for k in kinds if not re.search(rf"\b{k.exit_code} ", journey)] == []


def test_every_setting_is_explained() -> None:
    from dataclasses import fields

    from lakecast.settings import Settings

    text = (ROOT / "docs/reference/settings.md").read_text(encoding="utf-8")
    names = [field.name for field in fields(Settings) if field.name != "project"]
    assert [name for name in names if f"`{name}`" not in text] == []
