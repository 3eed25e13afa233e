"""The webhook's door on the wire: a call as REST and HTTP APIs of API Gateway hand it over, and its answers."""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import TYPE_CHECKING, Any, Final

from mono_pipeline.core.webhook import WebhookCall
from mono_pipeline.core.webhook_outcome import UNAUTHENTICATED, WebhookOutcome, WebhookReason

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mono_pipeline.core.webhook_outcome import WebhookConclusion

OPERATION: Final = "mono_webhook"
LARGEST_BODY: Final = 20 * 1024  # bytes, as Standard Webhooks has it; Mono's own are below 4 kB
RETRY_SECONDS: Final = 5
_LONGEST_ENCODED = (LARGEST_BODY + 2) // 3 * 4
_REQUEST_ID = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9=_-]{8,64}")
# Nothing of a call is repeated to it, and nothing tells one wrong secret from another.
_ERRORS: Final[Mapping[WebhookOutcome | WebhookReason, tuple[int, str, str]]] = {
    **dict.fromkeys(UNAUTHENTICATED, (401, "unauthorized", "this call does not prove that it comes from Mono")),
    WebhookReason.TOO_LARGE: (413, "too_large", f"the body has more than {LARGEST_BODY} bytes"),
    WebhookReason.NOT_BASE64: (400, "invalid_body", "the body is not a JSON object"),
    WebhookReason.NOT_JSON: (400, "invalid_body", "the body is not a JSON object"),
    WebhookOutcome.UNAVAILABLE: (503, "unavailable", "the event could not be made durable; send it again"),
}


def read_webhook_call(event: Mapping[str, Any]) -> WebhookCall:
    """Return the call in an event of payload format 1.0 or 2.0. Too large a body is not even decoded."""
    body, problem = _body(event)
    return WebhookCall(
        secrets=tuple(_header(event, "mono-webhook-secret")),
        signatures=tuple(_header(event, "mono-signature")),
        body=body,
        body_problem=problem,
        correlation_id=_request_id(event),
    )


def answer(conclusion: WebhookConclusion, correlation_id: str) -> dict[str, Any]:
    """Return what API Gateway sends: one of six fixed bodies, but for the id."""
    outcome = conclusion.outcome
    code, name, message = _ERRORS.get(conclusion.reason) or _ERRORS.get(outcome) or (200, outcome.value, None)
    body: dict[str, Any] = {"operation": OPERATION, "status": name, "correlation_id": correlation_id}
    if message is not None:
        body["error"] = {"code": name, "message": message}
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    if outcome is WebhookOutcome.UNAVAILABLE:
        headers["Retry-After"] = str(RETRY_SECONDS)
    return {"statusCode": code, "headers": headers, "body": json.dumps(body)}


def _body(event: Mapping[str, Any]) -> tuple[bytes, WebhookReason | None]:
    text = event.get("body")
    if not isinstance(text, str):
        return b"", None
    encoded = event.get("isBase64Encoded") is True
    if len(text) > (_LONGEST_ENCODED if encoded else LARGEST_BODY):
        return b"", WebhookReason.TOO_LARGE
    raw = text.encode("utf-8", "surrogatepass")
    try:
        raw = base64.b64decode(raw, validate=True) if encoded else raw
    except binascii.Error:
        return b"", WebhookReason.NOT_BASE64
    return (raw, None) if len(raw) <= LARGEST_BODY else (b"", WebhookReason.TOO_LARGE)


def _header(event: Mapping[str, Any], wanted: str) -> Iterator[str]:
    """Every value of a header, whatever its case; format 2.0 joins repeated ones with commas, which fits no secret."""
    several = event.get("multiValueHeaders") or {name: [text] for name, text in (event.get("headers") or {}).items()}
    return (str(text) for name, texts in several.items() if name.lower() == wanted for text in texts or [])


def _request_id(event: Mapping[str, Any]) -> str:
    given = (event.get("requestContext") or {}).get("requestId")
    return given if isinstance(given, str) and _REQUEST_ID.fullmatch(given) else ""
