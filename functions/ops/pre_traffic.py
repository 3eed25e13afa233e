"""CodeDeploy's question before new code gets traffic: the flag, the schema, and one account read without writing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mono_pipeline.adapters.aws import aws_client
from mono_pipeline.bootstrap import environment
from mono_pipeline.core.deadline import Deadline
from mono_pipeline.core.errors import PipelineError
from mono_pipeline.usecases.pre_traffic import PreTraffic

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

RESERVE_SECONDS = 10.0  # to tell CodeDeploy; without an answer it waits for an hour
MIGRATIONS = Path(os.environ.get("LAMBDA_TASK_ROOT", ".")) / "migrations"


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, str]:
    """Answer CodeDeploy's hook `event`; whatever goes wrong here is a no."""
    here = environment()
    here.observer.begin(request_id=context.aws_request_id)
    deadline = Deadline.after(context.get_remaining_time_in_millis() / 1000 - RESERVE_SECONDS)
    problem: str | None = "the hook itself failed"
    try:
        problem = _problem(deadline)
    except PipelineError as error:
        problem = f"{type(error).__name__}: {error}"
    finally:
        status = "Failed" if problem else "Succeeded"
        here.observer.event("mono.release.pre_traffic", None, status=status, problem=problem)
        aws_client(
            "codedeploy", connect_seconds=5, read_seconds=10, attempts=3
        ).put_lifecycle_event_hook_execution_status(
            deploymentId=event["DeploymentId"],
            lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
            status=status,
        )
    return {"status": status}


def _problem(deadline: Deadline) -> str | None:
    from mono_pipeline.adapters.migrator import pending  # noqa: PLC0415 - loads Alembic

    here = environment()
    owner = here.owner_address
    missing = pending(owner.url, MIGRATIONS, ssl_context=owner.ssl_context)
    return PreTraffic(here.collaborators).problem(
        pending=missing, account_id=os.environ.get("SHADOW_ACCOUNT", ""), deadline=deadline
    )
