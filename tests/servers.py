"""Servers on this machine: a port to listen at, and waiting until one listens."""

from __future__ import annotations

import socket
import time

import pytest


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int, *, seconds: int = 60) -> None:
    """Until somebody listens at the port; fails the test after so many seconds."""
    for _ in range(10 * seconds):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"nothing listens at port {port}")
