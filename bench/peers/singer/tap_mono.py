"""A Singer tap of Mono's accounts and transactions, as the Meltano SDK's documentation has one written."""

from __future__ import annotations

from typing import Any, ClassVar

from singer_sdk import RESTStream, Stream, Tap
from singer_sdk import typing as th
from singer_sdk.pagination import BasePageNumberPaginator


class _ByNumber(BasePageNumberPaginator):
    def has_more(self, response: Any) -> bool:
        return response.json()["meta"]["next"] is not None


class _MonoStream(RESTStream):
    records_jsonpath = "$.data[*]"
    primary_keys: ClassVar[tuple[str, ...]] = ("id",)

    @property
    def url_base(self) -> str:
        return str(self.config["base_url"])

    @property
    def http_headers(self) -> dict[str, str]:
        return {"mono-sec-key": self.config["secret_key"]}


class Accounts(_MonoStream):
    """The accounts of one page of Mono's list."""

    name = "accounts"
    path = "/v2/accounts"
    schema: ClassVar[dict[str, Any]] = th.PropertiesList(
        th.Property("id", th.StringType, required=True),
        th.Property("name", th.StringType),
        th.Property("account_number", th.StringType),
        th.Property("currency", th.StringType),
        th.Property("balance", th.IntegerType),
    ).to_dict()

    def get_child_context(self, record: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG002 - the SDK's signature
        """What the transactions of an account need of it."""
        return {"account_id": record["id"]}


class Transactions(_MonoStream):
    """All transactions of one account."""

    name = "transactions"
    path = "/v2/accounts/{account_id}/transactions"
    parent_stream_type = Accounts
    state_partitioning_keys: ClassVar[list[str]] = []
    schema: ClassVar[dict[str, Any]] = th.PropertiesList(
        th.Property("id", th.StringType, required=True),
        th.Property("account_id", th.StringType),
        th.Property("narration", th.StringType),
        th.Property("amount", th.IntegerType),
        th.Property("type", th.StringType),
        th.Property("category", th.StringType),
        th.Property("currency", th.StringType),
        th.Property("balance", th.IntegerType),
        th.Property("date", th.DateTimeType),
    ).to_dict()

    def get_new_paginator(self) -> _ByNumber:
        """Pages by number: Mono's `next` may drop the filters."""
        return _ByNumber(1)

    def get_url_params(self, context: Any, next_page_token: int | None) -> dict[str, Any]:  # noqa: ARG002 - the SDK's signature
        """A page of a hundred."""
        return {"limit": 100, "page": next_page_token}


class TapMono(Tap):
    """Both streams."""

    name = "tap-mono"
    config_jsonschema: ClassVar[dict[str, Any]] = th.PropertiesList(
        th.Property("base_url", th.StringType, required=True), th.Property("secret_key", th.StringType, required=True)
    ).to_dict()

    def discover_streams(self) -> list[Stream]:
        """Accounts, and below each its transactions."""
        return [Accounts(self), Transactions(self)]


if __name__ == "__main__":
    TapMono.cli()
