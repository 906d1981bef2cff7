"""When training is due, in words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from lakecast.flows.due import Standing, training_fingerprint, training_hash, why
from lakecast.registry.promotions import Promotion
from lakecast.spec import Spec, loads

SPEC = loads("""
spec = 1
[[sources]]
table = "sales"
path = "a.csv"
[panel]
series = ["p"]
time = "t"
target = "y"
""")
CHAMPION = Promotion(
    version=1, previous=None, kind="first", recipe="r", fingerprint="f", cutoff="2024-05-01",
    model_version="1", by="me", at=datetime(2024, 5, 2, tzinfo=UTC),
)  # fmt: skip


def standing(**change: Any) -> Standing:
    told: dict[str, Any] = {
        "champion": CHAMPION, "cutoff": "2024-05-07", "decided": True,
        "spec": training_hash(SPEC), "trained": "2024-05-01",
    }  # fmt: skip
    return Standing(**(told | change))


def changed(part: str, **values: Any) -> Spec:
    return msgspec.structs.replace(
        SPEC, **{part: msgspec.structs.replace(getattr(SPEC, part), **values)}
    )


def test_not_due() -> None:
    assert why(SPEC, standing(), retrain=False) is None


@pytest.mark.parametrize(
    ("change", "retrain", "reason"),
    [
        ({"champion": None}, False, "there is no champion yet"),
        ({}, True, "--retrain"),
        ({"decided": False}, False, "nothing is noted of the champion's training"),
        ({"spec": "other"}, False, "the training part of the spec changed"),
        ({"cutoff": "2024-05-08"}, False, "the last training was up to 2024-05-01, 7d or more ago"),
    ],
)
def test_due(change: dict[str, Any], retrain: bool, reason: str) -> None:
    assert why(SPEC, standing(**change), retrain=retrain) == reason


def test_the_age_is_that_of_the_last_training_not_of_the_champion() -> None:
    """Else a champion that is kept would be challenged anew every day."""
    assert why(SPEC, standing(cutoff="2024-05-20", trained="2024-05-14"), retrain=False) is None


def test_a_champion_promoted_by_hand_needs_no_note() -> None:
    external = replace(CHAMPION, kind="external")
    assert why(SPEC, standing(champion=external, decided=False), retrain=False) is None


@pytest.mark.parametrize(
    ("every", "cutoff", "due"),
    [
        ("48h", "2024-05-02T23:00:00", False),
        ("48h", "2024-05-03T00:00:00", True),
        ("48h", "2024-05-03 00:00:00", True),
        ("2w", "2024-05-14", False),
        ("2w", "2024-05-15", True),
    ],
)
def test_units_of_age(every: str, cutoff: str, due: bool) -> None:
    spec = changed("train", every=every)
    told = standing(cutoff=cutoff, spec=training_hash(spec))
    assert (why(spec, told, retrain=False) is not None) is due


def test_pooled_features_end_with_the_panel_they_were_fit_on() -> None:
    spec = changed("features", pooled=("p",))
    told = standing(spec=training_hash(spec), cutoff="2024-05-02")
    assert why(spec, told, retrain=False) == "pooled features end where the champion was trained"


@pytest.mark.parametrize(
    "spec",
    [
        changed("train", seed=2),
        changed("forecast", horizon=3),
        changed("backtest", windows=2),
        changed("gate", min_gain=0.5),
        changed("panel", timezone="America/Sao_Paulo"),
        changed("features", lags=(1,)),
    ],
)
def test_the_training_part_of_a_spec(spec: Spec) -> None:
    assert training_hash(spec) != training_hash(SPEC)
    assert training_fingerprint(spec, "panel") != training_fingerprint(SPEC, "panel")


def test_where_files_lie_is_no_part_of_it() -> None:
    moved = msgspec.structs.replace(
        SPEC, sources=(msgspec.structs.replace(SPEC.sources[0], path="elsewhere/*.csv"),)
    )
    assert training_hash(moved) == training_hash(SPEC)
