"""What every engine must do, facet by facet. A new engine adds itself to `ENGINES`.

The functions given to an engine stand at the top of the module: an engine may send them elsewhere.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from lakecast.engines.local import LocalEngine
from lakecast.errors import DataRefused

if TYPE_CHECKING:
    from pathlib import Path

    from lakecast.engines.protocol import Engine

ENGINES: dict[str, Callable[[int, Path], Engine]] = {
    "local": lambda workers, scratch: LocalEngine(workers=workers, scratch=scratch),
}


@pytest.fixture(params=[(name, workers) for name in ENGINES for workers in (1, 3)], ids=str)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    name, workers = request.param
    return ENGINES[name](workers, tmp_path / "scratch")


def square(piece: int) -> int:
    return piece * piece


def square_unevenly(piece: int) -> int:
    time.sleep(0.02 if piece % 3 == 0 else 0.0)
    return square(piece)


def add(left: float, right: float) -> float:
    return left + right


def refuse_five(piece: int) -> int:
    if piece == 5:
        raise DataRefused("five", where="here", cure="leave it out")
    return piece


def third(piece: int) -> float:
    return 1.0 / (3.0 + piece)


class TestMapBlocks:
    def test_results_come_in_the_order_of_the_pieces(self, engine: Engine) -> None:
        found = list(engine.map(square_unevenly, range(20), title="t"))
        assert found == [piece * piece for piece in range(20)]

    def test_no_pieces_give_no_results(self, engine: Engine) -> None:
        assert list(engine.map(square, [], title="t")) == []

    def test_a_typed_error_reaches_the_caller_as_it_is(self, engine: Engine) -> None:
        with pytest.raises(DataRefused) as caught:
            list(engine.map(refuse_five, range(10), title="t"))
        assert (caught.value.what, caught.value.where, caught.value.cure) == (
            "five", "here", "leave it out",
        )  # fmt: skip

    def test_results_before_the_error_arrive(self, engine: Engine) -> None:
        found: list[int] = []
        with pytest.raises(DataRefused):
            drain(engine.map(refuse_five, range(10), title="t"), found)
        assert found == [0, 1, 2, 3, 4]

    def test_leaving_early_is_allowed(self, engine: Engine) -> None:
        results = engine.map(square, range(1000), title="t")
        assert next(results) == 0
        results.close()  # type: ignore[attr-defined]


def drain(results: Iterable[int], found: list[int]) -> None:
    for result in results:
        found.append(result)  # noqa: PERF402  # what arrived before an error must be kept


class TestReduce:
    def test_the_fold_runs_in_the_order_of_the_pieces(self, engine: Engine) -> None:
        assert engine.reduce(str, add, list("abcdef"), title="t") == "abcdef"  # type: ignore[arg-type]

    def test_the_bits_are_those_of_a_loop(self, engine: Engine) -> None:
        total = third(0)
        for piece in range(1, 500):
            total += third(piece)
        assert engine.reduce(third, add, range(500), title="t") == total

    def test_a_single_piece_is_not_merged(self, engine: Engine) -> None:
        assert engine.reduce(third, _never, [0], title="t") == third(0)

    def test_nothing_cannot_be_reduced(self, engine: Engine) -> None:
        with pytest.raises(ValueError, match="nothing to reduce"):
            engine.reduce(third, add, [], title="t")


def _never(left: float, right: float) -> float:
    raise AssertionError("merged")


def split(piece: int) -> dict[int, pa.Table]:
    """Piece p has the rows (p, b) for each bucket b below p mod 4."""
    named = {b"who": str(piece).encode()}
    return {
        bucket: pa.table({"piece": [piece], "bucket": [bucket]}).replace_schema_metadata(named)
        for bucket in range(piece % 4)
    }


Parts = Iterable[Iterable[pa.Table]]


def collect(bucket: int, parts: Parts) -> tuple[int, list[int], list[bytes]]:
    held = [table for tables in parts for table in tables]
    assert all(table["bucket"][0].as_py() == bucket for table in held)
    return bucket, [t["piece"][0].as_py() for t in held], [t.schema.metadata[b"who"] for t in held]


def collect_parts(bucket: int, parts: Parts) -> tuple[int, list[list[int]]]:
    return bucket, [[n for table in tables for n in table["piece"].to_pylist()] for tables in parts]


def split_plainly(piece: int) -> dict[int, pa.Table]:
    return {part: pa.table({"piece": [piece]}) for part in range(piece % 4)}


def each(*buckets: int) -> dict[int, list[int]]:
    """Buckets of one part."""
    return {bucket: [bucket] for bucket in buckets}


def refuse_bucket(bucket: int, parts: Parts, wanted: int) -> int:
    del parts
    if bucket == wanted:
        raise DataRefused("bucket", where="there")
    return bucket


class TestExchange:
    def test_each_bucket_gets_its_tables_in_the_order_of_the_pieces(self, engine: Engine) -> None:
        found = list(engine.exchange(split, range(40), collect, each(*range(5)), title="t"))
        assert [bucket for bucket, *_ in found] == [0, 1, 2, 3, 4]
        for bucket, pieces, names in found:
            expected = [piece for piece in range(40) if piece % 4 > bucket]
            assert pieces == expected
            assert names == [str(piece).encode() for piece in expected]

    def test_buckets_not_asked_for_are_not_built(self, engine: Engine) -> None:
        found = list(engine.exchange(split, range(40), collect, each(2, 0), title="t"))
        assert [bucket for bucket, *_ in found] == [2, 0]

    def test_a_bucket_gets_its_parts_one_by_one_in_the_order_named(self, engine: Engine) -> None:
        buckets = {7: [2, 0], 5: [1], 6: [9], 4: []}
        found = dict(engine.exchange(split_plainly, range(9), collect_parts, buckets, title="t"))
        assert list(found) == [7, 5, 6, 4]
        assert found == {7: [[3, 7], [1, 2, 3, 5, 6, 7]], 5: [[2, 3, 6, 7]], 6: [[]], 4: []}

    def test_an_error_in_a_bucket_reaches_the_caller(self, engine: Engine) -> None:
        build = partial(refuse_bucket, wanted=1)
        with pytest.raises(DataRefused, match="there: bucket"):
            list(engine.exchange(split, range(8), build, each(*range(3)), title="t"))

    def test_nothing_is_left_behind(self, engine: Engine, tmp_path: Path) -> None:
        list(engine.exchange(split, range(8), collect, each(*range(3)), title="t"))
        build = partial(refuse_bucket, wanted=0)
        with pytest.raises(DataRefused):
            list(engine.exchange(split, range(8), build, each(*range(3)), title="t"))
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_no_engine_runs_work_beyond_its_window(tmp_path: Path) -> None:
    """Bounded memory: results that nobody took hold back further work."""
    begun: list[int] = []
    lock = threading.Lock()

    def note(piece: int) -> int:
        with lock:
            begun.append(piece)
        return piece

    results = LocalEngine(workers=2, scratch=tmp_path).map(note, range(100), title="t")
    next(results)
    time.sleep(0.05)
    assert len(begun) <= 5
    assert list(results) == list(range(1, 100))


def test_the_contract_knows_every_engine() -> None:
    from typing import get_args

    from lakecast.settings import Engine as Known

    known: Any = get_args(Known)
    assert set(ENGINES) == set(known)
