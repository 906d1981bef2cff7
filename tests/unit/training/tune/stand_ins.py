"""A search without fits: a loss that is a formula, and judges that obey orders."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tests.unit.training.stage import INFO
from tests.unit.training.test_train import NAMES, SPEC

from lakecast.logs import Silent
from lakecast.spec import loads
from lakecast.training.tune.court import Verdict
from lakecast.training.tune.log import open_log
from lakecast.training.tune.search import Found, Limits, search
from lakecast.training.tune.space import Space, make_space

if TYPE_CHECKING:
    from pathlib import Path

    from lakecast.spec import Spec
    from lakecast.training.tune.crew import Task

WINDOWS = 3
NAMED = replace(INFO, categories={"loja": NAMES})


def spec_of(tune: str = "", families: str = '["linear_regression", "gradient_boosting"]') -> Spec:
    text = SPEC.replace(
        'families = ["linear_regression", "gradient_boosting"]', f"families = {families}"
    )
    return loads(f"{text}\n[tune]\n{tune}\n")


def space_of(tune: str = "", **more: str) -> Space:
    spec = spec_of(tune, **more)
    return make_space(spec, spec.tune, NAMED)  # type: ignore[arg-type]


@dataclass
class Case:
    """Three windows, newest first."""

    space: Space = field(default_factory=space_of)
    windows: tuple[int, ...] = tuple(range(WINDOWS))
    seed: int = 1


def loss(task: Task) -> float:
    """Least for boosting with a learning rate of 0.05."""
    if task.point.family == "linear_regression":
        return 2.0 + 0.01 * float(task.point.params["alpha"]) + 0.1 * task.window
    return 1.0 + abs(float(task.point.params["learning_rate"]) - 0.05) * 10 + 0.1 * task.window


@dataclass
class Judges:
    """Take tasks in an order drawn from a seed (None: as they come); `stop` after so many."""

    order: int | None = None
    stop: int | None = None
    size: int = 2
    seconds: float = 1.0
    formula: Any = loss
    judged: list[tuple[int, int]] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)

    def submit(self, task: Task) -> None:
        self.tasks.append(task)

    def next(self) -> tuple[Task, Verdict]:
        if self.stop is not None and len(self.judged) >= self.stop:
            raise KeyboardInterrupt
        at = 0 if self.order is None else random.Random(self.order).randrange(len(self.tasks))
        task = self.tasks.pop(at)
        self.judged.append((task.slot, task.window))
        return task, Verdict(self.formula(task), self.seconds)


def run(path: Path, judges: Judges, limits: Limits | int = 20, case: Case | None = None) -> Found:
    """A search in a file; a number is so many trials."""
    asked = Limits(trials=limits) if isinstance(limits, int) else limits
    given: Any = case or Case()
    with open_log(path, "study") as log:
        return search(given, log, judges, asked, Silent())


def seen(found: Found) -> list[tuple[Any, ...]]:
    """What must not differ between two searches: all but the seconds."""
    return [(one.slot, dict(one.values), one.outcome, one.losses) for one in found.tried]
