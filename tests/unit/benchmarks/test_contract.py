"""The parts of the benchmark of the contract that need no peer."""

from __future__ import annotations

from benchmarks.contract import ours, plan, sales, spoiled


def test_what_was_planted_is_found_and_nothing_in_clean_rows() -> None:
    clean = sales(10_000)
    dirty, planted = spoiled(clean)
    assert ours(clean, plan()) == {}
    assert ours(dirty, plan()) == planted
    assert set(planted.values()) == {10}
