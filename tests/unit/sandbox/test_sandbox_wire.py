"""The sandbox speaks Mono's wire contract."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import httpx

    from local.sandbox.sandbox import Sandbox

CAPTURED = Path(__file__).resolve().parents[4] / "shared" / "mono" / "captured"
needs_captured = pytest.mark.skipif(not CAPTURED.is_dir(), reason="the captured responses are not here")


def shape(document: Any) -> Any:
    """Names and types, without values; of a list its first element."""
    if isinstance(document, dict):
        return {name: shape(value) for name, value in document.items()}
    return [shape(document[0])] if isinstance(document, list) else type(document).__name__


@needs_captured
def test_a_page_has_the_shape_of_the_captured_page(sandbox: Sandbox, mono: httpx.Client) -> None:
    """Names, types and the order of fields."""
    account = sandbox.create_account(transactions=45)["id"]
    page = mono.get(f"/v2/accounts/{account}/transactions").json()
    assert shape(page) == shape(json.loads((CAPTURED / "transactions_page1.json").read_bytes()))
    assert list(page["data"][0]) == ["id", "narration", "amount", "type", "category", "currency", "balance", "date"]


@needs_captured
def test_an_account_has_the_captured_fields_and_the_documented_later_ones(sandbox: Sandbox, mono: httpx.Client) -> None:
    """The capture, and what Mono added since (Mono contract 3)."""
    account = sandbox.link_account(ready=True, reference="4055877-T")["id"]
    document = shape(mono.get(f"/v2/accounts/{account}").json())
    later = {name: document["data"]["meta"].pop(name) for name in ("data_request_id", "retrieved_data", "ref")}
    assert document == shape(json.loads((CAPTURED / "account.json").read_bytes()))
    assert later == {"data_request_id": "str", "retrieved_data": ["str"], "ref": "str"}


def test_the_next_link_names_the_real_host_and_drops_the_filters(sandbox: Sandbox, mono: httpx.Client) -> None:
    """As captured (Mono contract 2.2)."""
    account = sandbox.create_account(transactions=45)["id"]
    path = f"/v2/accounts/{account}/transactions"
    meta = mono.get(path, params={"page": 2, "limit": 10, "start": "01-01-2020"}).json()["meta"]
    link = f"https://api.withmono.com{path}?page="
    assert meta == {"total": 45, "page": 2, "previous": f"{link}1", "next": f"{link}3"}


def test_ids_are_object_ids_and_bvn_is_masked_in_one_account_but_whole_in_the_list(
    sandbox: Sandbox, mono: httpx.Client
) -> None:
    """The list carries PII (Mono contract 4)."""
    account = sandbox.create_account()["id"]
    listed = mono.get("/v2/accounts").json()["data"][0]
    single = mono.get(f"/v2/accounts/{account}").json()["data"]["account"]
    assert re.fullmatch(r"[0-9a-f]{24}", account)
    assert all(re.fullmatch(r"[0-9a-f]{24}", row["id"]) for row in sandbox.truth(account)["copy"])
    assert re.fullmatch(r"\d{11}", listed["bvn"])
    assert single["bvn"] == listed["bvn"][-4:]
    assert listed["status"] == "AVAILABLE"


def test_the_account_list_pages_by_ten_and_counts_its_pages(sandbox: Sandbox, mono: httpx.Client) -> None:
    """`meta.pages` here, `meta.page` there (Mono contract 4)."""
    sandbox.create_accounts(23, transactions=0)
    answers = [mono.get("/v2/accounts", params={"page": page}).json() for page in (1, 2, 3)]
    assert [len(answer["data"]) for answer in answers] == [10, 10, 3]
    assert answers[0]["meta"] == {
        "total": 23,
        "pages": 3,
        "previous": None,
        "next": "https://api.withmono.com/v2/accounts/?page=2",
    }
    assert answers[2]["meta"]["next"] is None
    assert {account["id"] for answer in answers for account in answer["data"]} == set(sandbox.links)


@pytest.mark.parametrize("headers", [{"mono-sec-key": "wrong"}, {"mono-sec-key": ""}])
def test_without_the_key_every_path_is_401_in_monos_words(mono: httpx.Client, headers: dict[str, str]) -> None:
    """Mono contract 6."""
    answer = mono.get("/v2/accounts", headers=headers)
    assert answer.status_code == 401
    assert answer.json() == {
        "status": "failed",
        "message": "Unauthorized request.",
        "timestamp": "2026-09-30T12:00:00.000Z",
        "data": None,
    }


def test_an_unknown_account_is_404_with_data_null(mono: httpx.Client) -> None:
    """The captured shape of an error (Mono contract 6)."""
    answer = mono.get("/v2/accounts/000000000000000000000000/transactions")
    assert (answer.status_code, answer.json()["status"], answer.json()["data"]) == (404, "failed", None)


@pytest.mark.parametrize(
    "parameters", [{"start": "2026-01-01"}, {"end": "31-02-2026"}, {"page": "0"}, {"limit": "x"}, {"type": "both"}]
)
def test_a_parameter_out_of_form_is_400(sandbox: Sandbox, mono: httpx.Client, parameters: dict[str, str]) -> None:
    """Dates are DD-MM-YYYY (Mono contract 2.1)."""
    account = sandbox.create_account()["id"]
    assert mono.get(f"/v2/accounts/{account}/transactions", params=parameters).status_code == 400


def test_a_key_is_never_kept_with_the_requests(sandbox: Sandbox, mono: httpx.Client) -> None:
    """A journal may be printed."""
    account = sandbox.create_account()["id"]
    mono.get(f"/v2/accounts/{account}/transactions", params={"page": 2})
    asked = sandbox.requests()[-1]
    assert (asked["account"], asked["query"], asked["has_key"], asked["status"]) == (account, {"page": "2"}, True, 200)
    assert "test_sk_sandbox" not in repr(sandbox.requests())
