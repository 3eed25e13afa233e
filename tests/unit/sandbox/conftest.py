"""A sandbox whose clock stands, and a client that talks to it without a socket."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

import httpx
import pytest

from local.sandbox.sandbox import Sandbox
from local.sandbox.transport import SandboxTransport
from local.sandbox.world import DEFAULT_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 9, 30, 12, 0, tzinfo=UTC)


class Pages(Protocol):
    def __call__(self, account: str, **parameters: Any) -> list[dict[str, Any]]:
        """Read all rows."""


@pytest.fixture
def sandbox() -> Sandbox:
    """A sandbox without accounts, whose clock stands at `NOW`."""
    return Sandbox(seed="tests", now=NOW)


@pytest.fixture
def mono(sandbox: Sandbox) -> Iterator[httpx.Client]:
    """A client with the key."""
    with httpx.Client(
        transport=SandboxTransport(sandbox), base_url="http://sandbox", headers={"mono-sec-key": DEFAULT_KEY}
    ) as client:
        yield client


@pytest.fixture
def read_all(mono: httpx.Client) -> Pages:
    """Reads an account's pages by their number until `next` is null."""

    def read(account: str, **parameters: Any) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        for page in range(1, 1000):
            answer = mono.get(f"/v2/accounts/{account}/transactions", params={**parameters, "page": page}).json()
            rows += answer["data"]
            if answer["meta"]["next"] is None:
                return rows
        raise AssertionError("pages without end")

    return read
