"""What a webhook of Mono's may do: wake the account it names. No field of its body is ever stored (Mono contract 5)."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

from mono_pipeline.core.errors import InvalidInput
from mono_pipeline.core.identity import parse_account_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mono_pipeline.core.secret import Secret


def is_authentic(presented: str | None, secrets: Iterable[Secret]) -> bool:
    """Whether `presented` is one of `secrets`: the plain shared secret of `mono-webhook-secret` (Mono contract 5.1).

    Digests of one length are compared, all of them, so that time tells neither which secret nor how much was right.
    """
    given = hashlib.sha256((presented or "").encode("utf-8", "surrogatepass")).digest()
    matches = [hmac.compare_digest(given, hashlib.sha256(secret.reveal().encode()).digest()) for secret in secrets]
    return bool(presented) and any(matches)


def account_named(told: Mapping[str, object]) -> str | None:
    """The Mono id of the account that an event is about, in every shape that events have had; None where it has none.

    Order of Mono contract 5.3: `data.account._id`, `data.account.id`, `data.account` as text, `data.id`.
    """
    about = told.get("data")
    if not isinstance(about, dict):
        return None
    account = about.get("account")
    candidates = (account.get("_id"), account.get("id")) if isinstance(account, dict) else (account, about.get("id"))
    for candidate in candidates:
        if isinstance(candidate, str):
            try:
                return parse_account_id(candidate)
            except InvalidInput:
                continue
    return None
