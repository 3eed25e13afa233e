"""Signed webhooks: `mono-signature: t=<seconds>,v1=<HMAC-SHA256 of "t.body">`, only where the operator asks for them.

Mono signs nothing in Nigeria (Mono contract 5.1); this is the scheme of its Colombian API, in place for the day it
does. It is never guessed from a request: who could choose the scheme could choose the weaker one.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from mono_pipeline.core.webhook_outcome import WebhookReason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mono_pipeline.core.secret import Secret
    from mono_pipeline.core.webhook import WebhookCall

TOLERANCE_SECONDS: Final = 300  # either way: a clock ahead proves no more than one behind
_MOST_SIGNATURES = 8  # of one header: two secrets in rotation, with room
_SECONDS = re.compile(r"[0-9]{1,12}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


class _Signature(Struct, frozen=True, kw_only=True):
    """A header as it reads: the moment as Mono wrote it, and the digests of the scheme we know."""

    moment: str
    digests: tuple[bytes, ...]


def signature_refusal(call: WebhookCall, secrets: Sequence[Secret], *, now: float) -> WebhookReason | None:
    """Return why the signature does not let this call in; None where it does.

    Every secret is tried on every signature, whatever the ones before said. `now` is in Unix seconds.
    """
    if len(call.signatures) != 1:
        return WebhookReason.NO_SIGNATURE
    signed = _read(call.signatures[0])
    if signed is None:
        return WebhookReason.WRONG_SIGNATURE
    payload = signed.moment.encode() + b"." + call.body
    expected = [hmac.digest(secret.reveal().encode(), payload, hashlib.sha256) for secret in secrets]
    matches = [hmac.compare_digest(digest, right) for right in expected for digest in signed.digests]
    if not any(matches):
        return WebhookReason.WRONG_SIGNATURE
    return WebhookReason.STALE_SIGNATURE if abs(now - int(signed.moment)) > TOLERANCE_SECONDS else None


def _read(header: str) -> _Signature | None:
    pairs = [part.strip().partition("=") for part in header.split(",", _MOST_SIGNATURES + 1)]
    moments = [text for name, _, text in pairs if name == "t"]
    digests = tuple(bytes.fromhex(text) for name, _, text in pairs if name == "v1" and _DIGEST.fullmatch(text))
    if len(moments) != 1 or not _SECONDS.fullmatch(moments[0]) or not digests:
        return None
    return _Signature(moment=moments[0], digests=digests)
