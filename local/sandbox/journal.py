"""What the sandbox was asked: every request, so that a test can count the calls."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local.sandbox.clock import wire_instant
from local.sandbox.faults import account_in

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from local.sandbox.message import RequestParts

KEPT_REQUESTS = 200_000


@dataclass(frozen=True, kw_only=True, slots=True)
class ReceivedRequest:
    """One request to Mono's API; `has_key` says whether it carried the right key, which is not kept."""

    at: str
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    account: str | None
    has_key: bool
    status: int


class Journal:
    """The last requests, oldest first."""

    def __init__(self) -> None:
        self._held: deque[tuple[datetime, RequestParts, bool, int]] = deque(maxlen=KEPT_REQUESTS)

    def record(self, at: datetime, request: RequestParts, *, has_key: bool, status: int) -> None:
        """Keep one request."""
        self._held.append((at, request, has_key, status))

    def requests(self) -> list[ReceivedRequest]:
        """What was asked, without the key."""
        return [
            ReceivedRequest(
                at=wire_instant(at),
                method=request.method,
                path=request.path,
                query=request.parameters,
                headers=_without_key(request.headers),
                account=account_in(request.path),
                has_key=has_key,
                status=status,
            )
            for at, request, has_key, status in self._held
        ]

    def clear(self) -> None:
        """Forget all."""
        self._held.clear()


def _without_key(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in headers.items() if name != "mono-sec-key"}
