"""BLAS on one thread.

Several take sums in another order, so that last bits of a product would depend on the machine.
"""

from __future__ import annotations

from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any

from threadpoolctl import threadpool_limits

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Limit:
    """A limit of the whole process, which holds as long as anybody needs it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._users = 0
        self._limits: Any = None

    def take(self) -> None:
        with self._lock:
            self._users += 1
            if self._users == 1:
                self._limits = threadpool_limits(1, user_api="blas")

    def give(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                self._limits.restore_original_limits()


_LIMIT = _Limit()


@contextmanager
def one_thread() -> Iterator[None]:
    """While the body runs; bodies on several threads at a time may overlap."""
    _LIMIT.take()
    try:
        yield
    finally:
        _LIMIT.give()
