"""The whole of training with real models, on a small panel."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from tests.unit.training.stage import CUTOFF, HISTORY, HORIZON, INFO, SERIES, Shelf, block

from lakecast.core.block import Future, MemoryPanel
from lakecast.core.classes import CLASSES
from lakecast.errors import LakecastError, SpecError
from lakecast.models.bundle import Predictor
from lakecast.models.recipes import Tabular
from lakecast.models.standing import Standing
from lakecast.models.workbench import Workbench
from lakecast.spec import loads
from lakecast.training.backtest import Candidate, Hooks
from lakecast.training.candidates import AVERAGE, adopt, describe, grid, lineup, recipe
from lakecast.training.composite import AUTO, Choice
from lakecast.training.finish import finish
from lakecast.training.select import Decision
from lakecast.training.train import Job, Ran, decide, train

if TYPE_CHECKING:
    from pathlib import Path

    from lakecast.spec import Spec

NAMES = tuple(f"loja {i:02d}" for i in range(SERIES))
SPEC = """
spec = 1
[[sources]]
table = "sales"
path = "vendas.csv"
[panel]
series = ["loja"]
time = "dia"
target = "vendas"
[forecast]
horizon = 14
levels = [50, 80]
[features]
lags = [1, 7, 14, 21]
rolling = [{ window = 7, stats = ["mean"] }, { window = 7, lag = 14, stats = ["mean"] }]
seasonal = []
expanding = []
ewm = []
trend = []
calendar = ["weekday"]
[train]
families = ["linear_regression", "gradient_boosting"]
search = false
params.gradient_boosting = { num_iterations = 20, num_leaves = 7 }
[backtest]
windows = 3
"""


def spec(*swaps: tuple[str, str]) -> Spec:
    text = SPEC
    for old, new in swaps:
        assert old in text
        text = text.replace(old, new)
    return loads(text)


def panel(after: int | None = None) -> MemoryPanel:
    rng = np.random.default_rng(4)
    whole = replace(
        block(after),
        statics={"loja": np.arange(SERIES, dtype=np.float32)},
        covariates={"promo": (rng.random(SERIES * HISTORY) < 0.1).astype(np.float32)},
    )
    info = replace(
        INFO,
        covariates={"promo": "known-future"},
        categories={"loja": NAMES},
        series=SERIES,
        rows=whole.rows,
    )
    half = SERIES // 2
    parts = (_part(whole, 0, half), _part(whole, half, SERIES))
    return MemoryPanel(info, parts)


def _part(whole, low: int, high: int):  # type: ignore[no-untyped-def]
    rows = slice(low * HISTORY, high * HISTORY)
    return replace(
        whole,
        codes=whole.codes[low:high],
        starts=whole.starts[low : high + 1] - whole.starts[low],
        first=whole.first[low:high],
        target=whole.target[rows],
        covariates={name: values[rows] for name, values in whole.covariates.items()},
        statics={name: values[low:high] for name, values in whole.statics.items()},
    )


def standing() -> Standing:
    promo = np.zeros((SERIES // 2, HORIZON), np.float32)
    return Standing(
        series=pl.DataFrame(
            {"series_code": np.arange(SERIES, dtype=np.int32)[::-1], "loja": NAMES[::-1]}
        ),
        futures=[Future(horizon=HORIZON, covariates={"promo": promo})] * 2,
    )


JOB = Job(panel=panel(), spec=spec())
MODEL = "gradient_boosting/recursive"


@pytest.fixture(scope="module")
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture(scope="module")
def ran(shelf: Shelf) -> Ran:
    return train(JOB, Hooks(checkpoint=shelf))


@pytest.fixture(scope="module")
def decision(ran: Ran) -> Decision:
    return decide(JOB, ran)


@pytest.fixture(scope="module")
def predictor(ran: Ran, decision: Decision) -> Predictor:
    return finish(JOB, ran, decision, standing())


def test_the_lineup_is_every_baseline_two_models_and_their_mean(ran: Ran) -> None:
    names = [one.name for one in ran.backtest.candidates]
    assert names[:5] == ["naive", "seasonal_naive", "moving_average", "seasonal_mean", "theta"]
    assert names[7:] == [AVERAGE]
    every = {f"{trial.family}/{trial.strategy}" for trial in ran.trials}
    assert every == {
        "linear_regression/recursive", "linear_regression/direct",
        "gradient_boosting/recursive", "gradient_boosting/direct",
    }  # fmt: skip
    assert set(names[5:7]) < every


def test_models_beat_seasonal_naive_here(ran: Ran, decision: Decision) -> None:
    assert decision.verdicts[0].challenger == AUTO
    assert decision.verdicts[0].challenger_figure < 1.0
    assert decision.baseline in {"seasonal_mean", "theta", "moving_average"}
    assert len(ran.backtest.forecasts) == 8 * 3


def test_the_champion_answers_for_every_series_and_period(predictor: Predictor) -> None:
    frame = predictor.forecast()
    assert frame.columns == [
        "loja", "dia", "cutoff", "horizon", "forecast", "forecast-lo-50", "forecast-hi-50",
        "forecast-lo-80", "forecast-hi-80", "source",
    ]  # fmt: skip
    assert len(frame) == SERIES * HORIZON
    assert sum(frame.null_count().row(0)) == 0
    assert frame["forecast"].min() >= 0  # type: ignore[operator]
    assert (frame["forecast-lo-80"] <= frame["forecast-lo-50"]).all()
    assert (frame["forecast-lo-50"] <= frame["forecast"]).all()
    assert (frame["forecast"] <= frame["forecast-hi-50"]).all()
    assert frame["loja"].to_list()[::HORIZON] == list(NAMES)


def mixed_choice() -> Choice:
    """Every kind of member: an average, a direct model, a baseline."""
    names = {"smooth": AVERAGE, "intermittent": MODEL}
    return Choice(by_class={kind: names.get(kind, "theta") for kind in CLASSES})


@pytest.mark.parametrize("choice", [None, mixed_choice()])
def test_saved_and_loaded_it_forecasts_the_same_bits(
    ran: Ran, decision: Decision, choice: Choice | None, tmp_path: Path
) -> None:
    made = decision if choice is None else replace(decision, choice=choice, champion=AUTO)
    predictor = finish(JOB, ran, made, standing())
    predictor.save(tmp_path / "bundle")
    again = Predictor.load(tmp_path / "bundle")
    assert again.forecast().equals(predictor.forecast())
    assert again.terms.recipe == predictor.terms.recipe
    assert again.info == predictor.info
    assert not list((tmp_path / "bundle").rglob("*.pkl"))


def test_a_choice_by_class_is_answered_by_class(ran: Ran, decision: Decision) -> None:
    made = finish(JOB, ran, replace(decision, choice=mixed_choice(), champion=AUTO), standing())
    assert {"class:smooth", "class:intermittent"} <= set(made.forecast()["source"])
    assert made.terms.limit == HORIZON


def test_the_same_seed_repeats_bit_for_bit(ran: Ran, predictor: Predictor) -> None:
    again = train(JOB)
    for key, held in ran.backtest.forecasts.items():
        assert again.backtest.forecasts[key].values.tobytes() == held.values.tobytes()
    twice = finish(JOB, again, decide(JOB, again), standing())
    assert twice.forecast().equals(predictor.forecast())


def test_what_is_kept_is_not_fit_again(
    shelf: Shelf, ran: Ran, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("fit again")

    monkeypatch.setattr(Workbench, "fit", refuse)
    again = train(JOB, Hooks(checkpoint=shelf))
    for key, held in ran.backtest.forecasts.items():
        assert again.backtest.forecasts[key].values.tobytes() == held.values.tobytes()


def test_nothing_after_a_cutoff_moves_what_was_forecast_there(ran: Ran) -> None:
    spoiled = train(replace(JOB, panel=panel(after=CUTOFF - HORIZON)))
    for (name, window), held in ran.backtest.forecasts.items():
        assert spoiled.backtest.forecasts[name, window].values.tobytes() == held.values.tobytes()


def test_the_average_is_the_mean_of_its_members(ran: Ran) -> None:
    members = ran.backtest.candidate(AVERAGE).members
    values = [ran.backtest.forecasts[name, 1].values for name in members]
    np.testing.assert_allclose(
        ran.backtest.forecasts[AVERAGE, 1].values, np.mean(values, axis=0), rtol=1e-12
    )


@pytest.mark.parametrize("name", [AVERAGE, "theta", "linear_regression/direct", MODEL])
def test_what_is_fit_at_the_end_is_what_was_backtested(ran: Ran, name: str) -> None:
    """A champion at the last window's cutoff would have given the window's forecasts."""
    candidates = {one.name: one for one in ran.backtest.candidates}
    window = ran.splits.windows[-1]
    bench = replace(ran.bench, candidates=candidates)
    again = bench.forecast(candidates[name], window)
    np.testing.assert_allclose(
        again.values, ran.backtest.forecasts[name, window.index].values, rtol=1e-9
    )


def test_screening_takes_the_best_point_and_its_forecasts() -> None:
    job = Job(
        panel=panel(),
        spec=spec(
            ("search = false", "search = true"),
            ('["linear_regression", "gradient_boosting"]', '["linear_regression"]'),
        ),
    )
    shelf = Shelf()
    found = train(job, Hooks(checkpoint=shelf))
    points = [trial for trial in found.trials if trial.strategy == "recursive"]
    assert [trial.params["alpha"] for trial in points] == [0.01, 0.1, 1.0]
    best = min(points, key=lambda trial: trial.loss)
    assert best.chosen
    assert sum(trial.chosen for trial in points) == 1
    candidate = found.backtest.candidate("linear_regression/recursive")
    assert candidate.params == best.params
    index = found.trials.index(best)
    kept = shelf.held[f"linear_regression/recursive/{index}", 0]
    assert (
        kept["forecast"].to_list()
        == found.backtest.forecasts["linear_regression/recursive", 0].values.ravel().tolist()
    )
    assert ("linear_regression/recursive", 0) not in shelf.held


def told_of(name: str, ran: Ran) -> tuple[dict[str, Any], list[Candidate]]:
    """A champion's recipe as it comes back from a file, and the candidates of that training."""
    candidates = {one.name: one for one in ran.backtest.candidates}
    told = describe(Choice.single(name), candidates, JOB.spec)
    return json.loads(json.dumps(told)), list(candidates.values())


def test_a_recipe_survives_as_json_and_is_found_again(ran: Ran) -> None:
    candidates = {one.name: one for one in ran.backtest.candidates}
    by_class = {kind: AVERAGE if kind == "smooth" else "theta" for kind in CLASSES}
    told = describe(Choice(by_class=by_class), candidates, JOB.spec)
    found = adopt(json.loads(json.dumps(told)), list(candidates.values()), JOB.spec)
    assert found.added == ()
    assert found.by_class == by_class


def test_a_recipe_that_today_lacks_is_added_beside(ran: Ran) -> None:
    told, today = told_of(AVERAGE, ran)
    told["candidates"]["gradient_boosting/recursive"]["params"]["num_leaves"] = 5
    found = adopt(told, today, JOB.spec)
    assert [one.name for one in found.added] == [
        "champion:gradient_boosting/recursive", "champion:average",
    ]  # fmt: skip
    assert all(one.incumbent for one in found.added)
    assert set(found.by_class.values()) == {"champion:average"}
    held = {one.name: one for one in (*today, *found.added)}
    again = describe(Choice(by_class=found.by_class), held, JOB.spec)
    assert adopt(again, today, JOB.spec) == found


def test_a_champion_keeps_the_features_it_was_chosen_with(ran: Ran) -> None:
    told, today = told_of("linear_regression/direct", ran)
    changed = spec(("lags = [1, 7, 14, 21]", "lags = [1, 7, 14, 28]"))
    (added,) = adopt(told, today, changed).added
    assert added.features == JOB.spec.features
    made = recipe(added, changed, {})
    assert isinstance(made, Tabular)
    assert made.features == JOB.spec.features


def test_a_champion_whose_features_are_gone_is_told_and_not_judged(ran: Ran) -> None:
    told, _ = told_of("linear_regression/direct", ran)
    told["candidates"]["linear_regression/direct"]["features"]["covariates"] = [
        {"column": "preco", "lags": [14]}
    ]
    found = train(job_of_one(), champion=told)
    assert found.incumbent is None
    assert found.notes[-1].startswith("the champion's recipe cannot be fit on this panel: ")


def job_of_one() -> Job:
    two = '["linear_regression", "gradient_boosting"]'
    return Job(panel=panel(), spec=spec((two, '["linear_regression"]')))


@pytest.mark.parametrize(
    "told",
    [
        {"candidates": {"x": {"family": "prophet", "members": []}}},
        {"by_class": {}},
        {"candidates": {"x": {"family": "average", "members": ["y"], "features": {}}}},
    ],
)
def test_a_recipe_that_is_none_is_refused(told: dict[str, Any]) -> None:
    with pytest.raises(LakecastError, match="cannot be read"):
        adopt(told, [], JOB.spec)


def test_the_champion_is_refit_on_the_same_windows_and_refreshed(
    ran: Ran, decision: Decision, predictor: Predictor, shelf: Shelf
) -> None:
    again = train(JOB, Hooks(checkpoint=shelf), champion=predictor.terms.recipe)
    assert again.incumbent == decision.choice
    found = decide(JOB, again)
    assert found.kind == "refresh"
    assert found.backtest.candidate("champion").family == "champion"


def test_a_fixed_parameter_is_fixed_in_the_whole_grid() -> None:
    held = spec(
        ("search = false", "search = true"),
        ("num_iterations = 20", 'num_iterations = 20, objective = "poisson"'),
    )
    points = grid(held, "gradient_boosting")
    assert {point["num_iterations"] for point in points} == {20}
    assert {point["objective"] for point in points} == {"poisson"}
    assert len({tuple(sorted(point.items())) for point in points}) == len(points)


def test_a_strategy_the_features_do_not_allow_is_left_out_and_told() -> None:
    info = replace(panel().info, covariates={"preco": "past-only"})
    held = spec(
        ("calendar = [\"weekday\"]",
         "calendar = [\"weekday\"]\ncovariates = [{ column = \"preco\", lags = [1, 14] }]"),
    )  # fmt: skip
    found = lineup(held, info)
    assert found.strategies == ("direct",)
    assert found.notes[0].startswith("no recursive models: ")
    named = spec(
        ("calendar = [\"weekday\"]",
         "calendar = [\"weekday\"]\ncovariates = [{ column = \"preco\", lags = [1] }]"),
        ("search = false", "search = false\nstrategy = \"recursive\""),
    )  # fmt: skip
    with pytest.raises(SpecError):
        lineup(named, info)
