"""`python -m monitoring.account_exporter --database-url URL --port PORT`: serves /metrics until it is ended.

TLS is verified, with the authorities of this machine or of `SSL_CERT_FILE`; plain text goes to loopback only. With
`--iam` the password is a token that AWS takes for 15 minutes, signed anew for each connection.
"""

from __future__ import annotations

import argparse
import os
import ssl
import sys
import threading
from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import boto3
from prometheus_client import CollectorRegistry, start_http_server

from monitoring.account_exporter.accounts import AccountCollector
from mono_pipeline.adapters.postgres import Database, DatabaseAddress

if TYPE_CHECKING:
    from collections.abc import Mapping

LOOPBACK: Final = ("127.0.0.1", "localhost")


def address(url: str, environ: Mapping[str, str], *, iam: bool = False) -> DatabaseAddress:
    """Where `postgresql://user@host:port/database` is; the password is never in it.

    With `iam` it is a token of the Region in `AWS_REGION`, else `DATABASE_PASSWORD`, else none.

    Raises:
        ValueError: the URL is not of this form.
    """
    parts = urlsplit(url)
    if parts.scheme != "postgresql" or not parts.hostname or not parts.username or parts.password:
        raise ValueError("--database-url is postgresql://user@host:port/database, the password in DATABASE_PASSWORD")
    port, given = parts.port or 5432, environ.get("DATABASE_PASSWORD")
    password = None if given is None else lambda: given
    if iam:
        password = partial(_token, environ["AWS_REGION"], parts.hostname, port, parts.username)
    return DatabaseAddress(
        host=parts.hostname,
        port=port,
        database=parts.path.removeprefix("/"),
        user=parts.username,
        password=password,
        ssl_context=None if parts.hostname in LOOPBACK else ssl.create_default_context(),
        timeout_seconds=20.0,
    )


def _token(region: str, host: str, port: int, user: str) -> str:
    rds = boto3.client("rds", region_name=region)
    return str(rds.generate_db_auth_token(DBHostname=host, Port=port, DBUsername=user))


def main(argv: list[str]) -> int:
    """Serve; the process ends by a signal."""
    parser = argparse.ArgumentParser(prog="python -m monitoring.account_exporter")
    parser.add_argument("--database-url", required=True, help="postgresql://monitor@host:port/database")
    parser.add_argument("--iam", action="store_true", help="log in by IAM, in AWS_REGION")
    parser.add_argument("--listen", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9190)
    given = parser.parse_args(argv)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(AccountCollector(Database(address(given.database_url, os.environ, iam=given.iam))))
    start_http_server(given.port, addr=given.listen, registry=registry)
    threading.Event().wait()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
