"""From a budget to the spec that is trained, or a refusal that names the least that would do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import msgspec

from lakecast.errors import UsageError
from lakecast.flows.budget import crews
from lakecast.flows.budget import needs as sizes
from lakecast.flows.budget.facts import outline_of
from lakecast.models.sizes import LEAST_ROWS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lakecast.flows.budget.facts import Crew, Facts
    from lakecast.flows.budget.needs import Need
    from lakecast.spec import Spec
    from lakecast.training.outline import Fit, Outline

_MARGIN: Final = 0.95  # of the budget; the rest is what a formula cannot know
_CLOSE: Final = 0.9
_ROWS: Final = ("rows", "fitting", "states", "judging", "matrix")  # parts that are not always there


@dataclass(frozen=True, kw_only=True, slots=True)
class Prediction:
    """What a run will take under a budget: `spec` is the one that trains.

    `fits` are empty, and stages behind the panel missing, while there is no panel. `notes` say what
    the budget changed and what would help.
    """

    budget: int
    spec: Spec
    needs: tuple[Need, ...]
    fits: tuple[Fit, ...] = ()
    notes: tuple[str, ...] = ()
    crew: Crew | None = None

    @property
    def rows(self) -> int:
        """The most rows that a fit sees."""
        return self.spec.train.rows

    @property
    def room(self) -> int:
        """Bytes that binned sets may take of a process while models are fit in it."""
        fitting = [need for need in self.needs if need.stage in {"train", "select"}]
        left = min((_left(need, self.budget, self.crew) for need in fitting), default=self.budget)
        return max(int(sizes.WORKBENCH * left), 1) if fitting else self.budget

    @property
    def whole(self) -> bool:
        """Whether every stage is in it."""
        return self.need("forecast") is not None

    def check(self, stages: Sequence[str]) -> None:
        """Raise `UsageError` where one of the stages takes more than the budget, told the least.

        Of a cluster joined, also where a worker takes more than it has.
        """
        needs = [need for need in self.needs if need.stage in stages]
        self._check_workers(needs)
        worst = max(needs, key=lambda need: need.memory, default=None)
        if worst is None or worst.memory <= self.budget:
            return
        fewer = ", or use --workers 1" if worst.stage in _THREADED or worst.beside else ""
        raise UsageError(
            f"a memory budget of {shown(self.budget)} is too little: `{worst.stage}` takes "
            f"{shown(worst.memory)} at the least",
            where="memory",
            cure=f"allow {shown(worst.memory / _MARGIN + 5e7)} with --memory{fewer}",
        )

    def _check_workers(self, needs: Sequence[Need]) -> None:
        room = None if self.crew is None else self.crew.footprint.room
        worst = max(needs, key=lambda need: need.worker, default=None)
        if room is None or worst is None or worst.worker <= room:
            return
        raise UsageError(
            f"the cluster's workers have {shown(room)} each: `{worst.stage}` takes "
            f"{shown(worst.worker)} of one at the least",
            where="cluster",
            cure="join one with more memory, or fewer workers a machine",
        )

    def need(self, stage: str) -> Need | None:
        """Of one stage."""
        return next((need for need in self.needs if need.stage == stage), None)

    def to_dict(self) -> dict[str, Any]:
        """As JSON-able values."""
        return {
            "budget": self.budget,
            "train.rows": self.rows,
            "stages": [need.to_dict() for need in self.needs],
            "fits": [fit.to_dict() for fit in self.fits],
            "notes": list(self.notes),
        }


def predict(
    facts: Facts, spec: Spec, budget: int, *, earlier: Mapping[str, float] | None = None
) -> Prediction:
    """The spec that the budget allows, and what it takes.

    `earlier` are factors by which a stage's time is corrected, by what it took before.
    """
    fits, notes = facts.fits, []
    if fits is not None:
        rows = _rows(facts, fits, spec, budget)
        if rows < fits.rows:
            spec = with_rows(spec, rows)
            notes.append(_shortened(rows, facts, fits, _room(facts, fits, spec, budget)))
            facts = replace(facts, fits=outline_of(spec, facts.ground) if facts.ground else None)
    found = tuple(
        need.corrected((earlier or {}).get(need.stage, 1.0))
        for need in _needs(facts, spec, int(_MARGIN * budget))
    )
    return Prediction(
        budget=budget,
        spec=spec,
        needs=found,
        fits=facts.fits.fits if facts.fits else (),
        notes=(*notes, *_advice(facts, found, budget)),
        crew=facts.crew,
    )


def _needs(facts: Facts, spec: Spec, budget: int) -> tuple[Need, ...]:
    if facts.crew is None:
        return sizes.needs(facts, spec, budget)
    return crews.needs(facts, facts.crew, spec, budget)


def _left(need: Need, budget: int, crew: Crew | None) -> float:
    """What a stage leaves of the budget to the rows that are held, in a process that fits."""
    if crew is None:
        fixed = sum(size for name, size in need.parts.items() if name not in _ROWS)
        return _MARGIN * budget - fixed
    alone = sum(size for name, size in need.each.items() if name not in _ROWS)
    return crew.each(int(_MARGIN * budget), need.here) - alone


def with_rows(spec: Spec, rows: int) -> Spec:
    """The spec with another `train.rows`."""
    return msgspec.structs.replace(spec, train=msgspec.structs.replace(spec.train, rows=rows))


_THREADED: Final = ("ingest", "panel")


def _rows(facts: Facts, fits: Outline, spec: Spec, budget: int) -> int:
    """The most rows of a fit; at least LEAST_ROWS, or all there are.

    They are held in one binned set, or where models are fit apart, in several one after the other.
    """
    most = _room(facts, fits, spec, budget) / _row_bytes(facts, fits)
    return min(fits.rows, max(int(most), LEAST_ROWS))


def _row_bytes(facts: Facts, fits: Outline) -> float:
    if facts.crew is not None:
        return crews.row_bytes(fits, facts.crew)
    return sizes.row_bytes(fits) * fits.largest


def _room(facts: Facts, fits: Outline, spec: Spec, budget: int) -> int:
    """Bytes that are left for rows, of a worker where there are any; below 0 where nothing is."""
    if facts.crew is not None:
        return crews.room(facts, fits, facts.crew, spec, int(_MARGIN * budget))
    standing = sum(sizes.standing(facts, fits, spec).values())
    taken = standing + sizes.TRACK + sizes.beside(facts, spec)
    return int(_MARGIN * budget) - taken


def _shortened(rows: int, facts: Facts, fits: Outline, room: int) -> str:
    """What the budget changed, and what it would take to change nothing."""
    size = int(_row_bytes(facts, fits))
    machines = -(-fits.rows * size // max(room, 1))
    return (
        f"train.rows = {rows:,} of {fits.rows:,} rows: the newest of all series, or a year "
        f"and more of some, go into the budget. All of them "
        f"take {shown((fits.rows - rows) * size)} more, or {machines} machines of this budget"
    )


def _advice(facts: Facts, found: Sequence[Need], budget: int) -> Iterator[str]:
    for need in found:
        if need.stage in _THREADED and need.memory > _CLOSE * budget and facts.threads > 1:
            yield f"`{need.stage}` comes close to the budget: --workers 1 takes less"


def shown(size: float) -> str:
    """Bytes for people.

    >>> shown(1_520_000_000)
    '1.5 GB'
    """
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
