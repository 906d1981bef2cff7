"""A Jupyter notebook of the report's analysis, which needs nothing but the project's folder."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import PurePath

_MARK: Final = re.compile(r"^%% (code|markdown)\n", re.MULTILINE)


def notebook(folder: str | PurePath = ".") -> dict[str, Any]:
    """A notebook in nbformat 4.5 as a JSON-able value, without outputs.

    `folder` is the project's, as seen from where the notebook will be run. The cells use
    `lakecast.Project.open(folder)`, its `report_data()` and `table(name)`, Polars and Matplotlib.
    """
    text = files("lakecast.report").joinpath("templates", "notebook.txt").read_text("utf-8")
    _, *parts = _MARK.split(text.replace("{{folder}}", repr(str(folder))))
    cells = [
        _cell(f"cell-{number}", kind, source.rstrip("\n"))
        for number, (kind, source) in enumerate(zip(parts[::2], parts[1::2], strict=True), 1)
    ]
    return {
        "cells": cells,
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _cell(name: str, kind: str, source: str) -> dict[str, Any]:
    cell: dict[str, Any] = {
        "cell_type": kind,
        "id": name,
        "metadata": {},
        "source": source,
    }
    return cell | {"execution_count": None, "outputs": []} if kind == "code" else cell
