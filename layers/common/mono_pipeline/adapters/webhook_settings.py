"""What the webhook function needs to know, and nothing that needs pydantic, httpx or pg8000 to be loaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mono_pipeline.adapters.setting_source import fetch_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mono_pipeline.adapters.parameters import ReadsParameters
    from mono_pipeline.core.secret import Secret

SHORTEST_WEBHOOK_SECRET: Final = 32  # characters; what is shorter can be guessed, and a webhook is open to all

WEBHOOK_PARAMETERS: Final = ("MONO_WEBHOOK_SECRET", "MONO_WEBHOOK_SECRET_PREVIOUS", "MONO_APP_ID")


@dataclass(frozen=True, kw_only=True)
class WebhookSettings:
    """Each field is the setting of the same name in capitals.

    `mono_webhook_secret_previous` is there while a rotation lasts: both are accepted. `mono_app_id` None means that
    the app named in a webhook is not checked.
    """

    environment: str
    mono_webhook_secret: Secret
    mono_webhook_secret_previous: Secret | None
    mono_app_id: str | None
    queue_url: str


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
        mono_app_id=source.text("MONO_APP_ID", "") or None,
        queue_url=source.text("QUEUE_URL"),
    )
