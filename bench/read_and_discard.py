"""The limit of the transport: every page of every account, read by our HTTP client's own transport and thrown away.

Runs in our environment, as a contestant does. `--in-flight` pages at once. The last line is JSON: seconds, requests.
"""

from __future__ import annotations

import argparse
import json
import ssl
import time
from concurrent.futures import ThreadPoolExecutor

import httpx

from mono_pipeline.adapters.mono_transport import DeadlineTransport


def main() -> None:
    """Read all there is, once."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--database-url", required=True, help="not used; every contestant is told")
    parser.add_argument("--pages", type=int, required=True, help="of each account")
    parser.add_argument("--in-flight", type=int, default=10)
    asked = parser.parse_args()
    began = time.monotonic()
    transport = DeadlineTransport(tls=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), connections=asked.in_flight)
    with httpx.Client(base_url=asked.base_url, transport=transport, timeout=60.0) as client:
        accounts = [account["id"] for account in client.get("/v2/accounts").json()["data"]]
        paths = [f"/v2/accounts/{account}" for account in accounts]
        paths += [
            f"/v2/accounts/{account}/transactions?page={page}&limit=100"
            for account in accounts
            for page in range(1, asked.pages + 1)
        ]
        with ThreadPoolExecutor(asked.in_flight) as pool:
            sizes = list(pool.map(lambda path: len(client.get(path).raise_for_status().content), paths))
    print(json.dumps({"seconds": time.monotonic() - began, "requests": len(sizes) + 1, "bytes": sum(sizes)}))


if __name__ == "__main__":
    main()
