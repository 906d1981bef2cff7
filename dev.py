"""Everything that a fresh clone needs, with nothing but Python: `python3 dev.py --help`.

The environment is `.venv` beside this file; benchmarks and their peers live in `.venv-bench`. Each
kind (`run`, `test`, `bench`) is a lock file under `requirements/`, installed with hashes, then the
project itself, editable. A stamp, written last, says what the environment was made from: as long as
it matches, a set-up costs nothing; where it is missing or does not match, the set-up goes on from
what is there.
"""

import sys

OLDEST = (3, 11)
if sys.version_info < OLDEST:  # before anything that an older Python cannot read
    sys.stderr.write(
        "dev.py: Lakecast needs Python 3.11 or newer, "
        f"{sys.executable} is {sys.version.split()[0]}.\n"
        "  Cure: run it with a newer one, for example `python3.12 dev.py ...`.\n"
    )
    sys.exit(2)

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

WINDOWS = sys.platform == "win32"
Command = list[str | Path]
CONTAINS = {"run": ("run", "test"), "test": ("test",), "bench": ("bench",)}
"""Kind of environment -> the kinds that have all of it."""
BENCH = ".venv-bench"
CHECKS = (
    ("ruff check", ("-m", "ruff", "check", ".")),
    ("ruff format", ("-m", "ruff", "format", "--check", ".")),
    ("mypy", ("-m", "mypy")),
    ("import-linter", ("-c", "from importlinter.cli import lint_imports_command as run; run()")),
)
LATER = "slow or servers"
"""The tests that `test` leaves out and `ci` runs; pyproject.toml leaves the same ones out."""
TWO = ("-n", "2", "--dist", "worksteal")
"""Two tests at a time, for those that need no machine of their own."""


class StepError(Exception):
    """A step did not work: what, and what the person can do about it."""

    def __init__(self, what: str, cure: str, code: int = 1) -> None:
        super().__init__(f"{what}\n  Cure: {cure}")
        self.code = code


@dataclass(frozen=True)
class Place:
    """Where the clone is, and the names of what a set-up makes in it."""

    root: Path
    folder: str = ".venv"

    @property
    def venv(self) -> Path:
        return self.root / self.folder

    @property
    def python(self) -> Path:
        return self.script("python")

    @property
    def made(self) -> Path:
        """Written once the bare environment stands; holds what it was made for."""
        return self.venv / "lakecast-made"

    def script(self, name: str) -> Path:
        return self.venv / ("Scripts" if WINDOWS else "bin") / (f"{name}.exe" if WINDOWS else name)

    def lock(self, kind: str) -> Path:
        return self.root / "requirements" / f"{kind}.txt"

    def stamp(self, kind: str) -> Path:
        """Written last; holds `digest` of what was installed."""
        return self.venv / f"lakecast-ready-{kind}"


# ------------------------------------------------------------------ what is there already


def maker(place: Place) -> str:
    """What a bare environment depends on: scripts hold absolute paths, wheels a minor version."""
    return f"{sys.implementation.name} {sys.version_info[0]}.{sys.version_info[1]} {place.root}"


def digest(place: Place, kind: str) -> str:
    """Hash of everything that the environment is made from."""
    project = tomllib.loads(read(place.root / "pyproject.toml").decode())
    about = json.dumps([project.get(table) for table in ("build-system", "project")])
    parts = (maker(place).encode(), about.encode(), read(place.lock(kind)))
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def read(file: Path) -> bytes:
    """The file's bytes; a missing one means that the clone is not whole."""
    try:
        return file.read_bytes()
    except FileNotFoundError:
        raise StepError(f"{file} is missing.", "take a fresh clone of the repository.") from None


def holds(file: Path, text: str) -> bool:
    try:
        return file.read_text(encoding="utf-8") == text
    except (OSError, UnicodeDecodeError):
        return False


def is_ready(place: Place, kind: str) -> bool:
    """Whether a finished set-up of this kind, or of one that contains it, is still valid."""
    return place.python.exists() and any(
        holds(place.stamp(k), digest(place, k)) for k in CONTAINS[kind]
    )


def is_made(place: Place) -> bool:
    """Whether the bare environment was finished, by this Python's version, in this place."""
    return place.python.exists() and holds(place.made, maker(place))


# ------------------------------------------------------------------ running programs


def say(text: str) -> None:
    """Progress, for people: standard output belongs to what is being run."""
    sys.stderr.write(f"dev.py: {text}\n")
    sys.stderr.flush()


def clean_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The caller's environment less what sends an install, or an import, somewhere else."""
    outward = {"PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_PYTHON"}
    kept = {name: value for name, value in environment.items() if name not in outward}
    return kept | {"PIP_USER": "0", "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def run(place: Place, command: Command, out: IO[str] | int | None = None) -> int:
    """Run a program in the clone's root; its exit status. `out`: where its output goes."""
    errors = subprocess.STDOUT if out == subprocess.DEVNULL else None
    try:
        return subprocess.run(
            [str(part) for part in command],
            cwd=place.root,
            env=clean_environment(os.environ),
            stdout=out,
            stderr=errors,
            close_fds=False,  # an installer that outlives us keeps the set-up lock
            check=False,
        ).returncode
    except OSError as error:
        raise StepError(
            f"{command[0]} did not start: {error}.", f"remove {place.venv} and run this again."
        ) from error


def works(place: Place, command: Command) -> bool:
    try:
        return run(place, command, out=subprocess.DEVNULL) == 0
    except StepError:
        return False


# ------------------------------------------------------------------ the bare environment


def base_python() -> str:
    """The Python outside any virtual environment: one cannot be rebuilt by its own Python."""
    return getattr(sys, "_base_executable", None) or sys.executable


def make_environment(place: Place) -> None:
    """Make the bare environment afresh, without pip where the system's Python cannot bring it."""
    say(f"making {place.venv.name} with Python {sys.version.split()[0]} ({base_python()})")
    if place.venv.is_symlink() or place.venv.is_file():
        raise StepError(f"{place.venv} is not a folder.", "remove it and run this again.")
    make: Command = [base_python(), "-m", "venv", "--clear", place.venv]
    if not works(place, make):
        say("this Python has no ensurepip: making the environment without a pip of its own")
        if run(place, [*make, "--without-pip"], out=sys.stderr) != 0:
            raise StepError(f"Python could not make {place.venv}; its own words are above.", cure())
    write(place.made, maker(place))


def cure() -> str:
    return (
        "see that the disk is writable and not full; on Debian or Ubuntu "
        "`apt-get install python3-venv`; then run this again."
    )


def write(file: Path, text: str) -> None:
    """Whole or not at all."""
    half = file.with_name(file.name + ".new")
    half.write_text(text, encoding="utf-8")
    half.replace(file)


# ------------------------------------------------------------------ the installs


def installer(place: Place) -> Command:
    """The start of an install command: the environment's pip, else another that can fill it."""
    outer: Command = [base_python(), "-m", "pip", "--python", place.python]
    own: Command = [place.python, "-m", "pip"]
    for pip in (own, outer):
        if works(place, [*pip, "--version"]):
            return [*pip, "install"]
    uv = shutil.which("uv")
    if uv and works(place, [uv, "--version"]):
        return [uv, "pip", "install", "--python", place.python]
    raise StepError(
        "this Python has neither ensurepip nor pip (22.3 or newer), so nothing can be installed.",
        "on Debian or Ubuntu `apt-get install python3-venv`; elsewhere install Python with pip; "
        "then run this again.",
    )


def drop_half_installed(place: Place) -> list[str]:
    """Remove the records of packages whose install was cut off; their names.

    pip believes in a package as soon as its METADATA is there, and writes INSTALLER after the last
    of its files and scripts.
    """
    library = "Lib/site-packages" if WINDOWS else "lib/python*/site-packages"
    found = [d for d in place.venv.glob(f"{library}/*.dist-info") if not (d / "INSTALLER").exists()]
    for record in found:
        shutil.rmtree(record)
    return sorted(record.name.removesuffix(".dist-info") for record in found)


def install(place: Place, kind: str) -> None:
    """Install the lock, then the project; the stamp last."""
    for k in CONTAINS:
        place.stamp(k).unlink(missing_ok=True)
    for name in drop_half_installed(place):
        say(f"{name} was cut off half-way: installing it again")
    lock = place.lock(kind).relative_to(place.root)
    begin = installer(place)
    if not sys.stderr.isatty():
        begin.append("--quiet")
    say(f"installing {lock} (the first time takes some minutes)")
    locked = ("--require-hashes", "--no-deps", "--only-binary", ":all:", "--requirement")
    step(place, [*begin, *locked, lock], f"installing {lock}")
    project = ("--no-deps", "--no-build-isolation", "--no-index", "--editable", ".")
    step(place, [*begin, *project], "installing the project itself")
    if not place.script("lakecast").exists():
        raise StepError(f"{place.script('lakecast')} was not made.", f"remove {place.venv}, again.")
    write(place.stamp(kind), digest(place, kind))


def step(place: Place, command: Command, what: str) -> None:
    status = run(place, command, out=sys.stderr)
    if status != 0:
        raise StepError(
            f"{what} failed (exit {status}); the installer's own words are above.",
            "look at the network, the package index and the disk, then run this again: "
            f"it goes on from here. If it fails the same way, remove {place.venv} first.",
        )


# ------------------------------------------------------------------ one set-up at a time


@contextlib.contextmanager
def alone(place: Place) -> Iterator[None]:
    """Hold the clone's set-up lock; the system lets go of it once we and our installer are dead."""
    path = place.root / ".venv.lock"
    try:
        handle = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise StepError(
            f"{path} cannot be written: {error}.", "use a clone you can write to."
        ) from None
    with handle:
        os.set_inheritable(handle.fileno(), True)
        if not try_hold(handle):
            say("another set-up of this clone is running: waiting for it")
            while not try_hold(handle):
                time.sleep(0.5)
        yield


def try_hold(handle: IO[str]) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            handle.seek(0)
            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def set_up(place: Place, kind: str) -> None:
    """See that the environment of this kind is ready; nothing is done where it already is."""
    if is_ready(place, kind):
        return
    with alone(place):
        if is_ready(place, kind):
            return
        begun = time.monotonic()
        if not is_made(place):
            make_environment(place)
        install(place, kind)
        say(f"{place.venv.name} is ready ({time.monotonic() - begun:.0f} s)")


# ------------------------------------------------------------------ the commands


def demo(place: Place, arguments: list[str]) -> int:
    """set up what running needs, then `lakecast demo ARGUMENTS`"""
    set_up(place, "run")
    return run(place, [place.python, "-m", "lakecast", "demo", *arguments])


def test(place: Place, arguments: list[str]) -> int:
    """set up what testing needs, then linters, types, layers and `pytest ARGUMENTS`"""
    set_up(place, "test")
    return run_all(place, [*CHECKS, ("pytest", ("-m", "pytest", *TWO, *arguments))])


def ci(place: Place, arguments: list[str]) -> int:
    """the tests that `test` leaves out: slow ones, and those that start servers"""
    if not has_marked_tests(place.root / "tests", LATER):
        say(f"no test is marked `{LATER}` yet: nothing more to run")
        return 0
    set_up(place, "test")
    return run_all(place, [("pytest", ("-m", "pytest", "-m", LATER, *arguments))])


def bench(place: Place, arguments: list[str]) -> int:
    """set up the peers, then `python -m benchmarks.NAME ARGUMENTS`; without NAME, list them"""
    names = runnable(place.root / "benchmarks")
    if not arguments or arguments[0] not in names:
        told = f"bench {' '.join(arguments[:1])}: unknown."
        raise StepError(told, f"say `bench NAME`, with one of: {', '.join(names)}.", 2)
    peers = replace(place, folder=BENCH)
    set_up(peers, "bench")
    return run(peers, [peers.python, "-m", f"benchmarks.{arguments[0]}", *arguments[1:]])


def setup(place: Place, arguments: list[str]) -> int:
    """set up and stop; `run`, `test` (default) or `bench`"""
    kind = arguments[0] if arguments else "test"
    if kind not in CONTAINS or len(arguments) > 1:
        known = ", ".join(f"`setup {kind}`" for kind in CONTAINS)
        raise StepError(f"setup {' '.join(arguments)}: unknown.", f"say one of: {known}.", 2)
    if kind == "bench":
        place = replace(place, folder=BENCH)
    set_up(place, kind)
    say(f"ready: {place.script('lakecast')}")
    return 0


def lock(place: Place, arguments: list[str]) -> int:
    """compile requirements/ anew from pyproject.toml; `--upgrade` takes newer versions"""
    uv = find_uv(place)
    compile_ = [
        *(uv, "pip", "compile", "--quiet", "--universal", "--python-version", "3.11"),
        *("--generate-hashes", "--no-emit-index-url", "--only-binary", ":all:"),
        *("--annotation-style", "line", "--custom-compile-command", "python3 dev.py lock"),
        "pyproject.toml",
    ]
    files = (
        ["--all-extras", "--group", "dev", "--output-file", "requirements/test.txt"],
        [
            *("--extra", "demo", "--group", "build", "--constraint", "requirements/test.txt"),
            *("--output-file", "requirements/run.txt"),
        ],
        ["--all-extras", "--group", "bench", "--output-file", "requirements/bench.txt"],
    )
    for options in files:
        say(f"compiling {options[-1]}")
        if run(place, [*compile_, *options, *arguments]) != 0:
            raise StepError(f"{options[-1]} was not compiled.", "read uv's own words above.")
    return 0


def find_uv(place: Place) -> Path | str:
    """The environment's own uv, whatever state that environment is in; else the system's."""
    own = place.script("uv")
    found = own if own.exists() else shutil.which("uv")
    if found is None:
        raise StepError("compiling needs uv.", "`python3 dev.py setup` brings one, or install uv.")
    return found


def runnable(folder: Path) -> list[str]:
    """Names of the modules that are programs, sorted."""
    files = sorted(folder.glob("*.py"))
    return [file.stem for file in files if '__name__ == "__main__"' in file.read_text("utf-8")]


def has_marked_tests(tests: Path, markers: str) -> bool:
    """Whether a test file uses one of the markers (joined by ` or `)."""
    marked = re.compile(rf"\bpytest\.mark\.({markers.replace(' or ', '|')})\b")
    return any(marked.search(file.read_text("utf-8")) for file in tests.rglob("*.py"))


def run_all(place: Place, checks: Sequence[tuple[str, Sequence[str]]]) -> int:
    """Run every check in the environment, whatever the ones before it said; 1 if any failed."""
    failed = []
    for name, arguments in checks:
        say(name)
        if run(place, [place.python, *arguments]) != 0:
            failed.append(name)
    if failed:
        say(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


COMMANDS: dict[str, Callable[[Place, list[str]], int]] = {
    command.__name__: command for command in (demo, test, ci, bench, setup, lock)
}


def usage() -> str:
    lines = [f"  {name:6} {command.__doc__}" for name, command in COMMANDS.items()]
    return "usage: python3 dev.py COMMAND [ARGUMENTS]\n\n" + "\n".join(lines) + "\n"


def main(arguments: list[str], root: Path | None = None) -> int:
    """Exit codes: 0 done, 2 wrong use, otherwise what failed says so."""
    if arguments[:1] in (["-h"], ["--help"]):
        sys.stdout.write(usage())
        return 0
    if not arguments or arguments[0] not in COMMANDS:
        sys.stderr.write(usage())
        return 2
    try:
        return COMMANDS[arguments[0]](Place(root or Path(__file__).resolve().parent), arguments[1:])
    except StepError as error:
        say(str(error))
        return error.code
    except KeyboardInterrupt:
        say("interrupted; the same command goes on from here")
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
