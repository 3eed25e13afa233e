"""Mono that begins to fetch between the account's own page and the first of its rows, and then shows none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.sandbox.transport import SandboxTransport

if TYPE_CHECKING:
    import httpx


class FetchingAnew(SandboxTransport):
    """Turns an account to PROCESSING when its transactions are first asked for."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        if request.url.path.endswith("/transactions"):
            account = request.url.path.split("/")[-2]
            self.sandbox.set_data_status(account, data_status="PROCESSING", retrieved_data=[])
        return super().handle_request(request)
