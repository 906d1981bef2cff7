"""The panel read from the lake, block by block."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from lakecast.columns import BUCKET, CODE, Columns
from lakecast.core.block import Block, Future, PanelInfo
from lakecast.core.calendar import Frequency
from lakecast.errors import LakecastError
from lakecast.lake.panels import FUTURE, PANEL, SERIES, read_about

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from lakecast.lake.store import Store
    from lakecast.lake.tables import Lake


@dataclass(frozen=True, kw_only=True, slots=True)
class LakePanel:
    """A panel in the lake as it was when opened; it implements `PanelData` and can be pickled.

    `files` and `futures_of` are the paths of the panel's files and of the future's, by bucket.
    `series` has `series_code`, `bucket`, the user's columns, statics, `first` and `last`, by code;
    `fixed` is what a block takes of it.
    `vocabularies` are the texts behind the codes of time-varying text covariates.
    """

    info: PanelInfo
    horizon: int
    store: Store
    files: Mapping[int, str]
    futures_of: Mapping[int, str]
    series: pl.DataFrame
    fixed: Fixed
    vocabularies: Mapping[str, tuple[str, ...]]

    def blocks(self) -> Iterator[Block]:
        """Blocks of at most about half a million rows, by bucket, then code; read one at a time."""
        names = [CODE, self.info.columns.target, *self.info.covariates]
        for _, path in sorted(self.files.items()):
            for table in _row_groups(self.store, path, names):
                yield _block(table, self.info, self.fixed)

    def futures(self) -> Iterator[Future]:
        """The known-future covariates of the horizon for each block of `blocks`, in their order."""
        names = list(self.info.known_future)
        for bucket, path in sorted(self.files.items()):
            future = _future(self.store, self.futures_of.get(bucket), names)
            for table in _row_groups(self.store, path, [CODE]):
                yield _ahead(future, _series(table)[0], self.horizon)

    @property
    def parts(self) -> tuple[int, ...]:
        """The buckets that have rows."""
        return tuple(sorted(self.files))

    @property
    def first(self) -> int | None:
        """The period in which the earliest series begins; None of no series."""
        return int(self.fixed.first.min()) if self.fixed.first.size else None

    def part(self, parts: Sequence[int]) -> LakePanel:
        """Some buckets alone; info and series are the whole panel's."""
        return replace(self, files={bucket: self.files[bucket] for bucket in parts})

    def series_frame(self) -> pl.DataFrame:
        """The series, by code."""
        return self.series


def open_panel(lake: Lake) -> LakePanel:
    """The panel as its last commit left it. Raises `LakecastError` where none was built."""
    about = read_about(lake)
    if not about:
        raise LakecastError(
            "there is no panel yet", where=lake.store.root, cure="run `lakecast panel`"
        )
    series = lake.table(SERIES).scan().collect().sort(CODE)
    info = _info(about, series)
    return LakePanel(
        info=info,
        horizon=about["horizon"],
        store=lake.store,
        files=_paths(lake, PANEL),
        futures_of=_paths(lake, FUTURE) if info.known_future else {},
        series=series,
        fixed=Fixed.of(series, info),
        vocabularies={name: tuple(texts) for name, texts in about["vocabularies"].items()},
    )


def _paths(lake: Lake, name: str) -> dict[int, str]:
    refs = lake.table(name).files()
    return {int(ref.partition_values[BUCKET] or 0): f"{name}/{ref.path}" for ref in refs}


def _info(about: Mapping[str, Any], series: pl.DataFrame) -> PanelInfo:
    texts = [*about["series"], *about["texts"]]
    return PanelInfo(
        columns=Columns(series=tuple(about["series"]), time=about["time"], target=about["target"]),
        frequency=Frequency(about["frequency"]),
        timezone=about["timezone"],
        seasons=tuple(about["seasons"]),
        cutoff=about["cutoff"],
        covariates=about["covariates"],
        categories={
            name: tuple(series[name].cast(pl.String).drop_nulls().unique().sort()) for name in texts
        },
        numeric=tuple(about["numeric"]),
        texts=tuple(about["vocabularies"]),
        series=series.height,
        rows=sum(size["rows"] for size in about["sizes"].values()),
    )


@dataclass(frozen=True, slots=True)
class Fixed:
    """What does not change over time, of all S series by code: first ordinals, statics as float32.

    Categories are places in their vocabulary, -1 where null.
    """

    codes: NDArray[np.int32]
    first: NDArray[np.int32]
    statics: Mapping[str, NDArray[np.float32]]

    @classmethod
    def of(cls, series: pl.DataFrame, info: PanelInfo) -> Fixed:
        """Of a panel's series, sorted by code."""
        return cls(
            codes=series[CODE].to_numpy(),
            first=info.frequency.ordinal(series["first"].to_numpy()),
            statics={
                **{name: _category(series[name]) for name in info.categories},
                **{name: _floats(series[name].to_arrow()) for name in info.numeric},
            },
        )

    def places(self, codes: NDArray[np.int32]) -> NDArray[np.int64]:
        """Where some series stand."""
        return np.searchsorted(self.codes, codes)


def _category(values: pl.Series) -> NDArray[np.float32]:
    """Places in the sorted distinct texts, which are the vocabulary: no texts are looked up."""
    places = values.cast(pl.String).rank("dense").cast(pl.Float32) - 1.0
    return places.fill_null(-1.0).to_numpy()


def _row_groups(store: Store, path: str, names: list[str]) -> Iterator[pa.Table]:
    import pyarrow.parquet as pq

    with store.open_input(path) as source:
        file = pq.ParquetFile(source)
        for index in range(file.num_row_groups):
            with store.reaching():
                table = file.read_row_group(index, columns=names)
            yield table


def _block(table: pa.Table, info: PanelInfo, fixed: Fixed) -> Block:
    codes, starts = _series(table)
    places = fixed.places(codes)
    return Block(
        codes=codes,
        starts=starts,
        first=fixed.first[places],
        target=_floats(table.column(info.columns.target)),
        covariates={name: _floats(table.column(name)) for name in info.covariates},
        statics={name: values[places] for name, values in fixed.statics.items()},
    )


def _series(table: pa.Table) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Codes and starts of the series in a table sorted by code."""
    every = table.column(CODE).to_numpy()
    inner = np.flatnonzero(every[1:] != every[:-1]) + 1
    starts = np.concatenate([[0], inner, [every.size]]) if every.size else np.zeros(1, np.int64)
    return every[starts[:-1]], starts


def _floats(column: pa.ChunkedArray) -> NDArray[np.float32]:
    import pyarrow as pa

    numbers = column.cast(pa.float32(), safe=False)
    return np.asarray(numbers.to_numpy(zero_copy_only=False), dtype=np.float32)


def _future(store: Store, path: str | None, names: list[str]) -> pl.DataFrame:
    import pyarrow.parquet as pq

    if path is None or not names:
        return pl.DataFrame()
    with store.reaching(), store.open_input(path) as source:
        return pl.DataFrame(pq.read_table(source, columns=[CODE, *names]))


def _ahead(future: pl.DataFrame, codes: NDArray[np.int32], horizon: int) -> Future:
    if future.is_empty():
        return Future(horizon=horizon)
    every = future[CODE].to_numpy()
    low, high = np.searchsorted(every, [codes[0], codes[-1] + 1])
    part = future.drop(CODE)[int(low) : int(high)]
    return Future(
        horizon=horizon,
        covariates={
            column.name: _floats(column.to_arrow()).reshape(codes.size, horizon) for column in part
        },
    )
