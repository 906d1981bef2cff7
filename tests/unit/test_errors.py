"""Errors carry what, where and the cure, and cross processes whole."""

from __future__ import annotations

import pickle

import pytest

from lakecast import errors
from lakecast.errors import LakecastError, Unreachable

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, LakecastError)
]
EXITS = {
    "LakecastError": 1, "UsageError": 2, "SpecError": 2, "DataRefused": 3, "GateNotPassed": 4,
    "Unreachable": 5, "LeaseHeld": 5, "Conflict": 5,
}  # fmt: skip


def test_exit_codes() -> None:
    assert {kind.__name__: kind.exit_code for kind in KINDS} == EXITS


@pytest.mark.parametrize("kind", KINDS)
def test_only_what_is_unreachable_is_worth_a_retry(kind: type[LakecastError]) -> None:
    assert kind.terminal is not issubclass(kind, Unreachable)


@pytest.mark.parametrize("kind", KINDS)
def test_they_are_pickled_whole(kind: type[LakecastError]) -> None:
    error = pickle.loads(pickle.dumps(kind("what", where="where", cure="cure")))
    assert type(error) is kind
    assert (error.what, error.where, error.cure) == ("what", "where", "cure")


@pytest.mark.parametrize(
    ("where", "cure", "text"),
    [
        ("", "", "broken"),
        ("row 3", "", "row 3: broken"),
        ("", "mend it", "broken\n  cure: mend it"),
        ("row 3", "mend it", "row 3: broken\n  cure: mend it"),
    ],
)
def test_as_text(where: str, cure: str, text: str) -> None:
    assert str(LakecastError("broken", where=where, cure=cure)) == text


@pytest.mark.parametrize("kind", KINDS)
def test_the_tree_in_the_docstring_names_it(kind: type[LakecastError]) -> None:
    line = next(x for x in (errors.__doc__ or "").splitlines() if f" {kind.__name__} " in f"{x} ")
    assert f"exit {kind.exit_code}" in line
