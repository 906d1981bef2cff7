"""One model fit by all workers, by LightGBM's own Dask estimator.

The estimator concatenates the parts that lie on a worker in an order of its own, and finds the
edges of bins among all workers: the model is that of one machine up to that.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lakecast.errors import LakecastError
from lakecast.logs import get_logger

if TYPE_CHECKING:
    from lakecast.engines.dask.cluster import DaskCluster
    from lakecast.engines.protocol import SharedJob

_LOG: Final = get_logger(__name__)
_TRIES: Final = 3
_OWN: Final = ("num_threads", "objective")
"""Parameters that the estimator has arguments of its own for."""


def fit_together(cluster: DaskCluster, job: SharedJob) -> str:
    """The model's text. One worker fits as one machine does; a fit that breaks begins again."""
    if min(cluster.slots(), len(job.parts)) == 1:
        return str(cluster.take(cluster.connect().submit(_alone, cluster.send(job), pure=False)))
    from distributed import KilledWorker
    from lightgbm.basic import LightGBMError

    for _ in range(_TRIES):
        try:
            return _fit(cluster, job)
        except (LightGBMError, KilledWorker, OSError) as error:
            _LOG.warning("a fit by all workers broke and begins again: %s", error)
    raise LakecastError(
        f"a fit broke {_TRIES} times",
        where="the Dask cluster",
        cure="see the log for why; if they were killed for memory: larger machines, or fewer rows",
    )


def _fit(cluster: DaskCluster, job: SharedJob) -> str:
    import dask.array as da
    from dask.delayed import delayed
    from distributed import wait
    from lightgbm import DaskLGBMRegressor

    client = cluster.connect()
    held = cluster.send(job)
    made = [client.submit(_arrays, held, part, pure=False) for part in job.parts]
    wait(made)

    def whole(index: int, shape: tuple[int, ...]) -> Any:
        """The blocks of one of the three arrays, each where its part was made."""
        blocks = [
            da.from_delayed(delayed(_item)(one, index), (rows, *shape), np.float32)
            for one, rows in zip(made, job.parts.values(), strict=True)
        ]
        return da.concatenate(blocks)

    params = {name: value for name, value in job.params.items() if name not in _OWN}
    estimator = DaskLGBMRegressor(client=client, objective=job.params["objective"], **params)
    with warnings.catch_warnings():  # that it sets threads itself, and names of columns it made up
        warnings.simplefilter("ignore", UserWarning)
        estimator.fit(
            whole(0, (job.columns,)),
            whole(1, ()),
            sample_weight=whole(2, ()),
            categorical_feature=list(job.categories) or "auto",
        )
    return str(estimator.booster_.model_to_string())


def _alone(job: SharedJob) -> str:
    return job.train(list(job.parts), {})


def _arrays(job: SharedJob, part: int) -> tuple[Any, Any, Any]:
    return job.arrays(part)


def _item(made: tuple[Any, Any, Any], index: int) -> Any:
    return made[index]
