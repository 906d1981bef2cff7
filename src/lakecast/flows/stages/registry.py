"""Promotions by hand: the table first, MLflow's alias after it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from lakecast.flows import bundles
from lakecast.flows.stages.tracking import open_models
from lakecast.registry.models import reconcile
from lakecast.registry.promotions import TABLE, Proposal, champion, promote, rollback

if TYPE_CHECKING:
    from lakecast.flows.context import Context
    from lakecast.registry.models import Models
    from lakecast.registry.promotions import Promotion


def promote_version(context: Context, version: str) -> Promotion:
    """Make a registered version champion; its bundle is fetched where the lake lacks it."""
    _, models = open_models(context)
    origin = models.origin(version)
    table = context.lake.table(TABLE)
    now = champion(table)
    _have(context, models, version, origin.fingerprint)
    promotion = promote(
        table,
        Proposal(
            kind="external",
            recipe=origin.recipe,
            fingerprint=origin.fingerprint,
            cutoff=origin.cutoff,
            model_version=version,
        ),
        replacing=now.version if now else None,
        by=context.user,
        at=context.now(),
    )
    models.follow(promotion)
    return promotion


def roll_back(context: Context) -> Promotion:
    """Make the champion before this one champion again."""
    _, models = open_models(context)
    promotion = rollback(context.lake.table(TABLE), by=context.user, at=context.now())
    models.follow(promotion)
    return promotion


def follow_alias(context: Context) -> Promotion | None:
    """Bring MLflow's alias and the table together, whichever of them moved.

    A tracking store that never had the champion, as after a move to another server, is left as it
    is: the next training registers there.
    """
    _, models = open_models(context)
    table = context.lake.table(TABLE)
    known = champion(table)
    if known is not None and models.find(known.fingerprint) is None:
        return known
    now = reconcile(models, table, at=context.now())
    if now is not None:
        _have(context, models, now.model_version, now.fingerprint)
    return now


def _have(context: Context, models: Models, version: str, fingerprint: str) -> None:
    if not bundles.kept(context.lake, fingerprint):
        with tempfile.TemporaryDirectory(prefix="lakecast-") as name:
            bundles.take_in(context.lake, fingerprint, models.fetch(version, Path(name)))
