"""The spec: frozen, keyword-only values, validated at construction.

Each attribute's ``Meta(description=...)`` is the text of the generated reference, so what a key
means is written once, here. Nothing in this module reads a file, the clock or the environment.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from msgspec import Meta, field

from lakecast.spec.base import Count, Frozen, Positive
from lakecast.spec.features import Features

Role = Literal["static", "known-future", "past-only"]
Aggregate = Literal["sum", "mean", "min", "max", "first", "last", "count"]
Level = Literal["reject", "quarantine", "repair", "warn"]
Gaps = Literal["zero", "null", "forward", "refuse"]
Strategy = Literal["auto", "recursive", "direct"]
Family = Literal["linear_regression", "random_forest", "gradient_boosting"]
Objective = Literal["auto", "squared", "tweedie", "poisson"]
Metric = Literal["rmsse", "mase", "mae", "rmse", "wape", "smape", "bias", "r2"]
Scaling = Literal["auto", "series", "none"]
Weight = Literal["equal", "target", "revenue"]
Reconciliation = Literal["auto", "bottom_up", "wls"]
Searched = Literal["family", "params", "features", "objective"]


class Format(Frozen, frozen=True, kw_only=True):
    """How a text file is written. Absent keys are found out from the file."""

    delimiter: Annotated[str, Meta(description="Field separator.", max_length=1)] | None = None
    decimal: Annotated[str, Meta(description="Decimal mark: `.` or `,`.", max_length=1)] = "."
    thousands: (
        Annotated[str, Meta(description="Mark between thousands, removed before parsing.")] | None
    ) = None
    encoding: Annotated[str, Meta(description="Text encoding; a byte-order mark is dropped.")] = (
        "utf-8"
    )
    dates: (
        Annotated[str, Meta(description="strptime pattern of time columns; absent: ISO 8601.")]
        | None
    ) = None
    timezone: Annotated[
        str, Meta(description="Zone of timestamps that carry none (IANA name).")
    ] = "UTC"
    nulls: Annotated[tuple[str, ...], Meta(description="Texts that mean null.")] = (
        "", "NA", "N/A", "null", "NULL", "None", "nan", "NaN",
    )  # fmt: skip


class Covariate(Frozen, frozen=True, kw_only=True):
    """What one column of a source is to the model."""

    role: Annotated[Role, Meta(description="When the column is known.")]
    aggregate: Annotated[
        Aggregate, Meta(description="How several rows of one period become one value.")
    ] = "last"
    missing: (
        Annotated[float, Meta(description="Value where the source has no row; absent: null.")]
        | None
    ) = None


class Source(Frozen, frozen=True, kw_only=True):
    """One stream of raw rows: files, a Delta table or a query, and the table it feeds."""

    table: Annotated[
        str,
        Meta(description="Table it lands in; `sales` holds the target.", pattern="^[a-z0-9_]+$"),
    ]
    path: (
        Annotated[str, Meta(description="File, glob, folder or URL, relative to the project.")]
        | None
    ) = None
    sql_env: (
        Annotated[str, Meta(description="Environment variable that holds an SQLAlchemy URL.")]
        | None
    ) = None
    query: Annotated[str, Meta(description="SELECT to run; with `sql_env` only.")] | None = None
    cursor: (
        Annotated[str, Meta(description="Growing column: later runs read only rows beyond it.")]
        | None
    ) = None
    kind: (
        Annotated[
            Literal["csv", "parquet", "delta", "sql"],
            Meta(description="Storage format; absent: from the name and the content."),
        ]
        | None
    ) = None
    format: Format = field(default_factory=Format)
    row_key: Annotated[
        tuple[str, ...],
        Meta(description="Columns that identify a row; absent: equal rows are all real."),
    ] = ()
    repeated: Annotated[
        Literal["refuse", "last", "sum"],
        Meta(
            description="What a second row with the same key does: `refuse` quarantines it, "
            "`last` replaces the first, `sum` keeps both."
        ),
    ] = "refuse"
    on: Annotated[
        tuple[str, ...], Meta(description="Columns that join this table to the series.")
    ] = ()
    time: (
        Annotated[str, Meta(description="Time column of a covariate table; absent: static.")] | None
    ) = None
    frequency: (
        Annotated[str, Meta(description="Period one row covers, when coarser than the panel's.")]
        | None
    ) = None
    lookup: Annotated[
        bool,
        Meta(description="A dimension table: its columns are added to every table that has `on`."),
    ] = False
    columns: Annotated[
        dict[str, Covariate], Meta(description="Covariates taken from this source.")
    ] = field(default_factory=dict)


class Bound(Frozen, frozen=True, kw_only=True):
    """The values a column may take; null means no limit on that side."""

    minimum: Annotated[float, Meta(description="Smallest value allowed.")] | None = None
    maximum: Annotated[float, Meta(description="Largest value allowed.")] | None = None
    above: Annotated[float, Meta(description="Values must be greater than this.")] | None = None
    level: Annotated[Level, Meta(description="What a value outside does.")] = "quarantine"


class Contract(Frozen, frozen=True, kw_only=True):
    """Row rules of `ingest`."""

    negative: Annotated[
        Literal["net", "drop", "refuse"],
        Meta(
            description="Negative targets: `net` keeps and sums them, `drop` quarantines the row, "
            "`refuse` rejects the file."
        ),
    ] = "net"
    cancelled: Annotated[
        dict[str, str],
        Meta(
            description='Column and prefix that mark a cancellation, e.g. `{ Invoice = "C" }`; '
            "treated like a negative target."
        ),
    ] = field(default_factory=dict)
    earliest: Annotated[date, Meta(description="Timestamps before this are absurd.")] = date(
        1990, 1, 1
    )
    bounds: Annotated[
        dict[str, Bound], Meta(description="Range of a column of `sales`, by name.")
    ] = field(default_factory=dict)
    levels: Annotated[
        dict[str, Level], Meta(description="Level of a rule, by name, where not the default.")
    ] = field(default_factory=dict)


class Panel(Frozen, frozen=True, kw_only=True):
    """How rows become regular series."""

    series: Annotated[
        tuple[str, ...], Meta(description="Columns that identify a series.", min_length=1)
    ]
    time: Annotated[str, Meta(description="Time column of `sales`.")]
    target: Annotated[str, Meta(description="Column to forecast.")]
    frequency: Annotated[
        str,
        Meta(description="`h`, `D`, `W-MON` .. `W-SUN` (the week's last day) or `M`."),
    ] = "D"
    timezone: Annotated[str, Meta(description="Zone in which periods are cut.")] = "UTC"
    seasons: Annotated[
        tuple[Positive, ...], Meta(description="Season lengths in periods; the first is m.")
    ] = ()
    aggregate: Annotated[Aggregate, Meta(description="How targets of one period combine.")] = "sum"
    gaps: Annotated[Gaps, Meta(description="What a period without rows holds.")] = "zero"
    available: (
        Annotated[str, Meta(description="Boolean covariate; where false the target is null.")]
        | None
    ) = None
    revenue: (
        Annotated[
            str,
            Meta(
                description="Money column of `sales`; adds the past-only realised `price` and "
                "errors in money."
            ),
        ]
        | None
    ) = None
    exclude: Annotated[
        dict[str, tuple[str, ...]], Meta(description="Values of a column that are left out.")
    ] = field(default_factory=dict)
    min_active: Annotated[
        float,
        Meta(
            ge=0.0, le=1.0,
            description="Series with a smaller share of non-zero periods are left out and counted.",
        ),
    ] = 0.0  # fmt: skip
    buckets: Annotated[Positive, Meta(description="Files of the panel; fixed at creation.")] = 8


class Forecast(Frozen, frozen=True, kw_only=True):
    """What is asked of the forecast."""

    horizon: Annotated[Positive, Meta(description="Periods ahead.")] = 28
    levels: Annotated[
        tuple[Annotated[int, Meta(ge=1, le=99)], ...],
        Meta(description="Nominal coverage of the intervals, percent."),
    ] = (80,)
    minimum: Annotated[float, Meta(description="No forecast is below this.")] | None = 0.0


class Train(Frozen, frozen=True, kw_only=True):
    """What is fit, and when."""

    families: Annotated[tuple[Family, ...], Meta(description="Learners to try.")] = (
        "linear_regression", "random_forest", "gradient_boosting",
    )  # fmt: skip
    strategy: Annotated[Strategy, Meta(description="How horizons are reached.")] = "auto"
    objective: Annotated[Objective, Meta(description="Loss of gradient boosting.")] = "auto"
    every: Annotated[str, Meta(description="Age of the champion at which training is due.",
                               pattern=r"^\d+[hdw]$")] = "7d"  # fmt: skip
    rows: Annotated[Positive, Meta(description="Most rows a fit sees; recent ones first.")] = (
        20_000_000
    )
    seed: Annotated[int, Meta(ge=0, description="Seed of everything random.")] = 1
    scaling: Annotated[
        Scaling,
        Meta(
            description="`series`: rows are divided by their series' scale, so that all series "
            "count alike; `none`: large series count more; `auto`: screened for boosting."
        ),
    ] = "auto"
    partitions: (
        Annotated[
            tuple[str, ...],
            Meta(
                description="Series or static columns by whose values separate models are tried "
                "beside the one of all series; absent: chosen from the panel; empty: none."
            ),
        ]
        | None
    ) = None
    parts: Annotated[
        int,
        Meta(
            ge=1, le=1000,
            description="More than 1: the best model is also fit on each of so many parts of the "
            "series, one a worker, and their mean is a candidate.",
        ),
    ] = 1  # fmt: skip
    search: Annotated[
        bool, Meta(description="Screen each family's small grid on the first window.")
    ] = True
    params: Annotated[
        dict[Family, dict[str, float | int | str]],
        Meta(description="Fixed parameters of a family, over its defaults."),
    ] = field(default_factory=dict)


class Backtest(Frozen, frozen=True, kw_only=True):
    """Rolling origins."""

    windows: Annotated[Positive, Meta(description="Folds; the first one screens.")] = 4
    step: (
        Annotated[Positive, Meta(description="Periods between cutoffs; absent: the horizon.")]
        | None
    ) = None
    gap: Annotated[Count, Meta(description="First horizons that are not scored.")] = 0
    mode: Annotated[
        Literal["expanding", "sliding"],
        Meta(description="`sliding` trains on as many periods as the first window had."),
    ] = "expanding"


class Gate(Frozen, frozen=True, kw_only=True):
    """When a candidate may become champion."""

    metric: Annotated[Metric, Meta(description="Metric that ranks and decides.")] = "rmsse"
    min_gain: Annotated[
        float, Meta(ge=0.0, description="Least relative gain of a replacement.")
    ] = 0.01
    max_bias: Annotated[float, Meta(ge=0.0, description="Largest |bias| allowed.")] = 0.1
    max_loss: Annotated[
        float, Meta(ge=0.0, description="A refresh may be worse by this share.")
    ] = 0.02
    weight: Annotated[
        Weight,
        Meta(
            description="What a series weighs in rmsse and mase: the same, or its target or "
            "revenue over one horizon up to the cutoff."
        ),
    ] = "equal"


class Hierarchy(Frozen, frozen=True, kw_only=True):
    """Levels that forecasts are added up to, besides the series themselves."""

    levels: Annotated[
        tuple[tuple[str, ...], ...],
        Meta(
            description="Series or static columns of each level; `[]` is the total; levels may "
            "cross."
        ),
    ] = ()
    method: Annotated[
        Reconciliation,
        Meta(
            description="`bottom_up` adds the series up; `wls` also uses forecasts of the levels "
            "themselves; `auto` takes it only where the nested backtest gains."
        ),
    ] = "auto"


class Tune(Frozen, frozen=True, kw_only=True):
    """A search with Optuna, by `lakecast tune`."""

    trials: Annotated[Positive, Meta(description="Most trials; what is kept counts.")] = 50
    time: (
        Annotated[
            str,
            Meta(
                description="Time the search may take; turned into trials by what one costs.",
                pattern=r"^\d+[mh]$",
            ),
        ]
        | None
    ) = None
    windows: Annotated[
        Positive, Meta(description="Folds a trial is scored on, all before those of `train`.")
    ] = 2
    over: Annotated[tuple[Searched, ...], Meta(description="What is searched.")] = (
        "family", "params", "features", "objective",
    )  # fmt: skip


class Spec(Frozen, frozen=True, kw_only=True):
    """A whole `lakecast.toml`."""

    spec: Annotated[Literal[1], Meta(description="Version of this file's form.")]
    sources: Annotated[tuple[Source, ...], Meta(description="Where rows come from.", min_length=1)]
    name: Annotated[str, Meta(description="Name of the project and its registered model.",
                              pattern="^[A-Za-z0-9_.-]+$")] = "lakecast"  # fmt: skip
    contract: Contract = field(default_factory=Contract)
    panel: Panel
    forecast: Forecast = field(default_factory=Forecast)
    features: Features = field(default_factory=Features)
    train: Train = field(default_factory=Train)
    backtest: Backtest = field(default_factory=Backtest)
    gate: Gate = field(default_factory=Gate)
    hierarchy: Hierarchy = field(default_factory=Hierarchy)
    tune: Tune | None = None
