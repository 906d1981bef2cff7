"""What is written is read back, and what cannot be read says so."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import numpy as np
import pytest

from lakecast.errors import LakecastError
from lakecast.models import codec, load, save
from lakecast.models.flat import Flat

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("kind", codec.KINDS)
def test_every_kind_names_a_class_that_restores(kind: str) -> None:
    module, _, name = codec.KINDS[kind].partition(":")
    assert callable(getattr(importlib.import_module(module), name).restore)


@pytest.mark.parametrize("value", [1 / 3, 5e-324, -0.0, float("nan")])
def test_numbers_survive_bit_for_bit(tmp_path: Path, value: float) -> None:
    save(Flat(value, ("a",)), tmp_path)
    found = load(tmp_path)
    assert np.float64(found.value).tobytes() == np.float64(value).tobytes()
    assert found.columns == ("a",)


def test_arrays_come_back_read_only(tmp_path: Path) -> None:
    codec.write(tmp_path, "flat", {"value": 1.0, "columns": []}, {"a": np.arange(3)})
    held = codec._arrays(tmp_path)["a"]
    with pytest.raises(ValueError, match="read-only"):
        held[0] = 1


@pytest.mark.parametrize("text", [None, "", "{}", '{"kind": "prophet", "values": {}}'])
def test_what_is_no_model_is_refused(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "model.json").write_text(text)
    with pytest.raises(LakecastError) as caught:
        load(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path / 'model.json'}: no saved model can be read here\n  cure: save the model again"
    )
