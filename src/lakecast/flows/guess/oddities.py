"""What is odd in the rows of the sales: cancellations, zero prices, keys, countries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from lakecast.flows.guess.choice import Choice
from lakecast.flows.guess.words import DOCUMENT, is_code, portuguese, says, words_of

if TYPE_CHECKING:
    from lakecast.flows.guess.look import Look

_SURE: Final = 0.9
_COUNTRIES: Final = {
    "brasil": "BR", "brazil": "BR", "br": "BR", "portugal": "PT", "argentina": "AR", "chile": "CL",
    "mexico": "MX", "colombia": "CO", "united kingdom": "GB", "uk": "GB", "gb": "GB",
    "great britain": "GB", "ireland": "IE", "germany": "DE", "deutschland": "DE", "de": "DE",
    "france": "FR", "spain": "ES", "italy": "IT", "netherlands": "NL", "belgium": "BE",
    "switzerland": "CH", "austria": "AT", "poland": "PL", "united states": "US", "usa": "US",
    "us": "US", "canada": "CA", "australia": "AU", "india": "IN", "japan": "JP",
}  # fmt: skip
_CURRENCIES: Final = {"R$": "BR", "US$": "US", "£": "GB", "¥": "JP"}
_ZONES: Final = {
    "America/Sao_Paulo": "BR", "America/Bahia": "BR", "America/Fortaleza": "BR",
    "America/Manaus": "BR", "America/Recife": "BR", "America/New_York": "US",
    "America/Chicago": "US", "America/Denver": "US", "America/Los_Angeles": "US",
    "Europe/London": "GB", "Europe/Lisbon": "PT", "Europe/Berlin": "DE", "Europe/Paris": "FR",
    "Europe/Madrid": "ES", "Europe/Rome": "IT", "America/Mexico_City": "MX",
}  # fmt: skip


def cancellations(look: Look, target: str) -> tuple[dict[str, str], str]:
    """`contract.cancelled` and why: a paper's number whose letter stands before negative sales."""
    papers = [c.name for c in look.sniffed.of_kind("text") if says(c.name, DOCUMENT)]
    for name in papers:
        letter = pl.col(name).str.strip_chars().str.extract(r"^([A-Za-z]{1,3})[-\d]").alias("mark")
        marked = look.rows.select(letter, (pl.col(target) < 0).alias("negative")).drop_nulls()
        counts = marked.group_by("mark").agg(pl.len(), pl.col("negative").mean())
        sure = counts.filter(pl.col("negative") >= _SURE).sort("len", "mark", descending=True)
        all_of_them = marked.height == look.rows.height and counts.height == 1
        if sure.height and not all_of_them:
            rows = int(sure["len"][0])
            why = f"{rows:,} {look.of()} start so, nearly all with a negative `{target}`"
            return {name: str(sure["mark"][0])}, why
    return {}, ""


def negatives(look: Look, target: str) -> int:
    """Rows whose target is negative."""
    return int((look.rows[target] < 0).sum())


def row_key(look: Look) -> str | None:
    """A column of keys whose values are all there and all different."""
    for column in look.sniffed.of_kind("text", "integer"):
        values = look.rows[column.name]
        keys = is_code(column.name) and not values.null_count()
        if keys and values.n_unique() == values.len():
            return column.name
    return None


def country(look: Look, timezone: str) -> Choice[str] | None:
    """The country whose holidays may matter: by a column, the currency, the zone, the language."""
    for column in look.sniffed.of_kind("text"):
        if {"country", "pais"} & set(words_of(column.name)):
            common = look.rows[column.name].drop_nulls().mode().sort()
            code = _COUNTRIES.get(str(common[0]).strip().casefold()) if common.len() else None
            if code:
                return Choice(code, f"most rows of `{column.name}` say {common[0]}")
    for column in look.sniffed.columns:
        if column.currency in _CURRENCIES:
            return Choice(_CURRENCIES[column.currency], f"`{column.name}` is in {column.currency}")
    if timezone in _ZONES:
        return Choice(_ZONES[timezone], f"the zone is {timezone}")
    return Choice("BR", "the columns' names are Portuguese") if portuguese(look.names) else None
