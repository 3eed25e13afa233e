"""Prometheus' HTTP API: the data of an answer, or why there are none."""

from __future__ import annotations

from typing import Any

import httpx


class PrometheusUnread(Exception):
    """Prometheus did not say what was asked; the message says why."""


class Prometheus:
    """One server, asked without the proxies of the environment."""

    def __init__(self, url: str, *, seconds: float, transport: httpx.BaseTransport | None = None) -> None:
        """`seconds` is how long an answer may take; `transport` stands in for the network."""
        self._url = url.rstrip("/")
        self._timeout = httpx.Timeout(seconds, connect=3.0)
        self._transport = transport

    def ask(self, path: str, **parameters: str | float) -> dict[str, Any]:
        """Return the `data` of an answer. Raises PrometheusUnread."""
        try:
            # a connection each time: looks are seconds apart, and none is left open between them
            with httpx.Client(
                base_url=self._url, timeout=self._timeout, transport=self._transport, trust_env=False
            ) as client:
                response = client.get(path, params=parameters)
        except httpx.HTTPError as error:
            raise PrometheusUnread(str(error) or type(error).__name__) from error
        try:
            document = response.json()
        except ValueError:
            raise PrometheusUnread(f"it answered {response.status_code} without JSON") from None
        if response.is_error or not isinstance(document, dict) or document.get("status") != "success":
            said = document.get("error") if isinstance(document, dict) else ""
            raise PrometheusUnread(f"it answered {response.status_code} {said or ''}".rstrip())
        found: dict[str, Any] = document["data"]
        return found
