"""The answer to a request for a re-authorisation link: `POST /v2/accounts/initiate` (Mono contract 4)."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mono_pipeline.core.errors import MonoUnintelligible
from mono_pipeline.core.wire.envelope import open_envelope, refuse_flaws
from mono_pipeline.core.wire.refusal import Refusal


class _Reauthorisation(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, hide_input_in_errors=True)

    mono_url: Annotated[str, Field(pattern=r"\Ahttps://[!-~]+\z", max_length=2_000)]
    account: str | None = None


def parse_reauthorisation(body: bytes, account_id: str) -> str:
    """The https link under which the account's owner signs in again; it is for the owner and for nobody's log.

    Raises:
        MonoUnintelligible: the answer is refused: `bad_link`, or `wrong_account`.
    """
    payload = open_envelope(body).payload
    refuse_flaws(payload)
    try:
        answer = _Reauthorisation.model_validate(payload)
    except ValidationError:
        raise MonoUnintelligible(Refusal.BAD_LINK) from None
    if answer.account not in {None, account_id}:
        raise MonoUnintelligible(Refusal.WRONG_ACCOUNT)
    return answer.mono_url
