"""Where one setting's text comes from, and whether it is of its form.

Each bad value is a ConfigurationError that names the setting, says what is wrong, and how to put it right. Free of
pydantic, httpx and pg8000: the webhook function loads its settings through here and has none of them.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from msgspec import Struct

from mono_pipeline.adapters.parameters import parameter_name
from mono_pipeline.core.errors import ConfigurationError
from mono_pipeline.core.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from urllib.parse import SplitResult

    from mono_pipeline.adapters.parameters import Parameter, ReadsParameters

LOCAL: Final = "local"
ENVIRONMENTS: Final = (LOCAL, "dev", "staging", "prod")

_PLACEHOLDERS = ("changeme", "change-me", "change_me", "placeholder", "replace-me", "replace_me")


class WholeNumber(Struct, frozen=True, kw_only=True):
    """A setting that is a whole number: its bounds, its unit, and what it is when nobody set it."""

    name: str
    default: int
    low: int
    high: int
    unit: str


class SettingSource:
    """The environment of a function and the parameters fetched for it: SSM goes before the environment."""

    def __init__(self, environ: Mapping[str, str], found: Mapping[str, Parameter]) -> None:
        """`found` holds the parameters by their full name."""
        self.environment = environment_of(environ)
        self._environ = environ
        self._found = found

    @property
    def is_local(self) -> bool:
        """Whether this is the embedded stack of one machine, where looser rules hold."""
        return self.environment == LOCAL

    def text(self, name: str, default: str | None = None) -> str:
        """Return a setting's text without white space around it; without a default it must be set."""
        parameter = self._found.get(self._parameter(name))
        text = (parameter.value if parameter else self._environ.get(name, "")).strip()
        if text:
            return text
        if default is None:
            raise self.wrong(name, "is not set", "set it in the function's environment (template.yaml)")
        return default

    def one_of(self, name: str, choices: Collection[str], default: str) -> str:
        """Return a setting that is one of a few words."""
        text = self.text(name, default)
        if text not in choices:
            raise self.wrong(name, f"is {text[:40]!r}", f"use one of {', '.join(choices)}")
        return text

    def whole(self, number: WholeNumber) -> int:
        """Return a whole number within its bounds."""
        text = self.text(number.name, str(number.default))
        bounds = f"use a whole number of {number.unit} from {number.low} to {number.high}"
        if not (text.isascii() and text.isdigit() and len(text) <= len(str(number.high))):
            raise self.wrong(number.name, f"is {text[:40]!r}", bounds)
        if not number.low <= int(text) <= number.high:
            raise self.wrong(number.name, f"is {text}", bounds)
        return int(text)

    def base_url(self, name: str, default: str) -> str:
        """Return an https URL without a slash at its end; http and this machine itself only when local."""
        text = self.text(name, default)
        try:
            url = urlsplit(text)
            host, _ = url.hostname, url.port
        except ValueError:
            raise self.wrong(name, "is no URL", f"use one such as {default}") from None
        if not host or url.scheme not in ("https", "http") or _has_more_than_a_base(url) or not _is_visible(text):
            raise self.wrong(name, "is no plain base URL", f"use one such as {default}: no user, query or fragment")
        if not self.is_local and (url.scheme != "https" or _is_this_machine(host)):
            raise self.wrong(
                name, f"is {text[:80]!r}, allowed only when ENVIRONMENT=local", "use https and Mono's host"
            )
        return text.rstrip("/")

    def optional_secret(self, name: str, *, shortest: int = 1) -> Secret | None:
        """Return a secret of at least `shortest` characters, None where it is not set."""
        text = self._secret_text(name)
        if text is None:
            return None
        fix = f"write it again with `monoctl --env {self.environment} secrets set {name}`"
        if not _is_visible(text):
            raise self.wrong(name, "is empty, or holds white space or characters no header can carry", fix)
        if len(text) < shortest:
            raise self.wrong(name, f"has {len(text)} characters and needs {shortest}", fix)
        if any(word in text.lower() for word in _PLACEHOLDERS):
            raise self.wrong(name, "is a placeholder", fix)
        return Secret(text)

    def secret(self, name: str, *, shortest: int = 1) -> Secret:
        """Return a secret that must be there."""
        secret = self.optional_secret(name, shortest=shortest)
        if secret is None:
            fix = f"write {self._parameter(name)} with `monoctl --env {self.environment} secrets set {name}`"
            raise self.wrong(name, "is not set", fix)
        return secret

    def wrong(self, name: str, problem: str, fix: str) -> ConfigurationError:
        """Return the error for a setting; `problem` never holds a secret's text."""
        return ConfigurationError(name, f"{problem}; {fix}")

    def _secret_text(self, name: str) -> str | None:
        parameter = self._found.get(self._parameter(name))
        if parameter is not None and parameter.kind != "SecureString":
            fix = f"delete {parameter.name} and write it with `monoctl --env {self.environment} secrets set {name}`"
            raise self.wrong(name, f"is stored in clear (a {parameter.kind})", fix)
        if name in self._environ and not self.is_local:
            fix = "take it out: secrets come from SSM alone"
            raise self.wrong(name, "is in the function's environment, where many can read it", fix)
        return parameter.value if parameter is not None else self._environ.get(name) or None

    def _parameter(self, name: str) -> str:
        return parameter_name(self.environment, name)


def fetch_settings(environ: Mapping[str, str], parameters: ReadsParameters, names: Collection[str]) -> SettingSource:
    """Ask SSM for these settings in one call (at most ten names) and return the source that has them.

    Raises ConfigurationError without a valid ENVIRONMENT, ParametersUnavailable where SSM does not answer.
    """
    environment = environment_of(environ)
    return SettingSource(environ, parameters.get_many([parameter_name(environment, name) for name in names]))


def environment_of(environ: Mapping[str, str]) -> str:
    """Return the function's ENVIRONMENT; raise ConfigurationError unless it is one of `ENVIRONMENTS`."""
    environment = environ.get("ENVIRONMENT", "")
    if environment not in ENVIRONMENTS:
        problem = f"is {environment[:40]!r}; use one of {', '.join(ENVIRONMENTS)}"
        raise ConfigurationError("ENVIRONMENT", problem)
    return environment


def _is_visible(text: str) -> bool:
    return bool(text) and all("!" <= character <= "~" for character in text)


def _has_more_than_a_base(url: SplitResult) -> bool:
    return "@" in url.netloc or bool(url.query) or bool(url.fragment)


def _is_this_machine(host: str) -> bool:
    """Loopback and its kin; a numeric form such as 127.1 or 0x7f000001 is refused with them, for resolvers take it."""
    name = host.rstrip(".").lower()
    try:
        address = ip_address(name)
    except ValueError:
        last = name.rsplit(".", 1)[-1]
        return name == "localhost" or last == "localhost" or last[:1].isdigit()
    mapped = getattr(address, "ipv4_mapped", None) or address
    return mapped.is_loopback or mapped.is_unspecified or mapped.is_link_local
