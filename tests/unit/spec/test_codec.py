"""From TOML to a spec, to a hash; what is wrong is told by file, key and cure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from lakecast.errors import SpecError
from lakecast.spec import digest, load, loads

if TYPE_CHECKING:
    from pathlib import Path

LEAST = """
spec = 1
[[sources]]
table = "sales"
path = "a.csv"
[panel]
series = ["produto"]
time = "dia"
target = "quantidade"
"""
PROMO = """
[[sources]]
table = "promo"
path = "p.csv"
on = ["produto"]
"""


def test_defaults_are_those_of_the_page() -> None:
    spec = loads(LEAST)
    assert spec.name == "lakecast"
    assert (spec.panel.frequency, spec.panel.gaps, spec.panel.timezone) == ("D", "zero", "UTC")
    assert (spec.forecast.horizon, spec.forecast.levels, spec.forecast.minimum) == (28, (80,), 0.0)
    assert (spec.train.every, spec.train.seed, spec.backtest.windows) == ("7d", 1, 4)
    assert (spec.gate.metric, spec.gate.min_gain, spec.gate.max_bias) == ("rmsse", 0.01, 0.1)


def test_a_spec_is_frozen() -> None:
    with pytest.raises(AttributeError):
        loads(LEAST).forecast.horizon = 1  # type: ignore[misc]


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "lakecast.toml"
    path.write_text(LEAST, encoding="utf-8")
    assert load(path) == loads(LEAST)
    with pytest.raises(SpecError, match="no spec here") as refused:
        load(tmp_path / "other.toml")
    assert "lakecast init" in refused.value.cure


@pytest.mark.parametrize(
    ("change", "what", "where", "cure"),
    [
        ('[hierarchy]\nlevels = [[], ["estado"]]', "`estado` is neither a column",
         "hierarchy.levels[1]", "use produto; or give the column as a static covariate"),
        ('[hierarchy]\nlevels = [[], []]', "is there twice",
         "hierarchy.levels[1]", "once"),
        ('[hierarchy]\nlevels = [["produto", "produto"]]', "names a column twice",
         "hierarchy.levels[0]", "once"),
        (PROMO + 'columns.total = { role = "static" }\n[hierarchy]\nlevels = [["total"]]',
         "could not be told", "hierarchy.levels[0]", "rename"),
        ('[gate]\nweight = "revenue"', "no money is known", "gate.weight", "panel.revenue"),
        ("[forecast]\nhorizn = 3", "unknown key `horizn`", "forecast", "did you mean `horizon`?"),
        ("[[features.rolling]]\nwindw = 3", "unknown key `windw`", "features.rolling[0]",
         "did you mean `window`?"),
        ("[gate]\nzzzz = 3", "unknown key `zzzz`", "gate", "remove it"),
        ("[forecast]\nhorizon = 0", ">= 1", "forecast.horizon", "docs/reference/spec.md"),
        ("[forecast]\nlevels = [100]", "<= 99", "forecast.levels[0]", "docs/reference"),
        ("[train]\nevery = '7 days'", "regex", "train.every", "docs/reference"),
        ("[train]\nfamilies = ['svm']", "svm", "train.families[0]", "docs/reference"),
        ("[gate]\nmetric = 'luck'", "luck", "gate.metric", "docs/reference"),
        ("[backtest]\nwindows = 'two'", "int", "backtest.windows", "docs/reference"),
        (PROMO + "columns.x = { role = 'past-only' }", "varies over time|no time column",
         "sources[1].columns.x.role", "static"),
        (PROMO + "lookup = true\ntime = 'dia'", "lookup has no time", "sources[1].time", "remove"),
        (PROMO + "query = 'select 1'", "go together", "sources[1]", "give both"),
        (PROMO.replace('on = ["produto"]', ""), "no `on`", "sources[1]", "join"),
        (PROMO.replace('path = "p.csv"', ""), "either", "sources[1]", "exactly one"),
        (PROMO + "time = 'dia'\nfrequency = 'W'", "frequency 'W'", "sources[1].frequency", "W-MON"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(change: str, what: str, where: str, cure: str) -> None:
    with pytest.raises(SpecError, match=what) as refused:
        loads(LEAST + change)
    assert refused.value.where.startswith("lakecast.toml")
    assert where in refused.value.where
    assert cure in refused.value.cure


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("spec = 1", "spec = 2", "2"),
        ('table = "sales"', 'table = "vendas"', "no `on`|no source feeds"),
        ('time = "dia"', 'time = "produto"', "different columns"),
        ('target = "quantidade"', 'target = "quantidade"\ntimezone = "Mars"', "unknown time zone"),
        ('target = "quantidade"', 'target = "quantidade"\nfrequency = "2D"', "frequency '2D'"),
        ('target = "quantidade"', 'target = "horizon"', "`horizon` is a name"),
        ('series = ["produto"]', "series = []", "length"),
        ('target = "quantidade"', "", "missing required field"),
        ("spec = 1", "spec = ", "not valid TOML"),
    ],
)
def test_a_line_that_cannot_be(old: str, new: str, what: str) -> None:
    assert old in LEAST
    with pytest.raises(SpecError, match=what):
        loads(LEAST.replace(old, new))


def test_a_known_future_needs_a_source_that_states_it() -> None:
    text = LEAST.replace(
        'path = "a.csv"', 'path = "a.csv"\ncolumns.preco = { role = "known-future" }'
    )
    with pytest.raises(SpecError, match="its future is not known"):
        loads(text)


# --- hash


def test_writing_out_a_default_changes_no_hash() -> None:
    assert digest(loads(LEAST)) == digest(loads(LEAST + "[forecast]\nhorizon = 28\n"))
    assert digest(loads(LEAST)) != digest(loads(LEAST + "[forecast]\nhorizon = 29\n"))


def test_the_order_of_keys_is_no_content_but_the_order_of_lists_is() -> None:
    swapped = LEAST.replace(
        'time = "dia"\ntarget = "quantidade"', 'target = "quantidade"\ntime = "dia"'
    )
    assert digest(loads(LEAST)) == digest(loads(swapped))
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest([1, 2]) != digest([2, 1])


@pytest.mark.parametrize(("one", "other"), [(("a", "b"), ("ab",)), ((1,), ("1",)), ((None,), ())])
def test_values_are_kept_apart(one: tuple[Any, ...], other: tuple[Any, ...]) -> None:
    assert digest(*one) != digest(*other)


def test_a_hash_is_pinned() -> None:
    """Another hash for the same spec would train every project again."""
    assert digest("a", 1, 0.5, None, ["b"], {"c": True}) == "f195b9a271d39dd214f7c0c513ef3631"


def test_a_spec_survives_toml() -> None:
    spec = loads(LEAST + PROMO + "time = 'dia'\ncolumns.x = { role = 'known-future' }\n")
    assert msgspec.convert(msgspec.to_builtins(spec), type(spec)) == spec


def test_levels_may_cross_and_use_static_covariates() -> None:
    static = PROMO + 'columns.marca = { role = "static" }\n'
    levels = '[hierarchy]\nlevels = [[], ["marca"], ["produto"], ["marca", "produto"]]\n'
    assert loads(LEAST + static + levels).hierarchy.levels[1] == ("marca",)


def test_a_price_from_a_source_is_enough_to_weigh_by_revenue() -> None:
    price = PROMO + 'time = "dia"\ncolumns.price = { role = "known-future" }\n'
    assert loads(LEAST + price + '[gate]\nweight = "revenue"\n').gate.weight == "revenue"
