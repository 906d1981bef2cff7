"""The memory budget: what a run will take, and the spec values that keep it within.

`facts` reads what the lake knows, `needs` tells memory and time by stage, `resolve` turns the
budget into `train.rows` or refuses, `advice` says what would help.
"""
