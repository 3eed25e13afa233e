"""A REST API behind API Gateway: who asks is told in the form of the public interface, errors too."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final, Protocol

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response

from mono_pipeline.core.errors import ConfigurationError, DependencyUnavailable, PipelineError, RunUnknown
from mono_pipeline.http.sync_call import Answer, error_answer, with_flag_version

if TYPE_CHECKING:
    from collections.abc import Callable

    from mono_pipeline.adapters.flag_reader import FlagReader
    from mono_pipeline.adapters.telemetry import Telemetry

_CORRELATION_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class Surroundings(Protocol):
    """What an API tells its errors to, and the flag that it acts by."""

    observer: Telemetry
    flag: FlagReader


def rest_api(surroundings: Callable[[], Surroundings]) -> APIGatewayRestResolver:
    """Return an API without routes, that answers any error of the tree, and a path that it does not have."""
    app = APIGatewayRestResolver()

    def failed(error: PipelineError) -> Response[str]:
        here = surroundings()
        here.observer.event("mono.api.refused", None, error=type(error).__name__, correlation_id=correlation_id(app))
        if isinstance(error, DependencyUnavailable | ConfigurationError):
            here.observer.failed(error)
        return response(with_flag_version(error_answer(error, correlation_id(app)), here.flag.version))

    def no_such_run(_: Exception) -> Response[str]:
        # what API Gateway takes for a run's id and Powertools does not take for a path
        return response(error_answer(RunUnknown(), correlation_id(app)))

    app.exception_handler(PipelineError)(failed)
    app.not_found(no_such_run)
    return app


def correlation_id(app: APIGatewayRestResolver) -> str:
    """The caller's own id of what is asked now, or API Gateway's where that is none."""
    given = app.current_event.headers.get("X-Correlation-Id") or ""
    return given if _CORRELATION_ID.fullmatch(given) else app.current_event.request_context.request_id or ""


def response(parts: Answer) -> Response[str]:
    """An answer on the wire."""
    code, body, headers = parts
    return Response(status_code=code, content_type="application/json", body=json.dumps(body), headers=headers)
