"""A small complete project in a folder: raw sales, a promotion plan, a spec that trains quickly.

Twelve series of 150 days with a weekly rhythm, a trend and promotions that are known for the whole
horizon. Everything is drawn from a fixed seed, so two projects hold the same bytes.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

START: Final = date(2024, 1, 1)
DAYS: Final = 150
HORIZON: Final = 7
STORES: Final = ("norte", "sul", "leste", "oeste")
PRODUCTS: Final = ("arroz", "feijão", "café")
SERIES: Final = len(STORES) * len(PRODUCTS)
SPEC: Final = """\
spec = 1
name = "{name}"

[[sources]]
table = "sales"
path = "raw/vendas*.csv"

[[sources]]
table = "promo"
path = "raw/promo.csv"
on = ["produto"]
time = "dia"
columns.em_promocao = {{ role = "known-future", aggregate = "max", missing = 0 }}

[panel]
series = ["produto", "loja"]
time = "data_venda"
target = "quantidade"
revenue = "valor_total"
frequency = "D"
seasons = [7]
buckets = 2

[forecast]
horizon = 7

[features]
lags = [1, 7]
rolling = [{{ window = 7, stats = ["mean"] }}]
calendar = ["weekday"]

[train]
families = {families}
search = false
{train}
[backtest]
windows = {windows}
{more}"""


def write_project(
    folder: Path,
    *,
    days: int = DAYS,
    name: str = "lojas",
    families: tuple[str, ...] = ("linear_regression",),
    windows: int = 2,
    train: str = "",
    more: str = "",
) -> Path:
    """Write the project; returns its folder."""
    (folder / "raw").mkdir(parents=True, exist_ok=True)
    write_sales(folder / "raw" / "vendas.csv", 0, days)
    write_plan(folder / "raw" / "promo.csv", days + 60)
    text = SPEC.format(
        name=name,
        families=str(list(families)).replace("'", '"'),
        windows=windows,
        train=train,
        more=more,
    )
    (folder / "lakecast.toml").write_text(text, encoding="utf-8")
    return folder


def write_sales(path: Path, first: int, until: int) -> None:
    """Sales of the days `first` to `until - 1`, one row a series and day."""
    lines = ["produto,loja,data_venda,quantidade,valor_total"]
    for place, (product, store) in enumerate(pairs()):
        sold = quantities(place, until)
        price = 4.5 + PRODUCTS.index(product)
        lines += [
            f"{product},{store},{day(number)},{sold[number]},{sold[number] * price:.2f}"
            for number in range(first, until)
        ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_plan(path: Path, days: int) -> None:
    """Which product is on promotion on which day, from the first day on."""
    lines = ["produto,dia,em_promocao"]
    lines += [
        f"{product},{day(number)},1"
        for place, product in enumerate(PRODUCTS)
        for number in range(days)
        if on_offer(place, number)
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def pairs() -> list[tuple[str, str]]:
    """Product and store of each series."""
    return [(product, store) for product in PRODUCTS for store in STORES]


def quantities(place: int, days: int) -> list[int]:
    """Units sold by the series at this place; the same first days however many are asked for."""
    noise = np.random.default_rng(1000 + place).normal(0.0, 1.5, size=max(days, 1000))
    number = np.arange(days)
    product = place // len(STORES)
    offer = np.array([on_offer(product, int(n)) for n in number])
    level = 12 + 2 * place + 0.02 * number
    week = 5 * np.sin(2 * np.pi * number / 7 + product)
    return [int(v) for v in np.maximum(0, np.rint(level + week + 8 * offer + noise[:days]))]


def on_offer(product: int, number: int) -> bool:
    """Three days in eleven, each product at another time."""
    return (number + 4 * product) % 11 < 3


def day(number: int) -> str:
    """The date of a day counted from `START`, ISO 8601."""
    return (START + timedelta(days=number)).isoformat()
