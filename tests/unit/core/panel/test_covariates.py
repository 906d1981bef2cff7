"""Covariate tables joined by role: weeks over days, statics, lookups, the future."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
import pytest
from tests.raw_panels import Whole, spec_of, whole_panel

MONDAY = date(2024, 3, 4)
PROMOTIONS = """
[[sources]]
table = "promocoes"
path = "x.csv"
on = ["loja"]
time = "semana"
frequency = "W-SUN"
columns.promo = {{ role = "{role}", aggregate = "max"{missing} }}
"""


def day(offset: int) -> date:
    return MONDAY + timedelta(days=offset)


def sales(shops: str = "ab", days: int = 10) -> pl.DataFrame:
    rows = [(shop, day(d), 1.0) for shop in shops for d in range(days)]
    frame = pl.DataFrame(rows, schema=["loja", "data", "quantidade"], orient="row")
    return frame.with_columns(cidade=pl.col("loja").replace_strict({"a": "X", "b": "Y", "c": "Y"}))


def promotions(*rows: tuple[str | None, int, float | None]) -> pl.DataFrame:
    return pl.DataFrame(
        [(shop, day(offset), value) for shop, offset, value in rows],
        schema={"loja": pl.String, "semana": pl.Date, "promo": pl.Float64},
        orient="row",
    )


def of(whole: Whole, shop: str, column: str) -> list[float | None]:
    return whole.named().filter(loja=shop)[column].to_list()


def ahead(whole: Whole, shop: str, column: str) -> list[float | None]:
    code = whole.series.filter(loja=shop)["series_code"].item()
    return whole.future.filter(series_code=code)[column].to_list()


def test_a_week_holds_for_all_its_days_and_the_horizon() -> None:
    spec = spec_of(sources=PROMOTIONS.format(role="known-future", missing=""), horizon=6)
    table = promotions(("a", 0, 1.0), ("a", 0, 3.0), ("a", 7, 5.0), ("a", 14, 7.0), ("zz", 0, 9.0))
    whole = whole_panel(spec, {"sales": sales(), "promocoes": table})
    assert of(whole, "a", "promo") == [3.0] * 7 + [5.0] * 3
    assert ahead(whole, "a", "promo") == [5.0] * 4 + [7.0] * 2
    assert of(whole, "b", "promo") == [None] * 10
    assert whole.future.schema["promo"] == whole.panel.schema["promo"] == pl.Float32
    assert whole.found("no_covariates") == [(None, "promocoes", 1)]


def test_missing_stands_for_absent_rows() -> None:
    spec = spec_of(sources=PROMOTIONS.format(role="known-future", missing=", missing = 0"))
    table = promotions(("a", 7, 5.0), ("b", 14, 1.0))
    whole = whole_panel(spec, {"sales": sales(), "promocoes": table})
    assert of(whole, "a", "promo") == [0.0] * 7 + [5.0] * 3
    assert ahead(whole, "b", "promo") == [0.0] * 3
    assert whole.found("uncovered_future") == []


def test_a_table_that_ends_before_the_horizon_is_not_taken_for_no_promotion() -> None:
    spec = spec_of(
        sources=PROMOTIONS.format(role="known-future", missing=", missing = 0"), horizon=6
    )
    table = promotions(
        ("a", 0, 1.0), ("a", 7, 5.0)
    )  # weeks up to the 17th; the horizon to the 19th
    whole = whole_panel(spec, {"sales": sales("a"), "promocoes": table})
    assert ahead(whole, "a", "promo") == [5.0] * 4 + [0.0] * 2
    assert [detail for _, detail, _ in whole.found("uncovered_future")] == [
        "promo at 2024-03-18",
        "promo at 2024-03-19",
    ]


def test_past_only_covariates_have_no_future() -> None:
    spec = spec_of(sources=PROMOTIONS.format(role="past-only", missing=""))
    whole = whole_panel(spec, {"sales": sales(), "promocoes": promotions(("a", 0, 1.0))})
    assert whole.plan.known_future == ()
    assert whole.future.is_empty()
    assert whole.found("uncovered_future") == []


def test_uncovered_cells_are_named_up_to_twenty_and_counted() -> None:
    spec = spec_of(sources=PROMOTIONS.format(role="known-future", missing=""), horizon=15)
    whole = whole_panel(spec, {"sales": sales(), "promocoes": promotions(("a", 0, 1.0))}, buckets=1)
    found = whole.found("uncovered_future")
    assert len(found) == 21
    assert found[1] == ('{"loja":"a"}', "promo at 2024-03-14", 1)
    assert found[0] == (None, "further cells", 10)
    assert sum(count for *_, count in found) == 30


def test_a_table_may_join_by_a_static_of_the_series() -> None:
    weather = """
[[sources]]
table = "clima"
path = "c.csv"
on = ["cidade"]
time = "dia"
columns.chuva = { role = "known-future", aggregate = "mean" }
"""
    table = pl.DataFrame(
        {"cidade": ["Y", "Y", "X"], "dia": [day(0), day(0), day(11)], "chuva": [1.0, 2.0, 8.0]}
    )
    spec = spec_of(sources=weather)
    whole = whole_panel(spec, {"sales": sales("abc"), "clima": table}, pieces=2)
    assert of(whole, "b", "chuva")[:2] == of(whole, "c", "chuva")[:2] == [1.5, None]
    assert ahead(whole, "a", "chuva") == [None, 8.0, None]


def test_a_static_of_a_lookup_may_join_a_table_and_be_a_feature_too() -> None:
    sources = """
[[sources]]
table = "lojas"
path = "l.csv"
on = ["loja"]
lookup = true
columns.estado = { role = "static" }
[[sources]]
table = "clima"
path = "c.csv"
on = ["estado"]
time = "dia"
columns.chuva = { role = "known-future" }
"""
    frames = {
        "sales": sales("ab"),
        "lojas": pl.DataFrame({"loja": ["a", "b"], "estado": ["SP", "BA"]}),
        "clima": pl.DataFrame({"estado": ["BA"], "dia": [day(0)], "chuva": [3.0]}),
    }
    whole = whole_panel(spec_of(sources=sources), frames, pieces=2)
    assert whole.series.sort("loja")["estado"].to_list() == ["SP", "BA"]
    assert (of(whole, "a", "chuva")[0], of(whole, "b", "chuva")[0]) == (None, 3.0)


def test_keys_of_other_types_still_meet() -> None:
    rows = sales().with_columns(
        loja=pl.col("loja").replace_strict({"a": 1, "b": 2}, return_dtype=pl.Int16)
    )
    table = promotions(("1", 0, 4.0), ("2", 0, 6.0))
    spec = spec_of(sources=PROMOTIONS.format(role="past-only", missing=""))
    whole = whole_panel(spec, {"sales": rows, "promocoes": table})
    assert whole.named().filter(pl.col("loja") == 2)["promo"][0] == 6.0


PRODUCTS = """
[[sources]]
table = "produtos"
path = "p.csv"
on = ["produto"]
lookup = true
columns.peso = { role = "static", aggregate = "mean" }
columns.marca = { role = "static" }
"""


def with_products() -> dict[str, pl.DataFrame]:
    rows = sales("a", 4).with_columns(produto=pl.Series([1, 2, 3, 9]))
    products = pl.DataFrame(
        {
            "produto": [1, 2, 3, 3],
            "linha": ["u", "u", "x", "v"],
            "peso": [1.0, 2.0, 5.0, 6.0],
            "marca": ["m", "n", "o", "o"],
        }
    )
    return {"sales": rows, "produtos": products}


@pytest.mark.parametrize("pieces", [1, 3])
def test_a_lookup_gives_series_and_statics(pieces: int) -> None:
    spec = spec_of(sources=PRODUCTS, series=("linha",))
    whole = whole_panel(spec, with_products(), pieces=pieces)
    assert whole.series.drop("series_code").sort("linha").rows() == [
        ("u", 1.5, "n", day(0), day(1)),
        ("v", 6.0, "o", day(2), day(2)),
    ]
    assert whole.named().filter(linha="u")["quantidade"].to_list() == [1.0, 1.0, 0.0]
    assert whole.found("no_series") == [(None, "", 1)]  # product 9 has no line


def test_a_promotion_of_products_reaches_the_series_of_their_lookup() -> None:
    promotions_of_products = PROMOTIONS.replace('"loja"', '"produto"').format(
        role="known-future", missing=", missing = 0"
    )
    frames = with_products()
    frames["promocoes"] = pl.DataFrame(
        {"produto": [1, 2, 3, 77], "semana": [day(0)] * 4, "promo": [1.0, 4.0, 2.0, 9.0]}
    )
    spec = spec_of(sources=PRODUCTS + promotions_of_products, series=("linha",))
    whole = whole_panel(spec, frames)
    assert whole.named().filter(linha="u")["promo"].to_list() == [4.0] * 3
    assert whole.named().filter(linha="v")["promo"].to_list() == [2.0]


def test_an_empty_covariate_table_is_all_missing() -> None:
    spec = spec_of(sources=PROMOTIONS.format(role="known-future", missing=", missing = 0"))
    whole = whole_panel(spec, {"sales": sales("a"), "promocoes": promotions()})
    assert of(whole, "a", "promo") == [0.0] * 10
    assert ahead(whole, "a", "promo") == [0.0] * 3
    assert sum(count for *_, count in whole.found("uncovered_future")) == 3
