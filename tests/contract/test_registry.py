"""A registered champion, loaded by people who have MLflow and not us.

What MLflow answers must be the champion's own numbers to the bit: in this process, in one that
sees neither this package's source nor the lake, and in a fresh environment made of the model's
own requirements.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from tests.champions import HORIZON, champion, rows
from tests.panels import CUTOFF, with_covariates

from lakecast.errors import Unreachable
from lakecast.lake.store import Store
from lakecast.lake.tables import Lake
from lakecast.models.recipes import Tabular
from lakecast.registry.address import probe
from lakecast.registry.models import Models, Origin, reconcile
from lakecast.registry.promotions import TABLE, Proposal, promote
from lakecast.registry.prototype import prototype
from lakecast.registry.tracking import RunLog, TrainingLog, open_tracking

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lakecast.models.bundle import Predictor

PANEL = with_covariates()
EARLY = CUTOFF - 30
NAME = "lojas"
AT = datetime(2026, 3, 1, tzinfo=UTC)
BOOSTING = Tabular(
    family="gradient_boosting",
    strategy="direct",
    params={"objective": "squared", "num_iterations": 20, "num_leaves": 7, "learning_rate": 0.1},
    horizon=HORIZON,
)

# Only what the model's requirements name may be imported, and of our package only its own copy.
STRANGER = """
import importlib.abc, sys
class Wall(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"deltalake", "boto3", "xxhash", "tqdm", "xlsxwriter"}:
            raise ModuleNotFoundError(f"no {name} here", name=name)
sys.meta_path.insert(0, Wall())
import mlflow, pandas
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model(sys.argv[2])
frame = pandas.read_parquet(sys.argv[3])
model.predict(frame, params={"horizon": 5}).to_parquet(sys.argv[4])
import lakecast
assert "artifacts" in lakecast.__file__ or "model" in lakecast.__file__, lakecast.__file__
assert not [m for m in sys.modules if m.startswith("lakecast.lake")]
"""


@pytest.fixture(scope="module")
def fitted() -> Predictor:
    return champion(PANEL, EARLY, BOOSTING)


@pytest.fixture(scope="module")
def registered(fitted: Predictor, tmp_path_factory: pytest.TempPathFactory) -> Models:
    """A project whose champion is registered, promoted and followed."""
    home = tmp_path_factory.mktemp("projeto")
    fitted.save(home / "bundle")
    models = Models(open_tracking(f"sqlite:///{home}/mlflow.db", NAME), NAME)
    run_id = models.tracking.log(TrainingLog(fingerprint="f" * 32, run=RunLog(name="run")))
    origin = Origin(fingerprint="f" * 32, run_id=run_id, recipe="gb", cutoff="2021-12-09")
    version = models.register(home / "bundle", prototype(fitted), origin)
    table = Lake(Store.open(home / "lake")).table(TABLE)
    proposal = Proposal(
        kind="first",
        recipe="gb",
        fingerprint="f" * 32,
        cutoff="2021-12-09",
        model_version=version,
    )
    promote(table, proposal, replacing=None, by="ana", at=AT)
    reconcile(models, table, at=AT)
    shutil.rmtree(home / "bundle")
    return models


@pytest.fixture(scope="module")
def model(registered: Models) -> Any:
    return load(registered.tracking.uri)


def load(uri: str) -> Any:
    import mlflow

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "path", list(sys.path))
        patched.setenv("MLFLOW_TRACKING_URI", uri)
        patched.setenv("MLFLOW_REGISTRY_URI", uri)
        return mlflow.pyfunc.load_model(f"models:/{NAME}@champion")


def question() -> pd.DataFrame:
    """A week of news, then a week asked for with its promotions."""
    past, ahead = rows(PANEL, EARLY + 1, EARLY + 7), rows(PANEL, EARLY + 8, EARLY + 14)
    ahead = ahead.with_columns(sales=pl.lit(None, pl.Float64), price=pl.lit(None, pl.Float64))
    return pl.concat([past, ahead]).to_pandas()


def own(fitted: Predictor, frame: pd.DataFrame, **params: Any) -> pd.DataFrame:
    from lakecast.registry.pyfunc import Model

    return Model(fitted).predict(frame, params)


def test_the_champion_alias_answers_as_forecast_does(fitted: Predictor, model: Any) -> None:
    everything = pd.DataFrame({"item": list(PANEL.info.categories["item"])})
    found = pl.from_pandas(model.predict(everything))
    expected = fitted.forecast()
    assert found.columns == expected.columns
    for name in ("item", "horizon", "forecast", "forecast-lo-80", "forecast-hi-50", "source"):
        assert found[name].to_list() == expected[name].to_list()
    assert found["day"].cast(pl.Date).to_list() == expected["day"].to_list()


def test_news_and_covariates_survive_the_schema(fitted: Predictor, model: Any) -> None:
    found = model.predict(question())
    pd.testing.assert_frame_equal(found, own(fitted, question()), check_exact=True)
    assert len(found) == 6 * 7


@pytest.mark.parametrize("levels", [[80], np.array([50, 80])])
def test_parameters_pass_the_schema(fitted: Predictor, model: Any, levels: Any) -> None:
    frame = pd.DataFrame({"item": ["i0001"]})
    found = model.predict(frame, params={"horizon": 3, "levels": levels})
    assert len(found) == 3
    pd.testing.assert_frame_equal(found, own(fitted, frame, horizon=3, levels=levels))


@pytest.mark.parametrize(
    "times",
    [
        pd.to_datetime(["2021-12-10", "2021-12-12"]),
        [datetime(2021, 12, 10).date(), datetime(2021, 12, 12).date()],  # noqa: DTZ001
    ],
    ids=["timestamp", "date"],
)
def test_times_may_be_timestamps_or_dates(model: Any, times: Any) -> None:
    found = model.predict(pd.DataFrame({"item": ["i0001", "i0002"], "day": times}))
    assert found["horizon"].tolist() == [1, 3]


def test_the_example_is_answered(registered: Models, model: Any) -> None:
    example = model.input_example
    assert list(example.columns) == ["item", "day", "promo"]
    found = model.predict(example)
    assert found["item"].tolist() == example["item"].tolist()
    assert found["horizon"].tolist() == [1, 2, 3, 1, 2, 3]
    assert registered.alias() == "1"


def test_the_payload_of_a_server_is_answered(model: Any) -> None:
    from mlflow.pyfunc.scoring_server import infer_and_parse_data

    payload = {"dataframe_records": [{"item": "i0001", "day": "2021-12-12", "promo": 1}]}
    frame = infer_and_parse_data(payload, schema=model.metadata.get_input_schema())
    assert model.predict(frame)["horizon"].tolist() == [3]


def test_an_unknown_series_is_answered_too(model: Any) -> None:
    found = model.predict(pd.DataFrame({"item": ["nobody"], "store": ["sul"]}))
    assert set(found["source"]) == {"cold-start"}


def test_a_missing_series_column_is_refused_by_the_signature(model: Any) -> None:
    from mlflow.exceptions import MlflowException

    with pytest.raises(MlflowException, match="item"):
        model.predict(pd.DataFrame({"day": ["2021-12-10"]}))


def outside(python: str, models: Models, folder: Path) -> pd.DataFrame:
    """What a process that does not see our source gets for `question`."""
    question().to_parquet(folder / "asked.parquet")
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "MLFLOW"))}
    subprocess.run(
        [
            python, "-P", "-c", STRANGER, models.tracking.uri, f"models:/{NAME}@champion",
            str(folder / "asked.parquet"), str(folder / "found.parquet"),
        ],
        check=True,
        cwd=folder,
        env={**environ, "MLFLOW_DISABLE_TELEMETRY": "true"},
    )  # fmt: skip
    return pd.read_parquet(folder / "found.parquet")


def test_without_our_source_and_without_a_lake(
    registered: Models, fitted: Predictor, tmp_path: Path
) -> None:
    found = outside(sys.executable, registered, tmp_path)
    pd.testing.assert_frame_equal(found, own(fitted, question()), check_exact=True)


def test_a_moved_project_still_answers(
    registered: Models, fitted: Predictor, tmp_path: Path
) -> None:
    home = Path(registered.tracking.uri.removeprefix("sqlite:///")).parent
    moved = tmp_path / "projeto movido"
    shutil.copytree(home, moved)
    hidden = home.rename(home.with_name("away"))
    try:
        uri = f"sqlite:///{moved}/mlflow.db"
        open_tracking(uri, NAME)
        pd.testing.assert_frame_equal(
            load(uri).predict(question()), own(fitted, question()), check_exact=True
        )
    finally:
        hidden.rename(home)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """An MLflow server with a store and artifacts of its own."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = {
        "backend-store-uri": f"sqlite:///{tmp_path}/server.db",
        "artifacts-destination": str(tmp_path / "artifacts"),
        "host": "127.0.0.1",
        "port": str(port),
        "workers": "1",
    }
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    with (tmp_path / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", *words],
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"},
        )
    try:
        yield _answering(f"http://127.0.0.1:{port}", process)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _answering(uri: str, process: subprocess.Popen[bytes]) -> str:
    for _ in range(600):
        assert process.poll() is None, "the server ended"
        try:
            probe(uri)
        except Unreachable:
            time.sleep(0.2)
        else:
            return uri
    raise AssertionError("the server does not answer")


@pytest.mark.servers
def test_on_a_server_of_its_own(server: str, fitted: Predictor, tmp_path: Path) -> None:
    models = Models(open_tracking(server, NAME), NAME)
    log = TrainingLog(
        fingerprint="f" * 32,
        run=RunLog(name="run", files={"a.json": b"{}"}),
        candidates=[RunLog(name="c", metrics={"rmsse": [0.5, 0.6]}, params={"p": 1})],
    )
    run_id = models.tracking.log(log)
    assert models.tracking.log(log) == run_id
    fitted.save(tmp_path / "bundle")
    origin = Origin(fingerprint="f" * 32, run_id=run_id, recipe="gb", cutoff="2021-12-09")
    version = models.register(tmp_path / "bundle", prototype(fitted), origin)
    models.tracking.client.set_registered_model_alias(NAME, "champion", version)
    assert models.alias() == version
    bundle = models.fetch(version, tmp_path / "fetched")
    assert bundle.is_relative_to(tmp_path / "fetched")
    assert (bundle / "bundle.json").read_bytes() == (tmp_path / "bundle/bundle.json").read_bytes()
    found = load(server).predict(question())
    pd.testing.assert_frame_equal(found, own(fitted, question()), check_exact=True)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_in_a_fresh_environment_of_its_own_requirements(
    registered: Models, fitted: Predictor, tmp_path: Path
) -> None:
    requirements = registered.fetch("1", tmp_path).parents[1] / "requirements.txt"
    folder = tmp_path / "fresh"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = str(folder / "bin" / "python")
    install = [python, "-m", "pip", "install", "--quiet", "--requirement", str(requirements)]
    subprocess.run(install, check=True)
    found = outside(python, registered, tmp_path)
    assert found["item"].tolist() == own(fitted, question())["item"].tolist()
    pd.testing.assert_frame_equal(found, own(fitted, question()), check_exact=True)
