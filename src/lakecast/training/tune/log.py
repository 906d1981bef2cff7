"""The trials of a search in an Optuna study, in a file that survives a kill at any moment.

A slot is a trial's place in the search. One process writes, the holder of the project's lease:
a trial that it finds running was its predecessor's, is marked failed and tried again, and keeps
the windows that were done.
"""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any, Final, Literal

from lakecast.errors import UsageError
from lakecast.training.tune.sampler import running_means

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import optuna

    from lakecast.training.tune.space import Space, Values

Outcome = Literal["complete", "pruned", "failed"]

_SLOT: Final = "slot"
_LOSSES: Final = "losses"
_SECONDS: Final = "seconds"
_OUTCOME: Final = "outcome"
_STATES: Final[dict[Outcome, str]] = {"complete": "COMPLETE", "pruned": "PRUNED", "failed": "FAIL"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Tried:
    """A trial that ended: its losses in the windows it saw, newest window first."""

    slot: int
    values: Values
    outcome: Outcome
    losses: tuple[float, ...]
    seconds: float

    @property
    def loss(self) -> float | None:
        """The mean over all windows; None where it did not see all of them."""
        return running_means(self.losses)[-1] if self.outcome == "complete" else None


@dataclass(slots=True, eq=False)
class Run:
    """A trial under way."""

    slot: int
    values: Values
    trial: optuna.trial.Trial
    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0
    failed: bool = False

    def add(self, loss: float, seconds: float) -> None:
        """A window more; a loss that is no number fails the trial."""
        if not math.isfinite(loss):
            self.failed = True
            return
        self.losses.append(loss)
        self.seconds += seconds
        self.trial.set_user_attr(_LOSSES, self.losses)
        self.trial.set_user_attr(_SECONDS, self.seconds)
        self.trial.report(running_means(self.losses)[-1], len(self.losses) - 1)


class Log:
    """An Optuna study. Made by `open_log`."""

    def __init__(self, study: optuna.study.Study, saved: Callable[[], None]) -> None:
        self._study = study
        self._saved = saved
        self._left = _bury(study)

    def tried(self) -> tuple[Tried, ...]:
        """What ended, by slot."""
        return tuple(_tried(trial) for trial in self._ended())

    def history(self, before: int) -> list[optuna.trial.FrozenTrial]:
        """What Optuna may learn from: the trials of slots before this one that had a loss."""
        from optuna.trial import TrialState

        learnt = (TrialState.COMPLETE, TrialState.PRUNED)
        return [
            trial
            for trial in self._ended()
            if trial.user_attrs[_SLOT] < before and trial.state in learnt
        ]

    def begin(self, space: Space, slot: int, values: Values) -> Run:
        """A trial in a slot, with these values."""
        self._study.enqueue_trial(dict(values), user_attrs={_SLOT: slot})
        trial = self._study.ask()
        space.choose(trial, slot)
        return Run(slot=slot, values=values, trial=trial)

    def left(self, slot: int, values: Values) -> tuple[float, ...]:
        """Losses that a process found in this slot before it was killed."""
        of, losses = self._left.get(slot, ({}, ()))
        return losses if dict(of) == dict(values) else ()

    def end(self, run: Run, outcome: Outcome) -> None:
        """A trial's end."""
        from optuna.trial import TrialState

        run.trial.set_user_attr(_OUTCOME, outcome)
        value = running_means(run.losses)[-1] if outcome == "complete" else None
        self._study.tell(run.trial, value, state=TrialState[_STATES[outcome]])
        self._saved()

    def resolved(self, ask: str) -> int | None:
        """The number of trials that was found for a time budget."""
        return dict(self._study.user_attrs.get("trials", {})).get(ask)

    def resolve(self, ask: str, trials: int) -> None:
        """Write that number down, so that a second search is the same."""
        before = dict(self._study.user_attrs.get("trials", {}))
        self._study.set_user_attr("trials", {**before, ask: trials})
        self._saved()

    def _ended(self) -> list[optuna.trial.FrozenTrial]:
        """Trials that came to their end, each slot once, by slot."""
        found = {
            trial.user_attrs[_SLOT]: trial
            for trial in self._study.get_trials(deepcopy=False)
            if _has_ended(trial)
        }
        return [found[slot] for slot in sorted(found)]


@contextmanager
def open_log(path: Path, name: str, saved: Callable[[], None] = lambda: None) -> Iterator[Log]:
    """The log in a file, made where absent. `saved` is called when a trial has ended.

    Raises `UsageError` where Optuna is not installed.
    """
    need_optuna()
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path.parent.mkdir(parents=True, exist_ok=True)
    _mend(path)
    study = optuna.create_study(
        study_name=name,
        storage=JournalStorage(JournalFileBackend(str(path))),
        sampler=optuna.samplers.RandomSampler(seed=0),  # every value is given
        load_if_exists=True,
    )
    yield Log(study, saved)


def need_optuna() -> None:
    """Raise `UsageError` where Optuna is not installed."""
    try:
        import optuna  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name != "optuna":
            raise
        raise UsageError(
            "tuning needs Optuna, which is not installed",
            where="lakecast tune",
            cure="pip install 'lakecast[tune]'",
        ) from None


def _mend(path: Path) -> None:
    """Cut off a line that a kill left unfinished, and the lock of whoever wrote it."""
    for lock in path.parent.glob(f"{path.name}.lock*"):
        lock.unlink()
    if path.exists():
        content = path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            path.write_bytes(content[:whole])


def _bury(study: optuna.study.Study) -> dict[int, tuple[Values, tuple[float, ...]]]:
    """Mark what a killed process left as failed; the values and losses it had, by slot."""
    from optuna.trial import TrialState

    while study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
        study.ask()
    left: dict[int, tuple[Values, tuple[float, ...]]] = {}
    for trial in study.get_trials(deepcopy=False):
        losses = tuple(trial.user_attrs.get(_LOSSES, ()))
        if losses and not _has_ended(trial):
            left[trial.user_attrs[_SLOT]] = (dict(trial.params), losses)
        if not trial.state.is_finished():
            study.tell(trial.number, state=TrialState.FAIL)
    return left


def _has_ended(trial: optuna.trial.FrozenTrial) -> bool:
    """Whether it has an outcome and was not killed, or buried, before it was told."""
    outcome = trial.user_attrs.get(_OUTCOME)
    return outcome is not None and trial.state.name == _STATES[outcome]


def _tried(trial: optuna.trial.FrozenTrial) -> Tried:
    attrs: dict[str, Any] = trial.user_attrs
    return Tried(
        slot=attrs[_SLOT],
        values=dict(trial.params),
        outcome=attrs[_OUTCOME],
        losses=tuple(attrs.get(_LOSSES, ())),
        seconds=float(attrs.get(_SECONDS, 0.0)),
    )


def typical_seconds(tried: Sequence[Tried]) -> float:
    """Seconds that a trial takes: the median of those that cost something."""
    spent = [one.seconds for one in tried if one.seconds > 0]
    return median(spent) if spent else 0.0
