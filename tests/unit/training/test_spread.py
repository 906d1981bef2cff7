"""Fits on workers: in which order they begin, how they come back, with how many threads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import pytest
from tests.unit.training.stage import candidate, make_folds

from lakecast.engines.protocol import Footprint
from lakecast.training.spread import SpreadBench, Workplace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

WINDOW = make_folds(1)[0].window


@dataclass
class Backwards:
    """A cluster whose work is never done here: it gives pieces back, the last one first."""

    workers: int = 4
    room: int | None = None
    begun: list[Any] = field(default_factory=list)
    waiting: list[Any] = field(default_factory=list)
    given_up: list[Any] = field(default_factory=list)
    told: dict[str, Any] = field(default_factory=dict)

    @property
    def footprint(self) -> Footprint:
        return Footprint(service=0, worker=0, whole=False, room=self.room)

    def pool(self, work: Callable[[Any], Any]) -> Self:
        self.told = work.keywords  # type: ignore[attr-defined]
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.given_up, self.waiting = self.waiting, []

    def submit(self, piece: Any) -> None:
        self.begun.append(piece)
        self.waiting.append(piece)

    def next(self) -> tuple[Any, str]:
        piece = self.waiting.pop()
        return piece, f"of {piece[1][0].name}"

    def map(
        self, work: Callable[[Any], Any], pieces: Sequence[Any], *, title: str
    ) -> Iterator[Any]:
        self.told = work.keywords  # type: ignore[attr-defined]
        return iter(pieces)


def bench(engine: Backwards) -> SpreadBench:
    place = Workplace(panel=None, spec=None, splits=None, budget=1)  # type: ignore[arg-type]
    return SpreadBench(engine, place)  # type: ignore[arg-type]


def test_models_begin_first_and_all_come_back_with_their_places() -> None:
    engine = Backwards()
    named = ("naive", "baseline"), ("trees", "gradient_boosting"), ("theta", "baseline")
    asked = [(candidate(name, family), WINDOW) for name, family in named]
    found = dict(bench(engine).forecasts(asked))
    assert [piece[1][0].name for piece in engine.begun] == ["trees", "naive", "theta"]
    assert found == {0: "of naive", 1: "of trees", 2: "of theta"}


def test_what_still_runs_is_given_up() -> None:
    engine = Backwards()
    fits = bench(engine).forecasts([(candidate("a"), WINDOW), (candidate("b"), WINDOW)])
    next(fits)
    fits.close()
    assert [piece[1][0].name for piece in engine.given_up] == ["a"]


def test_nothing_asked_asks_nobody() -> None:
    engine = Backwards()
    assert list(bench(engine).forecasts([])) == []
    assert not engine.told


@pytest.mark.parametrize(
    ("workers", "room", "names", "threads"),
    [(4, None, "a", 4), (5, None, "ab", 2), (2, None, "abc", 1), (4, 10**9, "a", 1)],
)
def test_a_final_fit_takes_the_cores_that_wait(
    workers: int, room: int | None, names: str, threads: int
) -> None:
    """Those of workers started here; a worker of a cluster that was joined has its own."""
    engine = Backwards(workers, room)
    assert list(bench(engine).whole(names)) == list(names)
    assert engine.told["threads"] == threads
