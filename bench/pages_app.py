"""The page source without nginx: a bare ASGI application that answers from memory, run by uvicorn."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import uvicorn

from local.ports import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_HEADERS = [(b"content-type", b"application/json")]


def load(pages: Path) -> dict[str, bytes]:
    """Every answer by its path; a page of transactions as `<path>?<page>`."""
    answers = {"/v2/accounts": (pages / "accounts.json").read_bytes()}
    for file in pages.glob("*/*.json"):
        account = f"/v2/accounts/{file.parent.name}"
        snapshot = file.name == "account.json"
        answers[account if snapshot else f"{account}/transactions?{file.stem}"] = file.read_bytes()
    return answers


def application(answers: dict[str, bytes]) -> Callable[..., Awaitable[None]]:
    """The ASGI application over `answers`; what they lack is 404."""

    async def app(scope: dict[str, Any], _receive: Any, send: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
        path = scope["path"]
        if path.endswith("/transactions"):
            path += f"?{parse_qs(scope['query_string'].decode()).get('page', ['1'])[0]}"
        body = answers.get(path)
        length = (b"content-length", str(len(body or b"")).encode())
        await send(
            {"type": "http.response.start", "status": 404 if body is None else 200, "headers": [*_HEADERS, length]}
        )
        await send({"type": "http.response.body", "body": body or b""})

    return app


def main() -> None:
    """Serve the folder of the first argument on the port of the second."""
    pages, port = Path(sys.argv[1]), int(sys.argv[2])
    uvicorn.run(
        application(load(pages)), host=LOOPBACK, port=port, lifespan="off", access_log=False, log_level="warning"
    )


if __name__ == "__main__":
    main()
