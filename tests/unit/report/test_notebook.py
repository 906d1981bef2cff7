"""The notebook is valid, and its cells run from a project's folder alone."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import dedent

import nbformat
import pytest
from nbclient import NotebookClient

import lakecast
from lakecast.report.notebook import notebook

PATHS = [str(Path(__file__).parent), str(Path(lakecast.__file__).parents[1])]
# The project that the kernel opens: the made-up retailer behind the public names.
FAKE = """
import sys
from dataclasses import replace
sys.path[:0] = {paths!r}
import lakecast
from retailer import retailer

def bare():
    data = retailer(1)
    return replace(
        data, backtest=None, held_back=None, history=None, forecasts=None,
        leaderboard=data.leaderboard.clear(), importances=data.importances.clear(),
    )

class Project:
    def __init__(self, folder):
        assert folder == "a 'quoted' folder", folder
    @classmethod
    def open(cls, folder):
        return cls(folder)
    def report_data(self):
        return {data}
    def table(self, name):
        frame = self.report_data().forecasts
        return retailer(1).forecasts if frame is None else frame

lakecast.Project = Project
"""


def test_it_is_valid_and_the_same_every_time() -> None:
    made = notebook("project")
    nbformat.validate(nbformat.from_dict(made))
    assert json.loads(json.dumps(made)) == made == notebook("project")
    assert not [cell for cell in made["cells"] if cell.get("outputs")]


@pytest.mark.parametrize(
    "data",
    [
        "retailer(6)",
        "bare()",
    ],
    ids=["full", "empty"],
)
# The kernel speaks over sockets and an event loop whose warnings are not ours.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning")
def test_every_cell_runs(data: str, tmp_path: Path) -> None:
    book = nbformat.from_dict(notebook("a 'quoted' folder"))
    fake = dedent(FAKE).format(paths=PATHS, data=data)
    book.cells.insert(0, nbformat.v4.new_code_cell(fake))
    NotebookClient(
        book, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    kinds = [out["output_type"] for cell in book.cells for out in cell.get("outputs", [])]
    assert "error" not in kinds
    pictures = [
        out
        for cell in book.cells
        for out in cell.get("outputs", [])
        if "image/png" in out.get("data", {})
    ]
    assert (len(pictures) >= 6) == (data == "retailer(6)")
