from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from tests import panels
from tests.champions import HORIZON, champion, names, standing

from lakecast.core.block import Block, Future, MemoryPanel, PanelInfo, after
from lakecast.errors import LakecastError
from lakecast.forecasting.forecast import at_panel, by_blocks, stand, unknown
from lakecast.models.bundle import Predictor, known_future
from lakecast.models.standing import Standing, future_of, series_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PANEL = panels.with_covariates()
EARLIER = panels.CUTOFF - 2 * HORIZON
NOW = panels.CUTOFF - HORIZON


def until(panel: MemoryPanel, cutoff: int) -> MemoryPanel:
    blocks = tuple(block.until(cutoff) for block in panel.held)
    return MemoryPanel(replace(panel.info, cutoff=cutoff), blocks)


def beside(panel: MemoryPanel, cutoff: int) -> Standing:
    known = known_future(panel.info)
    series = names(panel).with_columns(
        pl.Series("series_code", np.arange(panel.info.series, dtype=np.int64))
    )
    return Standing(
        series=series.reverse(),
        futures=[after(block, cutoff, HORIZON, known) for block in panel.held],
    )


@pytest.fixture(scope="module")
def fitted() -> Predictor:
    return champion(PANEL, EARLIER)


def test_a_champion_stands_on_newer_values_without_a_fit(fitted: Predictor) -> None:
    moved = stand(fitted, until(PANEL, NOW), beside(PANEL, NOW))
    assert moved.forecast().equals(standing(fitted, PANEL, NOW).forecast())
    assert moved.forecaster is fitted.forecaster
    assert moved.state.cutoff == moved.info.cutoff == NOW
    assert fitted.state.cutoff == EARLIER


@pytest.mark.parametrize("blocks", [2, 3])
def test_blocks_or_one_block_same_bits(fitted: Predictor, blocks: int) -> None:
    cut = panels.split(PANEL, blocks)
    many = stand(fitted, until(cut, NOW), beside(cut, NOW))
    one = stand(fitted, until(PANEL, NOW), beside(PANEL, NOW))
    assert many.forecast().equals(one.forecast())


def renamed(panel: MemoryPanel, newcomer: str) -> tuple[MemoryPanel, pl.DataFrame]:
    """The panel with one series more, whose name sorts before all others: every code moves."""
    (block,) = panel.held
    length = int(block.lengths[0])
    stores = panel.info.categories["store"]
    info = replace(
        panel.info,
        categories={
            "item": (newcomer, *panel.info.categories["item"]),
            "store": ("leste", *stores),
        },
        series=panel.info.series + 1,
    )
    moved = Block(
        codes=np.arange(panel.info.series + 1, dtype=np.int32),
        starts=np.concatenate([[0], block.starts + length]),
        first=np.concatenate([block.first[:1], block.first]),
        target=np.concatenate([block.target[:length], block.target]),
        covariates={
            name: np.concatenate([values[:length], values])
            for name, values in block.covariates.items()
        },
        statics={
            "item": np.arange(panel.info.series + 1, dtype=np.float32),
            "store": np.concatenate([[0], block.statics["store"] + 1]).astype(np.float32),
            "size": np.concatenate([[0], block.statics["size"]]).astype(np.float32),
        },
    )
    series = pl.DataFrame({"series_code": moved.codes, "item": info.categories["item"]})
    return MemoryPanel(info, (moved,)), series


def test_new_categories_do_not_shift_the_codes_of_the_known(fitted: Predictor) -> None:
    panel, series = renamed(PANEL, "a new one")
    known = known_future(panel.info)
    futures = [after(panel.held[0], NOW, HORIZON, known)]
    moved = stand(fitted, until(panel, NOW), Standing(series=series, futures=futures))
    old = moved.forecast().filter(pl.col("item") != "a new one")
    assert old.equals(standing(fitted, PANEL, NOW).forecast())
    assert moved.state.statics["item"].tolist() == [-1, 0, 1, 2, 3, 4, 5]
    assert moved.forecast().filter(pl.col("item") == "a new one")["forecast"].null_count() == 0


def test_text_covariates_keep_the_codes_they_were_learnt_by(fitted: Predictor) -> None:
    told = replace(fitted, terms=replace(fitted.terms, texts={"promo": ("nao", "sim")}))
    block = PANEL.held[0]
    swapped = replace(
        block, covariates={**block.covariates, "promo": 1 - block.covariates["promo"]}
    )
    panel = MemoryPanel(PANEL.info, (swapped,))
    beside_it = replace(beside(panel, NOW), texts={"promo": ("sim", "nao")})
    moved = stand(told, until(panel, NOW), beside_it)
    expected = stand(told, until(PANEL, NOW), replace(beside(PANEL, NOW), texts=told.terms.texts))
    assert moved.forecast().equals(expected.forecast())


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"timezone": "America/Recife"}, "time zone"),
        ({"covariates": {"promo": "known-future"}}, "covariates"),
        ({"numeric": ()}, "statics"),
    ],
)
def test_another_panel_is_refused(fitted: Predictor, change: dict[str, object], what: str) -> None:
    other = MemoryPanel(replace(PANEL.info, **change), PANEL.held)
    with pytest.raises(LakecastError, match=f"its {what} differ") as caught:
        stand(fitted, other, beside(PANEL, NOW))
    assert "--retrain" in str(caught.value)


@dataclass
class Opened:
    """A panel as the lake opens it."""

    info: PanelInfo
    held: MemoryPanel
    vocabularies: Mapping[str, tuple[str, ...]]

    def blocks(self) -> Iterator[Block]:
        return self.held.blocks()

    def futures(self) -> Iterator[Future]:
        return iter(beside(PANEL, NOW).futures)

    def series_frame(self) -> pl.DataFrame:
        return beside(PANEL, NOW).series.with_columns(bucket=pl.lit(0), first=pl.lit("x"))


def test_an_opened_panel_brings_all_it_needs(fitted: Predictor) -> None:
    panel = until(PANEL, NOW)
    moved = at_panel(fitted, Opened(panel.info, panel, {}))
    assert moved.forecast().equals(standing(fitted, PANEL, NOW).forecast())
    assert "bucket" not in moved.series.columns


@dataclass
class Apart(Opened):
    """A panel in blocks, each with a future of its own."""

    def futures(self) -> Iterator[Future]:
        return iter(beside(panels.split(PANEL, 3), NOW).futures)


def test_block_after_block_is_the_whole(fitted: Predictor) -> None:
    panel = until(panels.split(PANEL, 3), NOW)
    opened = Apart(panel.info, panel, {})
    parts = list(by_blocks(fitted, opened))
    assert [part.series.height for part in parts] == [2, 2, 2]
    found = pl.concat([part.forecast() for part in parts])
    assert found.equals(at_panel(fitted, opened).forecast())
    assert found.equals(standing(fitted, PANEL, NOW).forecast())


def test_block_after_block_another_panel_is_refused(fitted: Predictor) -> None:
    other = Apart(replace(PANEL.info, timezone="America/Recife"), until(PANEL, NOW), {})
    with pytest.raises(LakecastError, match="its time zone differ"):
        next(by_blocks(fitted, other))


def test_pieces_are_the_whole(fitted: Predictor) -> None:
    found = pl.concat(list(fitted.every_level(4)))
    assert found["level"].unique().to_list() == ["series"]
    assert found.drop("level").equals(fitted.forecast())


def test_the_unknown_are_named_once(fitted: Predictor) -> None:
    asked = pl.DataFrame({"item": ["zz", "i0001", "zz", "aa"]})
    assert unknown(fitted, asked)["item"].to_list() == ["zz", "aa"]


def test_series_come_in_the_order_of_the_codes() -> None:
    series = pl.DataFrame({"series_code": [2, 0, 1], "item": ["c", "a", "b"]})
    assert series_of(series, np.array([1, 2, 0], np.int32))["item"].to_list() == ["b", "c", "a"]


def test_futures_are_joined_cut_and_filled() -> None:
    parts = [
        Future(horizon=3, covariates={"promo": np.full((n, 3), n, np.float32)}) for n in (1, 2)
    ]
    found = future_of(parts, ["promo", "mailer"], (3, 4))
    assert found.covariates["promo"][:, 0].tolist() == [1, 2, 2]
    assert np.isnan(found.covariates["promo"][:, 3]).all()
    assert np.isnan(found.covariates["mailer"]).all()
    assert future_of(parts, ["promo"], (3, 2)).covariates["promo"].shape == (3, 2)
    with pytest.raises(ValueError, match="futures of 3 series for 4"):
        future_of(parts, ["promo"], (4, 3))
