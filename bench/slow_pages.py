"""Serves rendered pages as a slow Mono does: each answer takes the same time, and so many are under way at most.

`python bench/slow_pages.py FOLDER PORT LATENCY_MS CONCURRENT`. With the cap, latency x requests / concurrent is a floor
for every client alike. `GET /_requests` tells how many were answered so far.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    type Application = Callable[[dict[str, Any], Any, Any], Awaitable[None]]

COUNT = "/_requests"


def slowly(pages: Application, *, seconds: float, concurrent: int) -> Application:
    """The application over another one that answers at once."""
    places, answered = asyncio.Semaphore(concurrent), 0

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        nonlocal answered
        if scope["path"] == COUNT:
            body = str(answered).encode()
            await send(
                {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]}
            )
            await send({"type": "http.response.body", "body": body})
            return
        async with places:
            await asyncio.sleep(seconds)
            answered += 1
            await pages(scope, receive, send)

    return app


def main() -> None:
    """Serve until the end."""
    from bench.pages_app import application, load  # noqa: PLC0415 - only the server reads pages
    from local.ports import LOOPBACK  # noqa: PLC0415 - as above

    folder, port, latency_ms, concurrent = sys.argv[1:5]
    app = slowly(application(load(Path(folder))), seconds=float(latency_ms) / 1000, concurrent=int(concurrent))
    uvicorn.run(app, host=LOOPBACK, port=int(port), lifespan="off", access_log=False, log_level="warning")


if __name__ == "__main__":
    main()
