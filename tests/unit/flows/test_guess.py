"""What init makes of files: each guess, its reason, and what overrides it."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from lakecast.errors import DataRefused, UsageError
from lakecast.flows.guess import Wishes, Written, write_spec
from lakecast.flows.guess.further import table_names
from lakecast.flows.guess.look import look_at, written_path
from lakecast.flows.guess.periods import frequency_of
from lakecast.flows.guess.text import quoted
from lakecast.flows.guess.words import is_key, is_money, is_price, is_quantity, words_of
from lakecast.spec import Spec, load, loads
from lakecast.spec.model import Bound

DAYS = [date(2024, 1, 1) + timedelta(days=i) for i in range(240)]
PRODUCTS = ("caneta", "lapis", "régua")


def sales(days: list[date] = DAYS, **more: object) -> pl.DataFrame:
    """A receipt or two a product and day: Portuguese names."""
    chance = random.Random(1)
    rows = [
        {
            "venda_id": f"V{n:06d}",
            "data_venda": datetime(day.year, day.month, day.day, 9 + n % 8, n % 60, 7),  # noqa: DTZ001
            "produto": product,
            "cliente_id": chance.randrange(500),
            "quantidade": chance.randrange(1, 9),
            "valor_total": round(chance.random() * 90 + 1, 2),
            **more,
        }
        for n, (day, product) in enumerate((d, p) for d in days for p in PRODUCTS * 2)
    ]
    return pl.DataFrame(rows)


def save(frame: pl.DataFrame, folder: Path, name: str = "vendas.parquet") -> str:
    folder.mkdir(exist_ok=True, parents=True)
    path = folder / name
    frame.write_parquet(path) if name.endswith("parquet") else frame.write_csv(path)
    return str(path)


def guess(folder: Path, *sources: str, **wishes: object) -> tuple[Spec, Written, str]:
    made = write_spec(folder, sources, Wishes(**wishes), force=True)  # type: ignore[arg-type]
    return load(made.path), made, made.path.read_text(encoding="utf-8")


def test_transactions(tmp_path: Path) -> None:
    spec, made, text = guess(tmp_path, save(sales(), tmp_path))
    panel = spec.panel
    assert (panel.time, panel.target, panel.revenue) == ("data_venda", "quantidade", "valor_total")
    assert panel.series == ("produto",)
    assert (panel.frequency, panel.seasons, panel.timezone) == ("D", (7,), "UTC")
    assert spec.forecast.horizon == 28
    assert spec.sources[0].path == "vendas.parquet"
    assert '# row_key = ["venda_id"]' in text
    assert '# holidays = ["BR"]' in text
    assert any(line.startswith("target = quantidade: ") for line in made.assumptions)
    assert 15 <= len(text.splitlines()) <= 35


def test_every_line_of_the_assumptions_has_a_reason(tmp_path: Path) -> None:
    _, made, _ = guess(tmp_path, save(sales(), tmp_path))
    assert all(line.partition(": ")[2] for line in made.assumptions)


def test_flags_override_every_guess(tmp_path: Path) -> None:
    frame = sales(loja="A").with_columns(pl.col("data_venda").alias("data_entrega"))
    spec, _, _ = guess(
        tmp_path,
        save(frame, tmp_path),
        time="data_entrega",
        target="valor_total",
        series=("loja", "produto"),
        frequency="W-SAT",
        timezone="America/Sao_Paulo",
        horizon=3,
    )
    panel = spec.panel
    assert (panel.time, panel.target, panel.revenue) == ("data_entrega", "valor_total", None)
    assert panel.series == ("loja", "produto")
    assert (panel.frequency, panel.timezone, panel.seasons) == (
        "W-SAT",
        "America/Sao_Paulo",
        (52,),
    )
    assert spec.forecast.horizon == 3
    assert spec.sources[0].format.timezone == "America/Sao_Paulo"


@pytest.mark.parametrize(
    ("wish", "flag"),
    [
        ({"time": "data_vendas"}, "--time"),
        ({"time": "produto"}, "--time"),
        ({"target": "quantity"}, "--target"),
        ({"target": "produto"}, "--target"),
        ({"series": ("loja",)}, "--series"),
        ({"frequency": "W"}, "--frequency"),
        ({"timezone": "Brazil"}, "--timezone"),
        ({"horizon": 0}, "--horizon"),
    ],
)
def test_a_flag_that_cannot_be(tmp_path: Path, wish: dict[str, object], flag: str) -> None:
    path = save(sales(), tmp_path)
    with pytest.raises(UsageError) as raised:
        guess(tmp_path, path, **wish)
    assert raised.value.where == flag
    assert raised.value.cure
    assert not (tmp_path / "lakecast.toml").exists()


def test_a_spec_is_not_replaced_without_force(tmp_path: Path) -> None:
    path = save(sales(), tmp_path)
    write_spec(tmp_path, [path], Wishes(), force=False)
    with pytest.raises(UsageError, match="already"):
        write_spec(tmp_path, [path], Wishes(), force=False)
    write_spec(tmp_path, [path], Wishes(horizon=2), force=True)
    assert load(tmp_path / "lakecast.toml").forecast.horizon == 2


def test_the_folder_and_its_gitignore_are_made(tmp_path: Path) -> None:
    path = save(sales(), tmp_path)
    folder = tmp_path / "new" / "project"
    write_spec(folder, [path], Wishes(), force=False)
    assert load(folder / "lakecast.toml").sources[0].path == "../../vendas.parquet"
    assert "lake/\n" in (folder / ".gitignore").read_text()


def test_a_gitignore_that_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("mine\n")
    guess(tmp_path, save(sales(), tmp_path))
    assert (tmp_path / ".gitignore").read_text() == "mine\n"


def test_no_time(tmp_path: Path) -> None:
    path = save(sales().drop("data_venda"), tmp_path)
    with pytest.raises(UsageError, match="no column of times") as raised:
        guess(tmp_path, path)
    assert "quantidade" in raised.value.cure
    assert "--time" in raised.value.cure


def test_nothing_to_forecast(tmp_path: Path) -> None:
    path = save(sales().drop("quantidade", "valor_total"), tmp_path)
    with pytest.raises(UsageError, match="how many or how much"):
        guess(tmp_path, path)


def test_no_series(tmp_path: Path) -> None:
    path = save(sales().drop("produto"), tmp_path)
    with pytest.raises(UsageError) as raised:
        guess(tmp_path, path)
    assert raised.value.where == "--series"


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as raised:
        guess(tmp_path, str(tmp_path / "nothing*.csv"))
    assert raised.value.where == "--source"


def test_no_source() -> None:
    with pytest.raises(UsageError, match="no source"):
        write_spec(Path("nowhere"), [], Wishes(), force=False)


def test_no_rows(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("data,produto,quantidade\n")
    with pytest.raises(DataRefused, match="no rows"):
        guess(tmp_path, str(tmp_path / "x.csv"))


def test_how_the_text_is_written_is_in_the_spec(tmp_path: Path) -> None:
    frame = sales()
    lines = ["data;produto;quantidade;valor_total"]
    lines += [
        f"{row['data_venda']:%d/%m/%Y};{row['produto']};{row['quantidade']};"
        f"R$ 1.{int(row['valor_total']):03d},50"
        for row in frame.iter_rows(named=True)
    ]
    (tmp_path / "vendas.csv").write_bytes("\n".join(lines).encode("latin-1"))
    spec, made, text = guess(tmp_path, str(tmp_path / "vendas.csv"))
    form = spec.sources[0].format
    assert (form.delimiter, form.decimal, form.thousands) == (";", ",", ".")
    assert (form.encoding, form.dates) == ("latin-1", "%d/%m/%Y")
    assert any("latin-1" in line for line in made.assumptions)
    assert '# holidays = ["BR"]' in text
    assert "R$" in text


def test_other_signs_far_into_a_file(tmp_path: Path) -> None:
    """The sample is all ASCII; one accent stands where nobody looks."""
    lines = [
        f"2024-{i % 12 + 1:02d}-{i % 28 + 1:02d},pen{i % 3},1,{'x' * 60}" for i in range(30_000)
    ]
    lines[9_000] = lines[9_000].replace("x" * 60, "ç")
    data = "\n".join(["data,produto,quantidade,obs", *lines]).encode("latin-1")
    (tmp_path / "x.csv").write_bytes(data)
    look = look_at(str(tmp_path / "x.csv"), tmp_path)
    assert look.sniffed.format.encoding == "latin-1"
    assert look.rows.height == 30_000


def test_the_chosen_time_column_decides_the_pattern(tmp_path: Path) -> None:
    lines = ["data_carga,data_venda,produto,quantidade"]
    lines += [f"{d:%Y-%m-%d},{d:%d/%m/%Y},{p},1" for d in DAYS for p in PRODUCTS]
    (tmp_path / "x.csv").write_text("\n".join(lines))
    spec, _, _ = guess(tmp_path, str(tmp_path / "x.csv"))
    assert spec.panel.time == "data_venda"
    assert spec.sources[0].format.dates == "%d/%m/%Y"


def test_cancellations_and_free_goods(tmp_path: Path) -> None:
    frame = sales().drop("venda_id", "valor_total").with_row_index("n")
    back = pl.col("n") % 10 == 0
    frame = frame.with_columns(
        pl.format("{}{}", pl.when(back).then(pl.lit("C")).otherwise(pl.lit("")), pl.col("n") + 500)
        .alias("Invoice"),
        pl.when(back).then(-pl.col("quantidade")).otherwise("quantidade").alias("quantidade"),
        pl.when(pl.col("n") % 100 == 1).then(0.0).otherwise(2.5).alias("preço unitário"),
    )  # fmt: skip
    spec, made, _ = guess(tmp_path, save(frame.drop("n"), tmp_path))
    assert spec.contract.cancelled == {"Invoice": "C"}
    assert spec.contract.negative == "net"
    assert spec.contract.bounds == {"preço unitário": Bound(above=0)}
    assert spec.sources[0].columns["preço unitário"].role == "past-only"
    told = "\n".join(made.assumptions)
    assert "144 of all 1,440 rows are negative" in told
    assert "15 of all 1,440 rows have no price" in told


def test_no_cancellations_where_every_paper_starts_alike(tmp_path: Path) -> None:
    spec, _, _ = guess(tmp_path, save(sales(), tmp_path))
    assert spec.contract.cancelled == {}


def test_a_price_is_computed_where_there_is_money(tmp_path: Path) -> None:
    spec, _, _ = guess(tmp_path, save(sales(preco=2.0), tmp_path))
    assert spec.panel.revenue == "valor_total"
    assert spec.sources[0].columns == {}


def test_promotions_in_the_sales_are_past_only(tmp_path: Path) -> None:
    spec, _, _ = guess(tmp_path, save(sales(em_promocao=True), tmp_path))
    covariate = spec.sources[0].columns["em_promocao"]
    assert (covariate.role, covariate.aggregate) == ("past-only", "max")


def test_prices_alone_are_summed(tmp_path: Path) -> None:
    frame = sales(price=3.5).drop("quantidade", "valor_total", "venda_id", "cliente_id")
    spec, _, text = guess(tmp_path, save(frame, tmp_path))
    assert spec.panel.target == "price"
    assert spec.sources[0].columns == {}
    assert '# aggregate = "count"' in text


def panel_of(days: list[date], **keys: int) -> pl.DataFrame:
    """One row a key and date."""
    frame = pl.DataFrame({"data": days})
    for name, count in keys.items():
        values = pl.DataFrame({name: [f"{name}{i}" for i in range(count)]})
        frame = frame.join(values, how="cross")
    return frame.with_columns(pl.int_range(pl.len()).mod(7).alias("unidades"))


def test_an_aggregate_keeps_its_keys(tmp_path: Path) -> None:
    frame = panel_of(DAYS, categoria=4, uf=3)
    frame = frame.with_columns(
        pl.col("uf").replace_strict({"uf0": "sul"}, default="norte").alias("regiao")
    )
    spec, _, _ = guess(tmp_path, save(frame, tmp_path))
    assert spec.panel.series == ("categoria", "uf")
    assert spec.panel.target == "unidades"


def test_an_aggregate_keeps_its_keys_at_a_coarser_frequency(tmp_path: Path) -> None:
    spec, _, _ = guess(tmp_path, save(panel_of(DAYS, categoria=4, uf=3), tmp_path), frequency="M")
    assert spec.panel.series == ("categoria", "uf")


def test_products_that_hardly_sell_give_way_to_categories(tmp_path: Path) -> None:
    frame = (
        sales()
        .with_row_index("n")
        .with_columns(
            pl.format("P{}", pl.col("n") % 700).alias("produto"),
            pl.format("c{}", pl.col("n") % 2).alias("categoria"),
        )
    )
    spec, made, _ = guess(tmp_path, save(frame.drop("n"), tmp_path))
    assert spec.panel.series == ("categoria",)
    assert any("`produto` sells on" in line for line in made.assumptions)


def test_a_store_joins_where_the_two_sell_often(tmp_path: Path) -> None:
    frame = sales().with_row_index("n")
    dense = frame.with_columns(pl.format("L{}", (pl.col("n") // 3) % 2).alias("loja")).drop("n")
    spec, _, _ = guess(tmp_path, save(dense, tmp_path))
    assert spec.panel.series == ("produto", "loja")
    sparse = frame.with_columns(pl.format("L{}", pl.col("n") * 7 % 90).alias("loja")).drop("n")
    spec, _, _ = guess(tmp_path, save(sparse, tmp_path))
    assert spec.panel.series == ("produto",)


def test_a_short_history_shortens_the_horizon(tmp_path: Path) -> None:
    spec, made, _ = guess(tmp_path, save(sales(DAYS[:40]), tmp_path))
    assert spec.forecast.horizon == 5
    assert any("40 days of history" in line for line in made.assumptions)


MONDAY = date(2024, 1, 1)


@pytest.mark.parametrize(
    ("first", "name", "expected"),
    [
        (MONDAY, "semana", "W-SUN"),
        (MONDAY, "week_ending", "W-MON"),
        (MONDAY + timedelta(days=6), "date", "W-SUN"),
        (MONDAY + timedelta(days=6), "week_start", "W-SAT"),
        (MONDAY + timedelta(days=4), "Date", "W-FRI"),
        (MONDAY + timedelta(days=5), "data", "W-SAT"),
    ],
)
def test_weeks(first: date, name: str, expected: str) -> None:
    times = [datetime(first.year, first.month, first.day, tzinfo=UTC) + timedelta(weeks=i)
             for i in range(60)]  # fmt: skip
    assert frequency_of(pl.Series(name, times * 3), name, "UTC").value == expected


def test_weeks_with_holes_are_weeks() -> None:
    times = [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(weeks=i) for i in range(60) if i % 5]
    assert frequency_of(pl.Series("t", times), "t", "UTC").value == "W-SUN"


@pytest.mark.parametrize("end", [False, True])
def test_months(end: bool) -> None:
    firsts = pl.date_range(date(2022, 1, 1), date(2024, 6, 1), "1mo", eager=True)
    dates = firsts.dt.month_end() if end else firsts
    assert frequency_of(dates.cast(pl.Datetime("us", "UTC")), "mes", "UTC").value == "M"


def test_hours_and_moments() -> None:
    hours = [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=i) for i in range(200)]
    assert frequency_of(pl.Series("t", hours), "t", "UTC").value == "h"
    moments = [hour + timedelta(minutes=7) for hour in hours]
    assert frequency_of(pl.Series("t", moments), "t", "UTC").value == "D"


def test_working_days_are_days() -> None:
    days = [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=i) for i in range(90) if i % 7 < 5]
    assert frequency_of(pl.Series("t", days), "t", "UTC").value == "D"


def test_one_day_is_days() -> None:
    assert frequency_of(pl.Series("t", [datetime(2024, 1, 1, tzinfo=UTC)]), "t", "UTC").value == "D"


def test_times_that_carry_a_zone_keep_it(tmp_path: Path) -> None:
    zoned = sales().with_columns(pl.col("data_venda").dt.replace_time_zone("UTC"))
    spec, made, _ = guess(tmp_path, save(zoned, tmp_path), timezone="America/Sao_Paulo")
    assert spec.panel.timezone == "America/Sao_Paulo"
    assert spec.sources[0].format.timezone == "UTC"
    _, made, _ = guess(tmp_path, save(zoned, tmp_path))
    assert any("times carry a zone" in line for line in made.assumptions)


def promo(weeks: int, **more: object) -> pl.DataFrame:
    """A row a product and week from the sales' first Monday on."""
    starts = [MONDAY + timedelta(weeks=i) for i in range(weeks)]
    rows = [{"produto": p, "semana": s, "em_oferta": (i + n) % 3 == 0, "desconto": n / 10, **more}
            for i, s in enumerate(starts) for n, p in enumerate(PRODUCTS)]  # fmt: skip
    return pl.DataFrame(rows)


def test_a_plan_beyond_the_sales_is_known_future(tmp_path: Path) -> None:
    plan = save(promo(45, produtor="x"), tmp_path, "promo.parquet")
    spec, made, _ = guess(tmp_path, save(sales(), tmp_path), plan)
    source = spec.sources[1]
    assert (source.table, source.on, source.time) == ("promo", ("produto",), "semana")
    assert source.frequency == "W-SUN"
    assert source.columns["em_oferta"].role == "known-future"
    assert source.columns["em_oferta"].missing == 0
    assert (source.columns["desconto"].aggregate, source.columns["desconto"].missing) == ("mean", 0)
    assert "produtor" not in source.columns
    assert any(line.startswith("promo: ") and "beyond" in line for line in made.assumptions)


def test_a_plan_that_ends_with_the_sales_is_past_only(tmp_path: Path) -> None:
    spec, made, _ = guess(tmp_path, save(sales(), tmp_path), save(promo(30), tmp_path, "p.parquet"))
    assert {c.role for c in spec.sources[1].columns.values()} == {"past-only"}
    assert any("its future is not known" in line for line in made.assumptions)


def test_how_far_a_plan_reaches_is_counted(tmp_path: Path) -> None:
    plan = save(promo(36), tmp_path, "promo.parquet")  # the sales end on a Tuesday, 2024-08-27
    _, made, _ = guess(tmp_path, save(sales(), tmp_path), plan)
    assert any("reaches 12 days beyond the sales, 12 of the 28" in t for t in made.assumptions)


def test_a_source_that_shares_nothing_is_commented_out(tmp_path: Path) -> None:
    weather = pl.DataFrame({"dia": DAYS, "chuva": [1.5] * len(DAYS)})
    spec, made, text = guess(
        tmp_path, save(sales(), tmp_path), save(weather, tmp_path, "tempo.parquet")
    )
    assert len(spec.sources) == 1
    assert "# Not used: it shares no column with the series (produto)" in text
    assert any(line.startswith("tempo: commented out") for line in made.assumptions)


def test_a_dimension_gives_the_series(tmp_path: Path) -> None:
    frame = (
        sales().with_row_index("n").with_columns(pl.format("P{}", pl.col("n") % 900).alias("sku"))
    )
    products = pl.DataFrame({"sku": [f"P{i}" for i in range(900)],
                             "categoria": [f"c{i % 3}" for i in range(900)]})  # fmt: skip
    plan = promo(45).with_columns(pl.lit("P7").alias("sku")).drop("produto")
    spec, _, _ = guess(
        tmp_path,
        save(frame.drop("n", "produto"), tmp_path),
        save(plan, tmp_path, "plano.csv"),
        save(products, tmp_path, "produtos.csv"),
    )
    lookup, plan_source = spec.sources[1:]
    assert spec.panel.series == ("categoria",)
    assert (lookup.table, lookup.lookup, lookup.on) == ("produtos", True, ("sku",))
    assert (plan_source.table, plan_source.on) == ("plano", ("sku",))
    assert plan_source.columns["em_oferta"].missing is None  # `true` in a CSV is no number


def test_a_dimension_of_the_series_gives_statics(tmp_path: Path) -> None:
    products = pl.DataFrame(
        {"produto": PRODUCTS, "peso": [1.0, 2.0, 3.0], "marca": ["a", "a", "b"]}
    )
    spec, _, _ = guess(
        tmp_path, save(sales(), tmp_path), save(products, tmp_path, "produtos.parquet")
    )
    source = spec.sources[1]
    assert not source.lookup
    assert {name: c.role for name, c in source.columns.items()} == {
        "peso": "static",
        "marca": "static",
    }


def test_covariates_of_two_sources_have_names_of_their_own(tmp_path: Path) -> None:
    one, two = (save(promo(45), tmp_path, f"{n}.parquet") for n in ("a", "b"))
    spec, made, _ = guess(tmp_path, save(sales(), tmp_path), one, two)
    assert len(spec.sources) == 2
    assert any(line.startswith("b: commented out") for line in made.assumptions)


def test_a_query(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sqlite3

    with sqlite3.connect(tmp_path / "base.db") as base:
        base.execute("CREATE TABLE v (dia TEXT, produto TEXT, quantidade INT)")
        base.executemany(
            "INSERT INTO v VALUES (?, ?, ?)",
            [(str(d), p, 2) for d in DAYS for p in PRODUCTS],
        )
    base.close()
    monkeypatch.setenv("VENDAS_URL", f"sqlite:///{tmp_path / 'base.db'}")
    query = "SELECT dia, produto,\n  quantidade FROM v"
    spec, _, text = guess(tmp_path / "p", sql_env="VENDAS_URL", query=query)
    assert (spec.sources[0].sql_env, spec.sources[0].query) == ("VENDAS_URL", query)
    assert (spec.panel.time, spec.panel.series) == ("dia", ("produto",))
    assert "sqlite" not in text


def test_half_a_query(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="go together"):
        guess(tmp_path, sql_env="VENDAS_URL")


def test_names_that_toml_must_quote(tmp_path: Path) -> None:
    frame = sales().rename({"produto": 'Nº "do" produto', "quantidade": "Qtd. vendida"})
    folder = tmp_path / "Projeto São João"
    spec, _, _ = guess(folder, save(frame, folder, "vendas [1].parquet".replace("[1]", "1")))
    assert spec.panel.series == ('Nº "do" produto',)
    assert spec.panel.target == "Qtd. vendida"
    assert spec.name == "Projeto-S-o-Jo-o"


@pytest.mark.parametrize("text", ['a"b', "a\\b", "tab\there", "line\nbreak", "ç€", "\x7f", "\x00"])
def test_any_text_survives_quoting(text: str) -> None:
    import tomllib

    assert tomllib.loads(f"x = {quoted(text)}") == {"x": text}


def test_paths(tmp_path: Path) -> None:
    home = tmp_path / "a" / "b"
    home.mkdir(parents=True)
    assert written_path(f"{home}/raw/x*.csv", home) == "raw/x*.csv"
    assert written_path(f"{tmp_path}/x.csv", home) == "../../x.csv"
    assert written_path("/elsewhere/x.csv", home) == "/elsewhere/x.csv"
    assert written_path("s3://bucket/x", home) == "s3://bucket/x"


def test_sources_are_found_from_here_and_from_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(sales(), tmp_path / "p" / "raw")
    monkeypatch.chdir(tmp_path)
    for path in ("p/raw/vendas.parquet", "raw/*.parquet", "p/raw"):
        spec, _, _ = guess(Path("p"), path)
        assert (spec.sources[0].path or "").startswith("raw")


def test_tables_have_names_of_their_own(tmp_path: Path) -> None:
    files = (
        "1/promotions.parquet",
        "2/Preços 2024.parquet",
        "3/sales.csv",
        "4/Preços 2024.parquet",
    )
    paths = [save(promo(3), tmp_path / name[0], name[2:]) for name in files]
    names = table_names([look_at(path, tmp_path) for path in paths])
    assert names == ["promotions_raw", "precos_2024", "sales_raw", "precos_2024_raw"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("quantidade", is_quantity), ("Qty", is_quantity), ("unit_sales", is_quantity),
        ("units_sold", is_quantity), ("y", is_quantity), ("qtde_vendida", is_quantity),
        ("valor_total", is_money), ("Weekly_Sales", is_money), ("receita", is_money),
        ("UnitPrice", is_price), ("preço médio", is_price), ("valor_unitario", is_price),
        ("StockCode", is_key), ("loja", is_key), ("customer_state", is_key),
        ("tipo_venda", is_key), ("canal_venda", is_key),
    ],
)  # fmt: skip
def test_names_that_say(name: str, kind: object) -> None:
    assert callable(kind)
    assert kind(name)


@pytest.mark.parametrize(
    "name", ["Invoice", "Customer ID", "Description", "pedido_id", "categoria_valor", "estoque"]
)
def test_names_nobody_makes_series_of(name: str) -> None:
    assert not is_key(name)


def test_words() -> None:
    assert words_of("DataVendaÚtil_2") == ("data", "venda", "util", "2")


def test_the_same_files_give_the_same_text(tmp_path: Path) -> None:
    path = save(sales(), tmp_path)
    assert guess(tmp_path, path)[2] == guess(tmp_path, path)[2]
    assert loads(guess(tmp_path, path)[2])
