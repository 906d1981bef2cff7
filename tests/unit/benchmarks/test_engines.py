"""What the benchmark of engines makes of its runs."""

from __future__ import annotations

from benchmarks.engines import _figures


def run(seconds: float) -> dict[str, float]:
    return {"seconds": seconds, "start_up_s": 1.0}


def test_overhead_is_the_median_over_rounds_with_as_many_workers() -> None:
    runs = {
        "local-1": [run(100.0), run(100.0), run(100.0)],
        "local-2": [run(10.0), run(20.0), run(10.0)],
        "ray-2": [run(12.0), run(40.0), run(12.5)],
    }
    told = _figures("ray-2", runs)
    assert (told["overhead"], told["met"]) == (1.25, True)
    assert told["ratios"] == [0.8333, 0.5, 0.8]
    assert _figures("local-2", runs)["overhead"] == 1.0


def test_more_than_the_limit_is_not_met() -> None:
    runs = {"local-1": [run(10.0)], "dask-1": [run(13.1)]}
    assert _figures("dask-1", runs)["met"] is False


def test_rounds_too_far_apart_decide_nothing() -> None:
    runs = {"local-1": [run(10.0)] * 3, "ray-1": [run(8.0), run(12.0), run(20.0)]}
    assert _figures("ray-1", runs)["met"] is None
