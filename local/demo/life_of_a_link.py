"""The life of a link, told by Mono's webhooks at the stack's own door: made, dead, signed in to, made anew, ended."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import httpx

from local.demo.story import SYNC, promise, verified
from mono_pipeline.core.realtime import CALL_NGN

if TYPE_CHECKING:
    from local.demo.story import Story

WEBHOOK: Final = "/api/v1/webhooks/mono/integrations/mono/webhook"
TRANSACTIONS: Final = 150
REFERENCE: Final = "TP-2001"


def tell(story: Story) -> None:
    """Tell the chapter."""
    link = _Link(story)
    story.step("forged", "Somebody who is not Mono sends a webhook", link.forged)
    story.step("linked", "A customer links an account: a webhook brings it in, all of it is read", link.made)
    story.step("repeated", "Mono repeats itself: the same webhook three times more", link.repeated)
    story.step("real-time", "monoctl sync --realtime: Mono goes to the bank, for NGN 100", link.refreshed)
    story.step("dead", "The link dies in silence: Mono goes on answering 200 with old rows", link.died)
    story.step(
        "signed-in", "monoctl accounts reauth-link: the customer signs in again, and the rows come", link.signed_in
    )
    story.step("linked-anew", "Unlinked and linked anew: the same account under another Mono id", link.made_anew)
    story.step("unlinked", "Consent withdrawn: nothing is read any more, and nothing is lost", link.ended)


class _Link:
    """The link of which the chapter tells; `account` is Mono's present id of it."""

    def __init__(self, story: Story) -> None:
        self._story = story
        self.account = ""

    def forged(self) -> str:
        body = {"event": "mono.events.account_connected", "data": {"id": self._story.accounts[0]}}
        answer = httpx.post(
            self._story.stack.record["http"] + WEBHOOK,
            json=body,
            headers={"mono-webhook-secret": "not-the-secret"},
            trust_env=False,
        )
        promise(answer.status_code == HTTPStatus.UNAUTHORIZED, f"the door answered {answer.status_code}")
        promise(self._inbox() == [], "its event was written down")
        return "401; nothing of it was looked at"

    def made(self) -> str:
        story = self._story
        self.account = story.bank.link_account(transactions=TRANSACTIONS, reference=REFERENCE, ready=True)["id"]
        seconds = story.until(self._equal, "the account's rows are not the bank's")
        row = story.account(self.account)
        promise(row is not None and row["reference"] == REFERENCE, "the platform's reference is not kept")
        self._all_taken()
        return f"{TRANSACTIONS} rows are equal after {seconds:.1f} s; a second look is due in minutes"

    def repeated(self) -> str:
        story = self._story
        story.until(self._at_rest, "the reading does not end")
        runs, first = self._runs(), self._webhooks()[0]
        story.bank.fire_webhook(body=first["body"], copies=3)
        story.until(
            lambda: any(row["deliveries"] == 4 for row in self._inbox()),  # noqa: PLR2004 - once and three times
            "the repetitions did not arrive",
        )
        promise(self._runs() == runs, "it was read again")
        return "written down once, with 4 deliveries; nothing was read"

    def refreshed(self) -> str:
        story, account = self._story, self.account
        story.bank.set_link_state(account, state="cached")  # as Mono's own copy is: nobody refreshes it unasked
        story.bank.add(account, count=2)
        promise(story.sync(account)["status"] == "completed", "what Mono has is not read")
        promise(not self._equal(), "the new rows came without a real-time call")
        story.monoctl("accounts", "realtime", account, "on-demand")
        verified(story.monoctl("sync", account, "--realtime"))
        promise(self._equal(), "the rows that Mono fetched did not come")
        made = [call for call in story.bank.requests() if call["headers"].get("x-realtime") == "true"]
        spent = story.database.rows("SELECT spent_ngn FROM realtime_spend")
        promise(len(made) == 1, f"{len(made)} calls were made")
        promise([row["spent_ngn"] for row in spent] == [CALL_NGN], f"counted as spent: {spent}")
        row = story.account(account)
        promise(row is not None and row["fresh_as_of"] is not None, "the account is not fresh")
        return "the two rows that a sync alone did not see; one call, NGN 100"

    def died(self) -> str:
        story = self._story
        story.bank.set_link_state(self.account, state="dead")
        story.bank.add(self.account, count=3)
        promise(story.sync(self.account)["status"] == "completed", "what Mono has is not read any more")
        promise(not self._equal(), "the new rows came over a dead link")
        webhook = story.bank.fire_webhook(event="account_updated", account=self.account)[0]["body"]
        webhook["data"]["meta"]["sync_status"] = "REAUTHORISATION_REQUIRED"
        webhook["event_id"] += "dead"
        story.bank.fire_webhook(body=webhook)
        self._until("reauth_required")
        # the run that the webhook asked for may still be under way, and its answer is not ours
        story.until(lambda: story.sync(self.account).get("warnings") == ["reauth_required"], "a sync does not warn")
        return "reauth_required; old rows are still read, with a warning"

    def signed_in(self) -> str:
        story = self._story
        told = story.monoctl("accounts", "reauth-link", self.account)
        story.bank.complete_session(told["url"].rsplit("/", 1)[-1])
        self._until("linked")
        seconds = story.until(self._equal, "the rows that were missing did not come")
        return f"linked, and the 3 missing rows are there after {seconds:.1f} s"

    def made_anew(self) -> str:
        story, old = self._story, self.account
        before = story.account(old)
        new = story.bank.relink(old, same_ids=True)["id"]
        story.until(lambda: story.account(new) is not None, "the new link did not come in")
        self.account = new
        story.until(lambda: self._at_rest() and self._equal(), "the rows are not the bank's")
        after = story.account(new)
        promise(before is not None and after is not None and before["id"] == after["id"], "it is another account")
        answer = story.sync(old)
        verified(answer)
        promise(answer["run"]["account_id"] == new, "the old id is another account's")
        return "recognised by bank, number and currency; the old id still works"

    def ended(self) -> str:
        story = self._story
        rows = story.stored(self.account)
        story.bank.unlink(self.account)
        self._until("unlinked")
        asked = len(story.bank.requests())
        answer = story.api.post(SYNC, json={"account_id": self.account})
        promise(answer.json()["status"] == "account_blocked", f"a sync answers {answer.json()['status']}")
        promise(len(story.bank.requests()) == asked, "Mono was asked all the same")
        promise(story.stored(self.account) == rows, "rows are gone")
        return f"409 account_blocked; Mono was not called; {len(rows)} rows stay"

    def _equal(self) -> bool:
        stored = self._story.stored(self.account)
        return bool(stored) and stored == self._story.at_the_bank(self.account)

    def _until(self, status: str) -> None:
        self._story.until(
            lambda: (self._story.account(self.account) or {}).get("link_status") == status,
            f"the account is not {status}",
        )

    def _all_taken(self) -> None:
        answers = [hook["answers"] for hook in self._webhooks()]
        promise(answers != [] and all(told[-1:] == [HTTPStatus.OK] for told in answers), f"the door answered {answers}")

    def _webhooks(self) -> list[dict[str, Any]]:
        """What Mono has sent of the account, oldest first."""
        return [hook for hook in self._story.bank.webhooks() if _about(hook["body"]) == self.account]

    def _inbox(self) -> list[dict[str, Any]]:
        return self._story.database.rows(
            "SELECT * FROM webhook_inbox WHERE mono_account_id = :id", id=self.account or self._story.accounts[0]
        )

    def _runs(self) -> int:
        return len(self._story.database.rows(_RUNS, id=self.account))

    def _at_rest(self) -> bool:
        """Whether all that Mono told of the account was heard and acted on.

        A webhook is written down in the commit that asks for its run, so none can begin once all are there.
        """
        open_runs = f"{_RUNS} AND r.status = 'running'"
        return len(self._inbox()) == len(self._webhooks()) and not self._story.database.rows(open_runs, id=self.account)


_RUNS: Final = """
SELECT r.run_id FROM sync_runs r JOIN bank_accounts a ON a.id = r.account_id WHERE a.mono_account_id = :id"""


def _about(body: dict[str, Any]) -> str | None:
    """The account that a webhook names, in the shapes that this chapter sees."""
    told = body["data"]
    account = told.get("account", told.get("id"))
    return account.get("_id") or account.get("id") if isinstance(account, dict) else account
