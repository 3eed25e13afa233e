"""What happens to links: they are made, die, are re-authorised, unlinked and made again."""

from typing import Any

from local.sandbox.bank import LinkState, Stamp, SyncStatus, hexadecimal
from local.sandbox.ledger import BalanceMode
from local.sandbox.mutations import Mutations
from local.sandbox.realtime import Job
from local.sandbox.rows import Row, summary
from local.sandbox.webhooks import Shape
from local.sandbox.wire import account_meta

RETRIEVED = {"AVAILABLE": ("identity", "balance", "transactions"), "PARTIAL": ("identity", "balance")}


class Lifecycle(Mutations):
    """Operations on links and on their real-time jobs."""

    def link_account(
        self,
        *,
        transactions: int = 100,
        days: int = 180,
        stamp: Stamp | None = None,
        balances: BalanceMode = "consistent",
        reference: str | None = None,
        ready: bool = False,
    ) -> Row:
        """A customer links an account: it is PROCESSING, and `account_connected` is sent.

        With `ready` the data arrive at once and `account_updated` follows; else `set_data_status` lets them.
        """
        link = self._open(transactions=transactions, seed=None, days=days, stamp=stamp, balances=balances)
        link.reference, link.data_status, link.retrieved_data = reference, "PROCESSING", ()
        self.announce("account_connected", link)
        if ready:
            self.set_data_status(link.id, data_status="AVAILABLE")
        return {**summary(link), "code": self.issue_code(link.id)}

    def issue_code(self, account: str) -> str:
        """A code that `POST /v2/accounts/auth` exchanges for the account, for ten minutes."""
        code = "code_" + hexadecimal(20, self.seed, "code", len(self.codes))
        self.codes[code] = (self.link(account).id, self.clock.now())
        return code

    def complete_session(self, token: str, *, transactions: int = 100, ready: bool = True) -> Row:
        """Do what the customer does in Mono's widget, for a link from `POST /v2/accounts/initiate`."""
        session = self.sessions[token]
        if session.account is not None:
            self.reauthorise(session.account)
            return summary(self.link(session.account))
        return self.link_account(transactions=transactions, reference=session.reference, ready=ready)

    def set_link_state(self, account: str, *, state: LinkState) -> None:
        """Let the link live, lag (`cached`), die or be unlinked; no webhook says so."""
        self.link(account).become(state)

    def unlink(self, account: str) -> None:
        """The customer or Mono unlinks the account; `account_unlinked` is sent."""
        link = self.link(account)
        link.become("unlinked")
        self.announce("account_unlinked", link)

    def reauthorise(self, account: str, *, remint: bool = False) -> bool:
        """The customer logs in again: the link lives, the copy catches up, two webhooks; says whether rows were new."""
        link = self.link(account)
        changed = link.refresh()
        link.become("live")
        link.sync_status = None
        if remint:
            link.remint()
        self.announce("account_reauthorized", link)
        self.announce("account_updated", link)
        return changed

    def relink(self, account: str, *, same_ids: bool = False, unlink: bool = True, announce: bool = True) -> Row:
        """The customer links the same bank account anew: another account id, with old or new transaction ids."""
        old = self.link(account)
        if unlink and old.state != "unlinked":
            self.unlink(account)
        new = old.successor(link_id=self.mint_link_id(), linked_at=self.clock.now(), same_ids=same_ids)
        self.adopt(new)
        if announce:
            self.announce("account_connected", new)
            self.announce("account_updated", new)
        return summary(new)

    def refresh(self, account: str) -> bool:
        """Let Mono's copy catch up with the bank, silently; says whether rows were new."""
        return self.link(account).refresh()

    def set_data_status(
        self,
        account: str,
        *,
        data_status: str,
        retrieved_data: list[str] | None = None,
        announce: bool = True,
        shape: Shape = "current",
    ) -> Row:
        """Set `data_status` and what was retrieved (by default what the status means), and send `account_updated`."""
        link = self.link(account)
        link.data_status = data_status
        default = RETRIEVED.get(data_status, ())
        link.retrieved_data = default if retrieved_data is None else tuple(retrieved_data)
        if announce:
            self.announce("account_updated", link, shape=shape)
        return account_meta(link)

    def set_null_rows(self, account: str, *, is_null: bool) -> None:
        """Let the account's transactions be `data: null`, or rows again."""
        self.link(account).data_is_null = is_null

    def set_sync_status(self, account: str, *, sync_status: SyncStatus | None) -> None:
        """Fix how real-time jobs end; None lets the link's state decide."""
        self.link(account).sync_status = sync_status

    def job_list(self, account: str) -> list[dict[str, Any]]:
        """The account's real-time jobs with their outcome and cost in NGN."""
        return [_job(job) for job in self.jobs.values() if job.account == account]

    def finish_job(self, account: str, job: str) -> dict[str, Any]:
        """Let a processing job end now."""
        ended = self.jobs[job]
        if ended.account == account and ended.status == "processing":
            self.end_job(ended)
        return _job(ended)


def _job(job: Job) -> dict[str, Any]:
    outcome = {"sync_status": job.sync_status, "has_new_data": job.has_new_data, "cost_ngn": job.cost_ngn}
    return {"id": job.id, "name": job.name, "status": job.status, **outcome}
