"""Notes, checkpoints, fingerprints, outcomes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
from tests.raw_lakes import new_lake

from lakecast.flows.checkpoint import LakeCheckpoint
from lakecast.flows.fingerprint import CODE, fingerprint
from lakecast.flows.notes import Notes
from lakecast.flows.outcome import RunOutcome, StageOutcome, metered

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_notes_are_replaced_whole_or_key_by_key(tmp_path: Path) -> None:
    notes = Notes(new_lake(tmp_path))
    assert notes.read("a") == {}
    notes.write("a", {"x": 1, "y": "ç"})
    notes.update("a", x=2)
    assert notes.read("a") == {"x": 2, "y": "ç"}
    notes.write("a", {"z": 3})
    assert notes.read("a") == {"z": 3}


def test_a_checkpoint_gives_back_what_it_was_given(tmp_path: Path) -> None:
    lake = new_lake(tmp_path)
    frame = pl.DataFrame({"a": [1.5, None], "b": ["x", "y"]}, schema_overrides={"a": pl.Float32})
    mine, other = LakeCheckpoint(lake, "mine"), LakeCheckpoint(lake, "other")
    assert mine.done("model/x", 0) is None
    mine.keep("model/x", 0, frame)
    other.keep("model/x", 0, frame.head(1))
    found = mine.done("model/x", 0)
    assert found is not None
    assert found.equals(frame)
    assert found.schema == frame.schema
    assert mine.done("model/x", 1) is None
    mine.clear_others()
    assert other.done("model/x", 0) is None
    assert mine.done("model/x", 0) is not None


def test_a_fingerprint_follows_stage_code_libraries_and_inputs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = fingerprint("panel", 1, "a")
    assert before == fingerprint("panel", 1, "a")
    assert len({before, fingerprint("train", 1, "a"), fingerprint("panel", 1, "b")}) == 3
    monkeypatch.setitem(CODE, "panel", CODE["panel"] + 1)
    assert fingerprint("panel", 1, "a") != before
    monkeypatch.undo()
    monkeypatch.setattr("lakecast.flows.fingerprint.version", lambda name: f"{name} 0")
    assert fingerprint("panel", 1, "a") != before


def test_an_outcome_shows_no_password() -> None:
    outcome = RunOutcome(
        stages=(StageOutcome(stage="ingest", did="done", rows=3),), decision="", passed=True,
        report="r", tracking_uri="postgresql://me:secret@h/db",
    )  # fmt: skip
    said = outcome.to_dict()
    assert said["tracking_uri"] == "postgresql://me:***@h/db"
    assert said["stages"][0]["rows"] == 3


def test_work_is_measured_also_when_it_fails() -> None:
    try:
        with metered() as meter:
            sum(range(100_000))
            raise ZeroDivisionError
    except ZeroDivisionError:
        assert meter.seconds > 0
        assert meter.peak > 1_000_000
