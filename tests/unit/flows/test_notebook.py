"""The notebook of a real project executes cleanly, wherever it is written to."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

import lakecast
from lakecast import Project

SOURCE = str(Path(lakecast.__file__).parents[1])


# The kernel speaks over sockets and an event loop whose warnings are not ours.
@pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::RuntimeWarning", "ignore::ResourceWarning"
)
def test_every_cell_runs_on_a_real_project(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = os.environ.get("PYTHONPATH")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([SOURCE, there] if there else [SOURCE]))
    path = Project.open(project).report(notebook=True, out=str(tmp_path / "books" / "r.ipynb"))
    book = nbformat.from_dict(json.loads(path.read_text(encoding="utf-8")))
    where = {"metadata": {"path": str(path.parent)}}
    NotebookClient(book, timeout=120, kernel_name="python3", resources=where).execute()
    out: list[Any] = [one for cell in book.cells for one in cell.get("outputs", [])]
    assert "error" not in {one["output_type"] for one in out}
    assert sum("image/png" in one.get("data", {}) for one in out) >= 4
