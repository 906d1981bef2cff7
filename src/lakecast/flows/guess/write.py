"""From files nobody has described to a `lakecast.toml`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from lakecast.columns import PRICE
from lakecast.errors import UsageError
from lakecast.flows.guess import text
from lakecast.flows.guess.columns import TAKEN, Measures, measures, time_column, zeros
from lakecast.flows.guess.further import (
    Further,
    Panel,
    covariates,
    dimension,
    joined,
    settled,
    table_names,
)
from lakecast.flows.guess.look import Look, look_at, look_at_query
from lakecast.flows.guess.oddities import cancellations, country, negatives, row_key
from lakecast.flows.guess.periods import Periods, periods
from lakecast.flows.guess.series import Grain, series_columns
from lakecast.flows.guess.words import is_price
from lakecast.spec import Covariate, loads

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from lakecast.flows.guess.choice import Choice, Wishes

SPEC: Final = "lakecast.toml"
_IGNORED: Final = "lake/\nmlflow.db*\nmlartifacts/\nreport.html\nlakecast.local.toml\n"
_SPARSE: Final = 0.2


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """The file, and one line for each thing that was assumed."""

    path: Path
    assumptions: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Guess:
    """All that was decided about a project."""

    name: str
    sales: Look
    time: Choice[str]
    measures: Measures
    periods: Periods
    series: Choice[tuple[str, ...]]
    grain: Grain
    further: tuple[Further, ...]


def write_spec(folder: Path, sources: Sequence[str], wishes: Wishes, *, force: bool) -> Written:
    """Look at the sources and write the spec of the project in `folder`, making it if need be.

    The first source holds the sales, unless `wishes` names a query. Raises `UsageError` where the
    spec is there already (but for `force`), a source is not, or no time, target or series can be
    found; `DataRefused` where a file cannot be read or has no rows.
    """
    path = folder / SPEC
    if path.exists() and not force:
        raise UsageError(
            "there is a spec already", where=str(path), cure="pass --force to replace it"
        )
    guess = _guess(folder, sources, wishes)
    written = _text(guess)
    loads(written, where=SPEC)
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(written, encoding="utf-8")
    ignored = folder / ".gitignore"
    if not ignored.exists():
        ignored.write_text(_IGNORED, encoding="utf-8")
    return Written(path=path, assumptions=tuple(_assumptions(guess)))


def _guess(folder: Path, sources: Sequence[str], wishes: Wishes) -> _Guess:
    sales, others = _looks(folder, sources, wishes)
    time = time_column(sales, wishes.time)
    cut = periods(sales, time.value, wishes)
    names = table_names(others)
    dimensions = {
        table: found
        for look, table in zip(others, names, strict=True)
        if (found := dimension(look, table, sales))
    }
    rows = sales.rows
    for found in dimensions.values():
        rows = joined(rows, found)
    amounts = measures(sales, wishes.target)
    taken = _taken(time.value, amounts)
    series, grain = series_columns(rows, taken, cut, wishes.series)
    panel = _panel(sales, rows, series.value, taken, cut)
    return _Guess(
        name=_project_name(folder),
        sales=sales,
        time=time,
        measures=amounts,
        periods=cut,
        series=series,
        grain=grain,
        further=_distinct(_further(others, names, dimensions, panel)),
    )


def _looks(folder: Path, sources: Sequence[str], wishes: Wishes) -> tuple[Look, list[Look]]:
    if (wishes.sql_env is None) != (wishes.query is None):
        raise UsageError(
            "--sql-env and --query go together",
            where="lakecast init",
            cure="give the variable that holds the URL, and the SELECT",
        )
    if wishes.sql_env is not None and wishes.query is not None:
        return look_at_query(wishes.sql_env, wishes.query), [look_at(s, folder) for s in sources]
    if not sources:
        raise UsageError(
            "no source", where="lakecast init", cure="pass --source PATH, or --sql-env and --query"
        )
    first, *rest = [look_at(source, folder) for source in sources]
    return first, rest


def _taken(time: str, amounts: Measures) -> tuple[str, ...]:
    """Columns of the sales that have their use; the time comes first."""
    money = (amounts.revenue.value,) if amounts.revenue else ()
    own = _own_columns(amounts)
    return (time, amounts.target.value, *money, *own)


def _own_columns(amounts: Measures) -> dict[str, Covariate]:
    """Covariates that the sales themselves give; with a revenue the price is computed."""
    found = {name: Covariate(role="past-only", aggregate="max") for name in amounts.promotions}
    price = amounts.price
    if price and amounts.revenue is None and price not in TAKEN and price != amounts.target.value:
        found[price] = Covariate(role="past-only", aggregate="mean")
    return found


def _panel(
    sales: Look, rows: pl.DataFrame, series: tuple[str, ...], taken: tuple[str, ...], cut: Periods
) -> Panel:
    time = taken[0]
    last = pl.Series(time, [sales.latest(time)])
    return Panel(
        columns=tuple(rows.columns),
        series=series,
        taken=frozenset({*taken, PRICE}),
        periods=cut,
        last=int(cut.clock.ordinals(last)[0]),
    )


def _further(
    looks: Sequence[Look], names: Sequence[str], dimensions: dict[str, Further], panel: Panel
) -> Iterator[Further]:
    """In the order given, but dimensions first: others may need them."""
    known = [settled(found, panel) for found in dimensions.values()]
    lookups = [found for found in known if found.lookup]
    yield from known
    for look, table in zip(looks, names, strict=True):
        if table not in dimensions:
            yield covariates(look, table, panel, lookups)


def _distinct(found: Iterator[Further]) -> tuple[Further, ...]:
    """A covariate's name may come once: the first source keeps it."""
    kept: list[Further] = []
    seen: set[str] = set()
    for one in found:
        again = tuple(name for name in one.columns if name in seen)
        seen |= set(one.columns)
        kept.append(_without(one, again) if again else one)
    return tuple(kept)


def _without(found: Further, names: tuple[str, ...]) -> Further:
    from dataclasses import replace

    columns = {n: c for n, c in found.columns.items() if n not in names}
    refused = "" if columns else "another source has columns of the same names"
    return replace(found, columns=columns, left=(*found.left, *names), refused=refused)


def _project_name(folder: Path) -> str:
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", folder.absolute().name).strip("-.")
    return name or "lakecast"


def _text(guess: _Guess) -> str:
    blocks = [
        ["spec = 1", text.line("name", text.quoted(guess.name))],
        list(_sales_lines(guess)),
        *(text.further(found, "UTC") for found in guess.further),
        list(_contract_lines(guess)),
        list(_panel_lines(guess)),
        [
            "[forecast]",
            text.line("horizon", str(guess.periods.horizon.value), guess.periods.horizon.why),
            text.line("levels", "[80]", "intervals that hold 80% of what comes"),
        ],
        list(_feature_lines(guess)),
        ["[train]", text.line("every", '"7d"', "older champions are fit anew")],
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _sales_lines(guess: _Guess) -> Iterator[str]:
    sales, time = guess.sales, guess.time.value
    yield from text.source(sales, "sales", sales.column(time).dates, guess.periods.written)
    if unique := row_key(sales):
        why = f"no value twice {sales.of()}; a row that comes again is refused"
        yield text.comment(text.line("row_key", text.listed([unique]), why))
    yield from text.covariate_lines(_own_columns(guess.measures))


def _contract_lines(guess: _Guess) -> Iterator[str]:
    cancelled, why = cancellations(guess.sales, guess.measures.target.value)
    below = negatives(guess.sales, guess.measures.target.value)
    price = guess.measures.price
    free = zeros(guess.sales, price) if price else 0
    if not (below or free):
        return
    yield "[contract]"
    if below:
        said = f"{below:,} {guess.sales.of()} are negative: they reduce the sum"
        yield text.line("negative", '"net"', said)
    if cancelled:
        marks = {name: text.quoted(mark) for name, mark in cancelled.items()}
        yield text.line("cancelled", text.inline(marks), why)
    if price and free:
        said = f"{free:,} {guess.sales.of()} have no price above zero: set aside"
        yield text.line(f"bounds.{text.key(price)}", "{ above = 0 }", said)


def _panel_lines(guess: _Guess) -> Iterator[str]:
    cut, amounts = guess.periods, guess.measures
    yield "[panel]"
    yield text.line("series", text.listed(guess.series.value), guess.series.why)
    yield text.line("time", text.quoted(guess.time.value), guess.time.why)
    yield text.line("target", text.quoted(amounts.target.value), amounts.target.why)
    if amounts.revenue:
        yield text.line("revenue", text.quoted(amounts.revenue.value), amounts.revenue.why)
    if is_price(amounts.target.value):
        yield text.comment(
            text.line("aggregate", '"count"', "forecasts the number of rows instead")
        )
    yield text.line("frequency", text.quoted(cut.frequency.value), cut.frequency.why)
    yield text.line("timezone", text.quoted(cut.timezone.value), cut.timezone.why)
    yield text.line("seasons", str(list(cut.seasons)), f"in {cut.words}")
    if amounts.available:
        why = "then declare it under the source as a past-only column"
        yield text.comment(text.line("available", text.quoted(amounts.available), why))
    if guess.grain.active < _SPARSE:
        why = f"would leave out series that sell in less than half of their {cut.words}"
        yield text.comment(text.line("min_active", "0.5", why))


def _feature_lines(guess: _Guess) -> Iterator[str]:
    found = country(guess.sales, guess.periods.timezone.value)
    if found:
        yield "[features]"
        yield text.comment(text.line("holidays", text.listed([found.value]), found.why))


def _assumptions(guess: _Guess) -> Iterator[str]:
    """What stands in the spec with a reason, for people who do not open it."""
    cut, amounts = guess.periods, guess.measures
    yield f"time = {guess.time.value}: {guess.time.why}"
    yield f"target = {amounts.target.value}: {amounts.target.why}"
    if amounts.revenue:
        yield f"revenue = {amounts.revenue.value}: {amounts.revenue.why}"
    yield f"series = {', '.join(guess.series.value)}: {guess.series.why}"
    yield f"frequency = {cut.frequency.value}: {cut.frequency.why}"
    yield f"timezone = {cut.timezone.value}: {cut.timezone.why}"
    yield f"horizon = {cut.horizon.value}: {cut.horizon.why}"
    yield from (f"contract.{said}" for said in _said(_contract_lines(guess)))
    for name in _own_columns(amounts):
        yield f"{name}: past-only, for it is known only once sold"
    yield from (f"format: {note}" for note in guess.sales.sniffed.notes)
    for found in guess.further:
        yield _told(found)


def _said(lines: Iterator[str]) -> Iterator[str]:
    """`name = value: why` of lines with a comment beside or above."""
    for one in lines:
        above, _, below = one.partition("\n")
        if below:
            yield f"{below}: {above.removeprefix('# ')}"
        elif "# " in one:
            plain, _, why = one.partition("# ")
            yield f"{plain.strip()}: {why}"


def _told(found: Further) -> str:
    if found.refused:
        return f"{found.table}: commented out, {found.refused}"
    kind = "lookup" if found.lookup else "covariates" if found.time else "statics"
    names = f" ({', '.join(found.columns)})" if found.columns else ""
    return f"{found.table}: {kind}{names} on {', '.join(found.on)}, {found.why}"
