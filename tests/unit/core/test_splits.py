from __future__ import annotations

import pytest

from lakecast.core.splits import Span, Window, horizon_groups, windows
from lakecast.errors import SpecError
from lakecast.spec import Backtest

SPAN = Span(first=0, cutoff=99, horizon=10, needed=20)


def test_the_last_window_ends_at_the_cutoff_and_the_step_is_the_horizon() -> None:
    found = windows(SPAN, Backtest(windows=3))
    assert [w.cutoff for w in found.windows] == [69, 79, 89]
    assert [w.index for w in found.windows] == [0, 1, 2]
    assert found.dropped == ()
    assert all(w.start is None for w in found.windows)


def test_a_step_of_its_own_lets_horizons_overlap() -> None:
    assert [w.cutoff for w in windows(SPAN, Backtest(windows=3, step=5)).windows] == [79, 84, 89]


def test_windows_without_history_are_dropped_and_named() -> None:
    found = windows(SPAN, Backtest(windows=9))
    assert found.windows[0] == Window(index=0, cutoff=19)
    assert [d.cutoff for d in found.dropped] == [9]
    assert str(found.dropped[0]) == (
        "backtest window at cutoff 9 left out: 10 periods of history, 20 needed"
    )


def test_sliding_trains_on_as_many_periods_as_the_first_window_kept() -> None:
    found = windows(SPAN, Backtest(windows=3, mode="sliding"))
    assert [(w.start, w.cutoff) for w in found.windows] == [(0, 69), (10, 79), (20, 89)]
    assert found.start(99) == 30


def test_expanding_has_no_start() -> None:
    assert windows(SPAN, Backtest(windows=3)).start(99) is None


def test_too_short_a_history_is_refused_with_a_cure() -> None:
    with pytest.raises(SpecError, match="no backtest window fits") as caught:
        windows(Span(first=0, cutoff=25, horizon=10, needed=20), Backtest())
    assert "shorten forecast.horizon" in str(caught.value)


@pytest.mark.parametrize(
    ("horizon", "season", "groups"),
    [(28, 7, (7, 14, 21, 28)), (10, 7, (7, 10)), (3, 7, (3,)), (7, 7, (7,)), (3, 1, (1, 2, 3))],
)
def test_groups_are_seasons(horizon: int, season: int, groups: tuple[int, ...]) -> None:
    assert horizon_groups(horizon, season) == groups
