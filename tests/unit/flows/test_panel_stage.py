"""The stage `panel` on a lake: what is written, rebuilt, kept, and read back."""

from __future__ import annotations

import pickle
from datetime import date, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from tests.raw_lakes import land, new_lake, unland
from tests.raw_panels import spec_of, whole_panel

from lakecast.engines.local import LocalEngine
from lakecast.errors import DataRefused, LakecastError
from lakecast.flows.stages import panel as stage
from lakecast.flows.stages.panel import PanelOutcome, build_panel
from lakecast.lake import panels
from lakecast.lake.lake_panel import LakePanel, open_panel
from lakecast.lake.panels import read_findings, row_groups

if TYPE_CHECKING:
    from pathlib import Path

    from lakecast.lake.tables import Lake
    from lakecast.spec import Spec

MONDAY = date(2024, 1, 1)
SHOPS = ("a", "b", "c", "d", "e")
SOURCES = """
[[sources]]
table = "promocoes"
path = "x.csv"
on = ["loja"]
time = "semana"
frequency = "W-SUN"
columns.promo = { role = "known-future", aggregate = "max", missing = 0 }
[[sources]]
table = "lojas"
path = "l.csv"
on = ["loja"]
columns.area = { role = "static" }
columns.tipo = { role = "static" }
"""


def spec(panel: str = "", buckets: int = 4, horizon: int = 3) -> Spec:
    sales = 'columns.faixa = { role = "past-only" }'
    text = f'buckets = {buckets}\nrevenue = "valor"\n{panel}'
    return spec_of(sales=sales, sources=SOURCES, panel=text, horizon=horizon)


def sales(shops: tuple[str, ...] = SHOPS, days: int = 30, start: int = 0) -> pl.DataFrame:
    rows = [
        (shop, MONDAY + timedelta(days=d), 1.0 + (d * (i + 1)) % 5, 2.0 + i, "xyz"[d % 3])
        for i, shop in enumerate(shops)
        for d in range(start, days)
    ]
    return pl.DataFrame(rows, schema=["loja", "data", "quantidade", "valor", "faixa"], orient="row")


def frames() -> dict[str, pl.DataFrame]:
    weeks = [MONDAY + timedelta(days=7 * w) for w in range(6)]
    promotions = [(shop, week, float(w % 3)) for shop in "ac" for w, week in enumerate(weeks)]
    return {
        "sales": sales(),
        "promocoes": pl.DataFrame(promotions, schema=["loja", "semana", "promo"], orient="row"),
        "lojas": pl.DataFrame(
            {"loja": list(SHOPS[:4]), "area": [1.0, 2.0, 3.0, None], "tipo": ["q", "p", None, "q"]}
        ),
    }


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = new_lake(tmp_path / "lake")
    for name, frame in frames().items():
        land(lake, name, frame)
    return lake


def run(lake: Lake, fingerprint: str = "f", spec_: Spec | None = None) -> PanelOutcome:
    return build_panel(spec_ or spec(), lake, LocalEngine(workers=2), fingerprint=fingerprint)


def stored(lake: Lake) -> pl.DataFrame:
    """The panel with the user's names, sorted; without codes."""
    series = lake.table("series").scan().collect().select("loja", "series_code")
    rows = lake.table("panel").scan().collect().join(series, on="series_code")
    return rows.drop("series_code", "bucket").sort("loja", "data")


def files(lake: Lake, table: str) -> dict[str, str]:
    found = lake.table(table).files()
    return {file.partition_values["bucket"] or "": file.path for file in found}


def test_the_lake_holds_what_the_pure_functions_make(lake: Lake) -> None:
    outcome = run(lake)
    pure = whole_panel(spec(), frames())
    assert stored(lake).equals(pure.named().select(stored(lake).columns))
    assert outcome == PanelOutcome(cutoff=pure.cut.cutoff, series=5, rows=150, rebuilt=(0, 1, 2, 3))


def test_files_are_sorted_and_row_groups_hold_whole_series(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(panels, "BLOCK_ROWS", 128)  # two series, as a short one counts as 64
    run(lake, spec_=spec(buckets=1))
    panel = open_panel(lake)
    sizes = [(block.codes.tolist(), block.rows) for block in panel.blocks()]
    assert sizes == [([0, 1], 60), ([2, 3], 60), ([4], 30)]
    assert [future.covariates["promo"].shape for future in panel.futures()] == [
        (2, 3), (2, 3), (1, 3),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("lengths", "limit", "expected"),
    [([2, 2, 2], 4, [4, 2]), ([5, 1], 4, [5, 1]), ([1, 5], 4, [1, 5]), ([], 4, [])],
)
def test_row_groups_never_cut_a_series(lengths: list[int], limit: int, expected: list[int]) -> None:
    codes = pl.Series(np.repeat(np.arange(len(lengths)), lengths).astype(np.int32))
    assert row_groups(codes, limit) == expected


def test_the_same_fingerprint_writes_nothing(lake: Lake) -> None:
    first = run(lake)
    versions = {name: lake.table(name).version() for name in lake.names()}
    again = run(lake)
    assert again.rebuilt == ()
    assert (again.cutoff, again.series, again.rows) == (first.cutoff, first.series, first.rows)
    assert {name: lake.table(name).version() for name in lake.names()} == versions


def test_only_touched_buckets_are_rebuilt(lake: Lake) -> None:
    run(lake)
    before, findings = files(lake, "panel"), read_findings(lake)
    bucket = lake.table("series").scan().collect().filter(loja="c")["bucket"].item()
    land(lake, "sales", sales(("c",), 3), load="L2")
    outcome = run(lake, "g")
    assert outcome.rebuilt == (bucket,)
    changed = {b for b, path in files(lake, "panel").items() if before[b] != path}
    assert changed == {str(bucket)}
    assert read_findings(lake).equals(findings)
    both = {**frames(), "sales": pl.concat([sales(), sales(("c",), 3)])}
    assert stored(lake).equals(whole_panel(spec(), both).named().select(stored(lake).columns))


def test_a_later_cutoff_rebuilds_all(lake: Lake) -> None:
    run(lake)
    land(lake, "sales", sales(("c",), 31, 30), load="L2")
    assert run(lake, "g").rebuilt == (0, 1, 2, 3)
    assert stored(lake).height == 155


@pytest.mark.parametrize("table", ["promocoes", "lojas"])
def test_other_covariates_rebuild_all(lake: Lake, table: str) -> None:
    run(lake)
    land(lake, table, frames()[table].head(1), load="L2")
    assert run(lake, "g").rebuilt == (0, 1, 2, 3)


def test_a_new_text_moves_the_codes_of_all(lake: Lake) -> None:
    run(lake)
    row = sales(("c",), 1).with_columns(faixa=pl.lit("aaa"))
    land(lake, "sales", row, load="L2")
    assert run(lake, "g").rebuilt == (0, 1, 2, 3)
    assert open_panel(lake).vocabularies == {"faixa": ("aaa", "x", "y", "z")}


def test_another_spec_may_change_the_columns(lake: Lake) -> None:
    run(lake)
    plain = spec_of(panel="buckets = 4")
    assert run(lake, "g", plain).rebuilt == (0, 1, 2, 3)
    assert stored(lake).columns == ["data", "quantidade", "observed", "loja"]
    assert run(lake, "h").rebuilt == (0, 1, 2, 3)
    assert "promo" in stored(lake).columns


def test_a_new_fingerprint_is_written_though_no_input_changed(lake: Lake) -> None:
    run(lake)
    run(lake, "g")
    assert lake.table("panel").fingerprint() == "g"


def test_buckets_stay_as_they_were_at_creation(lake: Lake) -> None:
    run(lake)
    assert run(lake, "g", spec(buckets=16)).rebuilt == (0, 1, 2, 3)
    assert lake.table("panel").properties["buckets"] == "4"


def test_codes_are_stable_and_new_series_follow(lake: Lake) -> None:
    run(lake)
    land(lake, "sales", sales(("B", "zz"), 30), load="L2")
    run(lake, "g")
    series = lake.table("series").scan().collect()
    codes = dict(series.select("loja", "series_code").iter_rows())
    assert codes == {"a": 0, "b": 1, "c": 2, "d": 3, "e": 4, "B": 5, "zz": 6}


def test_a_series_that_is_gone_leaves_its_bucket(lake: Lake) -> None:
    land(lake, "sales", sales(("zz",)), load="L2")
    run(lake)
    unland(lake, "sales", "L2")
    run(lake, "g")
    assert "zz" not in lake.table("series").scan().collect()["loja"].to_list()
    assert stored(lake).equals(whole_panel(spec(), frames()).named().select(stored(lake).columns))


def test_a_repeated_row_may_replace_one_in_another_bucket(lake: Lake) -> None:
    def keyed(rows: pl.DataFrame, first: int) -> pl.DataFrame:
        return rows.with_columns(venda=pl.int_range(first, first + rows.height))

    last = spec_of(sales='row_key = ["venda"]\nrepeated = "last"', panel="buckets = 4")
    unland(lake, "sales", "L1")
    land(lake, "sales", keyed(sales(), 0), load="L3")
    run(lake, "f", last)
    moved = keyed(sales(("a",), 1).with_columns(loja=pl.lit("e"), quantidade=50.0), 2)
    land(lake, "sales", moved, load="L4")
    run(lake, "g", last)
    rows = stored(lake)
    assert rows.filter(loja="a", data=MONDAY + timedelta(days=2))["quantidade"].item() == 0.0
    assert rows.filter(loja="e", data=MONDAY)["quantidade"].item() == 51.0
    assert read_findings(lake).filter(kind="superseded")["count"].to_list() == [1]


def test_a_repeated_row_of_a_covariate_table_counts_once(lake: Lake) -> None:
    keyed = SOURCES.replace(
        'on = ["loja"]\ntime',
        'row_key = ["loja", "semana"]\nrepeated = "last"\non = ["loja"]\ntime',
    ).replace('aggregate = "max"', 'aggregate = "sum"')
    land(lake, "promocoes", frames()["promocoes"].with_columns(promo=pl.lit(5.0)), load="L9")
    text = 'buckets = 4\nrevenue = "valor"\n'
    sales = 'columns.faixa = { role = "past-only" }'
    run(lake, "f", spec_of(sales=sales, sources=keyed, panel=text, horizon=3))
    said = stored(lake).filter(loja="a")["promo"]
    assert set(said) == {5.0}


def test_a_crash_before_the_last_commit_is_made_good(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(lake)
    land(lake, "sales", sales(("c",), 3), load="L2")
    whole = panels._commit

    def crash(at: Lake, name: str, change: panels.Change) -> None:
        if name == "panel":
            raise KeyboardInterrupt
        whole(at, name, change)

    monkeypatch.setattr(panels, "_commit", crash)
    with pytest.raises(KeyboardInterrupt):
        run(lake, "g")
    monkeypatch.undo()
    assert lake.table("panel").fingerprint() == "f"
    assert len(run(lake, "g").rebuilt) == 1
    both = {**frames(), "sales": pl.concat([sales(), sales(("c",), 3)])}
    assert stored(lake).equals(whole_panel(spec(), both).named().select(stored(lake).columns))


def test_no_sales_make_no_panel(tmp_path: Path) -> None:
    lake = new_lake(tmp_path)
    with pytest.raises(LakecastError, match="table `sales` is not in the lake"):
        run(lake)
    land(lake, "sales", sales(("a",), 1).with_columns(loja=pl.lit(None, pl.String)))
    with pytest.raises(DataRefused, match="no row of `sales`"):
        run(lake, "f", spec_of())


def test_the_panel_spec_ignores_what_does_not_touch_it() -> None:
    from lakecast.spec import digest

    assert digest(stage.panel_spec(spec())) == digest(stage.panel_spec(spec()))
    assert digest(stage.panel_spec(spec())) != digest(stage.panel_spec(spec(horizon=4)))


class TestReading:
    @pytest.fixture
    def panel(self, lake: Lake) -> LakePanel:
        run(lake)
        return open_panel(lake)

    def test_info_says_what_is_true_of_all(self, panel: LakePanel) -> None:
        info = panel.info
        assert (info.series, info.rows, info.cutoff) == (5, 150, 19752)
        assert info.covariates == {
            "faixa": "past-only",
            "promo": "known-future",
            "price": "past-only",
        }
        assert info.categories == {"loja": SHOPS, "tipo": ("p", "q")}
        assert info.numeric == ("area",)
        assert info.season == 7

    def test_blocks_hold_every_series_once_until_the_cutoff(self, panel: LakePanel) -> None:
        seen = []
        for block in panel.blocks():
            seen += block.codes.tolist()
            assert all(low < high for low, high in pairwise(block.codes))
            assert (block.first + block.lengths - 1).tolist() == [panel.info.cutoff] * len(
                block.codes
            )
            assert block.target.dtype == np.float32
        assert sorted(seen) == [0, 1, 2, 3, 4]

    def test_values_are_those_of_the_table(self, panel: LakePanel, lake: Lake) -> None:
        table = lake.table("panel").scan().collect().sort("series_code", "data")
        blocks = sorted(panel.blocks(), key=lambda block: int(block.codes[0]))
        for block in blocks:
            rows = table.filter(pl.col("series_code").is_in(block.codes.tolist()))
            assert block.target.tolist() == rows["quantidade"].cast(pl.Float32).to_list()
            for name in panel.info.covariates:
                expected = rows[name].cast(pl.Float32).fill_null(float("nan")).to_numpy()
                np.testing.assert_array_equal(block.covariates[name], expected)

    def test_statics_are_places_in_the_vocabulary(self, panel: LakePanel) -> None:
        found = {}
        for block in panel.blocks():
            found |= dict(zip(block.codes.tolist(), block.statics["tipo"].tolist(), strict=True))
            assert np.isnan(block.statics["area"]).tolist() == [c in {3, 4} for c in block.codes]
            assert block.statics["loja"].tolist() == block.codes.tolist()
        assert found == {0: 1.0, 1: 0.0, 2: -1.0, 3: 1.0, 4: -1.0}

    def test_futures_go_with_the_blocks(self, panel: LakePanel) -> None:
        promoted = {0: [1.0] * 3, 2: [1.0] * 3}
        for block, future in zip(panel.blocks(), panel.futures(), strict=True):
            assert future.horizon == 3
            for code, row in zip(block.codes, future.covariates["promo"], strict=True):
                assert row.tolist() == promoted.get(int(code), [0.0] * 3)

    def test_it_can_be_read_again_and_sent(self, panel: LakePanel) -> None:
        first = [block.target.tolist() for block in panel.blocks()]
        sent = pickle.loads(pickle.dumps(panel))
        assert [block.target.tolist() for block in sent.blocks()] == first
        assert [block.target.tolist() for block in panel.blocks()] == first

    def test_the_series_frame_names_the_series(self, panel: LakePanel) -> None:
        frame = panel.series_frame()
        assert frame["loja"].to_list() == list(SHOPS)
        assert frame["first"].to_list() == [MONDAY] * 5
        assert {"series_code", "bucket", "area", "tipo", "last"} <= set(frame.columns)

    def test_without_known_futures_only_the_horizon_is_known(self, lake: Lake) -> None:
        run(lake, "plain", spec_of(horizon=5))
        panel = open_panel(lake)
        assert [(f.horizon, dict(f.covariates)) for f in panel.futures()] == [
            (5, {}) for _ in panel.blocks()
        ]

    def test_there_must_be_a_panel(self, tmp_path: Path) -> None:
        with pytest.raises(LakecastError, match="no panel yet") as caught:
            open_panel(new_lake(tmp_path))
        assert "lakecast panel" in caught.value.cure


def test_parts_change_nothing_but_the_row_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for rows in (1_000_000, 40, 1):
        monkeypatch.setattr(panels, "BLOCK_ROWS", rows)
        lake = new_lake(tmp_path / str(rows))
        for name, frame in frames().items():
            land(lake, name, frame)
        run(lake, spec_=spec(buckets=2))
        assert len([*open_panel(lake).blocks()]) == (2 if rows > 40 else 5)
        tables = [lake.table(name).scan().collect() for name in ("panel", "series", "future")]
        found.append([table.sort(table.columns[:2]) for table in tables])
        found[-1].append(read_findings(lake))
    for other in found[1:]:
        for mine, theirs in zip(found[0], other, strict=True):
            assert mine.equals(theirs)
