"""The panel recomputed in plain SQL, by stdlib sqlite."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.raw_panels import spec_of, whole_panel

FIRST = datetime(2024, 1, 1, tzinfo=UTC)
HORIZON = 4
SOURCES = """
[[sources]]
table = "produtos"
path = "p.csv"
on = ["produto"]
lookup = true
[[sources]]
table = "promocoes"
path = "x.csv"
on = ["categoria", "loja"]
time = "semana"
frequency = "W-SUN"
columns.promo = { role = "known-future", aggregate = "max", missing = 0 }
columns.lojas = { role = "known-future", aggregate = "count" }
"""
SALES = """
columns.nota = { role = "past-only", aggregate = "mean" }
columns.menor = { role = "past-only", aggregate = "min", missing = -1 }
"""

# Days are cut three hours behind UTC: the zone below has no clock changes in 2024.
QUERY = """
with recursive
sold as (
  select p.categoria, s.loja, date(s.data, '-3 hours') as dia,
         sum(s.quantidade) as y, sum(s.valor) as valor, avg(s.nota) as nota, min(s.menor) as menor
  from sales s join produtos p on p.produto = s.produto
  where p.categoria is not null and s.loja is not null and p.categoria <> 'fora'
    and date(s.data, '-3 hours') <= :cutoff
  group by 1, 2, 3),
series as (
  select categoria, loja, min(dia) as first from sold where y <> 0 group by 1, 2),
grid as (
  select categoria, loja, first as dia from series
  union all
  select categoria, loja, date(dia, '+1 day') from grid where dia < date(:cutoff, :ahead)),
promoted as (
  select categoria, loja, semana, max(promo) as promo, count(lojas) as lojas
  from promocoes group by 1, 2, 3)
select g.categoria, g.loja, g.dia, coalesce(s.y, 0.0) as y, s.y is not null as observed,
       s.nota, coalesce(s.menor, -1.0) as menor, coalesce(w.promo, 0.0) as promo, w.lojas,
       case when g.dia <= :cutoff then
         (select b.valor / b.y from sold b
          where b.categoria = g.categoria and b.loja = g.loja and b.dia <= g.dia and b.y > 0
            and b.dia >= (select first from series z
                          where z.categoria = g.categoria and z.loja = g.loja)
          order by b.dia desc limit 1) end as price
from grid g
left join sold s on s.categoria = g.categoria and s.loja = g.loja and s.dia = g.dia
left join promoted w on w.categoria = g.categoria and w.loja = g.loja
  and g.dia between w.semana and date(w.semana, '+6 days')
order by 1, 2, 3
"""


def random_frames(seed: int) -> dict[str, pl.DataFrame]:
    rng = np.random.default_rng(seed)
    rows, days = 600, 40
    seconds = rng.integers(0, days * 86_400, rows)
    amounts = rng.integers(-1, 6, rows).astype(float)
    nulls = rng.random(rows) < 0.1
    sales = pl.DataFrame(
        {
            "produto": rng.integers(0, 14, rows),
            "loja": rng.choice(["n", "s", None], rows, p=[0.6, 0.35, 0.05]),
            "data": [FIRST + timedelta(seconds=int(s)) for s in seconds],
            "quantidade": amounts,
            "valor": amounts * rng.integers(1, 9, rows) / 4,
            "nota": np.where(nulls, np.nan, rng.integers(0, 10, rows)),
            "menor": rng.integers(-50, 50, rows).astype(float),
        },
        schema_overrides={"data": pl.Datetime("us", "UTC")},
    ).with_columns(pl.col("nota").fill_nan(None))
    products = {"produto": list(range(12)), "categoria": ["x", "y", "z", "fora", None, "x"] * 2}
    weeks = [date(2023, 12, 25) + timedelta(days=7 * int(w)) for w in rng.integers(0, 9, 40)]
    promotions = pl.DataFrame(
        {
            "categoria": rng.choice(["x", "y", "z", "w"], 40),
            "loja": rng.choice(["n", "s"], 40),
            "semana": weeks,
            "promo": rng.integers(0, 4, 40).astype(float),
            "lojas": rng.choice(["l1", "l2", None], 40),
        }
    )
    return {"sales": sales, "produtos": pl.DataFrame(products), "promocoes": promotions}


def by_sql(frames: dict[str, pl.DataFrame], cutoff: date) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(":memory:")) as connection:
        for name, frame in frames.items():
            texts = frame.with_columns(
                pl.col(pl.Datetime).dt.strftime("%Y-%m-%d %H:%M:%S"),
            ).with_columns(pl.col(pl.Date).cast(pl.String))
            marks = ", ".join("?" * len(texts.columns))
            connection.execute(f"create table {name} ({', '.join(texts.columns)})")
            connection.executemany(f"insert into {name} values ({marks})", texts.rows())
        given = {"cutoff": cutoff.isoformat(), "ahead": f"+{HORIZON} days"}
        found = connection.execute(QUERY, given).fetchall()
    connection.close()
    return found


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("pieces", [1, 5])
def test_panel_and_future_are_those_of_sql(seed: int, pieces: int) -> None:
    frames = random_frames(seed)
    spec = spec_of(
        sales=SALES,
        sources=SOURCES,
        series=("categoria", "loja"),
        horizon=HORIZON,
        panel="""
revenue = "valor"
timezone = "America/Sao_Paulo"
exclude = { categoria = ["fora"] }
""",
    )
    whole = whole_panel(spec, frames, pieces=pieces, buckets=3, as_of=FIRST + timedelta(days=38))
    cutoff = date(2024, 2, 6)
    assert whole.panel["data"].max() == cutoff
    expected = by_sql(frames, cutoff)
    past = [row for row in expected if row[2] <= cutoff.isoformat()]
    names = ["quantidade", "observed", "nota", "menor", "promo", "lojas", "price"]
    found = whole.named().select("categoria", "loja", "data", *names)
    assert [(a, b, str(c)) for a, b, c in found.select("categoria", "loja", "data").rows()] == [
        row[:3] for row in past
    ]
    for place, name in enumerate(names, start=3):
        _same(found[name], [row[place] for row in past], name)
    future = whole.future.join(whole.series, on="series_code").sort("categoria", "loja", "data")
    ahead = [row for row in expected if row[2] > cutoff.isoformat()]
    assert [str(day) for day in future["data"]] == [row[2] for row in ahead]
    _same(future["promo"], [row[7] for row in ahead], "promo ahead")
    _same(future["lojas"], [row[8] for row in ahead], "lojas ahead")


def _same(found: pl.Series, expected: list[Any], name: str) -> None:
    values = found.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    wanted = np.array([np.nan if value is None else float(value) for value in expected])
    np.testing.assert_allclose(values, wanted, rtol=1e-6, err_msg=name)
