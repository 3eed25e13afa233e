"""`python -m local.sandbox`: the sandbox as a server; prints one line when it is ready."""

from __future__ import annotations

import argparse
import asyncio
import socket
import sys
from datetime import datetime
from pathlib import Path

import uvicorn

from local.sandbox.app import sandbox_app
from local.sandbox.sandbox import Sandbox
from local.sandbox.wiring import SandboxProtocol
from local.sandbox.world import DEFAULT_KEY

READY = "Mono sandbox ready at "


class _Server(uvicorn.Server):
    """Says where it listens once it does."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for bound in sockets or []:
            host, port = bound.getsockname()[:2]
            print(f"{READY}http://{host}:{port}", flush=True)


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m local.sandbox", description="A local stand-in for Mono's API.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--seed", default="1", help="decides every id, name, amount and order")
    parser.add_argument("--accounts", type=int, default=3)
    parser.add_argument("--transactions", type=int, default=100, help="in each account's history")
    parser.add_argument("--replay", type=Path, help="a folder of captured responses to serve besides")
    parser.add_argument("--secret-key", default=DEFAULT_KEY)
    parser.add_argument("--latency-ms", type=float, default=0.0, help="waited before every answer of Mono's API")
    parser.add_argument("--now", type=datetime.fromisoformat, help="an instant at which the clock stands")
    parser.add_argument("--webhook-url", help="where webhooks go")
    parser.add_argument("--webhook-secret", help="the plain text of the header mono-webhook-secret")
    parser.add_argument("--app-id", help="data.app of webhooks")
    parser.add_argument("--until-stdin-ends", action="store_true", help="end with the program that started it")
    return parser


def sandbox_of(options: argparse.Namespace) -> Sandbox:
    """The sandbox that the command line describes."""
    sandbox = Sandbox(
        seed=options.seed,
        secret_key=options.secret_key,
        now=options.now,
        accounts=options.accounts,
        transactions=options.transactions,
        replay=options.replay,
    )
    target = {"url": options.webhook_url, "secret": options.webhook_secret}
    sandbox.set_webhook_target(**{name: text for name, text in target.items() if text})
    if options.app_id:
        sandbox.set_app(app=options.app_id)
    return sandbox


async def serve(options: argparse.Namespace) -> None:
    """Serve until a signal, or the end of standard input, says stop."""
    # asyncio turns Nagle's algorithm off only where the protocol is named: else small answers take 40 ms.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((options.host, options.port))
    listening.listen(2048)
    app = sandbox_app(sandbox_of(options), latency_seconds=options.latency_ms / 1000)
    config = uvicorn.Config(
        app,
        http=SandboxProtocol,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        timeout_keep_alive=60,
        timeout_graceful_shutdown=1,
    )
    server = _Server(config)
    if options.until_stdin_ends:
        asyncio.get_running_loop().add_reader(sys.stdin, _stop, server)
    await server.serve(sockets=[listening])


def _stop(server: uvicorn.Server) -> None:
    asyncio.get_running_loop().remove_reader(sys.stdin)
    server.should_exit = True


if __name__ == "__main__":
    asyncio.run(serve(arguments().parse_args()))
