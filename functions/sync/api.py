"""The HTTP API: `sync_banking_transactions`, the state of a run, and health."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mono_pipeline import __version__
from mono_pipeline.bootstrap import environment
from mono_pipeline.core.deadline import Deadline
from mono_pipeline.core.errors import RunUnknown
from mono_pipeline.http.rest_api import correlation_id, response, rest_api
from mono_pipeline.http.sync_call import answer, read_run_id, read_sync_call, run_answer, with_flag_version
from mono_pipeline.usecases.sync_request import SyncRequest

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import Response
    from aws_lambda_powertools.utilities.typing import LambdaContext

INLINE_SECONDS = 20.0  # API Gateway gives up after 29

app = rest_api(environment)


@app.post("/api/v1/banking/transactions/sync")
def sync() -> Response[str]:
    """Sync one account, as far as it goes in 20 seconds."""
    here, asked_as = environment(), correlation_id(app)
    here.observer.correlate(asked_as)
    request = SyncRequest(flag=here.flag, observer=here.observer, connect=lambda: here.collaborators)
    asked = read_sync_call(app.current_event.decoded_body or "", correlation_id=asked_as)
    told = answer(request.ask(asked, Deadline.after(INLINE_SECONDS)), asked_as)
    return response(with_flag_version(told, here.flag.version))


@app.get("/api/v1/banking/transactions/sync/<run_id>")
def show_run(run_id: str) -> Response[str]:
    """How a run stands."""
    run = environment().collaborators.runs.show(read_run_id(run_id))
    if run is None:
        raise RunUnknown
    return response(run_answer(run, correlation_id(app)))


@app.get("/health")
def health() -> Response[str]:
    """The version, and nothing else."""
    return response((200, {"version": __version__}, {}))


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """API Gateway's entry point."""
    observer = environment().observer
    observer.begin(request_id=context.aws_request_id)
    try:
        return app.resolve(event, context)
    except Exception as error:
        observer.failed(error)
        raise
