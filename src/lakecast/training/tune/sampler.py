"""What Optuna decides: the next point, and whether to go on with one.

Both are pure functions of the seed, the slot and the trials of earlier rounds. So the same trials
come of one process or many, in whatever order they end, killed in between or not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lakecast.spec import digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    import optuna

    from lakecast.training.tune.space import Space, Values

_LEAST: Final = 5  # complete trials before one is given up


def propose(
    space: Space, history: Sequence[optuna.trial.FrozenTrial], seed: int, slot: int
) -> Values:
    """The values to try in a slot: drawn at random at first, then by Optuna's TPE."""
    from optuna.samplers import TPESampler

    scratch = _scratch(history, TPESampler(seed=int(digest("tune", seed, slot)[:8], 16)))
    trial = scratch.ask()
    space.choose(trial, slot)
    return dict(trial.params)


class Pruning:
    """Gives up a trial whose mean loss so far is above the median of what was there before.

    The rule is the median stopping rule (Golovin et al., "Google Vizier", 2017, section 3.2).
    """

    def __init__(self, history: Sequence[optuna.trial.FrozenTrial]) -> None:
        from optuna.pruners import MedianPruner
        from optuna.samplers import RandomSampler

        self._study = _scratch(history, RandomSampler(seed=0))
        self._rule = MedianPruner(n_startup_trials=_LEAST)

    def hopeless(self, losses: Sequence[float]) -> bool:
        """Whether to stop after these windows."""
        import optuna

        trial = optuna.create_trial(
            state=optuna.trial.TrialState.RUNNING,
            intermediate_values=dict(enumerate(running_means(losses))),
        )
        return self._rule.prune(self._study, trial)


def running_means(losses: Sequence[float]) -> list[float]:
    """The mean of the first one, the first two, and so on; the last is a trial's value."""
    return [sum(losses[: n + 1]) / (n + 1) for n in range(len(losses))]


def _scratch(history: Sequence[optuna.trial.FrozenTrial], sampler: Any) -> optuna.study.Study:
    """A study in memory with these trials."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=sampler)
    study.add_trials(history)
    return study
