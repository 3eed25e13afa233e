"""Which account a Mono account is: one we know, an old one under a new id, an older link of one, or a new one."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

from mono_pipeline.adapters.inbox_store import InboxStore
from mono_pipeline.core.errors import AccountUnknown
from mono_pipeline.core.link_state import judge_link
from mono_pipeline.core.run import LinkStatus, RunKind

if TYPE_CHECKING:
    from uuid import UUID

    from mono_pipeline.adapters.inbox_store import LinkedAccount
    from mono_pipeline.core.wire import ListedAccount
    from mono_pipeline.usecases.collaborators import Collaborators

_DEAD = frozenset({LinkStatus.UNLINKED, LinkStatus.REFUSED})


class Landing(StrEnum):
    """What a Mono account turned out to be."""

    KNOWN = "known"
    IMPORTED = "imported"
    RELINKED = "relinked"
    FORMER = "former"


class Landed(Struct, frozen=True, kw_only=True):
    """The account, by our id; a re-linked one with the run that reads all of it again."""

    account_id: int
    landing: Landing
    run_id: UUID | None = None


class AccountLinking:
    """Brings one Mono account into our tables. To be used inside a transaction."""

    def __init__(self, collaborators: Collaborators) -> None:
        self._with = collaborators
        self._inbox = InboxStore(collaborators.database)

    def land(self, account: ListedAccount, *, requested_by: str, correlation_id: str) -> Landed:
        """Add the account, refresh it, or give it to the one that it is a link of.

        A bank account is recognised by bank code, account number and currency, and never by a name. Of two links of
        one that both seem to live the younger counts, which is the one with the greater id: Mono's ids begin with
        the second in which they were made (Mono contract 2.2). Raises LookupError for an account without currency.
        """
        if account.currency is None:
            raise LookupError("an account without a currency cannot be kept")
        self._inbox.lock_link(account.id)
        known = self._known(account)
        if known is not None:
            return known
        same = self._same(account)
        if same is None:
            return self._add(account)
        if same.link_status not in _DEAD and account.id < same.mono_account_id:
            self._inbox.note_former_link(same.id, account.id)
            return Landed(account_id=same.id, landing=Landing.FORMER)
        return self._relink(same, account, requested_by=requested_by, correlation_id=correlation_id)

    def _known(self, account: ListedAccount) -> Landed | None:
        try:
            found = self._with.accounts.find(account.id)
        except AccountUnknown:
            return None
        if found.mono_account_id != account.id:
            return Landed(account_id=found.id, landing=Landing.FORMER)
        self._with.accounts.import_account(account)
        return Landed(account_id=found.id, landing=Landing.KNOWN)

    def _same(self, account: ListedAccount) -> LinkedAccount | None:
        if not account.bank_code or not account.account_number or not account.currency:
            return None
        return self._inbox.same_bank_account(
            bank_code=account.bank_code, account_number=account.account_number, currency=account.currency
        )

    def _add(self, account: ListedAccount) -> Landed:
        added = self._with.accounts.import_account(account)
        self._settle(added, account.id)
        return Landed(account_id=added, landing=Landing.IMPORTED)

    def _relink(self, same: LinkedAccount, account: ListedAccount, *, requested_by: str, correlation_id: str) -> Landed:
        self._inbox.take_new_link(same.id, account.id)
        self._with.accounts.import_account(account)
        self._settle(same.id, account.id)
        self._with.observer.event(
            "mono.account.relinked",
            None,
            account_id=account.id,
            former_account_id=same.mono_account_id,
            correlation_id=correlation_id,
        )
        run_id = self._with.runs.request(
            same.id, kind=RunKind.FULL, asked=None, requested_by=requested_by, correlation_id=correlation_id
        )
        return Landed(account_id=same.id, landing=Landing.RELINKED, run_id=run_id)

    def _settle(self, account_id: int, mono_account_id: str) -> None:
        """What had been told of this link before its account was here; with nothing told, it stands as it was made."""
        if not self._inbox.adopt_events(account_id, mono_account_id):
            return
        state = judge_link(self._inbox.lock(account_id).marks)
        self._inbox.settle(account_id, state, status=state.status)
