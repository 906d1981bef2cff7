"""The data contract on three million rows in memory; pandera on Polars beside it.

Both check that types are right, that no cell is null, that numbers and times are in their range and
that the key is unique. What only Lakecast does (texts read as numbers and times, quarantine,
repair) is timed apart, on the same rows as a CSV holds them.
"""

from __future__ import annotations

import argparse
import os
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from benchmarks.harness import emit, pairs, seconds, versions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lakecast.core.contract.plan import Plan
    from lakecast.core.contract.settle import Tally

ROWS: Final = 3_000_000
LEAST: Final = 1.5
_PIECE: Final = 1 << 18
_MOST_QUANTITY: Final = 10_000
_MOST_VALUE: Final = 1_000_000
_FIRST: Final = date(2011, 1, 29)
_SPEC: Final = """
spec = 1
[[sources]]
table = "sales"
path = "sales.parquet"
row_key = ["venda"]
[panel]
series = ["produto", "loja"]
time = "data"
target = "quantidade"
revenue = "valor"
frequency = "D"
[contract]
negative = "refuse"
bounds.quantidade = { maximum = 10_000 }
bounds.valor = { minimum = 0, maximum = 1_000_000 }
"""


def sales(rows: int) -> pl.DataFrame:
    """Clean transactions, day after day."""
    drawn = np.random.default_rng(1)
    days = np.sort(drawn.integers(0, 1_941, rows))
    quantity = drawn.poisson(2.0, rows).astype(np.float64)
    products = pl.Series("produto", [f"P{i:05d}" for i in range(3_049)])
    shops = pl.Series("loja", [f"L{i:02d}" for i in range(10)])
    return pl.DataFrame(
        {
            "_row": np.arange(1, rows + 1),
            "venda": drawn.permutation(rows),
            "produto": products.gather(drawn.integers(0, 3_049, rows)),
            "loja": shops.gather(drawn.integers(0, 10, rows)),
            "data": pl.Series(days).cast(pl.Int32).cast(pl.Date) + (_FIRST - date(1970, 1, 1)),
            "quantidade": quantity,
            "valor": np.round(quantity * drawn.uniform(1, 20, rows), 2),
        }
    )


def spoiled(clean: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, int]]:
    """The same rows with faults, and how many rows break each rule."""
    place = pl.int_range(pl.len())
    dirty = clean.with_columns(
        pl.when(place % 1_000 != 1).then(pl.col("produto")),
        pl.when(place % 1_000 == 2).then(-1.0).otherwise(pl.col("quantidade")).alias("quantidade"),
        pl.when(place % 1_000 == 3).then(2e6).otherwise(pl.col("valor")).alias("valor"),
        pl.when(place % 1_000 == 6).then(pl.col("venda").shift(1)).otherwise(pl.col("venda")),
    )
    each = clean.height // 1_000
    return dirty, {"null": each, "negative": each, "out_of_range": each, "repeated_key": each}


def plan() -> Plan:
    """The contract."""
    from lakecast.core.contract.plan import plan_of
    from lakecast.spec import loads

    spec = loads(_SPEC)
    return plan_of(spec, spec.sources[0])


def ours(frame: pl.DataFrame, contract: Plan, *, textual: bool = False) -> dict[str, int]:
    """Rows that break each rule, in pieces as they are read."""
    from lakecast.core.contract.judge import Facts, finding, judge
    from lakecast.core.contract.settle import merge, settle
    from lakecast.core.keyset import KeySet
    from lakecast.lake.keys import repeats

    keys = KeySet(threads=len(os.sched_getaffinity(0)))
    told: tuple[Tally, ...] = ()
    for piece in _pieces(frame):
        judged = judge(piece, contract, Facts(textual=textual))
        again = repeats(keys, judged.values, judged.sound(), contract)
        settled = settle(judged.with_findings(finding("repeated_key", "venda", again, contract)))
        told = merge([*told, *settled.tallies])
    return {tally.rule: tally.count for tally in told}


def _pieces(frame: pl.DataFrame) -> Iterator[pl.DataFrame]:
    return frame.iter_slices(_PIECE)


def schema() -> Any:
    """The same rules for pandera."""
    import pandera.polars as pa

    early, late = date(1990, 1, 1), date(2200, 12, 31)
    return pa.DataFrameSchema(
        {
            "venda": pa.Column(pl.Int64, unique=True, nullable=False),
            "produto": pa.Column(pl.String, nullable=False),
            "loja": pa.Column(pl.String, nullable=False),
            "data": pa.Column(pl.Date, pa.Check.in_range(early, late), nullable=False),
            "quantidade": pa.Column(
                pl.Float64, pa.Check.in_range(0, _MOST_QUANTITY), nullable=False
            ),
            "valor": pa.Column(pl.Float64, pa.Check.in_range(0, _MOST_VALUE), nullable=False),
        }
    )


def theirs(frame: pl.DataFrame, rules: Any) -> dict[str, int]:
    """Rows that break each of pandera's checks; empty where none does."""
    from pandera.errors import SchemaErrors

    try:
        rules.validate(frame, lazy=True)
    except SchemaErrors as found:
        counts = found.failure_cases.group_by("column", "check").len().rows()
        return {f"{column} {check}": int(count) for column, check, count in counts}
    return {}


def check(contract: Plan, rules: Any) -> None:
    """Both find what was planted, and nothing in clean rows."""
    clean = sales(100_000)
    dirty, planted = spoiled(clean)
    assert ours(clean, contract) == {}
    assert theirs(clean, rules) == {}
    assert ours(dirty, contract) == planted, ours(dirty, contract)
    # pandera names every row of a repeated key, Lakecast all but the first.
    found = sorted(theirs(dirty, rules).values())
    assert found == sorted([*[planted["null"]] * 3, 2 * planted["repeated_key"]]), found


def _texts(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows as a CSV file holds them."""
    return frame.select(pl.col("_row"), pl.exclude("_row").cast(pl.String))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--small", action="store_true", help="200,000 rows")
    given = parser.parse_args(arguments)
    rows = 200_000 if given.small else given.rows
    contract, rules = plan(), schema()
    check(contract, rules)
    frame = sales(rows)
    ratios = pairs(lambda: ours(frame, contract), lambda: theirs(frame, rules), given.pairs)
    texts = _texts(frame)
    apart = sorted(seconds(lambda: ours(texts, contract, textual=True)) for _ in range(3))[1]
    emit(
        "contract",
        ratios.met(LEAST),
        **ratios.figures(),
        rows=rows,
        texts_s=round(apart, 4),
        versions=versions("lakecast", "polars", "pandera"),
        threads=len(os.sched_getaffinity(0)),
        data="generated",
        includes="types, nulls, ranges, times, unique key; texts_s: the same rows read from texts",
    )


if __name__ == "__main__":
    main()
