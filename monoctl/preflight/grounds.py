"""What the checks of a pre-flight look at."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable

    from mono_pipeline.adapters.parameters import ParameterStore
    from monoctl.environment import EnvironmentName
    from monoctl.reach import AsksOps
    from monoctl.reach.deployment import Deployment

_TIMEOUT: Final = httpx.Timeout(10.0, connect=5.0)


@dataclass(frozen=True, kw_only=True)
class Grounds:
    """One environment.

    `prometheus` is its URL, None where nobody gave one. `confirmed_url` is what a person or a machine says that Mono's
    dashboard has. With `first_release` there need be no earlier version of the code. Times are in seconds.
    """

    environment: EnvironmentName
    ops: AsksOps
    parameters: ParameterStore
    deployment: Deployment
    prometheus: str | None
    confirmed_url: str | None = None
    first_release: bool = False
    monotonic: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep
    transport: httpx.BaseTransport | None = None

    @property
    def is_local(self) -> bool:
        """Whether this is the embedded stack, where the database is on this machine."""
        return self.environment == "local"

    def http(self, url: str) -> httpx.Client:
        """A client for one URL; proxies of the environment are for https alone."""
        return httpx.Client(
            timeout=_TIMEOUT, transport=self.transport, trust_env=url.startswith("https://"), follow_redirects=False
        )
