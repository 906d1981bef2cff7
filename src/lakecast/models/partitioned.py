"""One regressor a value of a category column, behind one face.

A recursive or direct model whose regressor is partitioned by the column of stores is a model a
store: they share the plan, the binned set and the parameters, and each sees its own rows alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from lakecast.models.codec import Stored, write

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from lakecast.models.protocol import Fitted

KIND: Final = "partitioned"
OTHER_ROWS: Final = -2
"""In the place of a row's value: the row is not trained on."""
OTHERS: Final = -1
"""The member of rows whose value has too few of them, or none that is known."""
LEAST: Final = 10_000
"""Fewest rows of a member of its own."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Partitioned:
    """`members` by the value of column `column` of the matrix; `shares` are their training rows'.

    Without a member of its own, a row goes to `OTHERS`, and without that to the mean of all
    members, weighted by their rows.
    """

    column: int
    members: Mapping[int, Fitted]
    shares: Mapping[int, float]

    def predict(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """One number a row."""
        values = np.nan_to_num(matrix[:, self.column], nan=OTHERS).astype(np.int64)
        out = np.empty(len(matrix))
        for value in np.unique(values):
            mine = values == value
            out[mine] = self._predict(int(value), matrix if mine.all() else matrix[mine])
        return out

    def _predict(self, value: int, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        member = self.members.get(value, self.members.get(OTHERS))
        if member is not None:
            return member.predict(matrix)
        total = np.zeros(len(matrix))
        for one, share in sorted(self.shares.items()):
            total += share * self.members[one].predict(matrix)
        return total

    def importances(self) -> Mapping[str, float]:
        """The members', weighted by their rows."""
        out: dict[str, float] = {}
        for value, share in sorted(self.shares.items()):
            for name, part in self.members[value].importances().items():
                out[name] = out.get(name, 0.0) + share * part
        return out

    def save(self, folder: Path) -> None:
        """Write into an empty folder, a folder a member."""
        shares = {str(value): share for value, share in sorted(self.shares.items())}
        write(folder, KIND, {"column": self.column, "shares": shares})
        for value, member in self.members.items():
            member.save(folder / f"member-{value}")

    @classmethod
    def restore(cls, stored: Stored) -> Partitioned:
        """What `save` wrote."""
        shares = {int(value): share for value, share in stored.values["shares"].items()}
        return cls(
            column=stored.values["column"],
            members={value: stored.member(f"member-{value}") for value in shares},
            shares=shares,
        )


def fit_partitions(
    column: int,
    values: NDArray[np.int16],
    fit: Callable[[NDArray[np.bool_], int], Fitted],
    threads: int,
) -> Partitioned:
    """Fit each value with at least `LEAST` rows on its own, the rows of all others together.

    `values` [n] are the column's in the rows that are trained on (null: -1, other rows:
    `OTHER_ROWS`); `fit` is given a mask [n] of them and how many threads it may use.
    """
    found, counts = np.unique(values[values != OTHER_ROWS], return_counts=True)
    rows = dict(zip(found.tolist(), counts.tolist(), strict=True))
    groups = grouped(rows)
    # Side by side, fits on one thread each wait less for each other.
    alone = threads if len(groups) == 1 else 1
    with ThreadPoolExecutor(threads) as pool:
        members = pool.map(lambda group: fit(np.isin(values, group), alone), groups.values())
        held = dict(zip(groups, members, strict=True))
    return Partitioned(column=column, members=held, shares=_shares(rows))


def grouped(rows: Mapping[int, int]) -> dict[int, tuple[int, ...]]:
    """The values of each member, from the rows of each value: those with few rows are `OTHERS`.

    >>> grouped({0: 20_000, 1: 5, 2: 7, -1: 50_000})
    {0: (0,), -1: (-1, 1, 2)}
    """
    large = [value for value in sorted(rows) if rows[value] >= LEAST and value != OTHERS]
    small = tuple(value for value in sorted(rows) if value not in large)
    groups = {value: (value,) for value in large}
    return groups | ({OTHERS: small} if small else {})


def joined(parts: Sequence[Partitioned], rows: Mapping[int, int]) -> Partitioned:
    """Members that were fit part by part as one; `rows` are the training rows of each value."""
    return Partitioned(
        column=parts[0].column,
        members={at: member for part in parts for at, member in part.members.items()},
        shares=_shares(rows),
    )


def _shares(rows: Mapping[int, int]) -> dict[int, float]:
    total = sum(rows.values())
    return {at: sum(rows[one] for one in of) / total for at, of in grouped(rows).items()}
