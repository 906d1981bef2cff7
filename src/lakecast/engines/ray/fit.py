"""One model fit by all workers: LightGBM's own network, set up by Ray Train."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Any, Final

from lakecast.errors import LakecastError
from lakecast.logs import get_logger

if TYPE_CHECKING:
    from lakecast.engines.protocol import SharedJob
    from lakecast.engines.ray.cluster import RayCluster

_LOG: Final = get_logger(__name__)


def fit_together(cluster: RayCluster, job: SharedJob) -> str:
    """The model's text. Each try has one worker less than the one that broke."""
    for workers in range(min(cluster.slots(), len(job.parts)), 0, -1):
        try:
            return _fit(cluster, job, workers)
        except _Broken as error:
            _LOG.warning("a fit by %d workers broke and begins again: %s", workers, error)
    raise LakecastError(
        "a fit broke with any number of workers",
        where="the Ray cluster",
        cure="see the log for why; if they were killed for memory: larger machines, or fewer rows",
    )


class _Broken(Exception):
    """Workers died, or lost each other."""


def _fit(cluster: RayCluster, job: SharedJob, workers: int) -> str:
    from ray import train
    from ray.train.lightgbm import LightGBMTrainer
    from ray.train.v2.api.exceptions import TrainingFailedError

    ray = cluster.connect()
    box = ray.remote(num_cpus=0)(_Box).remote()
    with tempfile.TemporaryDirectory(prefix="lakecast-ray-") as scratch:
        trainer = LightGBMTrainer(
            _loop,
            train_loop_config={"job": ray.put(job), "box": box},
            scaling_config=train.ScalingConfig(
                num_workers=workers, resources_per_worker={"CPU": 1}
            ),
            run_config=train.RunConfig(storage_path=scratch),
        )
        try:
            trainer.fit()
        except TrainingFailedError as error:
            raise _Broken(str(error).strip().splitlines()[-1]) from error
    return str(cluster.get(box.taken.remote()))


class _Box:
    """Where the first worker leaves the model."""

    def __init__(self) -> None:
        self._text = ""

    def put(self, text: str) -> None:
        self._text = text

    def taken(self) -> str:
        return self._text


def _loop(config: dict[str, Any]) -> None:
    import ray
    from ray.train import get_context
    from ray.train.lightgbm import get_network_params

    job: SharedJob = ray.get(config["job"])
    rank, of = get_context().get_world_rank(), get_context().get_world_size()
    parts = list(job.parts)
    mine = parts[rank * len(parts) // of : (rank + 1) * len(parts) // of]
    text = job.train(mine, get_network_params() if of > 1 else {})
    if rank == 0:
        ray.get(config["box"].put.remote(text))
