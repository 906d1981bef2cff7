"""The harness: pairs, ratios, peaks, the last line."""

from __future__ import annotations

import json
import sys
from functools import partial

import numpy as np
import pytest
from benchmarks import harness
from benchmarks.harness import Ratios

MIB = 1 << 20


def test_ratios_are_theirs_over_ours() -> None:
    ratios = Ratios((1.0, 2.0, 1.0), (3.0, 6.6, 2.9))
    assert ratios.each == pytest.approx((3.0, 3.3, 2.9))
    assert ratios.median == 3.0
    assert ratios.quartiles == pytest.approx((2.95, 3.15))


@pytest.mark.parametrize(
    ("theirs", "least", "met"),
    [
        ((3.0, 3.1, 3.2), 3.0, True),
        ((3.0, 3.1, 3.2), 3.2, False),
        ((1.0, 3.1, 9.0), 3.0, None),
    ],
)
def test_what_is_met(theirs: tuple[float, ...], least: float, met: bool | None) -> None:
    assert Ratios((1.0,) * 3, theirs).met(least) is met


@pytest.mark.parametrize(
    ("verdicts", "all_"),
    [((True, True), True), ((True, None), None), ((None, False), False), ((), True)],
)
def test_verdicts_together(verdicts: tuple[bool | None, ...], all_: bool | None) -> None:
    assert harness.together(*verdicts) is all_


def test_pairs_alternate_and_warm_up(capsys: pytest.CaptureFixture[str]) -> None:
    calls: list[str] = []
    taken = harness.pairs(lambda: calls.append("o"), lambda: calls.append("t"), 3)
    assert "".join(calls) == "ot" + "ot" + "to" + "ot"
    assert len(taken.ours) == len(taken.theirs) == 3
    assert capsys.readouterr().out.count("ratio") == 3


def test_a_pair_measures_each_side(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(100))
    monkeypatch.setattr(harness.time, "perf_counter", lambda: float(next(clock)))
    ours, theirs = (lambda: None), (lambda: [next(clock) for _ in range(2)])
    taken = harness.pairs(ours, theirs, 2)
    assert (taken.ours, taken.theirs) == ((1.0, 1.0), (3.0, 3.0))


def test_the_peak_of_a_callable_counts_what_it_makes() -> None:
    peak = harness.peak_of(partial(np.ones, 8 * MIB))
    assert 64 * MIB <= peak < 96 * MIB


def test_the_peak_of_a_callable_leaves_its_inputs_out() -> None:
    peak = harness.peak_of(np.sum, prepare=partial(np.ones, 8 * MIB))
    assert peak < 32 * MIB


def test_the_peak_of_a_command_counts_children() -> None:
    inner = "import time; x = b'x' * (64 << 20); time.sleep(0.5)"
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}], check=True)"
    assert harness.peak_of([sys.executable, "-c", outer]) >= 64 * MIB


def test_what_fails_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError, match="ended early"):
        harness.peak_of(partial(int, "no number"))
    assert "ValueError" in capfd.readouterr().err
    with pytest.raises(RuntimeError, match="ended with 3"):
        harness.peak_of([sys.executable, "-c", "raise SystemExit(3)"])


def test_the_last_line_is_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    ratios = Ratios((1.0,), (2.0,))
    harness.emit("x", None, **ratios.figures("a_"), versions=harness.versions("numpy", "no-such"))
    told = json.loads(capsys.readouterr().out)
    assert told["name"] == "x"
    assert told["met"] is None
    assert told["a_ratio"] == 2.0
    assert told["a_quartiles"] == [2.0, 2.0]
    assert told["versions"]["numpy"] == np.__version__
    assert told["versions"]["no-such"] == "absent"
