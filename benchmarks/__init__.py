"""Benchmarks: us and a peer in one run, each a module of its own. See `README.md` beside this."""
