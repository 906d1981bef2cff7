"""Who judges points: this process, or several spawned ones.

Processes, because threads share one interpreter lock, and because a process that dies takes only
its own work with it. Each makes its bench once.
"""

from __future__ import annotations

import os
import signal
import uuid
from collections import deque
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import TYPE_CHECKING, Final, Protocol, Self

from lakecast.errors import LakecastError
from lakecast.training.tune.court import Court, Verdict

if TYPE_CHECKING:
    from types import TracebackType

    from lakecast.engines.protocol import Engine
    from lakecast.training.tune.court import Case
    from lakecast.training.tune.space import Point

_BREAKS: Final = 3


@dataclass(frozen=True, slots=True)
class Task:
    """A point to be judged in a window, for a slot."""

    slot: int
    point: Point
    window: int


class Crew(Protocol):
    """Judges tasks in any order."""

    @property
    def size(self) -> int:
        """How many are judged at a time."""
        ...

    def submit(self, task: Task) -> None:
        """Take a task on."""
        ...

    def next(self) -> tuple[Task, Verdict]:
        """A task that is judged; waits for it. There must be one."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """What a process may use: threads, and bytes of binned sets."""

    threads: int
    budget: int


class Alone:
    """This process."""

    size: Final = 1

    def __init__(self, case: Case, share: Share) -> None:
        self._case, self._share = case, share
        self._court: Court | None = None
        self._tasks: deque[Task] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._court = None

    def submit(self, task: Task) -> None:
        """Take a task on."""
        self._tasks.append(task)

    def next(self) -> tuple[Task, Verdict]:
        """Judge the oldest task."""
        self._court = self._court or _court(self._case, self._share)
        task = self._tasks.popleft()
        return task, _judge(self._court, task)


class Processes:
    """Spawned processes. One that dies is replaced, and what it had is judged again.

    Raises `LakecastError` from `next` where they die again and again.
    """

    def __init__(self, case: Case, share: Share, size: int) -> None:
        self.size = size
        self._case, self._share = case, share
        self._waiting: dict[Future[Verdict], Task] = {}
        self._breaks = 0
        self._pool = self._open()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:  # nobody waits for what is under way
            for process in list((self._pool._processes or {}).values()):  # noqa: SLF001
                process.kill()
        self._pool.shutdown(cancel_futures=True)

    def submit(self, task: Task) -> None:
        """Take a task on."""
        try:
            self._waiting[self._pool.submit(_work, task)] = task
        except BrokenProcessPool:
            self._again([task])

    def next(self) -> tuple[Task, Verdict]:
        """Wait for a task."""
        while True:
            done, _ = wait(self._waiting, return_when=FIRST_COMPLETED)
            future = done.pop()
            task = self._waiting.pop(future)
            try:
                verdict = future.result()
            except BrokenProcessPool:
                self._again([task])
                continue
            self._breaks = 0
            return task, verdict

    def _again(self, lost: list[Task]) -> None:
        """New processes, and for them all that the old ones had."""
        self._breaks += 1
        if self._breaks >= _BREAKS:
            raise LakecastError(
                f"processes died {_BREAKS} times before they had judged anything",
                where="lakecast tune",
                cure="they may have been killed for memory: use fewer --workers or more --memory; "
                "trials that ended are kept",
            )
        lost += self._waiting.values()
        self._waiting = {}
        self._pool.shutdown(cancel_futures=True)
        self._pool = self._open()
        for task in lost:
            self.submit(task)

    def _open(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self.size,
            mp_context=get_context("spawn"),
            initializer=_begin,
            initargs=(self._case, self._share),
        )


class Spread:
    """The workers of an engine. One that dies is replaced, and what it had is judged again."""

    def __init__(self, case: Case, share: Share, engine: Engine) -> None:
        self.size = engine.workers
        self._pool = engine.pool(partial(_judged, case=case, share=share, key=uuid.uuid4().hex))

    def __enter__(self) -> Self:
        self._pool.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.__exit__(kind, error, trace)

    def submit(self, task: Task) -> None:
        """Take a task on."""
        self._pool.submit(task)

    def next(self) -> tuple[Task, Verdict]:
        """Wait for a task."""
        return self._pool.next()


_MINE: dict[str, Court] = {}
"""The bench of a spawned process, or of an engine's worker by the key of its search."""


def _begin(case: Case, share: Share) -> None:
    """Make the bench of a spawned process, which does not outlive its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is interrupted, and ends us
    Thread(target=_follow, daemon=True).start()
    _MINE["court"] = _court(case, share)


def _follow() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(task: Task) -> Verdict:
    return _judge(_MINE["court"], task)


def _judged(task: Task, *, case: Case, share: Share, key: str) -> Verdict:
    """As `_work`, on an engine's worker, which may have served another search before."""
    if key not in _MINE:
        _MINE.clear()
        _MINE[key] = _court(case, share)
    return _judge(_MINE[key], task)


def _judge(court: Court, task: Task) -> Verdict:
    """The verdict; a point that this panel cannot be fit with has none."""
    try:
        return court.judge(task.point, task.window)
    except LakecastError as error:
        if not error.terminal:
            raise
        return Verdict(float("nan"), 0.0)


def _court(case: Case, share: Share) -> Court:
    return Court(case, threads=share.threads, budget=share.budget)
