"""Lives of a link in six events each, as a sandbox sends them: for tests that play them in every order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.sandbox.sandbox import Sandbox


def update(bank: Sandbox, account: str, word: str) -> dict[str, Any]:
    """A minute later, an `account_updated` that says how a real-time sync went."""
    bank.set_clock(advance_seconds=60)
    body: dict[str, Any] = bank.fire_webhook(event="account_updated", account=account)[0]["body"]
    body["data"]["meta"]["sync_status"] = word
    return body


def undated(bank: Sandbox, account: str, event: Any) -> dict[str, Any]:
    """A minute later, an event of a kind that has no date."""
    bank.set_clock(advance_seconds=60)
    body: dict[str, Any] = bank.fire_webhook(event=event, account=account)[0]["body"]
    assert "timestamp" not in body
    return body


def signing_in(bank: Sandbox, account: str) -> list[dict[str, Any]]:
    """A minute later, the two events of a customer who signs in again."""
    bank.set_clock(advance_seconds=60)
    since = len(bank.webhooks())
    bank.reauthorise(account)
    return [webhook["body"] for webhook in bank.webhooks()[since:]]


def linking(bank: Sandbox) -> tuple[str, list[dict[str, Any]]]:
    """A new account and its two events."""
    account = str(bank.link_account(transactions=12, ready=True, reference="TP-1")["id"])
    return account, [webhook["body"] for webhook in bank.webhooks()]


def a_working_link(bank: Sandbox) -> list[dict[str, Any]]:
    """Linked, filled, the customer wanted, signed in, filled again, a real-time success."""
    account, linked = linking(bank)
    wanted = update(bank, account, "REAUTHORISATION_REQUIRED")
    return [*linked, wanted, *signing_in(bank, account), update(bank, account, "SUCCESSFUL")]


def a_link_signed_in_again(bank: Sandbox) -> list[dict[str, Any]]:
    """Linked, filled, a success, the customer wanted, signed in, filled again: no word of success at the end."""
    account, linked = linking(bank)
    told = [update(bank, account, "SUCCESSFUL"), update(bank, account, "REAUTHORISATION_REQUIRED")]
    return [*linked, *told, *signing_in(bank, account)]


def a_dead_link(bank: Sandbox) -> list[dict[str, Any]]:
    """Linked, filled, signed in, filled again, a success, and at last the customer wanted."""
    account, linked = linking(bank)
    again = signing_in(bank, account)
    return [*linked, *again, update(bank, account, "SUCCESSFUL"), update(bank, account, "REAUTHORISATION_REQUIRED")]


def an_ended_link(bank: Sandbox) -> list[dict[str, Any]]:
    """Half of them undated: linked, filled, a job, a success, the customer wanted, unlinked."""
    account, linked = linking(bank)
    told = [undated(bank, account, "jobs_update"), update(bank, account, "SUCCESSFUL")]
    wanted = undated(bank, account, "reauthorisation_required")
    bank.unlink(account)
    return [*linked, *told, wanted, bank.webhooks()[-1]["body"]]


def a_relink(bank: Sandbox) -> list[dict[str, Any]]:
    """Of two links of one bank account: linked, filled, unlinked, linked anew, filled, a success."""
    old, linked = linking(bank)
    bank.set_clock(advance_seconds=60)
    new = bank.relink(old)["id"]
    return [*linked, *(webhook["body"] for webhook in bank.webhooks()[2:]), update(bank, new, "SUCCESSFUL")]


LIVES: Final[tuple[tuple[Callable[[Sandbox], list[dict[str, Any]]], str], ...]] = (
    (a_working_link, "linked"),
    (a_link_signed_in_again, "linked"),
    (a_dead_link, "reauth_required"),
    (an_ended_link, "unlinked"),
    (a_relink, "linked"),
)
