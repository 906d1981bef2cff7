"""Whatever a file holds: landed + quarantined = read, and a second ingest changes nothing."""

from __future__ import annotations

import csv
import io
import tempfile
from pathlib import Path

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakecast.columns import ROW
from lakecast.errors import DataRefused
from lakecast.lake.ingest import ingest
from lakecast.lake.landing import QUARANTINE
from lakecast.lake.store import Store
from lakecast.lake.tables import Lake
from lakecast.logs import Silent
from lakecast.spec import loads

SPEC = """
spec = 1
[[sources]]
table = "sales"
path = "raw.csv"
row_key = {key}
format = {{ delimiter = ";", decimal = "{decimal}" }}
[contract]
negative = "{negative}"
levels = {{ unparseable = "{level}" }}
bounds = {{ price = {{ minimum = 0, level = "{level}" }} }}
[panel]
series = ["p"]
time = "t"
target = "q"
revenue = "price"
"""
TEXT = st.text(
    alphabet=st.characters(blacklist_categories=("Cs",), blacklist_characters="\x00\r"), max_size=6
)
NUMBER = st.one_of(st.integers(-9, 99).map(str), st.sampled_from(["1,5", "1.5", "x", "", "inf"]))
TIME = st.sampled_from(
    ["2024-01-01", "2024-01-02 10:00", "2024-01-01T00:00:00Z", "1889-01-01", "x", ""]
)
ROWS = st.lists(st.tuples(TEXT, TIME, NUMBER, NUMBER), max_size=25)
OPTIONS = st.fixed_dictionaries(
    {
        "decimal": st.sampled_from([".", ","]),
        "key": st.sampled_from(["[]", '["p", "t"]']),
        "negative": st.sampled_from(["net", "drop"]),
        "level": st.sampled_from(["quarantine", "repair", "warn"]),
    }
)


def written(rows: list[tuple[str, ...]], torn: list[int]) -> str:
    """A CSV of the rows; some lines lose their last field."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", lineterminator="\n")
    writer.writerow(["p", "t", "q", "price"])
    for number, row in enumerate(rows):
        writer.writerow(row[:-1] if number in torn else row)
    return out.getvalue()


def numbers(lake: Lake, table: str) -> list[int]:
    if not lake.table(table).exists():
        return []
    frame = lake.table(table).scan().select(ROW).collect()
    return [int(row) for row in frame[ROW]]


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rows=ROWS,
    torn=st.lists(st.integers(0, 24), max_size=3),
    options=OPTIONS,
    memory=st.sampled_from([None, 1]),
)
def test_every_row_read_lands_once_or_is_quarantined_once(
    rows: list[tuple[str, ...]], torn: list[int], options: dict[str, str], memory: int | None
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        (project / "raw.csv").write_text(written(rows, torn), encoding="utf-8", newline="")
        lake = Lake(Store.open(project / "lake"))
        spec = loads(SPEC.format(**options))
        report = ingest(spec, lake, project=project, memory=memory, progress=Silent())
        assert report.read == len(rows)
        assert report.landed + report.quarantined == report.read
        assert sorted(numbers(lake, "sales") + numbers(lake, QUARANTINE)) == list(
            range(1, len(rows) + 1)
        )
        assert report.landed == len(numbers(lake, "sales"))
        again = ingest(spec, lake, project=project, memory=memory, progress=Silent())
        assert not again.changed


@settings(deadline=None, max_examples=10)
@given(rows=ROWS.filter(bool))
def test_a_rejected_file_leaves_nothing(rows: list[tuple[str, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        text = written([*rows, ("a", "2024-01-01", "x", "1")], [])
        (project / "raw.csv").write_text(text, encoding="utf-8", newline="")
        lake = Lake(Store.open(project / "lake"))
        spec = loads(SPEC.format(decimal=".", key="[]", negative="net", level="reject"))
        try:
            ingest(spec, lake, project=project, progress=Silent())
        except DataRefused:
            assert lake.names() == ()
        else:
            raise AssertionError("not refused")


@settings(deadline=None, max_examples=15)
@given(
    values=st.lists(
        st.tuples(
            st.sampled_from(["a", "b", None]),
            st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True, width=32)),
        ),
        max_size=30,
    )
)
def test_typed_rows_are_accounted_for_too(values: list[tuple[str | None, float | None]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        frame = pl.DataFrame(
            {"p": [p for p, _ in values], "q": [q for _, q in values]},
            schema={"p": pl.String, "q": pl.Float32},
        )
        frame.with_columns(t=pl.date(2024, 1, 1), price=pl.lit(1.0)).write_parquet(
            project / "raw.parquet"
        )
        lake = Lake(Store.open(project / "lake"))
        text = SPEC.format(decimal=".", key="[]", negative="net", level="quarantine")
        spec = loads(text.replace("raw.csv", "raw.parquet"))
        report = ingest(spec, lake, project=project, progress=Silent())
        sound = [q for p, q in values if p is not None and q is not None and abs(q) < float("inf")]
        assert (report.read, report.landed) == (len(values), len(sound))
        if lake.table("sales").exists():
            landed = lake.table("sales").scan().sort(ROW).collect()["q"].to_list()
            assert landed == sound
