"""Serves a folder of captured responses as they were captured."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.sandbox.message import RequestParts, ResponseParts, json_response
from local.sandbox.pages import Query
from local.sandbox.wire import BASE_URL

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Replay:
    """One captured account: `account.json` and as many `transactions_page{N}.json` as there are."""

    account: dict[str, Any]
    account_body: bytes
    pages: dict[int, bytes]

    @classmethod
    def of(cls, folder: Path) -> Replay:
        """Read a folder of captured responses."""
        body = (folder / "account.json").read_bytes()
        pages = {
            int(path.stem.removeprefix("transactions_page")): path.read_bytes()
            for path in folder.glob("transactions_page*.json")
        }
        return cls(account=json.loads(body)["data"], account_body=body, pages=pages)

    @property
    def account_id(self) -> str:
        """Mono's id of the captured account."""
        return str(self.account["account"]["id"])

    def rows(self) -> list[dict[str, Any]]:
        """Every captured transaction."""
        return [row for number in sorted(self.pages) for row in json.loads(self.pages[number])["data"]]

    def answer(self, request: RequestParts) -> ResponseParts | None:
        """The captured answer; None for what was not captured. Filters and `limit` are ignored."""
        rest = request.path.removeprefix(f"/v2/accounts/{self.account_id}")
        if request.method != "GET" or rest not in {"", "/transactions", "/balance"}:
            return None
        if rest == "/balance":
            account = self.account["account"]
            names = ("id", "name", "account_number", "balance", "currency")
            return json_response(200, {**self._envelope(), "data": {name: account[name] for name in names}})
        if rest == "":
            return ResponseParts(status=200, body=self.account_body)
        page = Query.of(request).page
        if page in self.pages:
            return ResponseParts(status=200, body=self.pages[page])
        return json_response(200, {**self._envelope(), "data": [], "meta": self._meta(page)})

    def listed(self) -> dict[str, Any]:
        """The account as the account list shows it."""
        account, meta = self.account["account"], self.account["meta"]
        kept = {name: account[name] for name in ("id", "name", "account_number", "currency", "balance", "bvn", "type")}
        known = {"auth_method": meta["auth_method"], "status": meta["data_status"]}
        return {**kept, **known, "institution": account["institution"], "customer": self.account["customer"]}

    def _meta(self, page: int) -> dict[str, Any]:
        """The meta that the account's own paging would give a page that was not captured."""
        nothing: dict[str, Any] = {"data": [], "meta": {"total": 0}}
        first = json.loads(self.pages[min(self.pages)]) if self.pages else nothing
        total, size = first["meta"]["total"], max(len(first["data"]), 1)
        link = f"{BASE_URL}/accounts/{self.account_id}/transactions?page="
        return {
            "total": total,
            "page": page,
            "previous": f"{link}{page - 1}" if page > 1 else None,
            "next": f"{link}{page + 1}" if page * size < total else None,
        }

    def _envelope(self) -> dict[str, Any]:
        captured = json.loads(self.account_body)
        return {"status": "successful", "message": captured["message"], "timestamp": captured["timestamp"]}
