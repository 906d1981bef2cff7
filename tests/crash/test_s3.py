"""A project whose lake is on S3 ends like one on a disk, undisturbed or killed in between."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from tests.crash.traces import Trace, compare, fresh, trace

from lakecast import Project

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.servers


@pytest.fixture
def remote(endpoint: str, tmp_path: Path, prepared: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new project whose `lakecast.local.toml` names a lake on S3."""
    from pyarrow import fs

    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "someone")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "do-not-show-this")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    bucket = f"b-{os.urandom(6).hex()}"
    fs.S3FileSystem(endpoint_override=endpoint, allow_bucket_creation=True).create_dir(bucket)
    folder = fresh(tmp_path / "p", prepared)
    local = f'lake = "s3://{bucket}/a/prefix"\n'
    (folder / "lakecast.local.toml").write_text(local, encoding="utf-8")
    return folder


def test_a_run_on_s3_ends_like_one_on_a_disk(remote: Path, undisturbed: Trace) -> None:
    Project.open(remote).run()
    compare(trace(remote), undisturbed)
    assert {stage.did for stage in Project.open(remote).run().stages} == {"unchanged", "not due"}
    assert not (remote / "lake").exists()


@pytest.mark.crash
def test_a_run_on_s3_that_is_killed(remote: Path, undisturbed: Trace) -> None:
    command = [sys.executable, "-m", "lakecast", "run", "--project", str(remote)]
    lake = Project.open(remote).context.lake
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        while not lake.store.list("work"):
            assert run.poll() is None
            time.sleep(0.02)
        run.send_signal(signal.SIGKILL)
    Project.open(remote).run()
    compare(trace(remote), undisturbed)


def test_a_search_on_s3_goes_on_from_the_trials_there_are(remote: Path) -> None:
    flags = {"workers": "1"}
    Project.open(remote, flags=flags).tune(trials=2)
    store = Project.open(remote).context.lake.store
    (study,) = store.list("studies")
    before = store.read_bytes(f"studies/{study}")
    Project.open(remote, flags=flags).tune(trials=3)
    after = store.read_bytes(f"studies/{study}")
    assert after.startswith(before)  # nothing was done again
    assert Project.open(remote).table("tuning").height == 3
