"""dlt's turn: read every account and transaction over its REST source and merge them into PostgreSQL.

Runs in dlt's own environment. Prints one JSON line: seconds inside dlt, by step.
"""

from __future__ import annotations

import argparse
import json
import time

# dlt reads its settings from the environment when it is imported; `bench/contestants.py` gives the tuned ones.
import dlt
from dlt.sources.rest_api import rest_api_source


def main() -> None:
    """Load once and print how long each step took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--database-url", required=True)
    parser.add_argument("--pipelines-dir", required=True)
    parser.add_argument("--format", default=None, help="loader file format; None is dlt's own choice")
    asked = parser.parse_args()
    began = time.monotonic()
    pipeline = dlt.pipeline(
        "mono",
        destination=dlt.destinations.postgres(asked.database_url),
        dataset_name="mono",
        pipelines_dir=asked.pipelines_dir,
    )
    source = rest_api_source(
        {
            "client": {"base_url": asked.base_url, "headers": {"mono-sec-key": "test_sk_bench"}},
            "resources": [
                {
                    "name": "accounts",
                    "endpoint": {"path": "v2/accounts", "data_selector": "data", "paginator": "single_page"},
                    "write_disposition": "merge",
                    "primary_key": "id",
                },
                {
                    "name": "transactions",
                    "write_disposition": "merge",
                    "primary_key": "id",
                    "parallelized": True,
                    "include_from_parent": ["id"],
                    "endpoint": {
                        "path": "v2/accounts/{resources.accounts.id}/transactions",
                        "data_selector": "data",
                        "params": {"limit": 100},
                        "paginator": {"type": "json_link", "next_url_path": "meta.next"},
                    },
                },
            ],
        }
    )
    pipeline.run(source, loader_file_format=asked.format)
    trace = pipeline.last_trace
    steps = {step.step: round((step.finished_at - step.started_at).total_seconds(), 2) for step in trace.steps}
    print(json.dumps({"seconds": time.monotonic() - began, "steps": steps}))


if __name__ == "__main__":
    main()
