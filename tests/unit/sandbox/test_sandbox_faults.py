"""Each fault does what it says, to the requests it is for, as often as it should."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from local.sandbox.effects import (
    Body,
    ContentLength,
    Drift,
    Effect,
    EndlessPages,
    GzipBomb,
    Hang,
    Headers,
    Html,
    Meta,
    NullRows,
    RateLimited,
    Raw,
    Redirect,
    Reset,
    Rows,
    ServePage,
    SlowBody,
    Status,
    Truncate,
    WrongAccount,
)
from local.sandbox.faults import Fault
from local.sandbox.transport import SandboxTransport
from local.sandbox.world import DEFAULT_KEY

if TYPE_CHECKING:
    from local.sandbox.sandbox import Sandbox


@pytest.fixture
def account(sandbox: Sandbox) -> str:
    """An account with a history."""
    return str(sandbox.create_account(transactions=50)["id"])


@pytest.fixture
def path(account: str) -> str:
    """The account's transactions."""
    return f"/v2/accounts/{account}/transactions"


def strike(sandbox: Sandbox, effect: Effect, **match: Any) -> None:
    """Put one fault in force."""
    sandbox.inject(Fault(effect=effect, **match))


def test_a_fault_strikes_once_unless_told_otherwise(sandbox: Sandbox, mono: httpx.Client, path: str) -> None:
    """A rule ends by itself, or with clear_faults."""
    strike(sandbox, Status(status=500))
    assert [mono.get(path).status_code for _ in range(2)] == [500, 200]
    strike(sandbox, Status(status=503), times=None)
    assert [mono.get(path).status_code for _ in range(3)] == [503] * 3
    sandbox.clear_faults()
    assert mono.get(path).status_code == 200


def test_a_fault_waits_for_its_account_path_page_and_turn(sandbox: Sandbox, mono: httpx.Client, path: str) -> None:
    """Every part of a match counts."""
    other = sandbox.create_account(transactions=50)["id"]
    strike(sandbox, Status(status=500), account=other, path="*/transactions", page=2, nth=2)
    theirs = f"/v2/accounts/{other}/transactions"
    assert mono.get(path, params={"page": 2}).status_code == 200
    assert mono.get(f"/v2/accounts/{other}", params={"page": 2}).status_code == 200
    assert mono.get(theirs, params={"page": 1}).status_code == 200
    assert [mono.get(theirs, params={"page": 2}).status_code for _ in range(3)] == [200, 500, 200]
    assert sandbox.list_faults()[0]["struck"] == 1


@pytest.mark.parametrize("status", [400, 402, 403, 404, 409, 418, 500, 502, 503, 504, 599])
def test_every_status_has_monos_body(sandbox: Sandbox, mono: httpx.Client, path: str, status: int) -> None:
    """Even those that HTTP does not know."""
    strike(sandbox, Status(status=status))
    answer = mono.get(path)
    assert (answer.status_code, answer.json()["status"], answer.json()["data"]) == (status, "failed", None)


@pytest.mark.parametrize("text", [None, "7", "-1", "1000000000", "soon", "Wed, 30 Sep 2026 12:00:30 GMT"])
def test_429_carries_any_retry_after(sandbox: Sandbox, mono: httpx.Client, path: str, text: str | None) -> None:
    """Seconds, a date, nonsense, or nothing."""
    strike(sandbox, RateLimited(retry_after=text))
    answer = mono.get(path)
    assert (answer.status_code, answer.headers.get("retry-after")) == (429, text)
    assert answer.json()["status"] == "failed"


@pytest.mark.parametrize(
    ("effect", "error"),
    [
        (Hang(), httpx.ReadTimeout),
        (Hang(seconds=60), httpx.ReadTimeout),
        (SlowBody(), httpx.ReadTimeout),
        (Reset(), httpx.RemoteProtocolError),
        (Reset(after_bytes=0), httpx.RemoteProtocolError),
        (Truncate(announced="whole"), httpx.RemoteProtocolError),
        (ContentLength(delta=9), httpx.RemoteProtocolError),
        (Raw(text="no HTTP"), httpx.RemoteProtocolError),
    ],
)
def test_what_needs_a_socket_becomes_the_error_that_httpx_raises(
    sandbox: Sandbox, mono: httpx.Client, path: str, effect: Effect, error: type[Exception]
) -> None:
    """A test in process sees the same kinds of errors as one over the wire."""
    strike(sandbox, effect)
    with pytest.raises(error):
        mono.get(path)
    assert mono.get(path).status_code == 200


def test_a_dripping_body_arrives_whole_for_whoever_waits(sandbox: Sandbox, path: str) -> None:
    """`pause` is the test's clock."""
    waits: list[float] = []
    transport = SandboxTransport(sandbox, pause=waits.append)
    strike(sandbox, SlowBody(bytes_per_second=2))
    with httpx.Client(transport=transport, base_url="http://sandbox", headers={"mono-sec-key": DEFAULT_KEY}) as client:
        answer = client.get(path)
    assert answer.json()["meta"]["total"] == 50
    assert waits == [0.5] * len(answer.content)


@pytest.mark.parametrize("effect", [Truncate(after_bytes=300), ContentLength(delta=-5), Html()])
def test_a_body_that_is_no_json_arrives_with_200(
    sandbox: Sandbox, mono: httpx.Client, path: str, effect: Effect
) -> None:
    """The status alone proves nothing."""
    strike(sandbox, effect)
    answer = mono.get(path)
    assert answer.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        answer.json()


@pytest.mark.parametrize(
    ("effect", "body"),
    [
        (Body(text="null"), b"null"),
        (Body(base64="//4="), b"\xff\xfe"),
        (Body(document={"data": []}), b'{"data": []}'),
        (Body(text="", status=204), b""),
    ],
)
def test_any_body_can_be_sent(sandbox: Sandbox, mono: httpx.Client, path: str, effect: Effect, body: bytes) -> None:
    """Nothing, `null`, or no text at all."""
    strike(sandbox, effect)
    assert mono.get(path).content == body


def test_a_gzip_bomb_swells(sandbox: Sandbox, mono: httpx.Client, path: str) -> None:
    """A few kilobytes on the wire, a megabyte behind them."""
    strike(sandbox, GzipBomb(megabytes=1))
    answer = mono.get(path)
    assert len(answer.content) > 1_000_000
    assert answer.num_bytes_downloaded < 10_000


def test_rows_are_poisoned_with_raw_text(sandbox: Sandbox, mono: httpx.Client, path: str) -> None:
    """Texts that no JSON writer would write."""
    good = mono.get(path).json()["data"]
    raw = '{"id":"x","amount":NaN,"amount":1,"n":"\\ud800","big":' + "9" * 5000 + "}"
    poison = Rows(replaced={0: raw}, patched={1: {"amount": -5}}, inserted={2: '"row"'}, appended=["{}"], removed=[19])
    strike(sandbox, poison)
    text = mono.get(path).text
    assert raw in text
    rows = json.loads(text, parse_int=str)["data"]
    assert len(rows) == 21
    assert (rows[1]["id"], rows[1]["amount"], rows[2]) == (good[1]["id"], "-5", "row")
    assert (rows[3]["id"], rows[-1]) == (good[2]["id"], {})


@pytest.mark.parametrize(
    "meta",
    [{"total": 3}, {"next": "http://169.254.169.254/"}, {"next": None}, {"next": "https://api.withmono.com/?page=1"}],
)
def test_the_meta_can_lie(sandbox: Sandbox, mono: httpx.Client, path: str, meta: dict[str, Any]) -> None:
    """While the rows stay as they are."""
    strike(sandbox, Meta(meta=meta))
    answer = mono.get(path).json()
    assert answer["meta"].items() >= meta.items()
    assert len(answer["data"]) == 20


def test_rows_can_be_null(sandbox: Sandbox, mono: httpx.Client, path: str) -> None:
    """`data: null` (Mono contract 2.6)."""
    strike(sandbox, NullRows())
    assert mono.get(path).json()["data"] is None


def test_endless_pages_never_end(sandbox: Sandbox, mono: httpx.Client, path: str) -> None:
    """And never repeat themselves."""
    strike(sandbox, EndlessPages(), times=None)
    answers = [mono.get(path, params={"page": page}).json() for page in (3, 50, 51)]
    assert all(answer["meta"]["next"] and answer["data"] for answer in answers)
    ids = [row["id"] for answer in answers for row in answer["data"]]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("disguised", [True, False])
def test_page_two_can_be_page_one_again(sandbox: Sandbox, mono: httpx.Client, path: str, *, disguised: bool) -> None:
    """With a meta that admits it, or not."""
    first = mono.get(path).json()
    strike(sandbox, ServePage(page=1, disguised=disguised), page=2)
    again = mono.get(path, params={"page": 2}).json()
    assert again["data"] == first["data"]
    assert again["meta"]["page"] == (2 if disguised else 1)


def test_another_accounts_data_can_come(sandbox: Sandbox, mono: httpx.Client, account: str, path: str) -> None:
    """Rows and account alike."""
    other = sandbox.create_account(transactions=50)["id"]
    strike(sandbox, WrongAccount(account=other), account=account, times=2)
    theirs = {row["id"] for row in sandbox.truth(other)["copy"]}
    assert {row["id"] for row in mono.get(path).json()["data"]} <= theirs
    assert mono.get(f"/v2/accounts/{account}").json()["data"]["account"]["id"] == other


def test_the_bank_can_change_between_two_pages(sandbox: Sandbox, mono: httpx.Client, path: str) -> None:
    """Drift while somebody pages."""
    strike(sandbox, Drift(operation="remove", arguments={"count": 3}), page=2)
    assert mono.get(path).json()["meta"]["total"] == 50
    assert mono.get(path, params={"page": 2}).json()["meta"]["total"] == 47


def test_redirects_and_headers(sandbox: Sandbox, mono: httpx.Client, path: str) -> None:
    """To any host, under any header."""
    strike(sandbox, Redirect(location="https://evil.example/", status=307))
    assert mono.get(path).headers["location"] == "https://evil.example/"
    strike(sandbox, Headers(headers={"Content-Type": "text/plain", "x-job-status": "processing"}))
    answer = mono.get(path)
    assert (answer.headers["content-type"], answer.headers["x-job-status"]) == ("text/plain", "processing")


def test_faults_on_one_request_add_up(sandbox: Sandbox, mono: httpx.Client, path: str) -> None:
    """All rules that match strike together."""
    strike(sandbox, Rows(appended=["{}"]))
    strike(sandbox, Meta(meta={"total": 1}))
    answer = mono.get(path).json()
    assert (len(answer["data"]), answer["meta"]["total"]) == (21, 1)
