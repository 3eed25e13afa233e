"""PyAirbyte's turn: a declarative source, as its low-code guide has one written, read into its PostgreSQL cache.

Four streams' slices at once. Prints one JSON line: seconds inside PyAirbyte.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any
from urllib.parse import urlsplit

import airbyte as ab
from airbyte.caches import PostgresCache


def main() -> None:
    """Load once."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--database-url", required=True)
    parser.add_argument("--pipelines-dir", required=True)
    parser.add_argument("--secret-key", default="test_sk_bench")
    asked = parser.parse_args()
    database = urlsplit(asked.database_url)
    began = time.monotonic()
    source = ab.get_source("source-mono", config={}, source_manifest=manifest(asked.base_url, asked.secret_key))
    source.select_all_streams()
    cache = PostgresCache(
        host=str(database.hostname),
        port=int(database.port or 5432),
        username=str(database.username),
        password=str(database.password),
        database=database.path.removeprefix("/"),
        schema_name="mono",
        cache_dir=asked.pipelines_dir,
    )
    source.read(cache=cache, force_full_refresh=True, write_strategy="merge")
    print(json.dumps({"seconds": time.monotonic() - began}))
    sys.stdout.flush()


def manifest(base_url: str, secret_key: str) -> dict[str, Any]:
    """The source: accounts, and below each its transactions, page by page."""
    accounts = _stream("accounts", base_url, secret_key, "/v2/accounts", _ACCOUNT)
    path = "/v2/accounts/{{ stream_partition.account_id }}/transactions"
    transactions = _stream("transactions", base_url, secret_key, path, _TRANSACTION)
    transactions["retriever"]["partition_router"] = {
        "type": "SubstreamPartitionRouter",
        "parent_stream_configs": [
            {"type": "ParentStreamConfig", "parent_key": "id", "partition_field": "account_id", "stream": accounts}
        ],
    }
    transactions["retriever"]["requester"]["request_parameters"] = {"limit": "100"}
    transactions["retriever"]["paginator"] = {
        "type": "DefaultPaginator",
        "page_token_option": {"type": "RequestOption", "inject_into": "request_parameter", "field_name": "page"},
        "pagination_strategy": {
            "type": "CursorPagination",
            "cursor_value": "{{ response.meta.page + 1 }}",
            "stop_condition": "{{ response.meta.next is none }}",
        },
    }
    return {
        "version": "6.0.0",
        "type": "DeclarativeSource",
        "check": {"type": "CheckStream", "stream_names": ["accounts"]},
        "streams": [accounts, transactions],
        "concurrency_level": {"type": "ConcurrencyLevel", "default_concurrency": 4, "max_concurrency": 10},
        "spec": {
            "type": "Spec",
            "connection_specification": {"type": "object", "properties": {}, "additionalProperties": True},
        },
    }


def _stream(name: str, base_url: str, secret_key: str, path: str, properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "DeclarativeStream",
        "name": name,
        "primary_key": ["id"],
        "retriever": {
            "type": "SimpleRetriever",
            "requester": {
                "type": "HttpRequester",
                "url_base": base_url,
                "path": path,
                "http_method": "GET",
                "request_headers": {"mono-sec-key": secret_key},
            },
            "record_selector": {
                "type": "RecordSelector",
                "extractor": {"type": "DpathExtractor", "field_path": ["data"]},
            },
        },
        "schema_loader": {
            "type": "InlineSchemaLoader",
            "schema": {"type": "object", "properties": properties, "additionalProperties": True},
        },
    }


_TEXT = {"type": ["null", "string"]}
_NUMBER = {"type": ["null", "integer"]}
_ACCOUNT = {"id": {"type": "string"}, "name": _TEXT, "account_number": _TEXT, "currency": _TEXT, "balance": _NUMBER}
_TRANSACTION = {
    "id": {"type": "string"},
    "narration": _TEXT,
    "amount": _NUMBER,
    "type": _TEXT,
    "category": _TEXT,
    "currency": _TEXT,
    "balance": _NUMBER,
    "date": _TEXT,
}

if __name__ == "__main__":
    main()
