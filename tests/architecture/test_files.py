"""What no file of the repository may hold."""

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# In pieces, so that this file does not name them either.
INDEX_HOSTS = tuple(
    ".".join(pieces)
    for pieces in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("crates", "io"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("proxy", "golang", "org"),
        ("maven", "org"),
        ("deb", "debian", "org"),
    )
)
MACHINE_PATH = re.compile(r"(?<![\w.\-:/])/(?:work|root|home/\w+|Users/\w+)(?=/)")
FOREIGN_LOCKS = ("uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock")


@cache
def tracked() -> tuple[Path, ...]:
    """Every file of the repository, from git; from the source folders where git cannot say."""
    command = ["git", "ls-files", "-z"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout: there is no list of tracked files")
    found = (ROOT / name for name in done.stdout.split("\0") if name)
    return tuple(file for file in found if file.is_file())


def lines() -> Iterator[tuple[str, str]]:
    """(file:line, text) of every line of every tracked text file."""
    for file in tracked():
        content = file.read_bytes()
        if b"\0" in content:
            continue
        for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
            yield f"{file.relative_to(ROOT)}:{number}", line


def test_no_file_names_a_package_index() -> None:
    assert [place for place, line in lines() if any(host in line for host in INDEX_HOSTS)] == []


def test_no_file_holds_a_path_of_one_machine() -> None:
    assert [place for place, line in lines() if MACHINE_PATH.search(line)] == []


@pytest.mark.parametrize(
    ("line", "is_one"),
    [
        ("open('" + "/".join(("", "home", "ana", "data.csv")) + "')", True),
        ("cd " + "/".join(("", "root", "x")), True),
        ("https://example.com/home/ana/x", False),
        ("tests/work/x and ../root/x", False),
        ("/tmp/x", False),
    ],
)
def test_what_counts_as_a_path_of_one_machine(line: str, is_one: bool) -> None:
    assert bool(MACHINE_PATH.search(line)) is is_one


def test_the_locks_in_requirements_are_the_only_ones() -> None:
    assert [file for file in tracked() if file.name in FOREIGN_LOCKS] == []


def prints(source: str) -> list[int]:
    """Line numbers where `print` is used, called or passed on."""
    nodes = ast.walk(ast.parse(source))
    names = (node for node in nodes if isinstance(node, ast.Name) and node.id == "print")
    return sorted(name.lineno for name in names)


def test_only_the_output_module_prints() -> None:
    allowed = ROOT / "src/lakecast/cli/output.py"
    found = {
        str(file.relative_to(ROOT)): prints(file.read_text(encoding="utf-8"))
        for file in (ROOT / "src").rglob("*.py")
        if file != allowed
    }
    assert {name: rows for name, rows in found.items() if rows} == {}


def test_prints_are_found() -> None:
    assert prints("x = 1\nprint(x)\nlog = print\n'print(x)'") == [2, 3]
