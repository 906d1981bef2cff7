"""All that the command line writes: text for people, JSON for machines, bars on stderr."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lakecast.errors import LakecastError
    from lakecast.logs import Progress


class Output:
    """Writes lines, tables and one final result.

    With `as_json` nothing but the result's JSON reaches stdout; lines are dropped.
    """

    def __init__(
        self, *, as_json: bool = False, out: TextIO | None = None, err: TextIO | None = None
    ) -> None:
        self.as_json = as_json
        self._out = out or sys.stdout
        self._err = err or sys.stderr

    def line(self, text: str = "") -> None:
        """A line for people."""
        if not self.as_json:
            print(text, file=self._out)

    def table(self, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Aligned columns; numbers to the right."""
        if self.as_json:
            return
        cells = [[_cell(value) for value in row] for row in rows]
        widths = [max(map(len, column)) for column in zip(head, *cells, strict=True)]
        right = [_is_number(column) for column in zip(*rows, strict=True)] or [False] * len(head)
        for row in [list(head), *cells]:
            self.line(
                "  ".join(
                    text.rjust(width) if flush else text.ljust(width)
                    for text, width, flush in zip(row, widths, right, strict=True)
                ).rstrip()
            )

    def result(self, value: Mapping[str, Any]) -> None:
        """What the command returns to a machine; silent for people."""
        if self.as_json:
            print(json.dumps(value, default=str, ensure_ascii=False), file=self._out)

    def flush(self) -> None:
        """Hand over what is still buffered."""
        self._out.flush()

    def error(self, error: LakecastError) -> None:
        """An error on stderr: what, where and the cure; as JSON with `as_json`."""
        from lakecast.logs import redact

        if self.as_json:
            body = {"error": error.what, "where": error.where, "cure": error.cure}
            print(redact(json.dumps({**body, "exit": error.exit_code})), file=self._err)
        else:
            print(f"lakecast: {redact(str(error))}", file=self._err)

    @contextmanager
    def bar(self, title: str, total: int | None = None, unit: str = "") -> Iterator[Progress]:
        """A progress bar on stderr, shown once the work takes longer than a second."""
        from tqdm import tqdm

        quiet = self.as_json or not self._err.isatty()
        with tqdm(
            total=total, desc=title, unit=f" {unit}" if unit else "it", file=self._err,
            delay=1.0, leave=False, disable=quiet, dynamic_ncols=True, unit_scale=True,
        ) as bar:  # fmt: skip
            yield _Bar(bar)
        if not self.as_json and quiet:
            print(f"{title}: done", file=self._err)


class _Bar:
    def __init__(self, bar: Any) -> None:
        self._bar = bar

    def advance(self, amount: int = 1) -> None:
        """So many more units are done."""
        self._bar.update(amount)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.3f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)


def _is_number(values: Sequence[object]) -> bool:
    return all(value is None or isinstance(value, (int, float)) for value in values)
