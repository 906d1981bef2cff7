"""Secrets never reach a log."""

from __future__ import annotations

import logging

import pytest

from lakecast.logs import Silent, get_logger, redact


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://maria:pw@host/db", "postgresql://maria:***@host/db"),
        ("postgresql://maria:p@ss@host/db", "postgresql://maria:***@host/db"),
        ("mysql+pymysql://u:p%40@h:3306/d?x=1", "mysql+pymysql://u:***@h:3306/d?x=1"),
        ("https://host:5000/path", "https://host:5000/path"),
        ("see https://h:5000 or mail a@b", "see https://h:5000 or mail a@b"),
        ('{"uri": "http://h:80", "by": "a@b"}', '{"uri": "http://h:80", "by": "a@b"}'),
        ("password=abc next", "password=*** next"),
        ("AWS_SECRET_ACCESS_KEY: abc", "AWS_SECRET_ACCESS_KEY: ***"),
        ('"api_token": "abc"', '"api_token": "***"'),
        ("?X-Amz-Signature=abc&x=1", "?X-Amz-Signature=***&x=1"),
        ("12 rows, 3 series", "12 rows, 3 series"),
    ],
)
def test_redact(text: str, shown: str) -> None:
    assert redact(text) == shown
    assert redact(shown) == shown


def test_a_logger_redacts_its_arguments(caplog: pytest.LogCaptureFixture) -> None:
    log = get_logger("tests.logs")
    assert log.name == "lakecast.tests.logs"
    with caplog.at_level(logging.INFO, logger=log.name):
        log.info("to %s in %d s", "s3://u:pw@h/x", 3)
    assert caplog.messages == ["to s3://u:***@h/x in 3 s"]


def test_a_logger_is_filtered_once() -> None:
    assert get_logger("tests.logs") is get_logger("lakecast.tests.logs")
    assert len(get_logger("tests.logs").filters) == 1


def test_silence_takes_any_progress() -> None:
    with Silent().bar("work", 3, "rows") as bar:
        bar.advance()
        bar.advance(2)
