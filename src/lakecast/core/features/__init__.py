"""Features: the same numbers from whole series and from their state, one period at a time.

::

    plan = compile_plan(spec.features, panel.info, recursive=True, horizon=28)
    fitted = fit_plan(plan, panel, cutoff)
    x, scale = matrix(fitted, block, start=first)     # rows `kept(block, first)`
    fill(fitted, block, out, at)                      # the same, into an array that is there
    cursor = Cursor(state_at(block, cutoff, plans=[plan]), future)
    x, scale = row(fitted, cursor, 1)                 # then cursor.push(forecast), row(..., 2)
"""

from lakecast.core.features.compiler import compile_plan
from lakecast.core.features.encode import FittedPlan, fit_plan
from lakecast.core.features.matrix import Cursor, fill, kept, matrix, row, rows
from lakecast.core.features.plan import Column, Feature, FeaturePlan
from lakecast.core.features.state import State, advance, state_at

__all__ = [
    "Column", "Cursor", "Feature", "FeaturePlan", "FittedPlan", "State", "advance",
    "compile_plan", "fill", "fit_plan", "kept", "matrix", "row", "rows", "state_at",
]  # fmt: skip
