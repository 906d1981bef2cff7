"""The commands of README and tutorial, run in their order in one folder, as a reader would.

A command that cannot run here is named with its reason in `NOT_RUN`; nothing else is left out.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from tests.projects import DAYS, HORIZON, START, write_sales

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
NOT_RUN = {
    "python3 dev.py": "sets up an environment; tests/architecture/test_dev.py does that",
    "s3://": "needs a bucket; the lake's own tests read from S3",
    "VENDAS_URL": "needs a database; the tests of sources read from sqlite",
}


def _commands(document: str) -> list[str]:
    text = (ROOT / document).read_text(encoding="utf-8")
    plain = [block for kind, block in BLOCK.findall(text) if not kind]
    lines = [line for block in plain for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def _left_out(command: str) -> bool:
    return any(mark in command for mark in NOT_RUN)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that the documents speak of."""
    made = tmp_path_factory.mktemp("reader")
    write_sales(made / "vendas.csv", 0, DAYS)
    sold = pl.read_csv(made / "vendas.csv", try_parse_dates=True)
    products = sold.select("produto").unique().sort("produto")
    products.with_columns(categoria=pl.lit("mercearia")).write_csv(made / "produtos.csv")
    last = DAYS + HORIZON * 10
    days = pl.date_range(START, pl.lit(START).dt.offset_by(f"{last}d"), eager=False)
    plan = products.join(pl.select(data_venda=days), how="cross")
    plan = plan.with_columns(
        em_promocao=(pl.col("data_venda").dt.ordinal_day() % 11 < 3).cast(pl.Int8)
    )
    plan.write_parquet(made / "promo.parquet")
    wanted = sold.select("produto", "loja").unique().join(plan, on="produto")
    ahead = (pl.col("data_venda") - sold["data_venda"].max()).dt.total_days()
    wanted = wanted.filter(ahead.is_between(1, HORIZON))
    wanted.with_columns(em_promocao=pl.lit(1)).write_csv(made / "cenario.csv")
    return made


def _run(command: str, folder: Path) -> None:
    words = shlex.split(command)
    assert words[0] in ("lakecast", ".venv/bin/lakecast"), f"not a command of ours: {command}"
    done = subprocess.run(
        [sys.executable, "-m", "lakecast", *words[1:]],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


def test_what_is_left_out_is_there() -> None:
    commands = [*_commands("README.md"), *_commands("docs/tutorial.md")]
    assert [mark for mark in NOT_RUN if not any(mark in command for command in commands)] == []


def test_the_first_block_of_the_readme_is_two_lines() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    first = BLOCK.search(text)
    assert first is not None
    assert first[2].splitlines() == ["python3 dev.py demo", "python3 dev.py test"]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_tutorial_runs(folder: Path) -> None:
    """A spec that is there is replaced only with --force: the second `init` gets it."""
    for command in _commands("docs/tutorial.md"):
        if _left_out(command):
            continue
        again = "init" in command and (folder / "loja" / "lakecast.toml").exists()
        _run(f"{command} --force" if again else command, folder)
    assert (folder / "forecasts.xlsx").stat().st_size > 0
    assert (folder / "e_se.xlsx").stat().st_size > 0
    assert (folder / "loja" / "report.html").is_file()


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_readme_runs(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "vendas.csv").write_bytes((folder / "vendas.csv").read_bytes())
    for command in _commands("README.md"):
        if not _left_out(command):
            _run(command, tmp_path)
    assert (tmp_path / "report.html").is_file()
