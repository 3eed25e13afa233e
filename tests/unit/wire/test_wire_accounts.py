"""Accounts: what is kept of them, what is hidden, and what refuses the answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import to_builtins
from msgspec.structs import asdict

from mono_pipeline.core.errors import MonoUnintelligible
from mono_pipeline.core.wire import (
    REFUSALS,
    AccountListPage,
    AccountSnapshot,
    parse_account,
    parse_account_list,
    parse_reauthorisation,
)
from tests.unit.wire.wire_pages import ACCOUNT, OTHER_ACCOUNT

NAME, NUMBER, BVN = "Ada Obi", "0131883461", "22354051234"


def account(**fields: Any) -> dict[str, Any]:
    """The account object of a snapshot."""
    return {
        "id": ACCOUNT,
        "name": NAME,
        "account_number": NUMBER,
        "currency": "NGN",
        "balance": 10_000_000,
        "type": "SAVINGS_ACCOUNT",
        "bvn": BVN,
        "institution": {"name": "Standard Chartered", "bank_code": "068", "type": "PERSONAL_BANKING"},
    } | fields


def snapshot(*, status: str = "successful", **fields: Any) -> bytes:
    """An answer of `GET /v2/accounts/{id}`."""
    payload = {
        "account": account(),
        "customer": {"id": "686265c6c41fad92985e806a"},
        "meta": {
            "data_status": "available",
            "auth_method": "internet_banking",
            "retrieved_data": ["identity", "balance", "transactions"],
            "ref": "4055877-T",
        },
    } | fields
    return json.dumps({"status": status, "message": "x", "timestamp": "t", "data": payload}).encode()


def listing(*accounts: Any, **facts: Any) -> bytes:
    """An answer of `GET /v2/accounts`."""
    meta = {"total": 40, "pages": 4, "previous": None, "next": "https://api.withmono.com/v2/accounts/?page=2"} | facts
    return json.dumps({"status": "successful", "message": "x", "data": list(accounts), "meta": meta}).encode()


def listed(**fields: Any) -> dict[str, Any]:
    """An account as it stands in the list."""
    customer = {"id": "660e9c267474f97aba2aaaaa", "name": NAME, "email": "ada@example.com"}
    return account(status="Available", auth_method="internet_banking", customer=customer) | fields


def parsed(body: bytes) -> AccountSnapshot:
    """The snapshot of `ACCOUNT`."""
    return parse_account(body, ACCOUNT)


def refusal_of(body: bytes) -> str:
    """The reason for which a snapshot is refused."""
    with pytest.raises(MonoUnintelligible) as refused:
        parsed(body)
    assert refused.value.reason in REFUSALS
    return refused.value.reason


def list_refusal_of(body: bytes) -> str:
    """The reason for which a list is refused."""
    with pytest.raises(MonoUnintelligible) as refused:
        parse_account_list(body)
    assert refused.value.reason in REFUSALS
    return refused.value.reason


def test_a_snapshot_has_everything_but_the_bvn() -> None:
    """`data_status` is upper case, whatever Mono wrote."""
    assert asdict(parsed(snapshot())) == {
        "id": ACCOUNT,
        "name": NAME,
        "account_number": NUMBER,
        "currency": "NGN",
        "balance_minor": 10_000_000,
        "bank_code": "068",
        "institution": "Standard Chartered",
        "customer_id": "686265c6c41fad92985e806a",
        "data_status": "AVAILABLE",
        "retrieved_data": ("identity", "balance", "transactions"),
        "ref": "4055877-T",
    }


def test_an_account_of_the_list_has_the_same_with_its_status_by_another_name() -> None:
    """The list says `status` for data_status and `pages` for the number of pages (Mono contract 4)."""
    page = parse_account_list(listing(listed(), listed(id=OTHER_ACCOUNT, balance=-5)))
    assert (page.pages, page.total, page.has_next) == (4, 40, True)
    first, second = page.accounts
    assert (first.id, first.data_status, first.customer_id) == (ACCOUNT, "AVAILABLE", "660e9c267474f97aba2aaaaa")
    assert (first.name, first.account_number, first.bank_code) == (NAME, NUMBER, "068")
    assert (second.id, second.balance_minor) == (OTHER_ACCOUNT, -5)


def test_an_empty_list_is_a_list() -> None:
    """No account is linked yet."""
    empty = AccountListPage(accounts=(), pages=1, total=0, has_next=False)
    assert parse_account_list(listing(total=0, pages=1, next=None)) == empty


def test_name_and_number_show_in_no_repr_and_the_bvn_is_nowhere() -> None:
    """A log line or traceback with an account in it names nobody."""
    shown = repr(parsed(snapshot())) + repr(parse_account_list(listing(listed())))
    assert NAME not in shown
    assert NUMBER not in shown
    assert BVN not in shown + str(asdict(parsed(snapshot()))) + str(to_builtins(parse_account_list(listing(listed()))))


@pytest.mark.parametrize(
    "answer",
    [
        snapshot(account={"id": ACCOUNT}, customer=None, meta=None),
        snapshot(
            account=account(balance=None, bvn=None, institution=None, name=None, account_number=None, currency=None),
            meta={"data_status": None, "retrieved_data": None, "ref": None},
        ),
    ],
)
def test_only_the_id_is_indispensable(answer: bytes) -> None:
    """What Mono does not say is None, not a guess."""
    found = parsed(answer)
    assert (found.balance_minor, found.currency, found.institution, found.ref) == (None, None, None, None)
    assert (found.retrieved_data, found.data_status) == ((), None)


@pytest.mark.parametrize(
    ("data_status", "retrieved", "ready"),
    [
        ("AVAILABLE", None, True),
        ("AVAILABLE", ["balance"], True),
        ("PARTIAL", ["identity", "transactions"], True),
        ("PARTIAL", ["identity", "balance"], False),
        ("PROCESSING", [], False),
        ("UNAVAILABLE", None, False),
        ("FAILED", ["balance"], False),
        ("PROCESSING_FAILED", None, False),
        ("SOMETHING_NEW", None, False),
        (None, None, False),
    ],
)
def test_an_empty_page_means_no_transactions_only_when_mono_has_them(
    data_status: str | None, retrieved: list[str] | None, *, ready: bool
) -> None:
    """Mono contract 2.5: otherwise it means "not yet"."""
    found = parsed(snapshot(meta={"data_status": data_status, "retrieved_data": retrieved}))
    assert found.transactions_ready is ready


@pytest.mark.parametrize(
    ("data_status", "retrieved", "of_none", "of_some"),
    [
        ("AVAILABLE", None, True, True),
        ("PARTIAL", ["transactions"], True, True),
        ("PARTIAL", ["balance"], False, True),
        ("FAILED", None, False, True),
        ("PROCESSING", None, False, False),
        ("PROCESSING", ["transactions"], False, False),
    ],
)
def test_a_reading_is_vouched_for_by_what_mono_says_after_it(
    data_status: str, retrieved: list[str] | None, *, of_none: bool, of_some: bool
) -> None:
    """While Mono collects, what it shows is a part at best; and no row is all there is only where it has them."""
    found = parsed(snapshot(meta={"data_status": data_status, "retrieved_data": retrieved}))
    assert (found.vouches_for(0), found.vouches_for(1)) == (of_none, of_some)


def test_another_account_than_the_asked_one_is_refused() -> None:
    """Its balance is somebody else's."""
    assert refusal_of(snapshot(account=account(id=OTHER_ACCOUNT))) == "wrong_account"


WRONG_FIELDS = [
    {"id": None},
    {"id": ACCOUNT.upper()},
    {"id": ACCOUNT + "/.."},
    {"id": 7},
    {"balance": 1.5},
    {"balance": "10"},
    {"balance": True},
    {"balance": 2**63},
    {"currency": "naira"},
    {"currency": ""},
    {"name": 7},
    {"account_number": 131883461},
    {"institution": "Kuda"},
    {"institution": {"bank_code": 68}},
]


@pytest.mark.parametrize("fields", WRONG_FIELDS)
def test_an_account_with_a_field_of_the_wrong_type_is_refused(fields: dict[str, Any]) -> None:
    """A number for an account number has lost its leading zeros; nothing is repaired."""
    assert refusal_of(snapshot(account=account(**fields))) == "bad_account"
    assert list_refusal_of(listing(listed(id=OTHER_ACCOUNT), listed(**fields))) == "bad_account"


@pytest.mark.parametrize("payload", [None, [], {}, "x", {"account": None}, {"account": []}])
def test_a_snapshot_without_an_account_is_refused(payload: Any) -> None:
    """An HTTP success is not yet an account."""
    assert refusal_of(json.dumps({"status": "successful", "data": payload}).encode()) == "bad_account"


@pytest.mark.parametrize("payload", [None, {}, "x"])
def test_a_list_that_is_none_is_refused(payload: Any) -> None:
    """`null` is not "no accounts"."""
    body = json.dumps({"status": "successful", "data": payload, "meta": {"total": 0, "pages": 0}}).encode()
    assert list_refusal_of(body) == "not_an_envelope"


@pytest.mark.parametrize("facts", [{"total": None}, {"pages": -1}, {"next": 2}])
def test_a_list_with_wrong_paging_facts_is_refused(facts: dict[str, Any]) -> None:
    """An import that misses a page would look complete."""
    assert list_refusal_of(listing(listed(), **facts)) == "bad_meta"


def test_a_failed_answer_is_refused() -> None:
    """HTTP 200 alone is no success."""
    assert refusal_of(snapshot(status="failed")) == "not_successful"


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b'"balance":', b'"balance": 1, "balance":', "duplicate_key"),
        (b'"' + NAME.encode() + b'"', b'"A\\u0000"', "not_json"),
        (b'"SAVINGS_ACCOUNT"', b"NaN", "not_json"),
    ],
)
def test_what_cannot_be_stored_is_refused(old: bytes, new: bytes, reason: str) -> None:
    """As in a page of transactions, but there is no quarantine for accounts."""
    assert refusal_of(snapshot().replace(old, new)) == reason
    assert list_refusal_of(listing(listed()).replace(old, new)) == reason


def test_a_refusal_keeps_nothing_of_the_answer() -> None:
    """No message, cause or context quotes names or numbers."""
    with pytest.raises(MonoUnintelligible) as refused:
        parsed(snapshot(account=account(balance=NUMBER)))
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__
    assert NUMBER not in str(refused.value)


def link(**fields: Any) -> bytes:
    """An answer to a request for a re-authorisation link."""
    payload = {"mono_url": "https://link.mono.co/ALGSTO1", "account": ACCOUNT, "scope": "reauth"} | fields
    return json.dumps({"status": "successful", "message": "x", "data": payload}).encode()


def test_a_reauthorisation_has_a_link() -> None:
    """It is what the account's owner opens."""
    assert parse_reauthorisation(link(), ACCOUNT) == "https://link.mono.co/ALGSTO1"
    assert parse_reauthorisation(link(account=None), ACCOUNT) == "https://link.mono.co/ALGSTO1"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"mono_url": None}, "bad_link"),
        ({"mono_url": "http://link.mono.co/x"}, "bad_link"),
        ({"mono_url": "javascript:alert(1)"}, "bad_link"),
        ({"mono_url": "https://link.mono.co/x\r\ny"}, "bad_link"),
        ({"mono_url": "https://link.mono.co/" + "x" * 2_000}, "bad_link"),
        ({"account": OTHER_ACCOUNT}, "wrong_account"),
    ],
)
def test_a_link_that_no_person_should_be_sent_to_is_refused(fields: dict[str, Any], reason: str) -> None:
    """Only https, only of the asked account."""
    with pytest.raises(MonoUnintelligible) as refused:
        parse_reauthorisation(link(**fields), ACCOUNT)
    assert refused.value.reason == reason
