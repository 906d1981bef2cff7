"""The stage `ingest`: sources into the lake."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakecast.lake.ingest import ingest

if TYPE_CHECKING:
    from lakecast.flows.context import Context
    from lakecast.lake.ledger import IngestReport


def run_ingest(context: Context) -> IngestReport:
    """Bring the lake up to what the sources hold."""
    return ingest(
        context.spec,
        context.lake,
        project=context.settings.project,
        as_of=context.as_of,
        memory=context.settings.budget,
        progress=context.progress,
    )
