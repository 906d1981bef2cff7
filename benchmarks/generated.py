"""Sales of any number of rows, landed in a lake as `ingest` leaves them; a function of its seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from lakecast.columns import LOAD, ROW, SOURCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from lakecast.lake.tables import Lake, StagedFile

SPEC: Final = """
spec = 1
[[sources]]
table = "sales"
path = "raw/sales.parquet"
[panel]
series = ["loja", "produto"]
time = "data_venda"
target = "quantidade"
frequency = "D"
[forecast]
horizon = 28
levels = [80]
"""
_STORES: Final = 50
_GROUP: Final = 250_000
_FILE: Final = 10_000_000
_BEGIN: Final = 18_262  # 2020-01-01


@dataclass(frozen=True, kw_only=True, slots=True)
class Sales:
    """`series` x `days` rows, day after day as a shop exports them.

    A series sells as much as its number says, more on two days of the week, and often nothing.
    """

    series: int
    days: int
    seed: int = 7

    @property
    def rows(self) -> int:
        """How many there are."""
        return self.series * self.days

    def land(self, lake: Lake) -> None:
        """Put them in the table `sales`, a load for every ten million rows or so."""
        table = lake.table("sales")
        for number, days in enumerate(self._files()):
            load = f"{number:06d}-generated-{len(days)}"
            table.commit(
                add=[self._file(lake, load, days)], schema=_schema(with_load=True),
                partition_by=(LOAD,), fingerprint=load,
            )  # fmt: skip

    def _files(self) -> Iterator[range]:
        each = max(_FILE // self.series, 1)
        for day in range(0, self.days, each):
            yield range(day, min(day + each, self.days))

    def _file(self, lake: Lake, load: str, days: range) -> StagedFile:
        import pyarrow as pa

        batches = (self._day(day, days.start) for day in days)
        reader = pa.RecordBatchReader.from_batches(_schema(), batches)
        return lake.table("sales").stage(reader, partition={LOAD: load}, groups=_GROUP)

    def _day(self, day: int, first: int) -> pa.RecordBatch:
        import pyarrow as pa

        number = np.arange(self.series)
        rate = (0.3 + number % 17) * (1.5 if day % 7 in (5, 6) else 1.0)
        rng = np.random.default_rng([self.seed, day])
        sold = np.where(rng.random(self.series) < 0.6, rng.exponential(rate), 0.0)
        begin = (day - first) * self.series + 1
        columns = [
            pa.array(np.full(self.series, _BEGIN + day), pa.int32()).cast(pa.date32()),
            _texts("loja-", number % _STORES, 2),
            _texts("produto-", number // _STORES, 7),
            pa.array(np.rint(sold).astype(np.int32)),
            pa.repeat(f"{first:06d}.parquet", self.series),
            pa.array(np.arange(begin, begin + self.series)),
        ]
        return pa.record_batch(columns, schema=_schema())


def _texts(prefix: str, numbers: np.ndarray, digits: int) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    text = pc.utf8_lpad(pa.array(numbers).cast(pa.string()), width=digits, padding="0")
    return pc.binary_join_element_wise(prefix, text, "")


def _schema(*, with_load: bool = False) -> pa.Schema:
    import pyarrow as pa

    columns = [
        ("data_venda", pa.date32()), ("loja", pa.string()), ("produto", pa.string()),
        ("quantidade", pa.int32()), (SOURCE, pa.string()), (ROW, pa.int64()),
    ]  # fmt: skip
    return pa.schema([*columns, (LOAD, pa.string())] if with_load else columns)
