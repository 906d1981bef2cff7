"""What tuning left in the lake, as `train` reads it.

Points stay good while the part of the spec that they were searched under stays as it was; newer
sales do not age them. With another spec they are left out until tuning runs again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lakecast.spec import digest

if TYPE_CHECKING:
    from lakecast.flows.context import Context
    from lakecast.spec import Spec
    from lakecast.training.tune.points import Points

TUNING: Final = "tuning"
ABOUT: Final = "lakecast.tuning"
"""Key of the commit's metadata: `part`, `points` (a hash), `until`, `metric`, `trials`, `best`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tuned:
    """The points that count now: a hash of them, empty where there are none."""

    context: Context
    about: dict[str, Any]
    digest: str

    def points(self) -> Points | None:
        """The points themselves."""
        if not self.digest:
            return None
        from lakecast.training.tune.points import Points

        table = self.context.lake.table(TUNING).scan()
        rows = table.collect().filter(_chosen()).sort("trial").to_dicts()
        return Points(models=tuple(map(_model, rows)), until=int(self.about["until"]))


def read_tuned(context: Context) -> Tuned:
    """What the last search of this spec found."""
    about = json.loads(context.lake.table(TUNING).metadata.get(ABOUT, "{}"))
    counts = about.get("part") == digest(searched_part(context.spec))
    return Tuned(context=context, about=about, digest=about.get("points", "") if counts else "")


def searched_part(spec: Spec) -> list[object]:
    """The part of a spec that points are searched under."""
    covariates = [[s.table, s.on, s.time, s.frequency, s.lookup, s.columns] for s in spec.sources]
    return [covariates, spec.panel, spec.forecast, spec.features, spec.train]


def _chosen() -> Any:
    import polars as pl

    return pl.col("chosen")


def _model(row: dict[str, Any]) -> Any:
    import msgspec

    from lakecast.spec.features import Features
    from lakecast.training.backtest import Candidate

    told = row["features"]
    return Candidate(
        name=f"{row['family']}/{row['strategy']}",
        family=row["family"],
        strategy=row["strategy"],
        params=json.loads(row["params"]),
        scaled=row["scaled"],
        features=None if told is None else msgspec.json.decode(told, type=Features),
    )
