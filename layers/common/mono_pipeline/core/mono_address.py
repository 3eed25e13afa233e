"""Where Mono may be: the allow-list of base URLs. The secret key goes to no other host."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mono_pipeline.core.errors import ConfigurationError

if TYPE_CHECKING:
    from urllib.parse import SplitResult

MONO_BASE_URL = "https://api.withmono.com"  # live and sandbox alike: the key decides (Mono contract 1)

_SETTING = "MONO_BASE_URL"
_VISIBLE = re.compile(r"[!-~]+")  # urlsplit silently drops tabs and line ends


def mono_address(base_url: str, *, environment: str) -> str:
    """`base_url` without a slash at its end, when the secret key may be sent there.

    That is Mono's own, and in the environment `local` also any port of this machine, with or without TLS.

    Raises:
        ConfigurationError: it may not.
    """
    if base_url.removesuffix("/") == MONO_BASE_URL:
        return MONO_BASE_URL
    if environment != "local":
        raise ConfigurationError(_SETTING, f"must be {MONO_BASE_URL} unless ENVIRONMENT=local")
    url = _split(base_url)
    beyond_base = "@" in url.netloc or url.path not in {"", "/"} or "?" in base_url or "#" in base_url
    if url.scheme not in {"http", "https"} or beyond_base or not _is_this_machine(url.hostname or ""):
        raise ConfigurationError(_SETTING, f"must be {MONO_BASE_URL}, or scheme, loopback host and port alone")
    return f"{url.scheme}://{url.netloc}"


def _split(base_url: str) -> SplitResult:
    try:
        url = urlsplit(base_url)
        valid = _VISIBLE.fullmatch(base_url) is not None and url.port != 0  # reading the port checks it
    except ValueError:
        valid = False
    if not valid:
        raise ConfigurationError(_SETTING, "is no URL")
    return url


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
