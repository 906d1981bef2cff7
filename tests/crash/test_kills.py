"""Real processes, really killed: SIGKILL at a point of progress or at a random moment."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from tests.crash.traces import Trace, compare, fresh, trace
from tests.projects import write_project

from lakecast import Project
from lakecast.flows.lease import holder, lease

if TYPE_CHECKING:
    from pathlib import Path

LONGEST = 120.0
# A path of the project that appears in the middle of the work; the kill comes right after.
POINTS = (
    "lake/sales/_delta_log/00000000000000000000.json",
    "lake/work/*/*.parquet",
    "lake/models/*.zip",
    "mlartifacts/**/MLmodel",
    "lake/promotions/_delta_log/00000000000000000000.json",
)


def start(folder: Path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "lakecast", "run", "--project", str(folder), *more]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ)
    )


def finish(process: subprocess.Popen[str]) -> None:
    out, err = process.communicate(timeout=LONGEST)
    assert process.returncode == 0, f"{out}\n{err}"


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
    assert process.returncode == -signal.SIGKILL


def until(process: subprocess.Popen[str], folder: Path, pattern: str) -> None:
    """Wait until the path is there; fails when the process ends without it."""
    while not next(folder.glob(pattern), None):
        if process.poll() is not None:
            out, err = process.communicate()
            pytest.fail(f"ended without {pattern}: {out}{err}")
        time.sleep(0.002)


@pytest.mark.crash
@pytest.mark.parametrize("point", POINTS, ids=["sales", "work", "bundle", "model", "promotion"])
def test_killed_at_a_point(point: str, tmp_path: Path, prepared: Path, undisturbed: Trace) -> None:
    folder = fresh(tmp_path / "p", prepared)
    running = start(folder)
    until(running, folder, point)
    kill(running)
    finish(start(folder))
    compare(trace(folder), undisturbed)


@pytest.mark.crash
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_killed_at_random(seed: int, tmp_path: Path, undisturbed: Trace) -> None:
    """Up to three kills, each after a time drawn from the length of a run."""
    folder, drawn = write_project(tmp_path / "p"), random.Random(seed)
    for _ in range(drawn.randint(1, 3)):
        running = start(folder)
        try:
            running.wait(timeout=drawn.uniform(0.5, 9.0))
        except subprocess.TimeoutExpired:
            kill(running)
        else:
            running.communicate()
    finish(start(folder))
    compare(trace(folder), undisturbed)


# --- two at a time


@pytest.mark.crash
def test_a_dead_holders_lease_is_taken_over_at_once(project: Path) -> None:
    code = (
        "import sys, time; from lakecast import Project; from lakecast.flows.lease import lease\n"
        "with lease(Project.open(sys.argv[1]).context.lake):\n"
        "    print('held', flush=True); time.sleep(600)"
    )
    running = subprocess.Popen(
        [sys.executable, "-c", code, str(project)], stdout=subprocess.PIPE, text=True
    )
    assert running.stdout is not None
    assert running.stdout.readline() == "held\n"
    lake = Project.open(project).context.lake
    assert holder(lake) is not None
    assert str(running.pid) in str(holder(lake))
    kill(running)
    assert holder(lake) is None
    with lease(lake) as mine:
        assert mine.pid == os.getpid()


@pytest.mark.crash
def test_of_two_runs_one_waits_and_one_is_told_who_works(
    tmp_path: Path, prepared: Path, undisturbed: Trace
) -> None:
    folder = fresh(tmp_path / "p", prepared)
    first = start(folder)
    until(first, folder, "lake/sales/_delta_log/*.json")
    second, third = start(folder), start(folder, "--wait", "100")
    out, err = second.communicate(timeout=LONGEST)
    assert second.returncode == 5, out
    assert f"process {first.pid} on" in err
    assert "--wait SECONDS" in err
    finish(first)
    finish(third)
    compare(trace(folder), undisturbed)
