"""Why a call of the webhook's door is not let in by the plain secret: each reason is a metric's value."""

from __future__ import annotations

import pytest

from mono_pipeline.core.secret import Secret
from mono_pipeline.core.webhook import WebhookCall, secret_refusal
from mono_pipeline.core.webhook_outcome import WebhookReason

OURS = Secret("the one of today, made up here")


def call(*presented: str) -> WebhookCall:
    """A call with these values of the secret's header."""
    return WebhookCall(secrets=presented, signatures=(), body=b"{}", body_problem=None, correlation_id="c-1")


@pytest.mark.parametrize(
    ("presented", "reason"),
    [
        ((OURS.reveal(),), None),
        ((), WebhookReason.NO_SECRET),
        (("",), WebhookReason.NO_SECRET),
        (("x",), WebhookReason.WRONG_SECRET),
        ((OURS.reveal(), OURS.reveal()), WebhookReason.SEVERAL_SECRETS),
        ((OURS.reveal(), "x"), WebhookReason.SEVERAL_SECRETS),
        (("", ""), WebhookReason.SEVERAL_SECRETS),
    ],
)
def test_one_right_secret_lets_in_and_nothing_else_does(
    presented: tuple[str, ...], reason: WebhookReason | None
) -> None:
    """Of several values nobody knows which one a proxy has added: none counts."""
    assert secret_refusal(call(*presented), [OURS]) is reason
    assert secret_refusal(call(*presented), [Secret("another, made up here"), OURS]) is reason
