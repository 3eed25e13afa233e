"""The HTTP API as a client sees it: every answer of ours is a value, an answer that is not ours is an error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from monoctl.errors import Unanswered
from monoctl.reach.answer import SyncAnswer
from monoctl.reach.gateway import api_client, document_of, not_ours

if TYPE_CHECKING:
    from datetime import date

    import httpx

PATH: Final = "/api/v1/banking/transactions/sync"


class SyncApi:
    """`sync_banking_transactions` and the state of its runs."""

    def __init__(self, base_url: str, *, auth: httpx.Auth | None, transport: httpx.BaseTransport | None = None) -> None:
        """`base_url` may end in a stage."""
        self._http = api_client(base_url, auth=auth, transport=transport)

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
    document = document_of(response)
    if "status" not in document:
        raise not_ours(response, document)
    told = {"retry_after": _number(response, "Retry-After"), "flag_version": _number(response, "Flag-Version")}
    try:
        return SyncAnswer.model_validate({**document, **told, "document": document})
    except ValidationError as error:
        raise Unanswered(f"the API's answer is not of the form that this monoctl knows: {_field(error)}") from error


def _number(response: httpx.Response, header: str) -> int | None:
    text = response.headers.get(header, "")
    return int(text) if text.isascii() and text.isdigit() else None


def _field(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
