"""What the webhook function needs to know, and nothing that needs pydantic, httpx or pg8000 to be loaded."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from mono_pipeline.adapters.setting_source import fetch_settings
from mono_pipeline.core.errors import ConfigurationError, ParametersUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mono_pipeline.adapters.parameters import ReadsParameters
    from mono_pipeline.core.secret import Secret

SHORTEST_WEBHOOK_SECRET: Final = 32  # characters; what is shorter can be guessed, and a webhook is open to all
STATIC: Final = "static"
SIGNED: Final = "hmac"

WEBHOOK_PARAMETERS: Final = ("MONO_WEBHOOK_SECRET", "MONO_WEBHOOK_SECRET_PREVIOUS", "MONO_APP_ID")

KEPT_SECONDS: Final = 60.0  # until a new secret is heard of, and one that was removed is refused
RETRY_SECONDS: Final = 5.0  # between two questions to an SSM that is down: anybody can make the function ask


class WebhookSettings(Struct, frozen=True, kw_only=True):
    """Each field is the setting of the same name in capitals.

    `mono_webhook_secret_previous` is there while a rotation lasts: both are accepted. `mono_app_id` None means that
    the app named in a webhook is not checked.
    """

    environment: str
    mono_webhook_secret: Secret
    mono_webhook_secret_previous: Secret | None
    mono_webhook_verifier: str = STATIC
    mono_app_id: str | None
    queue_url: str

    @property
    def active_secrets(self) -> tuple[Secret, ...]:
        """Those that let a webhook in: one, or two in a rotation."""
        both = (self.mono_webhook_secret, self.mono_webhook_secret_previous)
        return tuple(secret for secret in both if secret is not None)


class KeptSettings:
    """The settings as SSM had them a minute ago at most, asked for when a webhook comes.

    Nothing outlives its minute: with SSM down the door is shut until it answers, and asked every five seconds at most.
    """

    def __init__(self, load: Callable[[], WebhookSettings], *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._load = load
        self._monotonic = monotonic
        self._known: WebhookSettings | ConfigurationError | ParametersUnavailable = ParametersUnavailable()
        self._good_until = -math.inf

    def __call__(self) -> WebhookSettings:
        """Return the settings; raise ConfigurationError or ParametersUnavailable as `load_webhook_settings` does."""
        now = self._monotonic()  # before SSM is asked, so that an answer never passes for younger than it is
        if now >= self._good_until:
            self._ask(now)
        if isinstance(self._known, WebhookSettings):
            return self._known
        raise self._known.with_traceback(None)

    def _ask(self, now: float) -> None:
        try:
            self._known, age = self._load(), KEPT_SECONDS
        except (ConfigurationError, ParametersUnavailable) as error:
            self._known, age = error, RETRY_SECONDS
        self._good_until = now + age


def load_webhook_settings(environ: Mapping[str, str], parameters: ReadsParameters) -> WebhookSettings:
    """Return the webhook's settings; raise ConfigurationError for a missing or bad one, ParametersUnavailable.

    Both mean 503 to Mono, which then sends again: a secret that cannot be read accepts nobody.
    """
    source = fetch_settings(environ, parameters, WEBHOOK_PARAMETERS)
    shortest = SHORTEST_WEBHOOK_SECRET
    return WebhookSettings(
        environment=source.environment,
        mono_webhook_secret=source.secret("MONO_WEBHOOK_SECRET", shortest=shortest),
        mono_webhook_secret_previous=source.optional_secret("MONO_WEBHOOK_SECRET_PREVIOUS", shortest=shortest),
        mono_webhook_verifier=source.one_of("MONO_WEBHOOK_VERIFIER", (STATIC, SIGNED), STATIC),
        mono_app_id=source.text("MONO_APP_ID", "") or None,
        queue_url=source.text("QUEUE_URL"),
    )
