"""What is read of a cluster, without one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

GB = 10**9


@pytest.mark.parametrize(
    ("machines", "room"),
    [
        ([{"memory": 64 * GB, "CPU": 8.0}], 8 * GB),
        ([{"memory": 64 * GB, "CPU": 8.0}, {"memory": 4 * GB, "CPU": 4.0}], GB),
        ([{"memory": 64 * GB, "CPU": 8.0}, {"memory": 9 * GB}], 8 * GB),  # a head without cores
        ([{"memory": GB, "CPU": 0.5}], 3 * GB),  # nobody for a piece: what this process was given
    ],
)
def test_the_room_of_a_ray_worker_is_that_of_the_smallest_machine(
    machines: list[Mapping[str, float]], room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray", reason="the extra `ray` is not installed")
    from lakecast.engines.ray.cluster import RayCluster

    dead = {"Alive": False, "Resources": {"memory": 1, "CPU": 1}}
    nodes = [dead, *({"Alive": True, "Resources": one} for one in machines)]
    ray: Any = SimpleNamespace(nodes=lambda: nodes)
    monkeypatch.setattr(RayCluster, "connect", lambda _: ray)
    found = RayCluster(workers=2, address="127.0.0.1:1", memory=3 * GB).footprint
    assert found.room == room


def test_dask_counts_a_part_of_a_piece_as_itself() -> None:
    """Its workers spill by what they count."""
    pytest.importorskip("distributed", reason="the extra `dask` is not installed")
    import pyarrow as pa
    from dask.sizeof import sizeof

    from lakecast.engines.dask.exchange import _split

    whole = pa.table({"n": list(range(10_000))})

    def split(rows: int) -> dict[int, pa.Table]:
        return {part: whole.slice(rows * part, rows) for part in range(10)}

    parts = _split((split, frozenset(range(5))), 1000)
    assert sorted(parts) == list(range(5))
    assert parts[4]["n"].to_pylist() == list(range(4000, 5000))
    assert sum(map(sizeof, parts.values())) < 0.6 * sizeof(whole)
