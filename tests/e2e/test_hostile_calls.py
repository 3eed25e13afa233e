"""Calls that mean harm are answered from a fixed set of bodies, and nothing of ours is in any of them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

SYNC: Final = "/api/v1/banking/transactions/sync"
DEAD_LETTERS: Final = "/api/v1/ops/dead-letters"
WEBHOOK: Final = "/api/v1/webhooks/mono/integrations/mono/webhook"
NOBODY: Final = "0" * 24
ATTACKS: Final = (
    "' OR '1'='1",
    "'; DROP TABLE bank_transactions; --",
    "\\x00\\u0000",
    "${jndi:ldap://127.0.0.1:1/a}",
    "../../../../etc/passwd",
    "{{7*7}}",
    "<script>alert(1)</script>",
    "$(sleep 5)",
    "\r\nX-Injected: yes",
    "\u202e\ufeff\u0085",
    "A" * 100_000,
)
CODES: Final = {
    "invalid_input",
    "unknown_account",
    "unauthorized",
    "too_large",
}
OURS: Final = re.compile(
    r"Traceback|File \"|pg8000|sqlstate|SELECT |INSERT |127\.0\.0\.1|/var/task|/opt/python|bank_accounts|boto|sec-key",
    re.IGNORECASE,
)


def said(answer: httpx.Response, attack: str) -> tuple[int, str]:
    """Status and code of an answer that says neither what was sent nor anything of ours."""
    assert answer.status_code < 500, answer.text
    text = answer.text
    assert len(text) < 2_000
    assert not OURS.search(text), text
    if len(attack) > 12:
        assert attack[:40] not in text
    assert answer.headers["content-type"].startswith("application/json")
    assert "x-injected" not in answer.headers
    return answer.status_code, str(answer.json().get("error", {}).get("code"))


def bodies(attack: str) -> list[Any]:
    """The attack in every place of the sync's body."""
    return [
        {"account_id": attack},
        {"account_id": NOBODY, "start": attack, "end": attack},
        {"account_id": NOBODY, attack: attack},
        {"account_id": [attack]},
        attack,
    ]


@pytest.fixture(autouse=True)
def _on(flag: Callable[[str], None]) -> None:
    flag("true")


@pytest.mark.parametrize("attack", ATTACKS, ids=range(len(ATTACKS)))
def test_an_attack_is_answered_from_the_fixed_set(http: httpx.Client, attack: str) -> None:
    """In every field of every route."""
    answers = {said(http.post(SYNC, json=body), attack) for body in bodies(attack)}
    action = {"action": "inspect", "filter": {"type": attack, "account_id": attack, "reason": attack}}
    answers.add(said(http.post(DEAD_LETTERS, json=action), attack))
    answers.add(said(http.post(WEBHOOK, content=json.dumps({"event": attack}).encode()), attack))

    assert {status for status, _ in answers} <= {400, 401, 404, 413, 422}
    assert {code for _, code in answers} <= CODES, answers


def test_a_foreign_account_is_as_unknown_as_none(http: httpx.Client, new_account: Callable[..., str]) -> None:
    """One that Mono has and we were never told of is answered like one that nobody has."""
    answers = []
    for account in (new_account(transactions=5), NOBODY):
        answer = http.post(SYNC, json={"account_id": account})
        assert said(answer, "") == (404, "unknown_account")
        document = answer.json()
        del document["correlation_id"]
        answers.append((answer.status_code, json.dumps(document).replace(account, "ACCOUNT")))
    assert answers[0] == answers[1]


def test_a_body_beyond_all_bounds_is_refused(http: httpx.Client) -> None:
    """Before anything of it is read, at the webhook; as what it is, elsewhere."""
    large = '{"account_id": "' + "0" * 1_000_000 + '"}'
    answers = {url: said(http.post(url, content=large.encode()), large) for url in (WEBHOOK, SYNC, DEAD_LETTERS)}
    assert answers == {WEBHOOK: (413, "too_large"), SYNC: (422, "invalid_input"), DEAD_LETTERS: (422, "invalid_input")}
