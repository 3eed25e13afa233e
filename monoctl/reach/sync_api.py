"""The HTTP API as a client sees it: every answer of ours is a value, an answer that is not ours is an error."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import httpx
from pydantic import ValidationError

from mono_pipeline.core.errors import DependencyUnavailable
from monoctl.errors import Defect, NotAllowed, Unanswered
from monoctl.reach.answer import SyncAnswer

if TYPE_CHECKING:
    from datetime import date

PATH: Final = "/api/v1/banking/transactions/sync"
# API Gateway gives up after 29 s; whoever gives up sooner learns nothing.
TIMEOUT: Final = httpx.Timeout(35.0, connect=5.0)


class SyncApi:
    """`sync_banking_transactions` and the state of its runs."""

    def __init__(self, base_url: str, *, auth: httpx.Auth | None, transport: httpx.BaseTransport | None = None) -> None:
        """`base_url` may end in a stage. Proxies of the environment are used for https alone."""
        self._http = httpx.Client(
            base_url=base_url,
            auth=auth,
            timeout=TIMEOUT,
            transport=transport,
            trust_env=base_url.startswith("https://"),
            headers={"User-Agent": "monoctl"},
        )

    def ask(self, account_id: str, *, start: date | None, end: date | None) -> SyncAnswer:
        """Ask for a sync; it answers within 30 seconds, with the end or with `accepted`.

        Raises httpx.TransportError where nothing comes back, NotAllowed, DependencyUnavailable, Unanswered or Defect
        for what API Gateway says itself.
        """
        days = {"start": start.isoformat(), "end": end.isoformat()} if start and end else {}
        return _answer(self._http.post(PATH, json={"account_id": account_id, **days}))

    def run(self, run_id: str) -> SyncAnswer:
        """Return how a run stands. Raises as `ask`."""
        return _answer(self._http.get(f"{PATH}/{run_id}"))


def _answer(response: httpx.Response) -> SyncAnswer:
    document = _document(response)
    if "status" not in document:
        raise _not_ours(response, document)
    wait = response.headers.get("Retry-After", "")
    retry_after = int(wait) if wait.isascii() and wait.isdigit() else None
    try:
        return SyncAnswer.model_validate({**document, "retry_after": retry_after, "document": document})
    except ValidationError as error:
        raise Unanswered(f"the API's answer is not of the form that this monoctl knows: {_field(error)}") from error


def _document(response: httpx.Response) -> dict[str, Any]:
    try:
        document = response.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _not_ours(
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


def _field(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
