"""One model fit by all workers, by LightGBM's own Dask estimator.

The estimator concatenates the parts that lie on a worker in an order of its own, and finds the
edges of bins among all workers: the model is that of one machine up to that.
"""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lakecast.engines.dask.cluster import gone
from lakecast.errors import LakecastError
from lakecast.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lakecast.engines.dask.cluster import DaskCluster
    from lakecast.engines.protocol import SharedJob

_LOG: Final = get_logger(__name__)
_TRIES: Final = 3
_LOOK: Final = 1.0  # seconds between two looks at who is there
_OWN: Final = ("num_threads", "objective")
"""Parameters that the estimator has arguments of its own for."""


def fit_together(cluster: DaskCluster, job: SharedJob) -> str:
    """The model's text. One worker fits as one machine does; a fit that breaks begins again."""
    if min(cluster.slots(), len(job.parts)) == 1:
        return str(cluster.take(cluster.submit(_alone, cluster.send(job))))
    from distributed import KilledWorker
    from lightgbm.basic import LightGBMError

    for _ in range(_TRIES):
        try:
            return _fit(cluster, job)
        except (_Lost, LightGBMError, KilledWorker, OSError) as error:
            _LOG.warning("a fit by all workers broke and begins again: %s", error)
        except gone() as error:
            raise cluster.unreachable(error) from error
    raise LakecastError(
        f"a fit broke {_TRIES} times",
        where="the Dask cluster",
        cure="see the log for why; if they were killed for memory: larger machines, or fewer rows",
    )


class _Lost(Exception):
    """A worker died while all of them trained."""


def _fit(cluster: DaskCluster, job: SharedJob) -> str:
    import dask.array as da
    from dask.delayed import delayed
    from lightgbm import DaskLGBMRegressor

    client = cluster.connect()
    held = cluster.send(job)
    made = [cluster.submit(_arrays, held, part) for part in job.parts]
    for one in made:
        cluster.wait(one)

    def whole(index: int, shape: tuple[int, ...]) -> Any:
        """The blocks of one of the three arrays, each where its part was made."""
        blocks = [
            da.from_delayed(delayed(_item)(one, index), (rows, *shape), np.float32)
            for one, rows in zip(made, job.parts.values(), strict=True)
        ]
        return da.concatenate(blocks)

    params = {name: value for name, value in job.params.items() if name not in _OWN}
    estimator = DaskLGBMRegressor(client=client, objective=job.params["objective"], **params)
    with warnings.catch_warnings(), _watched(client):
        warnings.simplefilter("ignore", UserWarning)  # that it sets threads, and names columns
        estimator.fit(
            whole(0, (job.columns,)),
            whole(1, ()),
            sample_weight=whole(2, ()),
            categorical_feature=list(job.categories) or "auto",
        )
    return str(estimator.booster_.model_to_string())


@contextmanager
def _watched(client: Any) -> Iterator[None]:
    """Give the training up, as `_Lost`, once a worker is lost.

    LightGBM's workers would wait for it for ever, and Dask for its part, which may lie nowhere
    else. So the parts that train are cancelled, and workers that hang in one are started again.
    """
    begun = client.run_on_scheduler(_addresses)
    lost: list[str] = []
    ended = Event()
    away: tuple[type[Exception], ...] = (OSError, *gone())

    def watch() -> None:
        while not ended.wait(_LOOK):
            try:
                there = client.run_on_scheduler(_addresses)
            except away:
                return  # with the scheduler, as the training itself will find
            lost.extend(begun - there)
            if lost:
                client.cancel(_training(client))
                client.restart_workers(sorted(begun & there), raise_for_error=False)
                return

    thread = Thread(target=watch, name="lakecast-dask", daemon=True)
    thread.start()
    try:
        yield
    except Exception as error:
        thread.join(_LOOK)
        if not lost:
            raise
        raise _Lost(f"{', '.join(lost)} died") from error
    finally:
        ended.set()
        thread.join()


def _training(client: Any) -> list[Any]:
    """The estimator's own futures, which it keeps to itself."""
    from distributed import Future

    names = [key for key in client.futures if str(key).startswith("_train_part")]
    return [Future(key, client) for key in names]


def _addresses(dask_scheduler: Any) -> set[str]:
    return set(dask_scheduler.workers)


def _alone(job: SharedJob) -> str:
    return job.train(list(job.parts), {})


def _arrays(job: SharedJob, part: int) -> tuple[Any, Any, Any]:
    return job.arrays(part)


def _item(made: tuple[Any, Any, Any], index: int) -> Any:
    return made[index]
