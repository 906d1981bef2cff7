"""`lakecast --help` loads nothing heavy. What is loaded is compared, not how long it takes."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = frozenset(
    {
        "deltalake",
        "holidays",
        "jinja2",
        "lightgbm",
        "llvmlite",
        "mlflow",
        "numba",
        "numpy",
        "pandas",
        "polars",
        "pyarrow",
        "scipy",
        "sklearn",
        "sqlalchemy",
        "xlsxwriter",
    }
)


def loaded(*arguments: str) -> frozenset[str]:
    """Top-level names of the modules that `python ARGUMENTS` imports."""
    command = [sys.executable, "-X", "importtime", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = (line for line in done.stderr.splitlines() if line.startswith("import time:"))
    return frozenset(row.rsplit("|", 1)[1].strip().partition(".")[0] for row in rows)


@pytest.mark.parametrize("arguments", [("--help",), ("run", "--help"), ("forecast", "--help")])
def test_help_is_light(arguments: tuple[str, ...]) -> None:
    assert sorted(loaded("-m", "lakecast", *arguments) & HEAVY) == []


def test_importing_the_package_is_light() -> None:
    assert sorted(loaded("-c", "import lakecast") & HEAVY) == []


def test_a_heavy_import_would_be_seen() -> None:
    assert "numpy" in loaded("-c", "import numpy")
