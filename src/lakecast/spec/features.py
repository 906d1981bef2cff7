"""The part of the spec that says what a model sees of the past: `[features]`."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta, field

from lakecast.spec.base import Count, Frozen, Positive

Stat = Literal["mean", "std", "min", "max"]

_DEFAULT: Final = "absent: the defaults of the frequency."


class Rolling(Frozen, frozen=True, kw_only=True):
    """Statistics of a window of periods."""

    window: Annotated[Positive, Meta(description="Periods in the window.")]
    lag: Annotated[Positive, Meta(description="Its last period, counted back.")] = 1
    stats: Annotated[tuple[Stat, ...], Meta(description="Statistics of the window.")] = ("mean",)
    quantiles: Annotated[
        tuple[Annotated[float, Meta(gt=0.0, lt=1.0)], ...],
        Meta(description="Quantiles of the window."),
    ] = ()
    min_periods: (
        Annotated[Positive, Meta(description="Fewest values; absent: the whole window.")] | None
    ) = None


class Seasonal(Frozen, frozen=True, kw_only=True):
    """Statistics of the same phase in the last seasons: y[t-lag], y[t-lag-season], ..."""

    season: Annotated[Positive, Meta(description="Periods between the values.")]
    window: Annotated[Positive, Meta(description="Number of values.")]
    lag: Annotated[Positive, Meta(description="The latest of them, counted back.")]
    stats: Annotated[tuple[Stat, ...], Meta(description="Statistics of the values.")] = ("mean",)
    min_periods: (
        Annotated[Positive, Meta(description="Fewest values; absent: all of them.")] | None
    ) = None


class Expanding(Frozen, frozen=True, kw_only=True):
    """Statistics of everything up to the lag."""

    lag: Annotated[Positive, Meta(description="The last period used, counted back.")] = 1
    stats: Annotated[tuple[Stat, ...], Meta(description="Statistics of the past.")] = ("mean",)


class Ewm(Frozen, frozen=True, kw_only=True):
    """Exponentially weighted statistics, unadjusted: e = alpha y + (1 - alpha) e."""

    alpha: Annotated[float, Meta(gt=0.0, le=1.0, description="Weight of the newest value.")]
    lag: Annotated[Positive, Meta(description="The last period used, counted back.")] = 1
    stats: Annotated[
        tuple[Literal["mean", "std"], ...], Meta(description="Weighted statistics.")
    ] = ("mean",)


class Trend(Frozen, frozen=True, kw_only=True):
    """y[t-lag] minus the mean of the window at that lag."""

    window: Annotated[Positive, Meta(description="Periods in the window.")]
    lag: Annotated[Positive, Meta(description="Its last period, counted back.")] = 1


class LaggedCovariate(Frozen, frozen=True, kw_only=True):
    """A covariate at given lags; past-only columns need lags of at least 1."""

    column: Annotated[str, Meta(description="Name of the covariate.")]
    lags: Annotated[tuple[Count, ...], Meta(description="Lags of its values.")] = (0,)
    rolling: Annotated[tuple[Rolling, ...], Meta(description="Windows of its values.")] = ()


class Features(Frozen, frozen=True, kw_only=True):
    """Columns of the model's matrix; absent keys take the defaults of the frequency."""

    lags: (
        Annotated[tuple[Positive, ...], Meta(description=f"Values so far back; {_DEFAULT}")] | None
    ) = None
    rolling: Annotated[tuple[Rolling, ...], Meta(description=f"Windows; {_DEFAULT}")] | None = None
    seasonal: (
        Annotated[tuple[Seasonal, ...], Meta(description=f"Same phases; {_DEFAULT}")] | None
    ) = None
    expanding: (
        Annotated[tuple[Expanding, ...], Meta(description=f"The whole past; {_DEFAULT}")] | None
    ) = None
    ewm: Annotated[tuple[Ewm, ...], Meta(description=f"Exponential weights; {_DEFAULT}")] | None = (
        None
    )
    trend: (
        Annotated[tuple[Trend, ...], Meta(description=f"Distance to a mean; {_DEFAULT}")] | None
    ) = None
    calendar: (
        Annotated[tuple[str, ...], Meta(description=f"Parts of the date; {_DEFAULT}")] | None
    ) = None
    holidays: Annotated[
        tuple[str, ...], Meta(description="Countries, or country-subdivision: `BR`, `BR-SP`.")
    ] = ()
    covariates: (
        Annotated[
            tuple[LaggedCovariate, ...],
            Meta(description="Covariates used; absent: all, at the lags their role allows."),
        ]
        | None
    ) = None
    static: Annotated[bool, Meta(description="Series columns and statics as features.")] = True
    encodings: (
        Annotated[
            tuple[str, ...],
            Meta(description="Series or static columns encoded by the target's mean, in the fold."),
        ]
        | None
    ) = None
    pooled: Annotated[
        tuple[str, ...],
        Meta(
            description="Columns over whose series the target is averaged, per period, lagged by "
            "the horizon."
        ),
    ] = ()
    scale: (
        Annotated[
            Positive,
            Meta(description="Periods whose mean a row is divided by; absent: all before it."),
        ]
        | None
    ) = None
    names: Annotated[
        dict[str, str], Meta(description='Your name for a feature: `{ lag_1 = "ontem" }`.')
    ] = field(default_factory=dict)
