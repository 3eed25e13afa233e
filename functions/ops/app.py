"""What needs the VPC and a person asks for: migrations, and monoctl's reads and writes of the database."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mono_pipeline.bootstrap import environment
from mono_pipeline.core.deadline import Deadline
from mono_pipeline.usecases.operations import Operations

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

RESERVE_SECONDS = 5.0
MIGRATIONS = Path(os.environ.get("LAMBDA_TASK_ROOT", ".")) / "migrations"


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """`{"action": "noun.verb", ...}` in, a JSON object out; an error of ours is `{"error": {"code", "message"}}`."""
    here = environment()
    here.observer.begin(request_id=context.aws_request_id)
    if event.get("action") == "migrate":
        from mono_pipeline.adapters.migrator import migrate  # noqa: PLC0415 - only this action pays for Alembic

        owner = here.owner_address
        return {"applied": migrate(owner.url, MIGRATIONS, ssl_context=owner.ssl_context)}
    if event.get("action") == "migrations.pending":
        from mono_pipeline.adapters.migrator import pending  # noqa: PLC0415 - as above

        owner = here.owner_address
        return {"pending": pending(owner.url, MIGRATIONS, ssl_context=owner.ssl_context)}
    deadline = Deadline.after(context.get_remaining_time_in_millis() / 1000 - RESERVE_SECONDS)
    return Operations(here.collaborators).perform(event, deadline)
