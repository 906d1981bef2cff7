"""Dividing by a row's scale, so that large and small series teach one model the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lakecast.core.features import FittedPlan

    Matrix = tuple[NDArray[np.float32], NDArray[np.float32]]


def shrink(fitted: FittedPlan, held: Matrix, *, scaled: bool) -> Matrix:
    """Divide the matrix's columns in target units by the scale, in place.

    The scale given back is 1 where nothing is scaled; either way it is null where it was.
    """
    matrix, scale = held
    if not scaled:
        return matrix, np.where(np.isnan(scale), scale, np.float32(1.0))
    for index, column in enumerate(fitted.columns):
        if column.in_target_units:
            matrix[:, index] /= scale
    return matrix, scale


def weights(scale: NDArray[np.float32]) -> NDArray[np.float32]:
    """How much a row says: the inverse of the variance that is left after dividing by the scale.

    Counts of mean m vary by about m + m^2 / 10, so that y / m varies by 1 / m + 1 / 10. Without
    it the noise of many slow series would outvote the others.
    """
    return scale / (np.float32(1.0) + np.float32(0.1) * scale)


def ceiling(targets: NDArray[np.float32]) -> float:
    """The largest |target| worth learning: ten times their 99th percentile.

    A squared error gives one typing error of a thousandfold the weight of a million honest rows;
    it then shows in the forecasts of every series. Endless where 99% of the targets are zero.
    """
    usual = float(np.quantile(np.abs(targets), 0.99)) if targets.size else 0.0
    return 10.0 * usual if usual > 0 else float("inf")


def grow(
    predicted: NDArray[np.float64], scale: NDArray[np.float32], floor: float | None
) -> NDArray[np.float64]:
    """Predictions in units of the target, at least `floor`; null where the scale is."""
    values = predicted * scale.astype(np.float64)
    return values if floor is None else np.maximum(values, floor)
