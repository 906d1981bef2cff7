"""Tuning: a search over families, parameters, features and objectives before the scored windows.

::

    case = make_case(panel, spec)                   # the windows, and the rows they need
    with open_log(path, name) as log, crew(case, workers) as crew:
        found = search(case.space, log, crew, Limits(trials=50))
    points = found.chosen                           # what the next training screens beside its own

Optuna proposes, prunes and keeps the trials; nothing else of the package imports it.
"""
