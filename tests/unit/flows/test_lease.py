"""One run a project at a time: taking, waiting, giving back, and the dead."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import pytest
from tests.raw_lakes import new_lake

from lakecast.errors import LeaseHeld, Unreachable
from lakecast.flows import lease as module
from lakecast.flows.lease import Holder, holder, lease, myself
from lakecast.lake.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from lakecast.lake.tables import Lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return new_lake(tmp_path / "lake")


def put(lake: Lake, who: Holder, *, beat: float | None = None) -> None:
    """As if another process had taken the lease."""
    assert module._write(lake, asdict(who), lake.table("lease").version())
    if beat is not None:
        lake.store.write_bytes(f"lease/_beat/{who.token}.json", json.dumps({"at": beat}).encode())


def elsewhere() -> Holder:
    return replace(myself(), host="another-machine", pid=7)


def test_held_and_given_back(lake: Lake) -> None:
    assert holder(lake) is None
    with lease(lake) as mine:
        assert holder(lake) == mine
        assert str(mine) == f"process {mine.pid} on {mine.host}"
    assert holder(lake) is None
    assert lake.store.list("lease/_beat") == ()


def test_a_second_taker_is_told_who_holds_it(lake: Lake) -> None:
    with lease(lake) as mine, pytest.raises(LeaseHeld) as told, lease(lake):
        pass
    assert told.value.where == str(mine)
    assert told.value.exit_code == 5


def test_it_is_given_back_when_the_work_fails(lake: Lake) -> None:
    with pytest.raises(ZeroDivisionError), lease(lake):
        raise ZeroDivisionError
    assert holder(lake) is None


def test_a_waiter_gets_it(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """The holder lets go while the second one polls."""
    first = lease(lake)
    first.__enter__()
    monkeypatch.setattr(module.time, "sleep", lambda _: first.__exit__(None, None, None))
    with lease(lake, wait=60.0) as mine:
        assert holder(lake) == mine


def test_a_holder_elsewhere_lives_as_long_as_it_beats(lake: Lake) -> None:
    put(lake, elsewhere(), beat=time.time())
    assert holder(lake) == replace(elsewhere(), token=holder(lake).token)  # type: ignore[union-attr]
    with pytest.raises(LeaseHeld, match="another run"), lease(lake):
        pass


@pytest.mark.parametrize("beat", [None, 0.0])
def test_a_holder_elsewhere_without_a_beat_is_dead(lake: Lake, beat: float | None) -> None:
    put(lake, elsewhere(), beat=beat)
    assert holder(lake) is None
    with lease(lake) as mine:
        assert holder(lake) == mine


def test_another_process_with_the_same_number_is_not_the_holder(lake: Lake) -> None:
    put(lake, replace(myself(), started=1.0), beat=time.time())
    assert holder(lake) is None


def test_what_was_taken_over_is_not_given_back(lake: Lake) -> None:
    with lease(lake):
        other = elsewhere()
        put(lake, other, beat=time.time())
    assert holder(lake) == other


def test_a_beat_that_fails_is_tried_again(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    beats: list[str] = []
    write = Store.write_bytes

    def flaky(self: Store, path: str, data: bytes) -> None:
        beats.append(path)
        if len(beats) == 2:
            raise Unreachable("gone for a moment")
        write(self, path, data)

    monkeypatch.setattr(module, "BEAT", 0.01)
    monkeypatch.setattr(Store, "write_bytes", flaky)
    with lease(lake):
        while len(beats) < 4:
            time.sleep(0.001)
    assert len(set(beats)) == 1
