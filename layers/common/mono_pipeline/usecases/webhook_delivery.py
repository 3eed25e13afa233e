"""A webhook at the door: authenticated, read, made durable, and only then acknowledged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from mono_pipeline.adapters.queue import WebhookReceived
from mono_pipeline.adapters.webhook_settings import SIGNED
from mono_pipeline.core.errors import ConfigurationError, InvalidInput, ParametersUnavailable, QueueUnavailable
from mono_pipeline.core.webhook import secret_refusal
from mono_pipeline.core.webhook_event import WebhookKind, read_webhook_event
from mono_pipeline.core.webhook_outcome import WebhookConclusion, WebhookReason

if TYPE_CHECKING:
    from collections.abc import Callable

    from mono_pipeline.adapters.webhook_settings import WebhookSettings
    from mono_pipeline.core.webhook import WebhookCall
    from mono_pipeline.core.webhook_event import WebhookEvent


class TakesMessages(Protocol):
    """A queue, as far as the door needs one."""

    def send(self, message: WebhookReceived, *, group: str) -> None:
        """Return once the message is durable; raise QueueUnavailable when it is not."""
        ...


class WebhookDelivery:
    """Takes calls in. `settings` returns what holds now, `connect` a queue by its URL, `clock` Unix seconds."""

    def __init__(
        self,
        *,
        settings: Callable[[], WebhookSettings],
        connect: Callable[[str], TakesMessages],
        clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._connect = connect
        self._clock = clock

    def receive(self, call: WebhookCall) -> WebhookConclusion:
        """Return how the call ended; accepted means that a queue has its event.

        Nothing of a body is parsed, logged or acted on before the call was found to be Mono's.
        """
        if call.body_problem is WebhookReason.TOO_LARGE:
            return WebhookConclusion(reason=WebhookReason.TOO_LARGE)
        try:
            settings = self._settings()
        except ConfigurationError as error:
            return WebhookConclusion(reason=WebhookReason.NOT_CONFIGURED, detail=str(error))
        except ParametersUnavailable as error:
            return WebhookConclusion(reason=WebhookReason.PARAMETERS_UNAVAILABLE, detail=str(error))
        refusal = self._refusal(call, settings) or call.body_problem
        return WebhookConclusion(reason=refusal) if refusal else self._read(call, settings)

    def _refusal(self, call: WebhookCall, settings: WebhookSettings) -> WebhookReason | None:
        if settings.mono_webhook_verifier == SIGNED:
            # loaded where it is asked for: the door opens sooner without it
            from mono_pipeline.core.webhook_signature import signature_refusal  # noqa: PLC0415

            return signature_refusal(call, settings.active_secrets, now=self._clock())
        return secret_refusal(call, settings.active_secrets)

    def _read(self, call: WebhookCall, settings: WebhookSettings) -> WebhookConclusion:
        try:
            event = read_webhook_event(call.body)
        except InvalidInput:
            return WebhookConclusion(reason=WebhookReason.NOT_JSON)
        ignored = _ignored(event, settings.mono_app_id)
        if ignored is not None or event.account_id is None:
            return WebhookConclusion(reason=ignored or WebhookReason.NO_ACCOUNT, event=event)
        message = WebhookReceived(event=event, account_id=event.account_id, correlation_id=call.correlation_id)
        try:
            self._connect(settings.queue_url).send(message, group=event.account_id)
        except QueueUnavailable as error:
            return WebhookConclusion(reason=WebhookReason.QUEUE_UNAVAILABLE, event=event, detail=str(error))
        return WebhookConclusion(reason=WebhookReason(event.kind.value), event=event)


def _ignored(event: WebhookEvent, app: str | None) -> WebhookReason | None:
    if app is not None and event.app not in (None, app):
        return WebhookReason.OTHER_APP
    if event.kind is WebhookKind.IGNORED:
        return WebhookReason.IGNORED_EVENT
    return WebhookReason.UNKNOWN_EVENT if event.kind is WebhookKind.UNKNOWN else None
