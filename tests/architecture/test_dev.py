"""dev.py: what it decides, with the programs that it starts replaced by a script."""

import ast
import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("dev", ROOT / "dev.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["dev"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


dev = load()


class Machine:
    """Stands in for the programs: makes the files they would make, and remembers the commands."""

    def __init__(self, place: Any, **broken: bool) -> None:
        self.place = place
        self.broken = broken
        self.commands: list[str] = []

    def run(self, place: Any, command: list[str | Path], out: object = None) -> int:
        line = " ".join(str(part) for part in command)
        self.commands.append(line.replace(str(place.root), "ROOT"))
        if " -m venv " in line:
            return self.make(line)
        if "--editable" in line:
            self.touch(place.script("lakecast"))
        return int(any(self.broken.get(word, False) for word in self.words(line)))

    def words(self, line: str) -> list[str]:
        """The names under which a test may say that a command fails."""
        if "--version" in line:
            return ["uv" if "uv" in line else "outer" if "--python" in line else "own"]
        return ["install" if "--require-hashes" in line else "other"]

    def make(self, line: str) -> int:
        shutil.rmtree(self.place.venv, ignore_errors=True)
        self.touch(self.place.python)
        has_no_pip = self.broken.get("ensurepip", False) and "--without-pip" not in line
        return int(self.broken.get("venv", False) or has_no_pip)

    def touch(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


@pytest.fixture
def place(tmp_path: Path) -> Any:
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements/run.txt").write_text("a==1\n")
    (tmp_path / "requirements/test.txt").write_text("a==1\nb==1\n")
    (tmp_path / "requirements/bench.txt").write_text("a==1\np==1\n")
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\n[tool.ruff]\nx = 1\n')
    return dev.Place(tmp_path)


@pytest.fixture
def on(place: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Machine]:
    """`on(ensurepip=True)`: from now on the machine is one where ensurepip is broken."""

    def replaced(**broken: bool) -> Machine:
        machine = Machine(place, **broken)
        monkeypatch.setattr(dev, "run", machine.run)
        monkeypatch.setattr(dev, "base_python", lambda: "PY")
        monkeypatch.setattr(dev.shutil, "which", lambda name: f"/bin/{name}")
        return machine

    return replaced


OWN = "ROOT/.venv/bin/python -m pip install"
OUTER = "PY -m pip --python ROOT/.venv/bin/python install"
UV = "/bin/uv pip install --python ROOT/.venv/bin/python"


def installs(machine: Machine) -> list[str]:
    """The install commands up to and with `install`."""
    found = (line for line in machine.commands if "--require-hashes" in line)
    return [line.partition(" --quiet")[0].partition(" --require")[0] for line in found]


@pytest.mark.parametrize(
    ("broken", "expected"),
    [
        ((), OWN),
        (("ensurepip", "own"), OUTER),
        (("ensurepip", "own", "outer"), UV),
    ],
)
def test_who_installs(
    place: Any, on: Callable[..., Machine], broken: tuple[str, ...], expected: str
) -> None:
    machine = on(**dict.fromkeys(broken, True))
    dev.set_up(place, "run")
    assert installs(machine) == [expected]
    assert dev.is_ready(place, "run")


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (("ensurepip", "own", "outer", "uv"), "neither ensurepip nor pip"),
        (("venv",), "could not make"),
        (("install",), "installing requirements/run.txt failed (exit 1)"),
    ],
)
def test_what_fails_says_so_and_leaves_no_stamp(
    place: Any, on: Callable[..., Machine], broken: tuple[str, ...], words: str
) -> None:
    on(**dict.fromkeys(broken, True))
    with pytest.raises(dev.StepError, match=re.escape(words)) as caught:
        dev.set_up(place, "run")
    assert "Cure: " in str(caught.value)
    assert not dev.is_ready(place, "run")


def test_a_second_set_up_starts_nothing(place: Any, on: Callable[..., Machine]) -> None:
    on()
    dev.set_up(place, "run")
    again = on()
    dev.set_up(place, "run")
    assert again.commands == []


def test_after_a_failed_install_the_environment_is_kept(
    place: Any, on: Callable[..., Machine]
) -> None:
    on(install=True)
    with pytest.raises(dev.StepError):
        dev.set_up(place, "run")
    again = on()
    dev.set_up(place, "run")
    assert not any("venv --clear" in line for line in again.commands)


def test_an_environment_cut_off_while_made_is_made_again(
    place: Any, on: Callable[..., Machine]
) -> None:
    machine = on()
    machine.touch(place.python)
    dev.set_up(place, "run")
    assert "PY -m venv --clear ROOT/.venv" in machine.commands


def test_the_test_environment_also_runs_but_not_the_reverse(
    place: Any, on: Callable[..., Machine]
) -> None:
    on()
    dev.set_up(place, "run")
    assert not dev.is_ready(place, "test")
    dev.set_up(place, "test")
    assert dev.is_ready(place, "run")
    assert dev.is_ready(place, "test")


@pytest.mark.parametrize(
    ("file", "text", "stays"),
    [
        ("requirements/run.txt", "a==2\n", False),
        ("pyproject.toml", '[project]\nname = "y"\n', False),
        ("pyproject.toml", '[project]\nname = "x"\n[tool.ruff]\nx = 2\n', True),
    ],
)
def test_what_makes_a_stamp_stale(
    place: Any, on: Callable[..., Machine], file: str, text: str, stays: bool
) -> None:
    on()
    dev.set_up(place, "run")
    (place.root / file).write_text(text)
    assert dev.is_ready(place, "run") is stays


def test_a_moved_clone_is_made_again(
    place: Any, on: Callable[..., Machine], tmp_path: Path
) -> None:
    on()
    dev.set_up(place, "run")
    moved = dev.Place(tmp_path / "moved")
    shutil.copytree(place.root, moved.root, ignore=shutil.ignore_patterns("moved"))
    assert not dev.is_made(moved)
    assert not dev.is_ready(moved, "run")


def test_another_minor_version_makes_it_again(
    place: Any, on: Callable[..., Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    on()
    dev.set_up(place, "run")
    monkeypatch.setattr(sys, "version_info", (3, 99, 0))
    assert not dev.is_made(place)


def test_a_record_without_installer_is_dropped(place: Any) -> None:
    library = place.venv / "lib/python3.11/site-packages"
    for name, file in (("whole-1.dist-info", "INSTALLER"), ("half-2.dist-info", "METADATA")):
        (library / name).mkdir(parents=True)
        (library / name / file).touch()
    assert dev.drop_half_installed(place) == ["half-2"]
    assert [entry.name for entry in library.iterdir()] == ["whole-1.dist-info"]


HOLD = """
import pathlib, sys
import dev
with dev.alone(dev.Place(pathlib.Path(sys.argv[1]))):
    sys.stdout.write("held\\n")
    sys.stdout.flush()
    sys.stdin.read()
"""


def test_a_second_set_up_waits_for_the_first(
    place: Any, on: Callable[..., Machine], capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    command = [sys.executable, "-c", HOLD, str(place.root)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        monkeypatch.setattr(dev.time, "sleep", lambda seconds: other.communicate())
        on()
        dev.set_up(place, "run")
    assert other.returncode == 0
    assert "another set-up of this clone is running" in capsys.readouterr().err
    assert dev.is_ready(place, "run")


def test_installs_stay_in_the_environment() -> None:
    given = {"PIP_TARGET": "x", "PYTHONPATH": "y", "PIP_INDEX_URL": "kept", "PIP_USER": "1"}
    assert dev.clean_environment(given) == {
        "PIP_INDEX_URL": "kept",
        "PIP_USER": "0",
        "PIP_NO_INPUT": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }


def test_every_check_runs_and_any_failure_counts(
    place: Any, on: Callable[..., Machine], capsys: pytest.CaptureFixture[str]
) -> None:
    machine = on(other=True)
    assert dev.run_all(place, [("one", ("-m", "one")), ("two", ("-m", "two"))]) == 1
    assert len(machine.commands) == 2
    assert "failed: one, two" in capsys.readouterr().err


def test_test_runs_the_checks_then_two_tests_at_a_time(
    place: Any, on: Callable[..., Machine]
) -> None:
    machine = on()
    assert dev.main(["test", "-x"], place.root) == 0
    programs = [command.split()[2] for command in machine.commands[-5:-2]]
    assert programs == ["ruff", "ruff", "mypy"]
    assert machine.commands[-1] == "ROOT/.venv/bin/python -m pytest -n 2 --dist worksteal -x"


def test_ci_runs_pytest_only_where_tests_are_marked(place: Any, on: Callable[..., Machine]) -> None:
    machine = on()
    (place.root / "tests").mkdir()
    assert dev.main(["ci"], place.root) == 0
    assert machine.commands == []
    marked = "@pytest." + "mark.slow\ndef test_x() -> None: ..."
    (place.root / "tests/test_x.py").write_text(marked)
    assert dev.main(["ci"], place.root) == 0
    assert machine.commands[-1] == "ROOT/.venv/bin/python -m pytest -m slow or servers"


def test_demo_hands_its_arguments_on(place: Any, on: Callable[..., Machine]) -> None:
    machine = on()
    assert dev.main(["demo", "--json", "-x"], place.root) == 0
    assert machine.commands[-1] == "ROOT/.venv/bin/python -m lakecast demo --json -x"


@pytest.fixture
def benchmarks(place: Any) -> Path:
    """Two modules, one of them a program."""
    folder: Path = place.root / "benchmarks"
    folder.mkdir()
    (folder / "harness.py").touch()
    (folder / "speed.py").write_text('if __name__ == "__main__":\n    pass\n')
    return folder


@pytest.mark.usefixtures("benchmarks")
def test_bench_runs_a_module_in_an_environment_of_its_own(
    place: Any, on: Callable[..., Machine]
) -> None:
    peers = dev.Place(place.root, dev.BENCH)
    machine = on()
    machine.place = peers
    assert dev.main(["bench", "speed", "--rows", "9"], place.root) == 0
    assert machine.commands[-1] == "ROOT/.venv-bench/bin/python -m benchmarks.speed --rows 9"
    assert dev.is_ready(peers, "bench")
    assert not place.venv.exists()


@pytest.mark.usefixtures("benchmarks")
@pytest.mark.parametrize("arguments", [[], ["harness"], ["none"]])
def test_bench_names_what_it_can_run(
    place: Any, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert dev.main(["bench", *arguments], place.root) == 2
    assert "with one of: speed." in capsys.readouterr().err


def test_setup_bench_stands_beside_the_other_environments(
    place: Any, on: Callable[..., Machine]
) -> None:
    on().place = dev.Place(place.root, dev.BENCH)
    assert dev.main(["setup", "bench"], place.root) == 0
    assert not dev.is_ready(place, "test")


@pytest.mark.parametrize("arguments", [[], ["unknown"], ["setup", "nothing"]])
def test_wrong_use_exits_2(place: Any, arguments: list[str]) -> None:
    assert dev.main(arguments, place.root) == 2


def test_an_older_python_can_read_the_message() -> None:
    source = (ROOT / "dev.py").read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 7))
    old = "import runpy, sys; sys.version_info = (3, 9, 2); runpy.run_path('dev.py')"
    done = subprocess.run(
        [sys.executable, "-c", old], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "needs Python 3.11 or newer" in done.stderr
    assert "Cure: " in done.stderr


def pins(kind: str) -> set[str]:
    """`name==version` of a lock; markers may differ, as each lock spells only what it needs."""
    text = (ROOT / f"requirements/{kind}.txt").read_text(encoding="utf-8")
    return set(re.findall(r"^[a-z0-9][^ ]*==[^ ]+", text, flags=re.MULTILINE))


def test_the_locks_agree() -> None:
    assert pins("run") - pins("test") == set()


def test_every_pin_has_a_hash() -> None:
    for kind in ("run", "test", "bench"):
        text = (ROOT / f"requirements/{kind}.txt").read_text(encoding="utf-8")
        entries = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
        assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_the_readme_begins_with_two_commands() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme.split("```")[1].split("\n")[1:-1] == [
        "python3 dev.py demo",
        "python3 dev.py test",
    ]
