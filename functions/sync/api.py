"""The HTTP API: `sync_banking_transactions`, the state of a run, and health."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from uuid import UUID

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response

from mono_pipeline import __version__
from mono_pipeline.bootstrap import environment
from mono_pipeline.core.deadline import Deadline
from mono_pipeline.core.errors import (
    ConfigurationError,
    DependencyUnavailable,
    InvalidInput,
    PipelineError,
    RunUnknown,
)
from mono_pipeline.http.sync_call import Answer, answer, error_answer, read_sync_call, run_answer, with_flag_version
from mono_pipeline.usecases.sync_request import SyncRequest

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

INLINE_SECONDS = 20.0  # API Gateway gives up after 29

app = APIGatewayRestResolver()


@app.post("/api/v1/banking/transactions/sync")
def sync() -> Response[str]:
    """Sync one account, as far as it goes in 20 seconds."""
    here = environment()
    here.observer.correlate(_correlation_id())
    request = SyncRequest(flag=here.flag, observer=here.observer, connect=lambda: here.collaborators)
    asked = read_sync_call(app.current_event.decoded_body or "", correlation_id=_correlation_id())
    told = answer(request.ask(asked, Deadline.after(INLINE_SECONDS)), _correlation_id())
    return _response(with_flag_version(told, here.flag.version))


@app.get("/api/v1/banking/transactions/sync/<run_id>")
def show_run(run_id: str) -> Response[str]:
    """How a run stands."""
    try:
        run = environment().collaborators.runs.show(UUID(run_id))
    except ValueError as error:
        raise InvalidInput("run_id", "is not a run id") from error
    if run is None:
        raise RunUnknown
    return _response(run_answer(run, _correlation_id()))


@app.get("/health")
def health() -> Response[str]:
    """The version, and nothing else."""
    return _response((200, {"version": __version__}, {}))


@app.exception_handler(PipelineError)  # type: ignore[untyped-decorator]  # Powertools' is
def failed(error: PipelineError) -> Response[str]:
    """Any error of the tree, in the form of the public interface."""
    observer = environment().observer
    observer.event("mono.api.refused", None, error=type(error).__name__, correlation_id=_correlation_id())
    if isinstance(error, DependencyUnavailable | ConfigurationError):
        observer.failed(error)
    return _response(with_flag_version(error_answer(error, _correlation_id()), environment().flag.version))


@app.not_found
def no_such_run(_: Exception) -> Response[str]:
    """What API Gateway takes for a run's id and Powertools does not take for a path."""
    return _response(error_answer(RunUnknown(), _correlation_id()))


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """API Gateway's entry point."""
    observer = environment().observer
    observer.begin(request_id=context.aws_request_id)
    try:
        return app.resolve(event, context)
    except Exception as error:
        observer.failed(error)
        raise


def _correlation_id() -> str:
    given = app.current_event.headers.get("X-Correlation-Id") or ""
    return given if re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", given) else app.current_event.request_context.request_id or ""


def _response(parts: Answer) -> Response[str]:
    code, body, headers = parts
    return Response(status_code=code, content_type="application/json", body=json.dumps(body), headers=headers)
