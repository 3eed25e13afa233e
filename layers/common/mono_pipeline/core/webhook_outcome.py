"""What becomes of a call at the webhook's door: closed words, for the answer, the log line and the metric alike."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from msgspec import Struct

if TYPE_CHECKING:
    from mono_pipeline.core.webhook_event import WebhookEvent


class WebhookOutcome(StrEnum):
    """What Mono is told: 200 for the first two, 4xx, and 503 so that it sends again."""

    ACCEPTED = "accepted"
    IGNORED = "ignored"
    REFUSED = "refused"
    UNAVAILABLE = "unavailable"


class WebhookReason(StrEnum):
    """Why. An accepted event's reason is its kind."""

    CONNECTED = "connected"
    UPDATED = "updated"
    REAUTHORISED = "reauthorised"
    UNLINKED = "unlinked"
    JOB_UPDATED = "job_updated"
    REAUTHORISATION_REQUIRED = "reauthorisation_required"
    SYNC_FAILED = "sync_failed"
    SYNCED = "synced"

    OTHER_APP = "other_app"  # Mono's, but of an app that is not ours
    IGNORED_EVENT = "ignored_event"  # documented, and nothing to us
    UNKNOWN_EVENT = "unknown_event"  # documented nowhere
    NO_ACCOUNT = "no_account"  # about nobody that it names

    TOO_LARGE = "too_large"
    NO_SECRET = "no_secret"  # noqa: S105 - a word, as the next ones
    SEVERAL_SECRETS = "several_secrets"
    WRONG_SECRET = "wrong_secret"  # noqa: S105
    NO_SIGNATURE = "no_signature"
    WRONG_SIGNATURE = "wrong_signature"
    STALE_SIGNATURE = "stale_signature"
    NOT_BASE64 = "not_base64"
    NOT_JSON = "not_json"

    NOT_CONFIGURED = "not_configured"
    PARAMETERS_UNAVAILABLE = "parameters_unavailable"
    QUEUE_UNAVAILABLE = "queue_unavailable"


_IGNORED: Final = {
    WebhookReason.OTHER_APP,
    WebhookReason.IGNORED_EVENT,
    WebhookReason.UNKNOWN_EVENT,
    WebhookReason.NO_ACCOUNT,
}
_UNAVAILABLE: Final = {
    WebhookReason.NOT_CONFIGURED,
    WebhookReason.PARAMETERS_UNAVAILABLE,
    WebhookReason.QUEUE_UNAVAILABLE,
}
UNAUTHENTICATED: Final = {
    WebhookReason.NO_SECRET,
    WebhookReason.SEVERAL_SECRETS,
    WebhookReason.WRONG_SECRET,
    WebhookReason.NO_SIGNATURE,
    WebhookReason.WRONG_SIGNATURE,
    WebhookReason.STALE_SIGNATURE,
}
_REFUSED: Final = UNAUTHENTICATED | {WebhookReason.TOO_LARGE, WebhookReason.NOT_BASE64, WebhookReason.NOT_JSON}


class WebhookConclusion(Struct, frozen=True, kw_only=True):
    """How a call ended. `event` is there once its body was read; `detail` is a sentence of ours for the operator."""

    reason: WebhookReason
    event: WebhookEvent | None = None
    detail: str | None = None

    @property
    def outcome(self) -> WebhookOutcome:
        """What the reason comes to."""
        if self.reason in _REFUSED:
            return WebhookOutcome.REFUSED
        if self.reason in _UNAVAILABLE:
            return WebhookOutcome.UNAVAILABLE
        return WebhookOutcome.IGNORED if self.reason in _IGNORED else WebhookOutcome.ACCEPTED
