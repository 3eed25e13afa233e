"""The answer to a request for a re-authorisation link: `POST /v2/accounts/initiate` (Mono contract 4)."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from mono_pipeline.core.errors import MonoUnintelligible
from mono_pipeline.core.wire.envelope import open_envelope, refuse_flaws
from mono_pipeline.core.wire.refusal import Refusal
from mono_pipeline.core.wire.shape import Shape, shaped


class _Reauthorisation(Shape, frozen=True):
    mono_url: Annotated[str, Meta(pattern=r"\Ahttps://[!-~]+\Z", max_length=2_000)]
    account: str | None = None


def parse_reauthorisation(body: bytes, account_id: str) -> str:
    """The https link under which the account's owner signs in again; it is for the owner and for nobody's log.

    Raises:
        MonoUnintelligible: the answer is refused: `bad_link`, or `wrong_account`.
    """
    payload = open_envelope(body).payload
    refuse_flaws(payload)
    answer = shaped(_Reauthorisation, payload, otherwise=Refusal.BAD_LINK)
    if answer.account not in {None, account_id}:
        raise MonoUnintelligible(Refusal.WRONG_ACCOUNT)
    return answer.mono_url
