"""Logging that never shows a secret, and the seam through which work reports its progress."""

from __future__ import annotations

import logging
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

_SECRET = re.compile(
    r"(?i)((?:[\w-]*(?:password|passwd|secret|token|access_key|credential|signature)[\w-]*)"
    r"[\"']?\s*[=:]\s*[\"']?)([^\s\"',;&]+)"
)
_USERINFO = re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s:/@]*:)([^\s\"']+)(@)", re.IGNORECASE)


def redact(text: str) -> str:
    """The text with passwords in URLs and values of secret-looking keys replaced by `***`."""
    return _SECRET.sub(r"\1***", _USERINFO.sub(r"\1***\3", text))


class Redacting(logging.Filter):
    """Redacts a record's message before any handler sees it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always true; the record's message is redacted in place."""
        record.msg = redact(record.getMessage())
        record.args = None
        return True


def get_logger(name: str) -> logging.Logger:
    """A logger under `lakecast` whose records are redacted."""
    logger = logging.getLogger(name if name.startswith("lakecast") else f"lakecast.{name}")
    if not any(isinstance(item, Redacting) for item in logger.filters):
        logger.addFilter(Redacting())
    return logger


class Progress(Protocol):
    """Where long work says how far it is. Implemented by the CLI's bars, silent elsewhere."""

    def advance(self, amount: int = 1) -> None:
        """So many more units are done."""
        ...


class Progresses(Protocol):
    """Opens one `Progress` per piece of long work."""

    def bar(
        self, title: str, total: int | None = None, unit: str = ""
    ) -> AbstractContextManager[Progress]:
        """A context manager that yields a `Progress`; `total` None: unknown."""
        ...


class _Silence:
    def advance(self, amount: int = 1) -> None:
        """Says nothing."""


class Silent:
    """Reports to nobody."""

    @contextmanager
    def bar(self, title: str, total: int | None = None, unit: str = "") -> Iterator[Progress]:
        """A progress that says nothing."""
        del title, total, unit
        yield _Silence()
