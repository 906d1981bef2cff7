"""Rows of sales and of covariates become regular series: pure functions on Polars frames.

In the order of the work: `plan` (the spec resolved against the tables there are), `rows` (a piece
of a table made ready), `repeats` (rows that later ones replace), `survey` (what must be known
before anything is cut: periods, series, texts), `complete` (the cutoff), `roster` (codes and
buckets), `aggregate` (mergeable values a series and period), `job` (the work on one piece and on
one bucket), `grid`, `covariates` and `build` (one bucket without gaps), `findings`.
"""
