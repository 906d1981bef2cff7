"""The machine: limits of cgroups, and the peak of a process and its children."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from lakecast.machine import Peak, keep_little, memory

if TYPE_CHECKING:
    from pathlib import Path

MB = 10**6


def machine(folder: Path, cgroup: str, **limits: str) -> tuple[Path, Path]:
    """A `/proc` and a cgroup tree; `limits` by path, `__` for a slash."""
    proc, groups = folder / "proc", folder / "cgroup"
    (proc / "self").mkdir(parents=True)
    (proc / "self" / "cgroup").write_text(cgroup)
    for name, text in limits.items():
        path = groups / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_name(path.name.replace("-", ".", 1)).write_text(f"{text}\n")
    return proc, groups


def physical() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def test_without_limits_it_is_the_machine(tmp_path: Path) -> None:
    assert memory(tmp_path, tmp_path) == physical()
    proc, groups = machine(tmp_path, "0::/job\n", **{"job__memory-max": "max"})
    assert memory(proc, groups) == physical()


def test_the_least_limit_above_a_group_holds(tmp_path: Path) -> None:
    limits = {"job__memory-max": "900000000", "job__step__memory-max": "max", "memory-max": "max"}
    proc, groups = machine(tmp_path, "0::/job/step\n", **limits)
    assert memory(proc, groups) == 900 * MB


def test_version_one(tmp_path: Path) -> None:
    limits = {
        "memory__job__memory-limit_in_bytes": "700000000",
        "memory__memory-limit_in_bytes": "9223372036854771712",
    }
    proc, groups = machine(tmp_path, "5:cpu,memory:/job\n4:pids:/other\n0::/\n", **limits)
    assert memory(proc, groups) == 700 * MB


def test_a_container_sees_its_own_group_at_the_root(tmp_path: Path) -> None:
    proc, groups = machine(tmp_path, "0::/docker/abc\n", **{"memory-max": "800000000"})
    assert memory(proc, groups) == 800 * MB


def test_a_peak_that_is_over_counts() -> None:
    small, large, after = measured("""
with Peak() as small:
    pass
with Peak() as large:
    np.ones(25_000_000).sum()
with Peak() as after:
    pass
print(small.bytes, large.bytes, after.bytes)
""")
    assert 180 * MB < large - small < 260 * MB
    assert after < small + 50 * MB


def test_children_count() -> None:
    child = "import time; held = bytearray(150_000_000); time.sleep(1.0)"
    alone, both = measured(f"""
with Peak() as alone:
    pass
with Peak() as both:
    subprocess.run([sys.executable, "-c", {child!r}], check=True)
print(alone.bytes, both.bytes)
""")
    assert both - alone > 120 * MB


def measured(code: str) -> tuple[int, ...]:
    """What the code prints, in a process that does nothing else and shares little.

    What other tests left behind moves a process's memory while it is measured, and of shared pages
    a child's share is less than all.
    """
    head = "import subprocess, sys\nimport numpy as np\nfrom lakecast.machine import Peak\n"
    ran = subprocess.run(
        [sys.executable, "-c", head + code], check=True, capture_output=True, text=True, timeout=60
    )
    return tuple(map(int, ran.stdout.split()))


def test_an_error_is_let_through_and_measured() -> None:
    peak = Peak()
    with pytest.raises(ValueError, match="no"), peak:
        raise ValueError("no")
    assert peak.bytes > 0


def test_what_is_free_is_given_back() -> None:
    full, after = measured("""
import pyarrow as pa
from lakecast.machine import give_back
pieces = [bytearray(10_000) for _ in range(20_000)]
last = pieces.pop()  # what is on top of the heap keeps all below it
arrow = pa.array(np.ones(10_000_000))
with Peak() as full:
    pass
del pieces, arrow
give_back()
with Peak() as after:
    pass
assert len(last) == 10_000
print(full.bytes, after.bytes)
""")
    assert full - after > 200 * MB


def test_threads_share_heaps() -> None:
    code = """
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from lakecast.machine import few_heaps
import sys
if sys.argv[1] == "few":
    few_heaps(8)
together = Barrier(8)
def work(_):
    held = [bytearray(90_000) for _ in range(50)]
    together.wait()
    return len(held)
with ThreadPoolExecutor(8) as pool:
    list(pool.map(work, range(8)))
heaps = [line for line in open("/proc/self/maps") if line.split("-")[0].endswith("000000")]
print(sum("00:00 0" in line and "rw-p" in line for line in heaps))
"""

    def heaps(how: str) -> int:
        argv = [sys.executable, "-c", code, how]
        return int(subprocess.run(argv, check=True, capture_output=True, text=True).stdout)

    assert heaps("few") < heaps("many")


@pytest.mark.skipif(sys.platform != "linux", reason="resident memory is read from /proc")
def test_large_arrays_leave_no_holes() -> None:
    """Having seen a larger one freed, glibc would put them on its heap, held by the last one."""
    code = """
import re, sys
from pathlib import Path
import numpy as np
from lakecast.machine import few_heaps

def resident():
    return int(re.search(r"VmRSS:\\s*([0-9]+)", Path("/proc/self/status").read_text())[1]) * 1000

if sys.argv[1] == "apart":
    few_heaps(2)
larger = np.ones(3_500_000)
del larger
held = [np.ones(1_000_000) for _ in range(30)]
full = resident()
last = held[-1]
del held
print((full - resident()) // 1_000_000, last.size)
"""

    def returned(how: str, **more: str) -> int:
        argv = [sys.executable, "-c", code, how]
        env = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
        env |= more
        done = subprocess.run(argv, env=env, check=True, capture_output=True, text=True, timeout=60)
        return int(done.stdout.split()[0])

    assert returned("left alone") < 50
    assert returned("apart") > 200
    assert returned("apart", MALLOC_MMAP_THRESHOLD_="30000000") < 50, "what the user says wins"


@pytest.mark.skipif(sys.platform != "linux", reason="resident memory is read from /proc")
def test_polars_returns_what_is_free() -> None:
    code = """
import re
from pathlib import Path
from lakecast import machine
machine.keep_little()
import polars as pl

def resident():
    return int(re.search(r"VmRSS:\\s*([0-9]+)", Path("/proc/self/status").read_text())[1]) * 1000

before = resident()
frame = pl.select(a=pl.int_range(50_000_000))
full = resident()
del frame
print((full - before) // 1_000_000, (resident() - before) // 1_000_000)
"""
    env = {name: value for name, value in os.environ.items() if name != "_RJEM_MALLOC_CONF"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=env,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    full, after = map(int, done.stdout.split())
    assert full > 300
    assert after < 100


def test_what_the_user_said_to_an_allocator_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    held = {"MIMALLOC_PURGE_DELAY": "50"}
    monkeypatch.setattr(os, "environ", held)
    keep_little()
    assert held["MIMALLOC_PURGE_DELAY"] == "50"
    assert "dirty_decay_ms:0" in held["_RJEM_MALLOC_CONF"]
