"""The spec resolved against the columns that the tables have."""

from __future__ import annotations

import polars as pl
import pytest
from tests.raw_panels import spec_of

from lakecast.core.panel.plan import Lookup, Measure, resolve
from lakecast.errors import LakecastError, SpecError

SALES = {
    "produto": pl.Int32(),
    "loja": pl.String(),
    "data": pl.Date(),
    "quantidade": pl.Float64(),
    "valor": pl.Float64(),
    "faixa": pl.String(),
    "cidade": pl.String(),
}
PRODUCTS = """
[[sources]]
table = "produtos"
path = "p.csv"
on = ["produto"]
lookup = true
"""
PROMOTIONS = """
[[sources]]
table = "promocoes"
path = "x.csv"
on = ["{on}"]
time = "semana"
columns.em_promocao = {{ role = "known-future", aggregate = "max", missing = 0 }}
"""


def test_only_columns_in_use_are_read() -> None:
    plan = resolve(spec_of(panel='revenue = "valor"'), {"sales": SALES})
    assert plan.sales.reads == ("data", "loja", "quantidade", "valor")
    assert [(m.name, m.column, m.aggregate) for m in plan.sales.measures] == [
        ("_target", "quantidade", "sum"),
        ("_revenue", "valor", "sum"),
    ]
    assert [m.name for m in plan.varying] == ["price"]
    assert plan.varying[0].role == "past-only"


def test_series_may_come_from_a_lookup() -> None:
    spec = spec_of(sources=PRODUCTS, series=("categoria",))
    schemas = {"sales": SALES, "produtos": {"produto": pl.Int64(), "categoria": pl.String()}}
    plan = resolve(spec, schemas)
    assert plan.lookups == (Lookup(table="produtos", on=("produto",), gives=("categoria",)),)
    assert plan.sales.reads == ("data", "produto", "quantidade")


def test_lookups_may_follow_each_other() -> None:
    departments = PRODUCTS.replace("produtos", "categorias").replace("produto", "categoria")
    spec = spec_of(sources=PRODUCTS + departments, series=("depto",))
    schemas = {
        "sales": SALES,
        "produtos": {"produto": pl.Int64(), "categoria": pl.String()},
        "categorias": {"categoria": pl.String(), "depto": pl.String()},
    }
    plan = resolve(spec, schemas)
    assert [one.gives for one in plan.lookups] == [("categoria",), ("depto",)]
    assert plan.sales.reads == ("data", "produto", "quantidade")


@pytest.mark.parametrize(
    ("on", "keys", "attributes"),
    [
        ("loja", ("loja",), ()),
        ("cidade", ("cidade",), ("cidade",)),
    ],
)
def test_a_covariate_table_joins_by_series_or_by_their_statics(
    on: str, keys: tuple[str, ...], attributes: tuple[str, ...]
) -> None:
    promotions = {on: pl.String(), "semana": pl.Date(), "em_promocao": pl.Int8()}
    spec = spec_of(sources=PROMOTIONS.format(on=on))
    plan = resolve(spec, {"sales": SALES, "promocoes": promotions})
    assert plan.tables[0].keys == keys
    assert plan.attributes == attributes
    assert set(attributes) <= set(plan.sales.reads)
    assert [m.name for m in plan.known_future] == ["em_promocao"]


def test_the_key_of_a_lookup_stands_for_the_series_it_gives() -> None:
    spec = spec_of(sources=PRODUCTS + PROMOTIONS.format(on="produto"), series=("categoria",))
    schemas = {
        "sales": SALES,
        "produtos": {"produto": pl.Int64(), "categoria": pl.String()},
        "promocoes": {"produto": pl.Int64(), "semana": pl.Date(), "em_promocao": pl.Int8()},
    }
    table = resolve(spec, schemas).tables[0]
    assert table.keys == ("categoria",)
    assert table.reads == ("em_promocao", "produto", "semana")


@pytest.mark.parametrize(
    ("panel", "source", "kind", "expected"),
    [
        ("D", "", pl.Date(), "D"),
        ("D", 'frequency = "W-SUN"', pl.Date(), "W-SUN"),
        ("W-SUN", "", pl.Date(), "W-SUN"),
        ("W-SUN", 'frequency = "W-SAT"', pl.Date(), "W-SAT"),
        ("W-SUN", 'frequency = "D"', pl.Date(), "W-SUN"),
        ("h", "", pl.Date(), "D"),
        ("h", "", pl.Datetime("us", "UTC"), "h"),
        ("h", 'frequency = "M"', pl.Date(), "M"),
    ],
)
def test_a_covariate_is_never_cut_finer_than_the_panel(
    panel: str, source: str, kind: pl.DataType, expected: str
) -> None:
    sources = PROMOTIONS.format(on="loja") + source
    spec = spec_of(sources=sources, panel=f'frequency = "{panel}"')
    promotions = {"loja": pl.String(), "semana": kind, "em_promocao": pl.Int8()}
    plan = resolve(spec, {"sales": SALES, "promocoes": promotions})
    assert plan.tables[0].clock.frequency.text == expected


def test_texts_become_codes_and_a_text_availability_a_flag() -> None:
    sales = 'columns.faixa = { role = "past-only" }\ncolumns.cidade = { role = "past-only" }'
    plan = resolve(spec_of(sales=sales, panel='available = "cidade"'), {"sales": SALES})
    found = {m.name: (m.text, m.flag) for m in plan.sales.measures}
    assert found == {"_target": (False, False), "faixa": (True, False), "cidade": (False, True)}


def test_counted_texts_are_numbers() -> None:
    sales = 'columns.faixa = { role = "past-only", aggregate = "count" }'
    plan = resolve(spec_of(sales=sales), {"sales": SALES})
    assert plan.sales.measures[1] == Measure(name="faixa", column="faixa", aggregate="count")


@pytest.mark.parametrize(
    ("sales", "panel", "says"),
    [
        ("", 'revenue = "valro"', "column `valro` is neither in table `sales` nor"),
        ('columns.faixa = { role = "past-only", aggregate = "sum" }', "", "which have no sum"),
        ('columns.quantidade = { role = "past-only" }', "", "`quantidade` has a name"),
        ("", 'available = "estoque"', "`estoque` is no covariate"),
        ('columns.last = { role = "past-only" }', "", "column `last`"),
    ],
)
def test_what_cannot_be_is_refused(sales: str, panel: str, says: str) -> None:
    with pytest.raises(SpecError, match=says):
        resolve(spec_of(sales=sales, panel=panel), {"sales": SALES})


def test_a_missing_column_is_answered_with_those_there_are() -> None:
    with pytest.raises(SpecError) as caught:
        resolve(spec_of(series=("filial",)), {"sales": {**SALES, "_row": pl.Int64()}})
    assert "cidade, data, faixa, loja" in caught.value.cure
    assert "_row" not in caught.value.cure


def test_a_series_column_may_not_be_called_like_ours() -> None:
    with pytest.raises(SpecError, match="`last` is a column of the table of series"):
        resolve(spec_of(series=("last",)), {"sales": {**SALES, "last": pl.String()}})


def test_a_table_must_be_there() -> None:
    with pytest.raises(LakecastError, match="table `produtos` is not in the lake"):
        resolve(spec_of(sources=PRODUCTS), {"sales": SALES})


def test_sources_of_one_table_must_agree() -> None:
    twice = PROMOTIONS.format(on="loja") + PROMOTIONS.format(on="cidade")
    with pytest.raises(SpecError, match="two sources feed `promocoes`"):
        resolve(spec_of(sources=twice), {"sales": SALES})


@pytest.mark.parametrize("name", ["_low", "_period", "*", "^data$"])
def test_a_name_that_the_build_would_misread_is_refused(name: str) -> None:
    with pytest.raises(SpecError, match="rename the column"):
        resolve(spec_of(series=(name,)), {"sales": {**SALES, name: pl.String()}})
    covariate = f'columns."{name}" = {{ role = "past-only" }}'
    with pytest.raises(SpecError, match="rename the column"):
        resolve(spec_of(sales=covariate), {"sales": {**SALES, name: pl.Float64()}})
