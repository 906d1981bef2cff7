"""The example `vendas`: ten columns under their Portuguese names, and a covariate that leaks.

The columns are recomputed by sqlite's window functions from the rows that the example's generator
returns, so nothing of Lakecast reads the file twice.
"""

from __future__ import annotations

import importlib.util
import math
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pytest

from lakecast import Project
from lakecast.errors import SpecError

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "vendas"
DAYS = 120
PLAIN = (
    "vendas_lag_1",
    "vendas_lag_7",
    "vendas_lag_30",
    "media_movel_7",
    "media_movel_30",
    "tendencia",
    "sazonalidade",
    "quantidade",
)
COLUMNS = (*PLAIN, "categoria_idx", "produto_idx")
# The formulas as a batch job would write them: over the rows of a product, the last row being the
# day before the one to forecast, which is the `alvo`.
ORACLE = """
WITH vendas AS (
    SELECT *,
        lag(valor_total, 1) OVER produto AS vendas_lag_1,
        lag(valor_total, 7) OVER produto AS vendas_lag_7,
        lag(valor_total, 30) OVER produto AS vendas_lag_30,
        avg(valor_total) OVER (produto ROWS BETWEEN 6 PRECEDING AND CURRENT ROW) AS media_movel_7,
        avg(valor_total) OVER (produto ROWS BETWEEN 29 PRECEDING AND CURRENT ROW) AS media_movel_30,
        strftime('%w', data_venda) + 1 AS sazonalidade,
        lead(data_venda) OVER produto AS dia_do_alvo,
        lead(valor_total) OVER produto AS alvo
    FROM bruto
    WINDOW produto AS (PARTITION BY produto ORDER BY data_venda)
)
SELECT produto, dia_do_alvo AS data_venda, alvo, vendas_lag_1, vendas_lag_7, vendas_lag_30,
    media_movel_7, media_movel_30, valor_total - media_movel_30 AS tendencia, sazonalidade,
    quantidade, categoria_valor
FROM vendas WHERE vendas_lag_30 IS NOT NULL AND alvo IS NOT NULL
ORDER BY produto, data_venda
"""


def _generator() -> ModuleType:
    found = importlib.util.spec_from_file_location("gerar_dados", EXAMPLE / "gerar_dados.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


GENERATOR = _generator()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the example with fewer days, ingested and with its features written."""
    copy = tmp_path_factory.mktemp("vendas") / "vendas"
    shutil.copytree(EXAMPLE, copy, ignore=shutil.ignore_patterns("raw", "lake", "ml*", "report*"))
    GENERATOR.escrever(copy, DAYS)
    Project.open(copy).stage("features")
    return copy


@pytest.fixture(scope="module")
def features(folder: Path) -> pl.DataFrame:
    return Project.open(folder).table("features").sort("produto", "data_venda")


@pytest.fixture(scope="module")
def rows() -> list[tuple[Any, ...]]:
    """(produto, categoria_valor, quantidade, valor_total, data_venda) of every generated row."""
    return [
        (produto, faixa, int(quantidade), _reais(valor), "-".join(reversed(dia.split("/"))))
        for produto, faixa, quantidade, valor, dia in GENERATOR.linhas(DAYS)
    ]


@pytest.fixture(scope="module")
def expected(rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    with closing(sqlite3.connect(":memory:")) as base:
        base.execute(
            "CREATE TABLE bruto (produto, categoria_valor, quantidade, valor_total, data_venda)"
        )
        base.executemany("INSERT INTO bruto VALUES (?, ?, ?, ?, ?)", rows)
        found = base.execute(ORACLE)
        names = [column[0] for column in found.description]
        frame = pl.DataFrame(found.fetchall(), schema=names, orient="row")
    return frame.with_columns(pl.col("data_venda").str.to_date())


def _reais(text: str) -> float:
    return float(text.removeprefix("R$ ").replace(".", "").replace(",", "."))


def _joined(features: pl.DataFrame, expected: pl.DataFrame) -> pl.DataFrame:
    """Rows of both; every expected one must be there."""
    both = features.join(expected, on=["produto", "data_venda"], how="inner", suffix="_sql")
    assert both.height == expected.height > 0
    return both


def test_every_product_sold_on_every_day(rows: list[tuple[Any, ...]]) -> None:
    """Otherwise rows of the file and days of the panel would not be the same thing."""
    assert len(rows) == DAYS * len(GENERATOR.PRODUTOS)


def test_the_columns_are_there(features: pl.DataFrame) -> None:
    assert [name for name in COLUMNS if name not in features.columns] == []


@pytest.mark.parametrize("name", PLAIN)
def test_column_is_what_sql_says(name: str, features: pl.DataFrame, expected: pl.DataFrame) -> None:
    both = _joined(features, expected)
    pairs = zip(both[name], both[f"{name}_sql"], strict=True)
    # A trend is a difference: its error is relative to what was subtracted.
    least = 1e-3 if name == "tendencia" else 0.0
    assert [p for p in pairs if not math.isclose(*p, rel_tol=1e-6, abs_tol=least)] == []


def test_the_target_is_the_next_value(features: pl.DataFrame, expected: pl.DataFrame) -> None:
    both = _joined(features, expected)
    assert both["valor_total"].to_list() == pytest.approx(both["alvo"].to_list(), abs=0.005)


def test_the_band_is_its_place_in_the_vocabulary(
    features: pl.DataFrame, expected: pl.DataFrame
) -> None:
    both = _joined(features, expected)
    words = sorted({*expected["categoria_valor"]})
    assert words == ["alto", "baixo", "médio"]
    assert both["categoria_idx"].to_list() == [words.index(w) for w in both["categoria_valor"]]


def test_the_product_is_its_place_in_the_vocabulary(features: pl.DataFrame) -> None:
    words = sorted(GENERATOR.PRODUTOS)
    assert features["produto_idx"].to_list() == [words.index(w) for w in features["produto"]]


def test_first_rows_have_no_history(features: pl.DataFrame) -> None:
    first = features.group_by("produto", maintain_order=True).first()
    names = ["vendas_lag_1", "vendas_lag_7", "vendas_lag_30", "media_movel_7", "quantidade"]
    assert first.select(names).null_count().row(0) == (first.height,) * len(names)


def test_the_band_of_the_day_itself_is_refused(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "vendas")
    path = copy / "lakecast.toml"
    text = path.read_text(encoding="utf-8")
    asked = '{ column = "categoria_valor", lags = [1] }'
    assert asked in text
    path.write_text(text.replace(asked, asked.replace("[1]", "[0]")), encoding="utf-8")
    with pytest.raises(
        SpecError, match=r"past-only.*not known when that period is forecast"
    ) as told:
        Project.open(copy).stage("features")
    assert "`categoria_valor`" in str(told.value)
    assert "lags of at least 1" in str(told.value)


def test_how_much_the_band_gives_away() -> None:
    """The README's figures: the share of a product's spread that a band explains."""
    rows = [(row[0], row[1], _reais(row[3])) for row in GENERATOR.linhas(500)]
    frame = pl.DataFrame(rows, schema=["produto", "faixa", "valor"], orient="row")
    dated = frame.with_columns(ontem=pl.col("faixa").shift(1).over("produto")).drop_nulls()
    same, before = (round(100 * _explained(dated, band)) for band in ("faixa", "ontem"))
    text = " ".join((EXAMPLE / "README.md").read_text(encoding="utf-8").split())
    assert f"explains {same}% of how" in text
    assert f"the band of the day before {before}%:" in text


def _explained(frame: pl.DataFrame, band: str) -> float:
    """Share of the squares around each product's mean that fall away around each band's mean."""
    value = pl.col("valor")
    within = frame.select(((value - value.mean().over("produto", band)) ** 2).sum()).item()
    return (
        1 - float(within) / frame.select(((value - value.mean().over("produto")) ** 2).sum()).item()
    )


def test_training_takes_the_band(folder: Path) -> None:
    """A model is fit with all ten columns, and the run ends with a forecast of every product."""
    path = folder / "lakecast.toml"
    text = path.read_text(encoding="utf-8")
    quick = text.replace("windows = 14", "windows = 3").replace(
        "[train]\n", '[train]\nsearch = false\nfamilies = ["linear_regression"]\n'
    )
    path.write_text(quick, encoding="utf-8")
    project = Project.open(folder)
    done = project.run()
    assert project.table("forecasts").height == len(GENERATOR.PRODUTOS)
    assert "linear_regression/recursive" in {row["candidate"] for row in done.leaderboard}
