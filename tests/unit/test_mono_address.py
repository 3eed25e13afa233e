"""The secret key goes to Mono, or on a developer's machine to the machine itself."""

from __future__ import annotations

import pytest

from mono_pipeline.core.errors import ConfigurationError
from mono_pipeline.core.mono_address import MONO_BASE_URL, mono_address


@pytest.mark.parametrize("environment", ["local", "dev", "staging", "prod"])
@pytest.mark.parametrize("base_url", [MONO_BASE_URL, MONO_BASE_URL + "/"])
def test_monos_own_address_is_allowed_everywhere(base_url: str, environment: str) -> None:
    """One spelling comes out."""
    assert mono_address(base_url, environment=environment) == "https://api.withmono.com"


@pytest.mark.parametrize(
    ("base_url", "address"),
    [
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
        ("https://127.0.0.1:8443", "https://127.0.0.1:8443"),
        ("http://localhost:1", "http://localhost:1"),
        ("http://127.9.9.9", "http://127.9.9.9"),
        ("http://[::1]:65535", "http://[::1]:65535"),
    ],
)
def test_locally_any_port_of_this_machine_will_do(base_url: str, address: str) -> None:
    """The sandbox listens there."""
    assert mono_address(base_url, environment="local") == address


@pytest.mark.parametrize(
    "base_url",
    ["http://127.0.0.1:8080", "https://localhost", "http://api.withmono.com", "https://api.withmono.com:8443"],
)
@pytest.mark.parametrize("environment", ["dev", "staging", "prod", "LOCAL", ""])
def test_elsewhere_nothing_but_monos_own_address_is(base_url: str, environment: str) -> None:
    """Neither this machine, nor plain text, nor another port."""
    with pytest.raises(ConfigurationError) as refused:
        mono_address(base_url, environment=environment)
    assert refused.value.setting == "MONO_BASE_URL"


@pytest.mark.parametrize(
    "base_url",
    [
        "",
        "api.withmono.com",
        "http://api.withmono.com",
        "HTTPS://evil.example",
        "https://api.withmono.com.evil.example",
        "https://api.withmono.com@evil.example",
        "https://user:word@127.0.0.1:80",
        "https://api.withmono.com/v2",
        "https://api.withmono.com?x=1",
        "https://api.withmono.com#x",
        "https://api.withmono.com.",
        "https://api.withmono.c\N{CYRILLIC SMALL LETTER O}m",
        "http://169.254.169.254",
        "http://10.0.0.1:8080",
        "http://0.0.0.0:8080",
        "http://0x7f.1",
        "http://2130706433",
        "http://127.0.0.1.evil.example",
        "http://evil.example#@127.0.0.1",
        "http://127.0.0.1:80\\@evil.example",
        "http://127.0.0.1:0",
        "http://127.0.0.1:99999",
        "http://127.0.0.1:80/path",
        "http://127.0.0.1:80/?",
        "http://127.0.0.1:80/#",
        "http://127.0.0.1:80\r\nHost: evil.example",
        "http://127.0.0.1:80\t",
        " http://127.0.0.1:80",
        "http://[::1",
        "http://[::ffff:10.0.0.1]",
        "ftp://127.0.0.1",
        "file:///proc/self/environ",
        "//127.0.0.1",
    ],
)
def test_locally_no_other_form_is_allowed_either(base_url: str) -> None:
    """A base is a scheme, a host and a port, and nothing that another program may read differently."""
    with pytest.raises(ConfigurationError):
        mono_address(base_url, environment="local")
