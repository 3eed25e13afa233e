"""Whose a webhook is: Mono's, when it presents the secret that Mono and we share (Mono contract 5.1)."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mono_pipeline.core.secret import Secret


def is_authentic(presented: str | None, secrets: Iterable[Secret]) -> bool:
    """Whether `presented` is one of `secrets`: the plain shared secret of `mono-webhook-secret` (Mono contract 5.1).

    Digests of one length are compared, all of them, so that time tells neither which secret nor how much was right.
    """
    given = hashlib.sha256((presented or "").encode("utf-8", "surrogatepass")).digest()
    matches = [hmac.compare_digest(given, hashlib.sha256(secret.reveal().encode()).digest()) for secret in secrets]
    return bool(presented) and any(matches)
