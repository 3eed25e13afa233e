"""`python -m monitoring.account_exporter --database-url URL --port PORT`: serves /metrics until it is ended.

TLS is verified, with the authorities of this machine or of `SSL_CERT_FILE`; plain text goes to loopback only.
"""

from __future__ import annotations

import argparse
import os
import ssl
import sys
import threading
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry, start_http_server

from monitoring.account_exporter.accounts import AccountCollector
from mono_pipeline.adapters.postgres import Database, DatabaseAddress

if TYPE_CHECKING:
    from collections.abc import Mapping

LOOPBACK: Final = ("127.0.0.1", "localhost")


def address(url: str, environ: Mapping[str, str]) -> DatabaseAddress:
    """Where `postgresql://user@host:port/database` is; the password is never in it.

    Raises:
        ValueError: the URL is not of this form.
    """
    parts = urlsplit(url)
    if parts.scheme != "postgresql" or not parts.hostname or not parts.username or parts.password:
        raise ValueError("--database-url is postgresql://user@host:port/database, the password in DATABASE_PASSWORD")
    password = environ.get("DATABASE_PASSWORD")
    return DatabaseAddress(
        host=parts.hostname,
        port=parts.port or 5432,
        database=parts.path.removeprefix("/"),
        user=parts.username,
        password=None if password is None else lambda: password,
        ssl_context=None if parts.hostname in LOOPBACK else ssl.create_default_context(),
        timeout_seconds=20.0,
    )


def main(argv: list[str]) -> int:
    """Serve; the process ends by a signal."""
    parser = argparse.ArgumentParser(prog="python -m monitoring.account_exporter")
    parser.add_argument("--database-url", required=True, help="postgresql://monitor@host:port/database")
    parser.add_argument("--listen", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9190)
    given = parser.parse_args(argv)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(AccountCollector(Database(address(given.database_url, os.environ))))
    start_http_server(given.port, addr=given.listen, registry=registry)
    threading.Event().wait()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
