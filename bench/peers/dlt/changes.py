"""dlt's turn in `make evidence`: every account and transaction into PostgreSQL, once, in one of its documented ways.

`incremental` asks from the newest date that it has seen on, `lag` from seven days before it; both merge by id. `merge`
reads everything and merges by id; `replace` reads everything and puts it in the place of what was there. Pages are
asked for by number in all four, because Mono's `meta.next` may drop the filters.
"""

from __future__ import annotations

import argparse
from datetime import datetime
from typing import Any

import dlt
from dlt.sources.rest_api import rest_api_source

WEEK = 7 * 86_400.0


def main() -> None:
    """Load once."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--database-url", required=True)
    parser.add_argument("--pipelines-dir", required=True)
    parser.add_argument("--secret-key", required=True)
    parser.add_argument("--mode", choices=["incremental", "lag", "merge", "replace"], required=True)
    asked = parser.parse_args()
    pipeline = dlt.pipeline(
        "mono",
        destination=dlt.destinations.postgres(asked.database_url),
        dataset_name="mono",
        pipelines_dir=asked.pipelines_dir,
    )
    pipeline.run(source(asked.base_url, asked.secret_key, asked.mode))


def source(base_url: str, secret_key: str, mode: str) -> Any:
    """The REST source: accounts, and below each its transactions."""
    params: dict[str, Any] = {"limit": 100}
    if mode in {"incremental", "lag"}:
        params["start"] = {
            "type": "incremental",
            "cursor_path": "date",
            "initial_value": "2020-01-01T00:00:00.000Z",
            "convert": as_mono_reads_it,
            **({"lag": WEEK} if mode == "lag" else {}),
        }
    keeping = {"write_disposition": "replace" if mode == "replace" else "merge", "primary_key": "id"}
    by_number = {"type": "page_number", "base_page": 1, "page_param": "page", "total_path": None}
    return rest_api_source(
        {
            "client": {"base_url": base_url, "headers": {"mono-sec-key": secret_key}},
            "resources": [
                {
                    "name": "accounts",
                    "endpoint": {"path": "v2/accounts", "data_selector": "data", "paginator": "single_page"},
                    **keeping,
                },
                {
                    "name": "transactions",
                    "parallelized": True,
                    "endpoint": {
                        "path": "v2/accounts/{resources.accounts.id}/transactions",
                        "data_selector": "data",
                        "params": params,
                        "paginator": by_number,
                    },
                    **keeping,
                },
            ],
        }
    )


def as_mono_reads_it(cursor: str) -> str:
    """`DD-MM-YYYY` (Mono contract 2.1)."""
    return datetime.fromisoformat(cursor).strftime("%d-%m-%Y")


if __name__ == "__main__":
    main()
