"""A folder of captured responses is served as it was captured."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from local.sandbox.sandbox import Sandbox
from local.sandbox.transport import SandboxTransport
from local.sandbox.world import DEFAULT_KEY

CAPTURED = Path(__file__).resolve().parents[4] / "shared" / "mono" / "captured"

pytestmark = pytest.mark.skipif(not CAPTURED.is_dir(), reason="the captured responses are not here")


@pytest.fixture
def captured() -> httpx.Client:
    """A client of a sandbox that replays the captured folder."""
    transport = SandboxTransport(Sandbox(replay=CAPTURED))
    return httpx.Client(transport=transport, base_url="http://sandbox", headers={"mono-sec-key": DEFAULT_KEY})


ACCOUNT = "/v2/accounts/686265c6c41fad92985e806c"


def test_captured_answers_come_byte_for_byte_and_filters_are_ignored(captured: httpx.Client) -> None:
    """The real wire, not our idea of it."""
    assert captured.get(ACCOUNT).content == (CAPTURED / "account.json").read_bytes()
    page = captured.get(f"{ACCOUNT}/transactions", params={"start": "01-01-2020", "end": "02-01-2020", "limit": 100})
    assert page.content == (CAPTURED / "transactions_page1.json").read_bytes()


@pytest.mark.parametrize(("page", "following"), [(2, "?page=3"), (13, "?page=14"), (14, None), (99, None)])
def test_a_page_that_was_not_captured_is_empty_under_the_same_total(
    captured: httpx.Client, page: int, following: str | None
) -> None:
    """So a reader sees that it has not read everything."""
    answer = captured.get(f"{ACCOUNT}/transactions", params={"page": page}).json()
    link = f"https://api.withmono.com{ACCOUNT}/transactions"
    assert answer["data"] == []
    assert answer["meta"] == {
        "total": 278,
        "page": page,
        "previous": f"{link}?page={page - 1}",
        "next": following and f"{link}{following}",
    }


def test_the_captured_account_is_in_the_list_and_has_a_balance(captured: httpx.Client) -> None:
    """An import finds it."""
    listed = captured.get("/v2/accounts").json()
    captured_account = json.loads((CAPTURED / "account.json").read_bytes())["data"]
    assert listed["meta"]["total"] == 1
    assert listed["data"][0]["institution"] == captured_account["account"]["institution"]
    assert listed["data"][0]["status"] == "AVAILABLE"
    assert captured.get(f"{ACCOUNT}/balance").json()["data"]["balance"] == 10_000_000


def test_the_captured_account_lives_beside_made_up_ones() -> None:
    """A replay is one more account."""
    sandbox = Sandbox(replay=CAPTURED, accounts=2)
    assert len(sandbox.accounts()) == 3
    assert len(sandbox.truth("686265c6c41fad92985e806c")["bank"]) == 20
