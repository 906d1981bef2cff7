from __future__ import annotations

from dataclasses import replace

import pytest
from tests import panels

from lakecast.core.block import PanelInfo
from lakecast.core.calendar import Frequency
from lakecast.core.features import Column, Feature, FeaturePlan, compile_plan
from lakecast.errors import SpecError
from lakecast.spec.features import (
    Ewm,
    Expanding,
    Features,
    LaggedCovariate,
    Rolling,
    Seasonal,
    Trend,
)

INFO = panels.with_covariates().info
NONE = Features(lags=(), rolling=(), seasonal=(), expanding=(), ewm=(), trend=(), calendar=())
VENDAS = Features(
    lags=(2, 8, 31),
    rolling=(Rolling(window=7), Rolling(window=30)),
    seasonal=(),
    expanding=(),
    ewm=(),
    trend=(Trend(window=30),),
    calendar=("last_weekday_sunday1",),
    covariates=(
        LaggedCovariate(column="quantidade", lags=(1,)),
        LaggedCovariate(column="categoria_valor", lags=(1,)),
    ),
    names={
        "lag_2": "vendas_lag_1",
        "lag_8": "vendas_lag_7",
        "lag_31": "vendas_lag_30",
        "rolling_mean_7_lag_1": "media_movel_7",
        "rolling_mean_30_lag_1": "media_movel_30",
        "trend_30_lag_1": "tendencia",
        "last_weekday_sunday1": "sazonalidade",
        "quantidade_lag_1": "quantidade",
        "categoria_valor_lag_1": "categoria_valor",
        "item": "produto_idx",
    },
)
VENDAS_INFO = replace(
    INFO,
    covariates={"quantidade": "past-only", "categoria_valor": "past-only"},
    categories={"item": ("a", "b")},
    numeric=(),
)


def column(plan: FeaturePlan, name: str) -> Column:
    return plan.columns[plan.names.index(name)]


def of_frequency(text: str, *seasons: int) -> PanelInfo:
    return replace(INFO, frequency=Frequency(text), seasons=seasons, rows=10**6, covariates={})


def test_the_ten_features_of_the_seed() -> None:
    plan = compile_plan(VENDAS, VENDAS_INFO, recursive=True, horizon=1)
    assert plan.names == (
        "vendas_lag_1", "vendas_lag_7", "vendas_lag_30", "media_movel_7", "media_movel_30",
        "tendencia", "quantidade", "categoria_valor", "sazonalidade", "produto_idx",
    )  # fmt: skip
    assert column(plan, "sazonalidade").feature == Feature("calendar", "weekday_sunday1", lag=1)
    assert column(plan, "produto_idx").categories == 2
    assert plan.memory == 31


def test_a_past_only_covariate_is_refused_at_lag_0_and_the_reason_given() -> None:
    leaky = Features(covariates=(LaggedCovariate(column="categoria_valor", lags=(0,)),))
    with pytest.raises(SpecError, match="computed from the sales of the same period") as error:
        compile_plan(leaky, VENDAS_INFO, recursive=True, horizon=1)
    assert "`categoria_valor` is past-only" in error.value.what
    assert error.value.where == "lakecast.toml: features.covariates"


@pytest.mark.parametrize("horizon", [2, None])
def test_a_recursive_plan_refuses_a_past_only_covariate_it_would_not_know(
    horizon: int | None,
) -> None:
    with pytest.raises(SpecError, match="`quantidade_lag_1` is known 1 periods ahead"):
        compile_plan(VENDAS, VENDAS_INFO, recursive=True, horizon=horizon)


def test_a_direct_plan_leaves_out_what_it_does_not_know() -> None:
    plan = compile_plan(VENDAS, VENDAS_INFO, lead=7, recursive=False)
    assert plan.names == ("vendas_lag_7", "vendas_lag_30", "sazonalidade", "produto_idx")
    assert column(plan, "sazonalidade").feature.lag == 7


def test_a_plan_without_any_feature_of_the_target_is_refused() -> None:
    with pytest.raises(SpecError, match="no feature of the target is known 40 periods ahead"):
        compile_plan(VENDAS, VENDAS_INFO, lead=40, recursive=False)


@pytest.mark.parametrize("lead", [1, 3, 7, 14, 28])
def test_defaults_are_known_at_the_lead(lead: int) -> None:
    plan = compile_plan(Features(), INFO, lead=lead, recursive=False)
    for item in plan.columns:
        assert item.known_to is None or item.known_to >= lead
    assert {f"lag_{lead}", f"rolling_mean_7_lag_{lead}", f"trend_28_lag_{lead}"} < set(plan.names)
    phase = -(-lead // 7) * 7
    assert f"seasonal_mean_7x4_lag_{phase}" in plan.names
    assert f"lag_{phase + 21}" in plan.names
    assert plan.lead == lead
    assert plan.memory == max(c.feature.memory for c in plan.columns)


def test_defaults_of_a_recursive_plan_keep_past_only_covariates_beyond_the_horizon() -> None:
    plan = compile_plan(Features(), INFO, recursive=True, horizon=28)
    assert {"price_lag_28", "visits_lag_28", "visits_rolling_mean_7_lag_28"} < set(plan.names)
    assert "price_relative_28_lag_28" in plan.names
    without = compile_plan(Features(), INFO, recursive=True)
    assert without.covariates == ("promo",)


def test_known_future_covariates_have_no_limit() -> None:
    plan = compile_plan(Features(), INFO, lead=28, recursive=False)
    assert column(plan, "promo").known_to is None
    assert column(plan, "promo_change").feature.memory == 1
    assert plan.known_future == ("promo",)
    coded = compile_plan(Features(), replace(INFO, texts=("promo",)), lead=28, recursive=False)
    assert set(plan.names) - set(coded.names) == {"promo_change"}, (
        "the distance of codes says nothing"
    )
    assert plan.covariates == ("price", "promo", "visits")


@pytest.mark.parametrize(
    ("info", "present", "absent"),
    [
        (
            of_frequency("h", 24, 168),
            {"lag_24", "lag_168", "hour", "rolling_mean_168_lag_1"},
            set(),
        ),
        (of_frequency("D", 7, 365), {"lag_7", "lag_365", "month"}, {"seasonal_mean_365x4_lag_365"}),
        (of_frequency("W-SUN"), {"lag_52", "week", "rolling_mean_13_lag_1"}, {"weekday"}),
        (of_frequency("M"), {"lag_12", "lag_48", "month", "rolling_mean_12_lag_1"}, {"week"}),
    ],
)
def test_defaults_of_each_frequency(info: PanelInfo, present: set[str], absent: set[str]) -> None:
    names = set(compile_plan(Features(), info, recursive=True).names)
    assert present <= names
    assert not absent & names


def test_a_short_panel_gets_no_yearly_features() -> None:
    info = replace(of_frequency("D", 7, 365), rows=6 * 200, series=6)
    names = set(compile_plan(Features(), info, recursive=True).names)
    assert not {"lag_365", "month"} & names
    assert "weekday" in names


def test_holidays_come_as_days_or_as_counts() -> None:
    daily = compile_plan(Features(holidays=("BR-SP",)), INFO, recursive=True)
    assert {"is_holiday", "days_to_holiday", "days_since_holiday"} < set(daily.names)
    assert daily.holidays == ("BR-SP",)
    weekly = compile_plan(Features(holidays=("BR",)), of_frequency("W-SUN"), recursive=True)
    assert "holidays_in_period" in weekly.names
    assert "is_holiday" not in weekly.names


def test_statics_are_categories_or_numbers() -> None:
    plan = compile_plan(Features(), INFO, recursive=True)
    assert column(plan, "store") == Column(
        "store", None, categories=3, feature=Feature("static", "store")
    )
    assert column(plan, "size").categories == 0
    bare = compile_plan(Features(static=False), INFO, recursive=True)
    assert not {"store", "item", "size"} & set(bare.names)


def test_pooled_means_lie_beyond_the_horizon() -> None:
    pooled = Features(pooled=("store",))
    recursive = compile_plan(pooled, INFO, recursive=True, horizon=14)
    assert column(recursive, "pooled_store_lag_14").known_to == 14
    direct = compile_plan(pooled, INFO, lead=7, recursive=False)
    assert "pooled_store_lag_7" in direct.names
    with pytest.raises(SpecError, match="depends on all other series"):
        compile_plan(pooled, INFO, recursive=True)


def test_every_kind_has_its_name_and_its_memory() -> None:
    features = Features(
        lags=(3,),
        rolling=(Rolling(window=5, lag=2, stats=("mean", "max"), quantiles=(0.5, 0.975)),),
        seasonal=(Seasonal(season=7, window=3, lag=14, stats=("std",)),),
        expanding=(Expanding(lag=4, stats=("min",)),),
        ewm=(Ewm(alpha=0.25, stats=("mean", "std")),),
        trend=(Trend(window=9),),
        calendar=("dia_semana",),
        covariates=(
            LaggedCovariate(column="visits", lags=(1,), rolling=(Rolling(window=4, lag=6),)),
        ),
        encodings=("store",),
        static=False,
    )
    plan = compile_plan(features, INFO, recursive=False)
    assert {c.name: c.feature.memory for c in plan.columns} == {
        "lag_3": 3, "rolling_mean_5_lag_2": 6, "rolling_max_5_lag_2": 6,
        "rolling_q50_5_lag_2": 6, "rolling_q97.5_5_lag_2": 6, "seasonal_std_7x3_lag_14": 28,
        "expanding_min_lag_4": 4, "ewm_mean_0.25_lag_1": 1, "ewm_std_0.25_lag_1": 1,
        "trend_9_lag_1": 9, "visits_lag_1": 1, "visits_rolling_mean_4_lag_6": 9,
        "dia_semana": 0, "store_encoded": 0,
    }  # fmt: skip
    assert plan.memory == 28
    assert plan.fold_specific
    assert {c.name for c in plan.columns if not c.in_target_units} == {
        "visits_lag_1", "visits_rolling_mean_4_lag_6", "dia_semana",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("features", "message", "cure"),
    [
        (Features(calendar=("wekday",)), "unknown `wekday`", "did you mean `weekday`?"),
        (Features(calendar=("last_x",)), "unknown `last_x`", "use one of"),
        (Features(encodings=("stor",)), "unknown `stor`", "did you mean `store`?"),
        (Features(pooled=("size",)), "unknown `size`", "use one of: item, store"),
        (
            Features(covariates=(LaggedCovariate(column="promos"),)),
            "unknown `promos`",
            "did you mean `promo`?",
        ),
        (Features(names={"lags_2": "x"}), "unknown `lags_2`", "did you mean `lag_2`?"),
        (Features(names={"lag_2": "lag_1"}), "two features are called `lag_1`", "features.names"),
        (Features(names={"weekday": "promo"}), "two features are called `promo`", "another name"),
        (Features(holidays=("ZZ",)), "no holidays are known for 'ZZ'", "ISO 3166"),
    ],
)
def test_what_cannot_be_is_refused(features: Features, message: str, cure: str) -> None:
    with pytest.raises(SpecError) as error:
        compile_plan(features, INFO, recursive=True, horizon=7)
    assert message in error.value.what
    assert cure in error.value.cure


def test_names_may_speak_of_lags_that_only_another_lead_has() -> None:
    named = Features(names={"lag_2": "anteontem", "rolling_mean_7_lag_14": "media"})
    assert "anteontem" in compile_plan(named, INFO, recursive=True).names
    assert "media" in compile_plan(named, INFO, lead=14, recursive=False).names


def test_a_static_with_one_value_says_nothing_but_may_be_named() -> None:
    info = replace(INFO, categories={"item": ("a",)})
    plan = compile_plan(Features(names={"item": "produto_idx"}), info, recursive=True)
    assert "produto_idx" not in plan.names


def test_the_same_feature_twice_is_one() -> None:
    twice = compile_plan(Features(lags=(1, 1, 2)), INFO, recursive=True)
    assert [name for name in twice.names if name.startswith("lag_")] == ["lag_1", "lag_2"]


def test_a_plan_survives_its_text() -> None:
    plan = compile_plan(Features(holidays=("BR",)), INFO, lead=7, recursive=False)
    again = FeaturePlan.from_json(plan.to_json())
    assert again == plan
    assert hash(again) == hash(plan)
    assert again.to_json() == plan.to_json()
