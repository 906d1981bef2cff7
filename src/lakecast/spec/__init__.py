"""The spec: the single source of truth of a project."""

from lakecast.spec.codec import canonical, digest, load, loads
from lakecast.spec.features import Features
from lakecast.spec.model import (
    Backtest,
    Contract,
    Covariate,
    Forecast,
    Format,
    Gate,
    Hierarchy,
    Panel,
    Source,
    Spec,
    Train,
    Tune,
)

__all__ = [
    "Backtest", "Contract", "Covariate", "Features", "Forecast", "Format", "Gate", "Hierarchy",
    "Panel", "Source", "Spec", "Train", "Tune", "canonical", "digest", "load", "loads",
]  # fmt: skip
