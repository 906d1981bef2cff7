"""Rows of sales and of covariates become regular series: pure functions on Polars frames.

The order of work: `plan` (the spec resolved against the tables there are), `rows` (one piece of a
table made ready), `survey` (what must be known before anything is cut: periods, series, texts),
`complete` (the cutoff), `roster` (codes and buckets), `aggregate` (mergeable values a series and
period), `build` (one bucket without gaps), `covariates` (joined by role), `findings`.
"""
