"""The report's language: numbers as people write them, metrics in plain words, the headline."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal

from lakecast.core.calendar import Frequency

if TYPE_CHECKING:
    from datetime import date

    from lakecast.report.data import Decision, Kind

NOTHING: Final = "\N{EN DASH}"
Style = Literal["number", "percent", "ratio", "count"]


@dataclass(frozen=True, slots=True)
class MetricWords:
    """How a metric is titled, told and written. `best` is the value a perfect forecast has."""

    title: str
    meaning: str
    style: Style = "number"
    best: float = 0.0


METRICS: Final[dict[str, MetricWords]] = {
    "rmsse": MetricWords(
        "RMSSE",
        "Error relative to simply repeating the last season on the same series, large misses "
        "weighing more. Below 1 is better than repeating. Every series counts.",
        "ratio",
    ),
    "mase": MetricWords(
        "MASE", "As RMSSE, but every unit missed weighs the same, near or far.", "ratio"
    ),
    "rmse": MetricWords(
        "RMSE", "Typical size of a miss in units of the target, large misses weighing more."
    ),
    "mae": MetricWords("MAE", "Average size of a miss, in units of the target."),
    "wape": MetricWords("WAPE", "All misses added up, as a share of everything sold.", "percent"),
    "smape": MetricWords(
        "sMAPE", "Average miss as a share of the mean of forecast and actual.", "percent"
    ),
    "bias": MetricWords(
        "Bias",
        "Forecast in total minus sold in total, as a share of sold: above 0 means too much "
        "stock, below 0 too little.",
        "percent",
    ),
    "r2": MetricWords(
        "R²", "Share of the ups and downs that the forecasts follow; 1 is all of it.", "ratio", 1.0
    ),
    "coverage": MetricWords(
        "Coverage", "Share of actual values that fell inside the interval.", "percent", math.nan
    ),
    "pinball": MetricWords("Pinball", "Error of the interval's ends, in units of the target."),
}
"""In the order in which they are shown."""

_UNITS: Final = {"h": "hour", "D": "day", "W": "week", "M": "month"}
_EVERY: Final = {"h": "hourly", "D": "daily", "W": "weekly", "M": "monthly"}
_CHOICES: Final = {
    "auto": "Automatic choice",
    "best": "Best of all so far",
    "best by class": "Best so far by demand class",
    "champion": "The champion\u2019s recipe",
}
_SHORT: Final = {"ets": "ETS", "arima": "ARIMA"}


def number(value: float | None) -> str:
    """Three significant digits and separators: 1,234 · 12.3 · 0.0123; a dash for null and NaN."""
    if value is None or not math.isfinite(value):
        return NOTHING
    rounded = float(f"{value:.3g}")
    if abs(rounded) >= 100 or abs(rounded) < 1e-6 or value == int(value):
        return _signed(f"{value:,.0f}")
    return _signed(f"{value:.{2 - math.floor(math.log10(abs(rounded)))}f}")


def ratio(value: float | None) -> str:
    """Three decimals, so that a column of them lines up."""
    return NOTHING if value is None or not math.isfinite(value) else _signed(f"{value:,.3f}")


def percent(value: float | None, *, sign: bool = False) -> str:
    """0.1234 as 12.3%; `sign` writes the plus too."""
    if value is None or not math.isfinite(value):
        return NOTHING
    decimals = 0 if abs(value) >= 1 else 1
    return _signed(f"{100 * value:{'+' if sign else ''},.{decimals}f}%")


def count(value: int | None) -> str:
    """A whole number with separators."""
    return NOTHING if value is None else _signed(f"{value:,}")


def money(value: float | None, currency: str = "") -> str:
    """An amount without cents, behind its currency."""
    if value is None or not math.isfinite(value):
        return NOTHING
    amount = number(abs(value)) if abs(value) < 10 else f"{abs(value):,.0f}"
    sign = "\N{MINUS SIGN}" if value < 0 and amount != "0" else ""
    return f"{sign}{currency}\u202f{amount}" if currency else f"{sign}{amount}"


def size(value: float | None) -> str:
    """Bytes in decimal units: 1.5 MB."""
    if value is None:
        return NOTHING
    for unit in ("B", "kB", "MB"):
        if abs(value) < 1000:
            return f"{number(value)} {unit}"
        value /= 1000
    return f"{number(value)} GB"


def duration(seconds: float | None) -> str:
    """0.4 s · 12 s · 3 min 05 s · 1 h 02 min."""
    if seconds is None:
        return NOTHING
    if seconds < 10:
        return f"{seconds:.1f} s"
    if round(seconds) < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def metric(name: str, value: float | None) -> str:
    """A metric's value in that metric's style."""
    style = METRICS[name].style if name in METRICS else "number"
    return {"percent": percent, "ratio": ratio}.get(style, number)(value)


def candidate(name: str | None) -> str:
    """`gradient_boosting/direct` as "Gradient boosting (direct)"."""
    if not name:
        return NOTHING
    if name in _CHOICES:
        return _CHOICES[name]
    first, *rest = (_SHORT.get(part, part.replace("_", " ")) for part in name.split("/"))
    text = f"{first} ({', '.join(rest)})" if rest else first
    return text[:1].upper() + text[1:]


def shown(value: str | None) -> str:
    """A value of the data; null as "(none)"."""
    return "(none)" if value is None else value


def periods(frequency: str, many: int) -> str:
    """`28 days`, `1 month`."""
    return f"{many:,} {_UNITS[Frequency(frequency).unit]}{'s' * (many != 1)}"


def every(frequency: str) -> str:
    """`daily`, `weekly`, ..."""
    return _EVERY[Frequency(frequency).unit]


def moment(value: date | None) -> str:
    """A date as `3 December 2017`, a timestamp with its time."""
    if value is None:
        return NOTHING
    if isinstance(value, datetime) and (value.hour or value.minute):
        return f"{value.day} {value:%B %Y, %H:%M}"
    return f"{value.day} {value:%B %Y}"


def headline(decision: Decision, gain: float | None) -> str:
    """How good the forecasts are, in one sentence; `gain` as in the decision."""
    if decision.champion is None:
        return "There is no forecast yet"
    if decision.kind == "baseline" or decision.champion == decision.baseline:
        return "No model beat the simple rules, so the best of them makes the forecasts"
    if gain is None or not math.isfinite(gain):
        return f"{candidate(decision.champion)} makes the forecasts"
    share = percent(abs(gain))
    side = "smaller" if gain >= 0 else "larger"
    return f"Forecast errors are {share} {side} than with the best simple rule"


def decided(decision: Decision) -> str:
    """Who answers from now on, and why, in one sentence; empty where nobody does."""
    if decision.champion is None:
        return ""
    version = f", version {decision.version}" if decision.version else ""
    why = _WHY[decision.kind].format(inside(decision.challenger))
    who = f", the {inside(decision.champion).removeprefix('the ')}" if decision.members else ""
    made, aside = made_of(decision), f"{who}{version}"
    return f"{made[:1].upper()}{made[1:]}{aside}{',' if aside else ''} answers from now on{why}."


def made_of(decision: Decision) -> str:
    """The champion, or where it is a choice between others, what it chose."""
    if not decision.members:
        return inside(decision.champion)
    *others, last = (inside(name) for name in decision.members)
    return f"{', '.join(others)} and {last}, by demand class" if others else last


_WHY: Final[dict[Kind, str]] = {
    "first": ": the first model of this project to pass the gate",
    "refresh": ": the same recipe as before, fit on newer data",
    "replacement": ": it replaces the champion before it",
    "baseline": ": a simple rule, because no model was better by enough",
    "kept": " as before, because {} was not better by enough",
    "rollback": ": someone went back to it",
    "external": ": someone set it by hand in MLflow",
    "none": "",
}


def inside(name: str | None) -> str:
    """A candidate's words in the middle of a sentence; names like ETS keep their capitals."""
    text = candidate(name) if name else "the challenger"
    return text if text[:2].isupper() else text[:1].lower() + text[1:]


def _signed(text: str) -> str:
    if text.startswith("-") and not text.strip("-0.,%"):
        text = text[1:]
    return text.replace("-", "\N{MINUS SIGN}")
