"""`POST /api/v1/ops/dead-letters` as a client sees it: what an action came to so far, or an error that says why not."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from mono_pipeline.core.errors import DependencyUnavailable, InvalidInput, ProviderPaused
from monoctl.errors import FlagOff
from monoctl.reach.gateway import document_of, not_ours

if TYPE_CHECKING:
    import httpx

PATH: Final = "/api/v1/ops/dead-letters"


class DeadLetterApi:
    """Asks the function of the dead letters, over the API."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def ask(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return how far an action is; it answers within 30 seconds, and the same body goes on with it.

        Raises InvalidInput, DependencyUnavailable, FlagOff and ProviderPaused where the action is refused; where
        nothing of ours comes back, as `SyncApi.ask`.
        """
        response = self._http.post(PATH, json=body)
        document = document_of(response)
        if response.status_code == HTTPStatus.OK and "status" in document:
            return document
        raise _error(response, document)


def _error(response: httpx.Response, document: dict[str, Any]) -> Exception:
    told = document.get("error")
    if not isinstance(told, dict):
        return not_ours(response, document)
    message = str(told.get("message"))
    match told.get("code"):
        case "invalid_input":
            field = str(document.get("field"))
            return InvalidInput(field, message.removeprefix(f"{field}: "))
        case "flag_off":
            return FlagOff(f"{message} (--force sets this aside)")
        case "provider_paused":
            wait = response.headers.get("Retry-After", "")
            return ProviderPaused(float(wait) if wait.isdigit() else 60.0, f"{message} (--force sets this aside)")
        case "unavailable":
            return DependencyUnavailable(message)
    return not_ours(response, {"message": message})
