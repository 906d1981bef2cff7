"""What each stage takes on a cluster: this process, and each of the workers.

The formulas are those of one machine (`needs`); here they are dealt out. Workers that were started
here share this machine's budget with this process, those of a cluster joined have a room of their
own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from lakecast.flows.budget import needs as sizes
from lakecast.flows.budget.needs import Need
from lakecast.models.sizes import FLOAT, binned, fitted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lakecast.flows.budget.facts import Crew, Facts
    from lakecast.spec import Spec
    from lakecast.training.outline import Outline

HERE: Final = 330 * sizes.MB  # this process, where others learn
READER: Final = 100 * sizes.MB  # a worker that has read and split, beside what its engine takes
LEARNER: Final = 200 * sizes.MB  # and one that has learnt
KEPT: Final = 100 * sizes.MB  # of that, what an idle one does not give back
_MATRIX: Final = 2 * FLOAT  # a cell of a share held whole: its parts, and them joined
_SPILLED: Final = 0.6  # of a worker's memory, beyond which Dask writes what it holds to disk
_OF_STORE: Final = 4  # of the budget, the part that Ray's store takes before it spills


def needs(facts: Facts, crew: Crew, spec: Spec, budget: int) -> tuple[Need, ...]:
    """Of each stage, in order; of those behind the panel only where there is one."""
    first = (sizes.ingest(facts), panel(facts, crew, spec, budget))
    if facts.ground is None:
        return first
    learned = [] if facts.fits is None else learn(facts, facts.fits, crew, spec, budget)
    trained = learned[0].each if learned else {}
    return (*first, *learned, forecast(facts, crew, spec, trained), report(facts, crew, spec))


def panel(facts: Facts, crew: Crew, spec: Spec, budget: int) -> Need:
    """This process holds a few numbers a series; a worker a piece, and a part of a bucket or all.

    What was split waits for whoever builds: in the workers' memory, or in a store they share.
    """
    one = sizes.panel(facts, spec)
    part, moved = one.parts["parts"] // facts.threads, sizes.moved(facts, spec)
    if crew.footprint.whole:
        held = int(_SPILLED * crew.each(budget, 0))
        part = max(part, moved // spec.panel.buckets + part // sizes.JOINED)
    else:
        held = budget // _OF_STORE // crew.workers
    here = {name: one.parts[name] for name in ("libraries", "series")}
    each = {
        "libraries": _libraries(crew, READER), "pieces": sizes.SOURCE, "parts": part,
        "exchange": min(moved // crew.workers, held),
    }  # fmt: skip
    return _need(one, crew, here, each)


def learn(facts: Facts, fits: Outline, crew: Crew, spec: Spec, budget: int) -> list[Need]:
    """`train` and `select`: workers hold the sets, and keep them for the final fit."""
    train, select = (one(facts, fits, spec, budget) for one in (sizes.train, sizes.select))
    here = standing(facts, fits, crew, spec)
    beside = {name: select.parts[name] for name in ("tracking", "beside")}
    each = worker(facts, fits, crew, spec)
    judged = {"judging": sizes.judging(facts, fits, spec)}
    left = room(facts, fits, crew, spec, budget)
    held = share(fits, crew) if crew.together else sizes.sets(facts, fits, left)
    return [
        _need(train, crew, here | judged, {**each, **held}),
        _need(select, crew, here | beside, {**each, **held}),
    ]


def room(facts: Facts, fits: Outline, crew: Crew, spec: Spec, budget: int) -> int:
    """Bytes that are left for rows in a worker; below 0 where nothing is.

    Forecasts are judged, and the champion is fit and logged, while workers still hold their sets.
    """
    beside = sizes.TRACK + sizes.beside(facts, spec)
    here = sum(standing(facts, fits, crew, spec).values()) + crew.footprint.service
    taken = here + max(beside, sizes.judging(facts, fits, spec))
    return crew.each(budget, taken) - sum(worker(facts, fits, crew, spec).values())


def standing(facts: Facts, fits: Outline, crew: Crew, spec: Spec) -> dict[str, int]:
    """Parts of a training that this process holds.

    Workers that fit together leave it what one machine holds, for the models they do not fit.
    """
    alone = sizes.standing(facts, fits, spec)
    if crew.together:
        return alone
    held = {name: alone[name] for name in ("windows", "reading")}
    return {"libraries": HERE, **held, "sample": _sample(facts, fits)}


def worker(facts: Facts, fits: Outline, crew: Crew, spec: Spec) -> dict[str, int]:
    """Parts of a training that a worker holds, whatever `train.rows` is."""
    alone = sizes.standing(facts, fits, spec)
    names = ("reading", "edges", "histograms", *(() if crew.together else ("panel",)))
    return {"libraries": _libraries(crew, LEARNER)} | {name: alone[name] for name in names}


def share(fits: Outline, crew: Crew) -> dict[str, int]:
    """A worker's part of the rows of a model that all of them fit."""
    rows = -(-fits.rows // crew.workers)
    set_ = binned(rows, fits.columns)
    found = {"rows": set_, "fitting": fitted(rows, fits.columns) - set_}
    if crew.footprint.whole:
        found["matrix"] = rows * fits.columns * _MATRIX
    return found


def row_bytes(fits: Outline, crew: Crew) -> float:
    """What one more row of a fit takes of a worker."""
    if not crew.together:
        return sizes.row_bytes(fits) * fits.largest
    matrix = fits.columns * _MATRIX if crew.footprint.whole else 0
    return (fitted(1, fits.columns) + matrix) / crew.workers


def forecast(facts: Facts, crew: Crew, spec: Spec, trained: Mapping[str, int]) -> Need:
    """A worker lets go of what it trained with, then forecasts a bucket at a time.

    Levels are forecast here.
    """
    one = sizes.forecast(facts, spec)
    trained = trained or _idle(crew)
    if spec.hierarchy.levels:
        return _need(one, crew, one.parts, trained)
    each = {
        "libraries": _libraries(crew, LEARNER),
        "state": one.parts["state"],
        "forecasts": one.parts["forecasts"] // spec.panel.buckets,
    }
    larger = max(each, trained, key=lambda parts: sum(parts.values()))
    return _need(one, crew, {"libraries": HERE, "tracking": sizes.TRACK}, larger)


def report(facts: Facts, crew: Crew, spec: Spec) -> Need:
    """Made here; the workers are idle."""
    one = sizes.report(facts, spec)
    here = {"libraries": HERE, "tracking": sizes.TRACK, "forecasts": one.parts["forecasts"]}
    return _need(one, crew, here, _idle(crew))


def _need(one: Need, crew: Crew, here: Mapping[str, int], each: Mapping[str, int]) -> Need:
    """The time of one machine of as many threads, and the memory dealt out."""
    parts = {**here, "service": crew.footprint.service}
    beside = crew.workers if crew.footprint.here else 0
    memory = sum(parts.values()) + beside * sum(each.values())
    return replace(
        one, memory=memory, parts=parts, each=dict(each), workers=crew.workers, beside=beside
    )


def _libraries(crew: Crew, size: int) -> int:
    return size + crew.footprint.worker


def _idle(crew: Crew) -> dict[str, int]:
    return {"libraries": _libraries(crew, LEARNER), "kept": KEPT}


def _sample(facts: Facts, fits: Outline) -> int:
    """What screening judges by, where a large panel is sampled."""
    info = facts.ground.info if facts.ground else None
    if info is None or fits.sampled >= info.rows:
        return 0
    return fits.sampled * (1 + len(info.covariates)) * FLOAT
