"""`--as-of` without a zone is meant in the panel's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lakecast import Project
from lakecast.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

SPEC = """
spec = 1
[[sources]]
table = "sales"
path = "vendas.csv"
[panel]
series = ["p"]
time = "t"
target = "q"
timezone = "America/Sao_Paulo"
"""


@pytest.mark.parametrize("moment", ["2024-05-03", "2024-05-03T00:00:00-03:00", "2024-05-03T03:00Z"])
def test_midnight_ends_the_day_before_in_the_panels_zone(tmp_path: Path, moment: str) -> None:
    (tmp_path / "lakecast.toml").write_text(SPEC)
    days = "".join(f"a,2024-05-{day:02d},{day}\n" for day in range(1, 6))
    (tmp_path / "vendas.csv").write_text(f"p,t,q\n{days}")
    assert main(["panel", "--project", str(tmp_path), "--as-of", moment]) == 0
    assert str(Project.open(tmp_path).table("panel")["t"].max()) == "2024-05-02"
