"""Imports go down only: the contracts stand in pyproject.toml, import-linter checks them."""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LINT = "from importlinter.cli import lint_imports_command as run; run()"
HEAVY = ("mlflow", "deltalake", "lightgbm")


def lint(config: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the linter on the package found in `folder`."""
    command = [sys.executable, "-c", LINT, "--config", str(config), "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def a_package(folder: Path, files: dict[str, str]) -> Path:
    """A package `lakecast` in `folder` made of these files, under the real contracts."""
    for name, text in files.items():
        file = folder / "lakecast" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        for parent in [file.parent, *file.parent.parents]:
            if parent == folder:
                break
            (parent / "__init__.py").touch()
    return folder


def test_the_package_keeps_its_contracts() -> None:
    done = lint(ROOT / "pyproject.toml", ROOT / "src")
    assert done.returncode == 0, done.stdout + done.stderr


def broken(folder: Path, files: dict[str, str]) -> str:
    """The linter's words about a package that it must refuse."""
    done = lint(ROOT / "pyproject.toml", a_package(folder, {"spec/a.py": "", **files}))
    assert done.returncode == 1, done.stdout + done.stderr
    return " ".join(done.stdout.split())


def test_an_import_upwards_is_refused(tmp_path: Path) -> None:
    said = broken(tmp_path, {"core/a.py": "import lakecast.lake.a", "lake/a.py": ""})
    assert "lakecast.core is not allowed to import lakecast.lake" in said


def test_an_import_inside_a_function_counts(tmp_path: Path) -> None:
    late = "def f() -> None:\n    import lakecast.flows.a\n"
    said = broken(tmp_path, {"training/a.py": late, "flows/a.py": ""})
    assert "lakecast.training is not allowed to import lakecast.flows" in said


def test_siblings_are_refused(tmp_path: Path) -> None:
    said = broken(tmp_path, {"registry/a.py": "import lakecast.lake.a", "lake/a.py": ""})
    assert "lakecast.registry is not allowed to import lakecast.lake" in said


def test_a_room_that_nobody_placed_is_refused(tmp_path: Path) -> None:
    assert "lakecast.attic" in broken(tmp_path, {"attic/a.py": ""})


def test_heavy_libraries_are_refused_outside_their_room(tmp_path: Path) -> None:
    said = broken(tmp_path, {"flows/a.py": "".join(f"import {name}\n" for name in HEAVY)})
    for name in HEAVY:
        assert f"lakecast.flows.a -> {name}" in said


def test_heavy_libraries_are_welcome_in_their_room(tmp_path: Path) -> None:
    files = {
        "spec/a.py": "",
        "registry/__init__.py": "import mlflow",
        "registry/runs.py": "import mlflow.entities",
        "lake/deep/tables.py": "import deltalake.exceptions",
        "models/trees.py": "import lightgbm",
    }
    done = lint(ROOT / "pyproject.toml", a_package(tmp_path, files))
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_spec_imports_no_frame(tmp_path: Path) -> None:
    said = broken(tmp_path, {"spec/b.py": "import polars\nimport numpy\n"})
    assert "lakecast.spec.b -> polars" in said
    assert "lakecast.spec.b -> numpy" in said


def test_every_library_that_has_a_room_is_a_dependency() -> None:
    about = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = {entry.split(">")[0] for entry in about["project"]["dependencies"]}
    assert wanted.issuperset(HEAVY)


def test_no_engine_imports_another() -> None:
    engines = ROOT / "src" / "lakecast" / "engines"
    names = sorted(path.name for path in engines.iterdir() if (path / "__init__.py").exists())
    assert names == ["dask", "local", "ray"]
    found = [
        f"{file.name} of {name} imports {other}"
        for name in names
        for file in sorted((engines / name).glob("*.py"))
        for other in names
        if other != name and f"lakecast.engines.{other}" in file.read_text(encoding="utf-8")
    ]
    assert found == []
