"""The spec: the single source of truth of a project."""

from lakecast.spec.codec import canonical, digest, load, loads
from lakecast.spec.model import (
    Backtest,
    Contract,
    Covariate,
    Features,
    Forecast,
    Format,
    Gate,
    Panel,
    Source,
    Spec,
    Train,
)

__all__ = [
    "Backtest", "Contract", "Covariate", "Features", "Forecast", "Format", "Gate", "Panel",
    "Source", "Spec", "Train", "canonical", "digest", "load", "loads",
]  # fmt: skip
