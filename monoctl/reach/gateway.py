"""The HTTP API's front: the client that goes there, and what API Gateway says in our stead."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

import httpx

from mono_pipeline.core.errors import DependencyUnavailable
from monoctl.errors import Defect, NotAllowed, Unanswered

# API Gateway gives up after 29 s; whoever gives up sooner learns nothing.
TIMEOUT: Final = httpx.Timeout(35.0, connect=5.0)


def api_client(base_url: str, *, auth: httpx.Auth | None, transport: httpx.BaseTransport | None = None) -> httpx.Client:
    """Return a client of the API; `base_url` may end in a stage. The environment's proxies are used for https alone."""
    return httpx.Client(
        base_url=base_url,
        auth=auth,
        timeout=TIMEOUT,
        transport=transport,
        trust_env=base_url.startswith("https://"),
        headers={"User-Agent": "monoctl"},
    )


def document_of(response: httpx.Response) -> dict[str, Any]:
    """Return the JSON object of an answer; of any other answer, an empty one."""
    try:
        document = response.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def not_ours(
    response: httpx.Response, document: dict[str, Any]
) -> NotAllowed | DependencyUnavailable | Unanswered | Defect:
    """What API Gateway, or something in front of it, says in our stead."""
    said = str(document.get("message") or document.get("Message") or response.reason_phrase)[:200]
    match response.status_code:
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            return NotAllowed(f"the API refuses these credentials ({said}): execute-api:Invoke on it is needed")
        case HTTPStatus.TOO_MANY_REQUESTS:
            return DependencyUnavailable(f"API Gateway's rate limit is reached ({said}): wait a little and ask again")
        case HTTPStatus.GATEWAY_TIMEOUT:
            return Unanswered("the API gave no answer in time; the sync may be going on: `monoctl accounts show` tells")
        case code if code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return Defect(f"the API's function failed ({code} {said}): `monoctl logs --all` says more")
    return Unanswered(f"{response.url} answered {response.status_code} ({said}), which is not this API's answer")
