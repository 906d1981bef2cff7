"""What every engine must do, facet by facet. A new engine adds itself to `ENGINES`.

The functions given to an engine stand at the top of the module: an engine may send them elsewhere.
Clusters are real ones on this machine, one of each kind and size for all tests.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from lakecast.engines.local import LocalEngine
from lakecast.engines.protocol import Unsupported
from lakecast.errors import DataRefused, UsageError

if TYPE_CHECKING:
    from lakecast.engines.protocol import Engine


def ray(workers: int, scratch: Path) -> Engine:
    from lakecast.engines.ray import RayEngine
    from lakecast.engines.ray.cluster import RayCluster

    del scratch
    return RayEngine(cluster=RayCluster(workers=workers, memory=400_000_000))


def dask(workers: int, scratch: Path) -> Engine:
    from lakecast.engines.dask import DaskEngine
    from lakecast.engines.dask.cluster import DaskCluster

    del scratch
    return DaskEngine(cluster=DaskCluster(workers=workers, memory=4_000_000_000))


ENGINES: dict[str, Callable[[int, Path], Engine]] = {
    "local": lambda workers, scratch: LocalEngine(workers=workers, scratch=scratch),
    "ray": ray,
    "dask": dask,
}
CASES = [
    pytest.param((name, workers), id=f"{name}-{workers}", marks=marks)
    for name, marks in (
        ("local", ()),
        ("ray", pytest.mark.servers),
        ("dask", pytest.mark.servers),
    )
    for workers in (1, 3)
]


@pytest.fixture(scope="module", params=CASES)
def engine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    name, workers = request.param
    found = ENGINES[name](workers, tmp_path_factory.mktemp("scratch"))
    yield found
    found.close()


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
        for _ in range(200):  # what is in flight may be done at that very moment
            results = engine.map(square, range(1000), title="t")
            assert next(results) == 0
            results.close()  # type: ignore[attr-defined]
        assert list(engine.map(square, range(4), title="t")) == [0, 1, 4, 9]


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


def die_once(piece: int, folder: Path) -> int:
    """Piece 5 kills the process it is worked on in, the first time that it is."""
    flag = folder / "died"
    if piece == 5 and not flag.exists():
        flag.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return piece * piece


def split_dying(piece: int, folder: Path) -> dict[int, pa.Table]:
    die_once(piece, folder)
    return split_plainly(piece)


def collect_dying(bucket: int, parts: Parts, folder: Path) -> tuple[int, list[list[int]]]:
    found = collect_parts(bucket, parts)
    die_once(bucket, folder)
    return found


@pytest.fixture
def spread(engine: Engine) -> Engine:
    if not engine.spread:
        pytest.skip("its workers are threads of this process: killed, all of it is gone")
    return engine


class TestAKilledWorker:
    """The work in hand is done again by another; what came of it is as if nothing had been."""

    def test_in_a_map(self, spread: Engine, tmp_path: Path) -> None:
        found = list(spread.map(partial(die_once, folder=tmp_path), range(12), title="t"))
        assert (tmp_path / "died").exists()
        assert found == [piece * piece for piece in range(12)]

    def test_while_splitting(self, spread: Engine, tmp_path: Path) -> None:
        work = partial(split_dying, folder=tmp_path)
        found = dict(spread.exchange(work, range(9), collect_parts, each(1, 2), title="t"))
        assert (tmp_path / "died").exists()
        assert found == {1: [[2, 3, 6, 7]], 2: [[3, 7]]}

    def test_while_building(self, spread: Engine, tmp_path: Path) -> None:
        work = partial(collect_dying, folder=tmp_path)
        buckets = {4: [0], 5: [2, 1], 6: [1]}
        found = dict(spread.exchange(split_plainly, range(9), work, buckets, title="t"))
        assert (tmp_path / "died").exists()
        assert found == {4: [[1, 2, 3, 5, 6, 7]], 5: [[3, 7], [2, 3, 6, 7]], 6: [[2, 3, 6, 7]]}


@pytest.fixture
def pooling(engine: Engine) -> Engine:
    if isinstance(type(engine).__dict__["pool"], Unsupported):
        with pytest.raises(UsageError, match="`pool` is not for this engine"):
            _ = engine.pool
        pytest.skip(type(engine).__dict__["pool"].why)
    return engine


class TestPool:
    def test_every_piece_comes_back_with_its_result(self, pooling: Engine) -> None:
        with pooling.pool(square_unevenly) as pool:
            for piece in range(6):
                pool.submit(piece)
            found = [pool.next() for _ in range(3)]
            pool.submit(6)
            found += [pool.next() for _ in range(4)]
        assert sorted(found) == [(piece, piece * piece) for piece in range(7)]

    def test_a_typed_error_comes_with_its_piece(self, pooling: Engine) -> None:
        with pooling.pool(refuse_five) as pool:
            pool.submit(5)
            with pytest.raises(DataRefused, match="here: five"):
                pool.next()
            pool.submit(4)
            assert pool.next() == (4, 4)

    def test_a_killed_worker_is_made_good(self, pooling: Engine, tmp_path: Path) -> None:
        with pooling.pool(partial(die_once, folder=tmp_path)) as pool:
            for piece in range(4, 7):
                pool.submit(piece)
            assert sorted(pool.next() for _ in range(3)) == [(4, 16), (5, 25), (6, 36)]
        assert (tmp_path / "died").exists()

    def test_it_may_be_left_with_work_in_it(self, pooling: Engine) -> None:
        with pooling.pool(square_unevenly) as pool:
            for piece in range(50):
                pool.submit(piece)


class TestLife:
    def test_workers_and_where_they_are(self, engine: Engine) -> None:
        pids = set(engine.map(pid, range(8), title="t"))
        assert (os.getpid() not in pids) == engine.spread
        assert len(pids) <= engine.workers

    def test_it_outlives_the_thread_that_began_it(self, engine: Engine) -> None:
        engine.close()
        begun = threading.Thread(target=lambda: list(engine.map(square, [2], title="t")))
        begun.start()
        begun.join(60)
        time.sleep(0.5)
        assert list(engine.map(square, [3], title="t")) == [9]

    def test_threads_of_this_process_stay_as_they_were_told(self, engine: Engine) -> None:
        told = {name: value for name, value in os.environ.items() if name.endswith("_THREADS")}
        engine.close()
        assert list(engine.map(square, [2], title="t")) == [4]
        assert told == {n: value for n, value in os.environ.items() if n.endswith("_THREADS")}

    def test_a_worker_has_one_thread(self, engine: Engine) -> None:
        if engine.spread:
            assert set(engine.map(blas_threads, range(4), title="t")) == {(1,)}

    def test_closed_it_begins_again(self, engine: Engine) -> None:
        assert list(engine.map(square, [2], title="t")) == [4]
        engine.close()
        assert list(engine.map(square, [3], title="t")) == [9]


def blas_threads(piece: int) -> tuple[int, ...]:
    import numpy as np
    from threadpoolctl import threadpool_info

    del piece
    np.eye(2) @ np.eye(2)
    return tuple({lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"})


def pid(piece: int) -> int:
    del piece
    return os.getpid()


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
