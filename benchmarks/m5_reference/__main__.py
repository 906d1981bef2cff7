"""The plain recipe's forecasts of one cutoff, to a Parquet file.

python -m benchmarks.m5_reference --files FOLDER --cutoff 1913 --out forecasts.parquet
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from benchmarks.m5_reference.recipe import PARAMS, ROUNDS, facts, forecast


def main() -> None:
    """Read the command line, forecast, write."""
    parser = argparse.ArgumentParser(description="The plain recipe for M5.")
    parser.add_argument("--files", type=Path, required=True, help="folder with the three files")
    parser.add_argument("--cutoff", type=int, required=True, help="last day known, such as 1913")
    parser.add_argument("--out", type=Path, required=True, help="Parquet file to write")
    parser.add_argument("--stores", default="", help="only these, such as CA_1,TX_2")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--objective", default=PARAMS["objective"], help="LightGBM's objective")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    args = parser.parse_args()
    known = facts(args.files, tuple(args.stores.split(",")) if args.stores else ())
    params = {"num_iterations": args.rounds, "objective": args.objective}
    found = forecast(known, args.cutoff, threads=args.threads, params=params)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    part = args.out.with_suffix(".part")
    found.write_parquet(part)
    part.replace(args.out)
    print(f"{found.height:,} forecasts from day {args.cutoff} in {args.out}")


if __name__ == "__main__":
    main()
