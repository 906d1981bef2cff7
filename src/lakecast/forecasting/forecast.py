"""Forecasts from a champion: standing where it was fit, or at the end of a newer panel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from lakecast.columns import CODE
from lakecast.core.block import MemoryPanel, PanelData
from lakecast.core.features import State, state_at
from lakecast.errors import LakecastError
from lakecast.models.bundle import known_future, needed
from lakecast.models.inputs import keyed
from lakecast.models.standing import Standing, future_of, series_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import polars as pl
    from numpy.typing import NDArray

    from lakecast.core.block import Block, Future, PanelInfo
    from lakecast.models.bundle import Predictor


class OpenPanel(PanelData, Protocol):
    """A panel with what lies beside its blocks, as the lake opens it."""

    @property
    def vocabularies(self) -> Mapping[str, tuple[str, ...]]:
        """Texts behind the codes of time-varying text covariates."""
        ...

    def futures(self) -> Iterator[Future]:
        """The known future of each block, in the order of the blocks."""
        ...

    def series_frame(self) -> pl.DataFrame:
        """Series code, series columns, statics; and what is the lake's own."""
        ...


def at_panel(predictor: Predictor, panel: OpenPanel) -> Predictor:
    """The champion at the end of a panel: `stand` with what the panel holds."""
    return stand(predictor, panel, _beside(predictor, panel))


def by_blocks(predictor: Predictor, panel: OpenPanel) -> Iterator[Predictor]:
    """As `at_panel`, one block of the panel after the other: no more is held than a block needs."""
    _check(predictor.info, panel.info)
    beside = _beside(predictor, panel)
    recode = _Recode.between(predictor, panel.info, beside.texts)
    for block, future in zip(panel.blocks(), beside.futures, strict=True):
        alone = MemoryPanel(panel.info, (block,))
        yield _at(predictor, alone, replace(beside, futures=[future]), recode)


def _beside(predictor: Predictor, panel: OpenPanel) -> Standing:
    info = predictor.info
    known = {CODE, *info.columns.series, *info.categories, *info.numeric}
    series = panel.series_frame()
    return Standing(
        series=series.select(name for name in series.columns if name in known),
        futures=panel.futures(),
        texts=panel.vocabularies,
    )


def stand(predictor: Predictor, panel: PanelData, standing: Standing) -> Predictor:
    """The champion at the end of a newer panel: new values, nothing is fit.

    Categories that the champion has never seen are unknown to it, whatever code the newer panel
    gives them. Raises `LakecastError` where the panel is not of the same series, frequency and
    covariates.
    """
    _check(predictor.info, panel.info)
    recode = _Recode.between(predictor, panel.info, standing.texts)
    return _at(predictor, panel, standing, recode)


def _at(predictor: Predictor, panel: PanelData, standing: Standing, recode: _Recode) -> Predictor:
    memory = needed(predictor.forecaster, predictor.info, predictor.hierarchy)
    plans = predictor.forecaster.plans
    states = [
        state_at(recode.block(block), panel.info.cutoff, memory=memory, plans=plans)
        for block in panel.blocks()
    ]
    state = State.merge(states)
    shape = (state.series, predictor.terms.horizon)
    futures = [recode.future(future) for future in standing.futures]
    return predictor.at(
        state,
        series_of(standing.series, state.codes),
        future_of(futures, known_future(predictor.info), shape),
    )


def _check(mine: PanelInfo, theirs: PanelInfo) -> None:
    facts = {
        "series, time and target": (mine.columns, theirs.columns),
        "frequency": (mine.frequency, theirs.frequency),
        "time zone": (mine.timezone, theirs.timezone),
        "covariates": (dict(mine.covariates), dict(theirs.covariates)),
        "statics": (_statics(mine), _statics(theirs)),
    }
    for what, (old, new) in facts.items():
        if old != new:
            raise LakecastError(
                f"the champion was fit on another panel: its {what} differ",
                where="the champion's bundle",
                cure="train again: `lakecast run --retrain`",
            )


def _statics(info: PanelInfo) -> tuple[set[str], set[str]]:
    return set(info.categories), set(info.numeric)


@dataclass(frozen=True, slots=True)
class _Recode:
    """From the newer panel's codes to the champion's, by column: place i holds the code of i."""

    statics: Mapping[str, NDArray[np.float32]]
    texts: Mapping[str, NDArray[np.float32]]

    @classmethod
    def between(
        cls, predictor: Predictor, info: PanelInfo, texts: Mapping[str, Sequence[str]]
    ) -> _Recode:
        known = predictor.info.categories
        return cls(
            statics={
                name: _codes(known.get(name, ()), words, -1.0)
                for name, words in info.categories.items()
                if known.get(name, ()) != words
            },
            texts={
                name: _codes(predictor.terms.texts.get(name, ()), words, np.nan)
                for name, words in texts.items()
                if predictor.terms.texts.get(name, ()) != tuple(words)
            },
        )

    def block(self, block: Block) -> Block:
        return replace(
            block,
            statics=_recoded(block.statics, self.statics, -1.0),
            covariates=_recoded(block.covariates, self.texts, np.nan),
        )

    def future(self, future: Future) -> Future:
        return replace(future, covariates=_recoded(future.covariates, self.texts, np.nan))


def _codes(known: Sequence[str], words: Sequence[str], unknown: float) -> NDArray[np.float32]:
    place = {word: float(index) for index, word in enumerate(known)}
    return np.array([place.get(word, unknown) for word in words] or [unknown], np.float32)


def _recoded(
    held: Mapping[str, NDArray[np.float32]],
    codes: Mapping[str, NDArray[np.float32]],
    unknown: float,
) -> dict[str, NDArray[np.float32]]:
    return {
        name: _looked_up(values, codes[name], unknown) if name in codes else values
        for name, values in held.items()
    }


def _looked_up(
    values: NDArray[np.float32], codes: NDArray[np.float32], unknown: float
) -> NDArray[np.float32]:
    known = np.nan_to_num(values, nan=-1.0) >= 0
    place = np.where(known, values, 0).astype(np.int64)
    return np.where(known, codes[place], np.float32(unknown)).astype(np.float32)


def unknown(predictor: Predictor, asked: pl.DataFrame) -> pl.DataFrame:
    """The series asked for that the champion does not know: they are answered as `cold-start`."""
    names = list(predictor.info.columns.series)
    wanted = keyed(asked, predictor.series, names).select(names).unique(maintain_order=True)
    return wanted.join(
        predictor.series, on=names, how="anti", nulls_equal=True, maintain_order="left"
    )
