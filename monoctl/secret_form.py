"""The secrets there are, and whether a text can be one of them."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mono_pipeline.adapters.webhook_settings import SHORTEST_WEBHOOK_SECRET
from mono_pipeline.core.errors import InvalidInput
from mono_pipeline.core.secret import Secret
from monoctl.environment import EnvironmentName

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEY = re.compile(r"(?P<mode>live|test)_sk_[A-Za-z0-9_-]+")
_GENERATED_BYTES = 36  # 48 characters, 288 bits


@dataclass(frozen=True, kw_only=True)
class SecretForm:
    """What is known of one secret: who makes it up, how long it must be at least, in characters."""

    name: str
    is_ours: bool  # whether we may make it up; a key of Mono's we may not
    shortest: int = 1


_WEBHOOK = SHORTEST_WEBHOOK_SECRET
SECRETS: Final[Mapping[str, SecretForm]] = {
    form.name: form
    for form in (
        SecretForm(name="MONO_SECRET_KEY", is_ours=False),
        SecretForm(name="MONO_WEBHOOK_SECRET", is_ours=True, shortest=_WEBHOOK),
        SecretForm(name="MONO_WEBHOOK_SECRET_PREVIOUS", is_ours=False, shortest=_WEBHOOK),
        SecretForm(name="DATABASE_PASSWORD", is_ours=True),
    )
}


def secret_form(name: str) -> SecretForm:
    """Return what is known of a secret; raise InvalidInput for a name that is none."""
    if name not in SECRETS:
        raise InvalidInput("NAME", f"{name[:40]!r} is no secret of the pipeline; there are {', '.join(SECRETS)}")
    return SECRETS[name]


def generated(form: SecretForm) -> Secret:
    """Return a new random secret; raise InvalidInput for one that somebody else hands out."""
    if not form.is_ours:
        raise InvalidInput("--generate", f"{form.name} is not ours to make up")
    return Secret(secrets.token_urlsafe(_GENERATED_BYTES))


def checked(form: SecretForm, text: str, environment: EnvironmentName) -> tuple[Secret, tuple[str, ...]]:
    """Return a text as this secret, and what the operator should know, one sentence each.

    Raises InvalidInput, which never repeats the text, where it cannot be this secret.
    """
    if not text or not all("!" <= character <= "~" for character in text):
        raise InvalidInput(form.name, "is empty, or holds white space or characters that no header can carry")
    if len(text) < form.shortest:
        raise InvalidInput(form.name, f"has {len(text)} characters and needs {form.shortest}")
    warnings = _of_mono(text, environment) if form.name == "MONO_SECRET_KEY" else ()
    return Secret(text), warnings


def _of_mono(text: str, environment: EnvironmentName) -> tuple[str, ...]:
    key = _KEY.fullmatch(text)
    if key is None:
        raise InvalidInput("MONO_SECRET_KEY", "is no secret key of Mono's: those start with live_sk_ or test_sk_")
    live, prod = key["mode"] == "live", environment is EnvironmentName.PROD
    if prod and not live:
        raise InvalidInput("MONO_SECRET_KEY", "is a test key, and prod reads real accounts: use the live_sk_ one")
    if live and not prod:
        return (f"This is a live key: {environment} now reads real customers' accounts.",)
    return ()
