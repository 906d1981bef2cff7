"""The families of regressors: their parameters, defaults and search spaces.

Importing this loads no learner. Parameters of the tree families have LightGBM's names.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import TYPE_CHECKING, Final, get_args

from lakecast.errors import SpecError
from lakecast.spec.model import Family

if TYPE_CHECKING:
    from lakecast.models.boosting import Trees
    from lakecast.models.linear import Ridge

Params = Mapping[str, float | int | str]

MOST_LEAVES: Final = 1024
"""Of trees that are told their depth alone."""

_DEFAULTS: Final[Mapping[Family, Params]] = {
    "linear_regression": {"alpha": 0.01},
    "random_forest": {
        "num_iterations": 100,
        "num_leaves": 127,
        "min_data_in_leaf": 30,
        "bagging_fraction": 0.63,
        "bagging_freq": 1,
        "feature_fraction": 0.6,
        "boosting": "rf",
    },
    # Sales by the day are mostly noise. A leaf of n rows is shrunk by n / (n + lambda_l2), which is
    # what its rows tell when the noise of one is about 20 times what leaves differ by; with 1, a
    # leaf of 30 rows learns 97% of its noise. Small steps, and few of the features (which are
    # windows over the same values) at a time, keep trees from repeating it.
    "gradient_boosting": {
        "objective": "auto",
        "num_iterations": 200,
        "learning_rate": 0.03,
        "num_leaves": 31,
        "min_data_in_leaf": 30,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "feature_fraction": 0.4,
        "lambda_l2": 20.0,
    },
}

_TREES: Final = frozenset(
    {
        "num_iterations", "num_leaves", "max_depth", "min_data_in_leaf", "bagging_fraction",
        "bagging_freq", "feature_fraction", "feature_fraction_bynode", "lambda_l1", "lambda_l2",
        "min_gain_to_split", "path_smooth", "cat_smooth", "cat_l2", "max_cat_threshold",
        "extra_trees", "use_quantized_grad", "num_grad_quant_bins", "quant_train_renew_leaf",
    }
)  # fmt: skip

_LOSSES: Final = frozenset(
    {
        "objective", "learning_rate", "tweedie_variance_power", "poisson_max_delta_step",
        "data_sample_strategy", "top_rate", "other_rate",
    }
)  # fmt: skip

_KNOWN: Final[Mapping[Family, frozenset[str]]] = {
    "linear_regression": frozenset({"alpha"}),
    "random_forest": _TREES,
    "gradient_boosting": _TREES | _LOSSES,
}

_BIG: Final[Params] = {
    "num_iterations": 150,
    "learning_rate": 0.08,
    "num_leaves": 63,
    "min_data_in_leaf": 50,
    "feature_fraction": 0.8,
    "lambda_l2": 1.0,
}

# Small forests and boosters of given depth, as they are widely set up in Spark.
_FOREST: Final = [
    {"num_iterations": trees, "max_depth": depth}
    for trees, depth in product((10, 20, 30), (5, 10, 15))
]
_BOOSTING: Final = [
    {"num_iterations": rounds, "max_depth": depth, "learning_rate": 0.1}
    for rounds, depth in product((10, 20), (5, 10))
]

_GRIDS: Final[Mapping[Family, list[Params]]] = {
    "linear_regression": [{"alpha": alpha} for alpha in (0.01, 0.1, 1.0)],
    "random_forest": [
        {},
        {"num_iterations": 200, "num_leaves": 255, "feature_fraction": 0.4},
        *_FOREST,
    ],
    "gradient_boosting": [
        {},
        {"learning_rate": 0.07, "feature_fraction": 0.7, "lambda_l2": 1.0},
        {"num_iterations": 300, "learning_rate": 0.05, "num_leaves": 63},
        {"objective": "squared"},
        {"objective": "tweedie"},
        *_BOOSTING,
    ],
}


# Millions of rows say more than small trees can hold, and a leaf of many rows holds little noise.
LARGE: Final = 2_000_000
"""Rows from which these are the first points of a family's search space."""
_LARGE: Final[Mapping[Family, list[Params]]] = {
    "linear_regression": _GRIDS["linear_regression"][:1],
    "random_forest": [{"num_leaves": 255, "min_data_in_leaf": 100}],
    "gradient_boosting": [_BIG, {**_BIG, "objective": "squared"}],
}


def defaults(family: Family, *, large: bool = False) -> Params:
    """The parameters of a family where nothing is searched."""
    return grid(family, large=large)[0]


def grid(family: Family, *, large: bool = False) -> tuple[Params, ...]:
    """The family's search space, every point complete; the first point is the defaults.

    `large`: for fits of at least `LARGE` rows.
    """
    return tuple(_over(family, point) for point in (_LARGE if large else _GRIDS)[family])


def resolve(family: Family, given: Params) -> Params:
    """The given parameters over the defaults. Raises `SpecError` for an unknown name."""
    same = {name for name, value in given.items() if _DEFAULTS[family].get(name) == value}
    unknown = sorted(set(given) - _KNOWN[family] - same)
    if unknown:
        raise SpecError(
            f"`{unknown[0]}` is no parameter of {family}",
            where=f"train.params.{family}",
            cure=f"known: {', '.join(sorted(_KNOWN[family]))}",
        )
    return _over(family, given)


def regressor(family: Family, params: Params, *, seed: int, threads: int) -> Ridge | Trees:
    """What fits the family with complete parameters."""
    if family not in get_args(Family):
        raise SpecError(
            f"unknown family {family!r}",
            where="train.families",
            cure=f"use {', '.join(get_args(Family))}",
        )
    if family == "linear_regression":
        from lakecast.models.linear import Ridge

        return Ridge(alpha=float(params["alpha"]))
    from lakecast.models.boosting import Trees

    return Trees(params=dict(params), seed=seed, threads=threads)


def _over(family: Family, given: Params) -> Params:
    merged = {**_DEFAULTS[family], **given}
    if "max_depth" in given and "num_leaves" not in given:
        del merged["num_leaves"]
    return merged
