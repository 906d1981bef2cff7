"""How much memory there is, and how much a process and its children take.

Read from `/proc` and the cgroup's files; where there are none (not Linux) the figures are coarser.
"""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import sys
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from types import TracebackType

_PROC: Final = Path("/proc")
_CGROUPS: Final = Path("/sys/fs/cgroup")
_EVERY: Final = 0.1  # seconds between two looks at the children
_ARENA_MAX: Final = -8  # mallopt(3)
_MMAP_THRESHOLD: Final = -3
_TRIM_THRESHOLD: Final = -1
_PER_HEAP: Final = 4  # threads
_MMAP: Final = "MALLOC_MMAP_THRESHOLD_"
_TRIM: Final = "MALLOC_TRIM_THRESHOLD_"
LITTLE: Final = {
    "_RJEM_MALLOC_CONF": "dirty_decay_ms:0,muzzy_decay_ms:0",  # jemalloc, which Polars brings
    "MIMALLOC_PURGE_DELAY": "0",  # mimalloc, which PyArrow brings
    _MMAP: "4000000",  # glibc, which NumPy and LightGBM use: see `few_heaps`
    _TRIM: "64000000",
}
"""What tells allocators to return memory at once, by the variable that each reads."""
_RESET_PEAK: Final = "5"  # proc(5), /proc/pid/clear_refs


def memory(proc: Path = _PROC, cgroups: Path = _CGROUPS) -> int:
    """Bytes that this process may take: the machine's, or the least limit of its cgroups."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([physical, *_limits(proc, cgroups)])


def _limits(proc: Path, cgroups: Path) -> list[int]:
    """Limits of the process's cgroups and of those around them; version 2 and version 1."""
    found = []
    for line in _lines(proc / "self" / "cgroup"):
        _, controllers, name = line.split(":", 2)
        if not controllers:
            found += _upwards(cgroups, name, "memory.max")
        elif "memory" in controllers.split(","):
            found += _upwards(cgroups / "memory", name, "memory.limit_in_bytes")
    return found


def _upwards(root: Path, name: str, file: str) -> list[int]:
    """The limits from a group up to the root: a limit holds for all that is below it.

    In a container the name may be one of the host's; what is mounted is then the group itself.
    """
    place = root / name.strip("/")
    folders = [place, *place.parents]
    inside = [folder for folder in folders if folder.is_relative_to(root)]
    texts = [line for folder in inside for line in _lines(folder / file)]
    return [int(text) for text in texts if text.isdigit()]  # version 2 writes `max` for none


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:  # not there, gone meanwhile, or not for us to read
        return []


def give_back() -> None:
    """Return memory that is free but kept for later: by the collector, PyArrow's pool, the C heap.

    Between two stages that is the larger part of what one leaves behind.
    """
    gc.collect()
    if arrow := sys.modules.get("pyarrow"):
        arrow.default_memory_pool().release_unused()
    trim()


def trim() -> None:
    """Return what is free on the C heap; a matter of milliseconds. Glibc only."""
    if give := getattr(ctypes.CDLL(None), "malloc_trim", None):
        give(0)


def keep_little() -> None:
    """Let Polars and PyArrow return memory as soon as it is free, instead of later or never.

    Their allocators read this when they are first imported, glibc when a process begins: this
    one's children. A setting of the user's wins.
    """
    for name, value in LITTLE.items():
        os.environ.setdefault(name, value)


def few_heaps(threads: int) -> None:
    """Let threads share C heaps, four each. Glibc gives every thread one of its own, and each keeps
    up to 64 MB of what its thread has freed: half a gigabyte behind a training of direct models.

    Arrays of more than four megabytes are mapped apart, so that freeing one returns it. Left to
    itself glibc raises that to 32 MB as it sees larger ones freed, and then they leave holes: the
    longer a stage ran, the more it held. What the environment says of either bound wins.
    """
    if tell := getattr(ctypes.CDLL(None), "mallopt", None):
        tell(_ARENA_MAX, max(1, threads // _PER_HEAP))
        for option, name in ((_MMAP_THRESHOLD, _MMAP), (_TRIM_THRESHOLD, _TRIM)):
            bound = os.environ.get(name, LITTLE[name])
            tell(option, int(bound if bound.isdigit() else LITTLE[name]))


class Peak:
    """The most memory that this process and its children took while the body ran.

    Of this process the kernel keeps the peak of resident memory, so nothing is missed; children
    are looked at ten times a second, and while there are any the tree's proportional shares (PSS)
    are summed. Pages of mapped files count while they are resident, the page cache does not. Of
    two at a time, the inner one makes the outer one forget what was before it.
    """

    def __init__(self) -> None:
        self.bytes = 0
        self._sampled = 0
        self._ended = Event()
        self._thread = Thread(target=self._watch, name="lakecast-memory", daemon=True)

    def __enter__(self) -> Self:
        _reset()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()
        self.bytes = max(_own_peak(), self._sampled)

    def _watch(self) -> None:
        while not self._ended.wait(_EVERY):
            tree = _below(os.getpid())
            if tree:
                self._sampled = max(self._sampled, sum(map(_share, (os.getpid(), *tree))))


def _reset() -> None:
    try:
        (_PROC / "self" / "clear_refs").write_text(_RESET_PEAK, encoding="ascii")
    except OSError:  # no such file: the peak is then that since the process began
        return


def _own_peak() -> int:
    """Bytes, since the last reset."""
    for line in _lines(_PROC / "self" / "status"):
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _below(pid: int) -> list[int]:
    """Children, their children, and so on."""
    tasks = _PROC / str(pid) / "task"
    try:
        threads = [task.name for task in tasks.iterdir()]
    except OSError:
        return []
    texts = [line for thread in threads for line in _lines(tasks / thread / "children")]
    children = [int(child) for text in texts for child in text.split()]
    return [one for child in children for one in (child, *_below(child))]


def _share(pid: int) -> int:
    """PSS in bytes; 0 for a process that has ended."""
    for line in _lines(_PROC / str(pid) / "smaps_rollup"):
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0
