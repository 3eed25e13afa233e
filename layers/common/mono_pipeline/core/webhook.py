"""Whose a webhook is: Mono's, when it presents the secret that Mono and we share (Mono contract 5.1)."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

from mono_pipeline.core.discreet import Discreet
from mono_pipeline.core.webhook_outcome import WebhookReason

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mono_pipeline.core.secret import Secret


class WebhookCall(Discreet, frozen=True, kw_only=True):
    """A call of the webhook's door, before anything of it is believed.

    Attributes:
        secrets: Every value of the header `mono-webhook-secret`.
        signatures: Every value of the header `mono-signature`.
        body: The body's bytes, empty with a problem.
        body_problem: `TOO_LARGE` or `NOT_BASE64`; None where there are bytes to look at.
        correlation_id: API Gateway's id of the request.
    """

    hidden = frozenset({"secrets", "signatures", "body"})

    secrets: tuple[str, ...]
    signatures: tuple[str, ...]
    body: bytes
    body_problem: WebhookReason | None
    correlation_id: str


def secret_refusal(call: WebhookCall, secrets: Sequence[Secret]) -> WebhookReason | None:
    """Return why the plain shared secret does not let this call in; None where it does.

    Whatever was presented is compared, so that a call without a secret takes the road of one with a wrong one.
    """
    given = call.secrets[0] if len(call.secrets) == 1 else ""
    if is_authentic(given, secrets):
        return None
    if len(call.secrets) > 1:
        return WebhookReason.SEVERAL_SECRETS
    return WebhookReason.WRONG_SECRET if given else WebhookReason.NO_SECRET


def is_authentic(presented: str | None, secrets: Iterable[Secret]) -> bool:
    """Whether `presented` is one of `secrets`: the plain shared secret of `mono-webhook-secret` (Mono contract 5.1).

    Digests of one length are compared, all of them, so that time tells neither which secret nor how much was right.
    """
    given = hashlib.sha256((presented or "").encode("utf-8", "surrogatepass")).digest()
    matches = [hmac.compare_digest(given, hashlib.sha256(secret.reveal().encode()).digest()) for secret in secrets]
    return bool(presented) and any(matches)
