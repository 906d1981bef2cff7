"""The memory budget: what a run will take, and the spec values that keep it within.

`facts` reads what the lake knows, `needs` tells memory and time by stage, `crews` deals memory out
to the workers of a cluster, `resolve` turns the budget into `train.rows`, or refuses and says what
would help.
"""
