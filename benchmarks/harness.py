"""What every benchmark shares: pairs that alternate, peaks of memory, versions, the last line.

::

    ratios = pairs(ours, theirs)                 # their seconds over ours, five times
    peak = peak_of(work, prepare=inputs)         # bytes over the start, in a fresh process
    emit("features", ratios.met(3), **ratios.figures(), versions=versions("mlforecast"))
"""

from __future__ import annotations

import json
import mmap
import multiprocessing
import platform
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import psutil

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

Work = Callable[[], object]

_APART: Final = 4 / 3
"""Quartiles of a ratio further apart than this decide nothing."""
_EVERY: Final = 0.01
ROOM: Final = 400_000_000
"""Bytes that stand ready before a timed run, unless it is known to ask for more."""


@dataclass(frozen=True, slots=True)
class Ratios:
    """Wall seconds of pairs that ran alternately; a ratio above 1 says that ours was faster."""

    ours: tuple[float, ...]
    theirs: tuple[float, ...]

    @property
    def each(self) -> tuple[float, ...]:
        """The ratio of each pair, theirs over ours."""
        return tuple(their / our for our, their in zip(self.ours, self.theirs, strict=True))

    @property
    def median(self) -> float:
        """The median of the pairs' ratios."""
        return median(self.each)

    @property
    def quartiles(self) -> tuple[float, float]:
        """The first and the third quartile of the ratios (inclusive; equal for one pair)."""
        if len(self.each) == 1:
            return self.each[0], self.each[0]
        low, _, high = quantiles(self.each, n=4, method="inclusive")
        return low, high

    @property
    def steady(self) -> bool:
        """Whether the quartiles differ by at most a third."""
        low, high = self.quartiles
        return high <= low * _APART

    def met(self, least: float) -> bool | None:
        """Whether the median reaches `least`; None where the pairs differ too much to say."""
        return self.median >= least if self.steady else None

    def figures(self, prefix: str = "") -> dict[str, object]:
        """What the last line shows, each key behind the prefix."""
        figures = {
            "ratio": _short(self.median),
            "quartiles": [_short(value) for value in self.quartiles],
            "ratios": [_short(value) for value in self.each],
            "ours_s": [_short(value) for value in self.ours],
            "theirs_s": [_short(value) for value in self.theirs],
        }
        return {f"{prefix}{name}": value for name, value in figures.items()}


def pairs(ours: Work, theirs: Work, n: int = 5, *, room: int = ROOM) -> Ratios:
    """Run both once to warm up, then n pairs, the one that begins changing each time; print all.

    Results are dropped before the other one runs. `room` are the bytes that a run may ask for.
    """
    ours()
    theirs()
    taken: list[tuple[float, float]] = []
    for i in range(n):
        first = seconds(theirs if i % 2 else ours, room)
        second = seconds(ours if i % 2 else theirs, room)
        our, their = (second, first) if i % 2 else (first, second)
        print(
            f"pair {i + 1}: ours {our:.3f} s, theirs {their:.3f} s, ratio {their / our:.2f}",
            flush=True,
        )
        taken.append((our, their))
    return Ratios(tuple(our for our, _ in taken), tuple(their for _, their in taken))


def seconds(work: Work, room: int = ROOM) -> float:
    """Wall seconds of one call, with memory standing ready for it."""
    _touch(min(room, psutil.virtual_memory().available // 2))
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _touch(size: int) -> None:
    """Write to as many bytes of fresh memory, and let them go.

    A virtual machine gives free pages back to its host, and waits for them when they are touched
    again: 2 s a GB were seen, against 0.1 s otherwise, for whichever side was first to ask. More
    than is needed would be given back while the work runs, at its cost.
    """
    np.empty(size, np.uint8)[:: mmap.PAGESIZE] = 1


def together(*verdicts: bool | None) -> bool | None:
    """False where any is, else None where any is, else True."""
    if False in verdicts:
        return False
    return None if None in verdicts else True


def peak_of(
    work: Callable[..., object] | Sequence[str], *, prepare: Callable[[], object] | None = None
) -> int:
    """Peak of the summed PSS of a fresh process and its children, in bytes over the start.

    A callable (importable by name, as it is called in a spawned process) is measured from the
    moment it is called; `prepare`, if given, is called before that moment and its result handed to
    `work`, so that inputs and imports do not count. A command (list of arguments) is measured
    whole. Raises `RuntimeError` where the process fails.
    """
    return _of_callable(work, prepare) if callable(work) else _of_command(work)


def _of_callable(work: Callable[..., object], prepare: Callable[[], object] | None) -> int:
    context = multiprocessing.get_context("spawn")
    ours, its = context.Pipe()
    process = context.Process(target=_measured, args=(work, prepare, its))
    process.start()
    its.close()
    try:
        _told(ours, process.pid)
        start = pss(process.pid or 0)
        ours.send("go")
        peak = _watched(process.pid or 0, lambda: ours.poll(_EVERY))
        _told(ours, process.pid)
        ours.send("end")
    finally:
        ours.close()
        process.join()
    return max(peak - start, 0)


def _measured(
    work: Callable[..., object], prepare: Callable[[], object] | None, pipe: Connection
) -> None:
    given = () if prepare is None else (prepare(),)
    pipe.send("ready")
    pipe.recv()
    held = work(*given)
    pipe.send("done")
    pipe.recv()  # what was made stays until the last look
    del held


def _told(pipe: Connection, pid: int | None) -> None:
    try:
        pipe.recv()
    except EOFError:
        raise RuntimeError(f"the measured process {pid} ended early; see its words above") from None


def _of_command(command: Sequence[str]) -> int:
    with subprocess.Popen(list(command)) as process:
        peak = _watched(process.pid, lambda: _ended(process))
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
    return peak


def _ended(process: subprocess.Popen[bytes]) -> bool:
    time.sleep(_EVERY)
    return process.poll() is not None


def _watched(pid: int, ended: Callable[[], bool]) -> int:
    peak = pss(pid)
    while not ended():
        peak = max(peak, pss(pid))
    return max(peak, pss(pid))


def pss(pid: int) -> int:
    """Bytes of the process and its children now: proportional set size, or what comes nearest."""
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    return sum(_own(member) for member in family)


def _own(process: Any) -> int:
    try:
        held = process.memory_full_info()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0
    return int(getattr(held, "pss", 0) or held.uss)


def versions(*names: str) -> dict[str, str]:
    """Versions of Python and of the distributions named; `absent` where one is not installed."""
    return {"python": platform.python_version(), **{name: _version(name) for name in names}}


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "absent"


def emit(name: str, met: bool | None, **figures: object) -> None:
    """Print the last line: one JSON object. `met` is null where the run cannot say."""
    print(json.dumps({"name": name, "met": met, **figures}), flush=True)


def _short(value: float) -> float:
    return float(f"{value:.4g}")
