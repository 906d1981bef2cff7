"""What a panel is, on rows that one can follow by hand."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from tests.raw_panels import spec_of, whole_panel

from lakecast.errors import DataRefused

D = date(2024, 3, 1)


def day(offset: int) -> date:
    return D + timedelta(days=offset)


def sales(*rows: tuple[str, int, float | None], **more: Any) -> pl.DataFrame:
    frame = pl.DataFrame(
        [(shop, day(offset), amount) for shop, offset, amount in rows],
        schema={"loja": pl.String, "data": pl.Date, "quantidade": pl.Float64},
        orient="row",
    )
    return frame.with_columns(pl.Series(name, values) for name, values in more.items())


ROWS = sales(
    ("a", 1, 2.0), ("a", 1, 3.0), ("a", 4, 1.0), ("b", 0, 0.0), ("b", 2, 4.0), ("b", 4, 0.0)
)


def test_series_start_at_their_first_sale_and_end_at_the_cutoff() -> None:
    whole = whole_panel(spec_of(), {"sales": ROWS})
    assert whole.cut.cutoff == (day(4) - date(1970, 1, 1)).days
    assert whole.named().rows() == [
        (day(1), 5.0, True, "a"),
        (day(2), 0.0, False, "a"),
        (day(3), 0.0, False, "a"),
        (day(4), 1.0, True, "a"),
        (day(2), 4.0, True, "b"),
        (day(3), 0.0, False, "b"),
        (day(4), 0.0, True, "b"),
    ]
    assert whole.panel.schema == {
        "series_code": pl.Int32,
        "data": pl.Date,
        "quantidade": pl.Float64,
        "observed": pl.Boolean,
    }


def test_the_series_table_says_first_and_last_sale() -> None:
    whole = whole_panel(spec_of(), {"sales": ROWS})
    assert whole.series.sort("series_code").rows() == [
        (0, "a", day(1), day(4)),
        (1, "b", day(2), day(2)),
    ]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("zero", [5.0, 0.0, 0.0, 1.0]),
        ("null", [5.0, None, None, 1.0]),
        ("forward", [5.0, 5.0, 5.0, 1.0]),
    ],
)
def test_gaps_are_filled_as_the_spec_says(policy: str, expected: list[float | None]) -> None:
    whole = whole_panel(spec_of(panel=f'gaps = "{policy}"'), {"sales": ROWS})
    assert whole.named().filter(loja="a")["quantidade"].to_list() == expected
    assert whole.named().filter(loja="a")["observed"].to_list() == [True, False, False, True]


def test_forward_carries_the_last_known_value_over_a_null() -> None:
    rows = sales(("a", 0, 2.0), ("a", 1, None), ("a", 3, 1.0))
    whole = whole_panel(spec_of(panel='gaps = "forward"'), {"sales": rows})
    assert whole.named()["quantidade"].to_list() == [2.0, None, 2.0, 1.0]


def test_gaps_may_be_refused() -> None:
    says = "3 periods have no rows, first a at 2024-03-03; a at"
    with pytest.raises(DataRefused, match=says) as caught:
        whole_panel(spec_of(panel='gaps = "refuse"'), {"sales": ROWS}, buckets=1)
    assert "panel.gaps" in caught.value.where


def test_refusing_gaps_takes_data_without_any() -> None:
    rows = sales(*(("a", offset, 1.0) for offset in range(4)))
    assert whole_panel(spec_of(panel='gaps = "refuse"'), {"sales": rows}).panel.height == 4


def test_what_could_not_be_sold_is_null_also_where_rows_are() -> None:
    rows = sales(
        ("a", 0, 2.0),
        ("a", 1, 0.0),
        ("a", 2, 7.0),
        ("a", 4, 1.0),
        estoque=[True, False, False, None],
    )
    spec = spec_of(
        sales='columns.estoque = { role = "past-only", aggregate = "max" }',
        panel='available = "estoque"',
    )
    whole = whole_panel(spec, {"sales": rows})
    assert whole.named()["quantidade"].to_list() == [2.0, None, None, 0.0, 1.0]
    assert whole.named()["estoque"].to_list() == [1.0, 0.0, 0.0, None, None]
    assert whole.named()["observed"].to_list() == [True, True, True, False, True]


def test_the_realised_price_is_carried_forward() -> None:
    rows = sales(
        ("a", 0, 2.0), ("a", 0, 2.0), ("a", 2, -1.0), ("a", 3, 4.0), ("b", 3, 1.0),
        valor=[10.0, 14.0, -6.0, None, 2.5],
    )  # fmt: skip
    whole = whole_panel(spec_of(panel='revenue = "valor"'), {"sales": rows})
    assert whole.named().filter(loja="a")["price"].to_list() == [6.0, 6.0, 6.0, 6.0]
    assert whole.named().filter(loja="b")["price"].to_list() == [2.5]
    assert whole.panel.schema["price"] == pl.Float64


def test_a_price_before_the_first_one_is_null() -> None:
    rows = sales(("a", 0, -1.0), ("a", 1, 2.0), valor=[-3.0, 8.0])
    assert whole_panel(spec_of(panel='revenue = "valor"'), {"sales": rows}).named()[
        "price"
    ].to_list() == [None, 4.0]


def test_past_only_covariates_are_aggregated_like_the_target() -> None:
    rows = sales(
        ("a", 0, 1.0), ("a", 0, 1.0), ("a", 2, 1.0),
        visitas=[3, 4, None], faixa=["m", "p", "g"], nota=[1.0, 2.0, 3.0],
    )  # fmt: skip
    spec = spec_of(
        sales="""
columns.visitas = { role = "past-only", aggregate = "sum", missing = 0 }
columns.faixa = { role = "past-only" }
columns.nota = { role = "past-only", aggregate = "mean" }
"""
    )
    whole = whole_panel(spec, {"sales": rows})
    found = whole.named()
    assert found["visitas"].to_list() == [7.0, 0.0, 0.0]
    assert found["faixa"].to_list() == [2.0, None, 0.0]  # codes of the sorted g, m, p
    assert found["nota"].to_list() == [1.5, None, 3.0]
    assert found["nota"].dtype == pl.Float32


@pytest.mark.parametrize(
    ("aggregate", "expected"),
    [("mean", 2.5), ("max", 3.0), ("min", 2.0), ("count", 2.0), ("last", 3.0), ("first", 2.0)],
)
def test_the_target_may_be_aggregated_otherwise(aggregate: str, expected: float) -> None:
    whole = whole_panel(spec_of(panel=f'aggregate = "{aggregate}"'), {"sales": ROWS})
    assert whole.named()["quantidade"][0] == expected


def test_only_the_last_row_of_a_key_counts() -> None:
    rows = sales(("a", 0, 1.0), ("a", 1, 5.0), ("b", 1, 2.0), ("a", 2, 7.0), venda=[1, 2, 2, None])
    spec = spec_of(sales='row_key = ["venda"]\nrepeated = "last"')
    whole = whole_panel(spec, {"sales": rows}, pieces=3)
    assert whole.named().select("loja", "quantidade").rows() == [
        ("a", 1.0), ("a", 0.0), ("a", 7.0), ("b", 2.0), ("b", 0.0),
    ]  # fmt: skip
    assert whole.found("superseded") == [(None, "", 1)]


def test_weeks_are_named_by_their_first_day() -> None:
    rows = sales(("a", 0, 1.0), ("a", 2, 1.0), ("a", 3, 5.0), ("a", 16, 1.0))  # from a Friday
    whole = whole_panel(spec_of(panel='frequency = "W-SUN"'), {"sales": rows})
    assert whole.named().select("data", "quantidade").rows() == [
        (date(2024, 2, 26), 2.0),
        (date(2024, 3, 4), 5.0),
        (date(2024, 3, 11), 1.0),
    ]


def test_hours_are_utc_timestamps() -> None:
    moments = [datetime(2024, 3, 1, 22, 10), datetime(2024, 3, 2, 0, 50)]  # noqa: DTZ001
    rows = pl.DataFrame({"loja": ["a", "a"], "data": moments, "quantidade": [1.0, 2.0]})
    rows = rows.with_columns(pl.col("data").dt.replace_time_zone("UTC"))
    whole = whole_panel(
        spec_of(panel='frequency = "h"\ntimezone = "America/Sao_Paulo"'), {"sales": rows}
    )
    assert whole.panel.schema["data"] == pl.Datetime("us", "UTC")
    assert whole.named()["data"].dt.hour().to_list() == [22, 23, 0]
    assert whole.named()["quantidade"].to_list() == [1.0, 0.0, 2.0]


def test_rows_after_the_cutoff_are_counted_and_not_used() -> None:
    end = datetime(2024, 3, 4)  # noqa: DTZ001
    whole = whole_panel(spec_of(), {"sales": ROWS}, as_of=end)
    assert whole.named().select("loja", "quantidade").rows() == [
        ("a", 5.0), ("a", 0.0), ("b", 4.0),
    ]  # fmt: skip
    assert whole.found("later") == [(None, "after 2024-03-03", 2)]


def test_a_bucket_without_series_is_empty_and_typed() -> None:
    whole = whole_panel(spec_of(), {"sales": ROWS}, buckets=64)
    empty = next(built for built in whole.built if built.panel.is_empty())
    full = next(built for built in whole.built if built.panel.height)
    assert empty.panel.schema == full.panel.schema
    assert empty.series.schema == full.series.schema
    assert empty.future.schema == full.future.schema
    assert empty.findings.schema == full.findings.schema
