"""The budget: what is predicted, what it turns `train.rows` into, what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from lakecast.columns import Columns
from lakecast.core.block import PanelInfo
from lakecast.core.calendar import Frequency
from lakecast.errors import UsageError
from lakecast.flows.budget.facts import Facts, outline_of
from lakecast.flows.budget.resolve import LEAST_ROWS, predict, with_rows
from lakecast.flows.outcome import pace
from lakecast.models import sizes
from lakecast.spec import Panel, Source, Spec
from lakecast.training.outline import Ground

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lakecast.flows.budget.resolve import Prediction

GB = 10**9
CUTOFF = 19_000
STAGES = ["ingest", "panel", "train", "select", "forecast", "report"]
SPEC = Spec(
    spec=1,
    sources=(Source(table="sales", path="vendas.csv"),),
    panel=Panel(series=("produto",), time="dia", target="quantidade"),
)


def facts(series: int = 30_000, periods: int = 1_500, spec: Spec = SPEC, threads: int = 2) -> Facts:
    first = np.full(series, CUTOFF + 1 - periods, np.int32)
    info = PanelInfo(
        columns=Columns(series=("produto",), time="dia", target="quantidade"),
        frequency=Frequency("D"),
        timezone="UTC",
        seasons=(7,),
        cutoff=CUTOFF,
        categories={"produto": tuple(f"p{i}" for i in range(series))},
        series=series,
        rows=series * periods,
    )
    ground = Ground(info, first)
    return Facts(loaded=info.rows, threads=threads, ground=ground, fits=outline_of(spec, ground))


LARGE = facts()
SMALL = facts(series=50, periods=400)


def memory(found: Prediction, stage: str = "train") -> int:
    need = found.need(stage)
    assert need is not None
    return need.memory


@pytest.mark.parametrize("budget", [2 * GB, 3 * GB, 4 * GB, 8 * GB])
def test_what_is_trained_fits_into_the_budget(budget: int) -> None:
    found = predict(LARGE, SPEC, budget)
    found.check(STAGES)
    assert max(need.memory for need in found.needs) <= budget
    assert LEAST_ROWS < found.rows <= SPEC.train.rows


@pytest.mark.parametrize("budget", [2 * GB, 4 * GB])
def test_rows_get_what_is_left_beside_the_last_fit(budget: int) -> None:
    """It has more beside it than the fits of the backtest, and no room of its own."""
    found = predict(LARGE, SPEC, budget)
    select = found.need("select")
    assert select is not None
    beside = sum(size for name, size in select.parts.items() if name not in {"rows", "fitting"})
    assert {"tracking", "beside"} < set(select.parts)
    assert sizes.ROOM * found.room + beside == pytest.approx(0.95 * budget, rel=1e-6)


def test_a_larger_budget_trains_more() -> None:
    rows = [predict(LARGE, SPEC, int(budget * GB)).rows for budget in (1.6, 2, 2.4)]
    assert rows == sorted(set(rows))


def test_models_apart_train_more_in_the_same_budget() -> None:
    """They hold a part at a time; the largest part says how much more."""
    assert LARGE.ground is not None
    info, first = LARGE.ground.info, LARGE.ground.first
    texts = {**info.categories, "loja": tuple("abcdefghij"), "rede": tuple("abc")}
    info = replace(info, categories=texts)
    even = np.arange(first.size, dtype=np.int32)

    def rows(**owners: NDArray[np.int32]) -> int:
        ground = Ground(info, first, owners)
        held = replace(LARGE, ground=ground, fits=outline_of(SPEC, ground))
        return predict(held, SPEC, 2 * GB).rows

    unknown = rows()
    assert rows(loja=even % 10, rede=even % 3) > 1.5 * unknown
    assert rows(loja=even % 10, rede=np.minimum(even % 10, 2)) < rows(loja=even % 10, rede=even % 3)
    assert rows(loja=even % 10) == unknown, "one column: the other model is one of all rows"


def test_of_models_apart_only_those_fit_side_by_side_count() -> None:
    """All their rows are held, a tenth of them are fit on each thread."""
    assert LARGE.ground is not None
    info, first = LARGE.ground.info, LARGE.ground.first
    info = replace(info, categories={"loja": tuple("abcdefghij"), "rede": tuple("abcdefghij")})
    tenths = np.arange(first.size, dtype=np.int32) % 10
    ground = Ground(info, first, {"loja": tenths, "rede": tenths})
    spec = with_rows(SPEC, 10_000_000)

    def parts(threads: int) -> dict[str, int]:
        held = Facts(
            loaded=info.rows, threads=threads, ground=ground, fits=outline_of(spec, ground)
        )
        need = predict(held, spec, 4 * GB).need("train")
        assert need is not None
        return dict(need.parts)

    one, two, many = parts(1), parts(2), parts(10)
    assert one["rows"] == two["rows"] == many["rows"]
    assert two["fitting"] == pytest.approx(2 * one["fitting"], rel=1e-6)
    assert many["fitting"] == pytest.approx(10 * one["fitting"], rel=1e-6)
    assert parts(20)["fitting"] == many["fitting"]


def test_where_all_rows_fit_nothing_changes() -> None:
    found = predict(SMALL, SPEC, 16 * GB)
    assert found.spec == SPEC
    assert found.notes == ()
    assert [need.stage for need in found.needs] == STAGES


def test_fewer_rows_are_told_with_what_all_would_take() -> None:
    (note,) = predict(LARGE, SPEC, 2 * GB).notes
    assert note.startswith("train.rows = ")
    assert "machines of this budget" in note


def test_too_little_is_refused_with_what_would_do() -> None:
    found = predict(LARGE, SPEC, GB // 2)
    with pytest.raises(UsageError, match="too little: `") as refused:
        found.check(STAGES)
    assert refused.value.exit_code == 2
    least = float(refused.value.cure.split()[1]) * GB
    predict(LARGE, SPEC, int(least)).check(STAGES)


def test_only_what_will_be_done_is_refused() -> None:
    found = predict(LARGE, SPEC, int(0.8 * GB))
    found.check(["report"] if memory(found, "report") <= found.budget else [])
    with pytest.raises(UsageError):
        found.check(["train"])


def test_without_a_panel_two_stages_are_told() -> None:
    found = predict(Facts(loaded=10**9, threads=2), SPEC, 4 * GB)
    assert [need.stage for need in found.needs] == ["ingest", "panel"]
    assert not found.whole
    assert memory(found, "ingest") == memory(predict(replace(LARGE, loaded=0), SPEC, GB), "ingest")


def test_a_panel_without_a_window_is_left_to_the_training() -> None:
    short = facts(series=3, periods=5)
    assert short.fits is None
    assert predict(short, SPEC, GB).need("train") is None


def test_threads_and_candidates_cost_what_they_hold() -> None:
    alone = predict(replace(LARGE, threads=1), SPEC, 4 * GB)
    assert memory(alone, "panel") < memory(predict(LARGE, SPEC, 4 * GB), "panel")


def test_time_is_corrected_by_what_stages_took() -> None:
    plain = predict(SMALL, SPEC, 4 * GB)
    slow = predict(SMALL, SPEC, 4 * GB, earlier={"train": 3.0})
    for one, other in zip(plain.needs, slow.needs, strict=True):
        factor = 3.0 if one.stage == "train" else 1.0
        assert other.seconds == pytest.approx(factor * one.seconds)
        assert other.formula == one.formula


@pytest.mark.parametrize(
    ("seconds", "formula", "factor"),
    [(20.0, 10.0, 2.0), (1.0, 1000.0, 0.1), (1000.0, 1.0, 10.0)],
)
def test_the_pace_of_a_lake(seconds: float, formula: float, factor: float) -> None:
    noted: dict[str, dict[str, Any]] = {
        "train": {"seconds": seconds, "formula_seconds": formula},
        "panel": {"seconds": 3.0},
        "ingest": {"seconds": 3.0, "formula_seconds": None},
    }
    assert pace(noted) == {"train": factor}


def test_another_number_of_rows_is_another_spec() -> None:
    assert with_rows(SPEC, 7).train.rows == 7
    assert with_rows(SPEC, SPEC.train.rows) == SPEC
