"""Bank accounts in PostgreSQL: found by any Mono id they ever had, imported, blocked, picked when due."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from mono_pipeline.adapters.run_store import account_from
from mono_pipeline.adapters.statements import statements
from mono_pipeline.core.errors import AccountUnknown, LeaseLost
from mono_pipeline.core.freshness import is_filled
from mono_pipeline.core.run import LinkStatus, RunKind
from mono_pipeline.core.wire import AccountSnapshot

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mono_pipeline.adapters.postgres import Database, Row
    from mono_pipeline.core.run import Account, LeasedRun
    from mono_pipeline.core.wire import ListedAccount

_SQL = statements("accounts")
_RUNS = statements("runs")


class DueAccount(Struct, frozen=True, kw_only=True):
    """An account whose time has come, and what to read of it."""

    id: int
    mono_account_id: str
    first_mono_account_id: str
    mono_customer_id: str | None
    kind: RunKind


class AccountStore:
    """The rows of `bank_accounts`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, mono_account_id: str) -> Account:
        """The account with this Mono id, present or former. Raises AccountUnknown."""
        row = self._database.row(_SQL["find_account"], mono_account_id=mono_account_id)
        if row is None:
            raise AccountUnknown
        return account_from(row)

    def import_account(self, account: ListedAccount) -> int:
        """Add or refresh an account from what Mono says of it; our id of it."""
        (row,) = self._database.rows(
            _SQL["import_account"],
            mono_account_id=account.id,
            mono_customer_id=account.customer_id,
            reference=account.ref if isinstance(account, AccountSnapshot) else None,
            bank_code=account.bank_code,
            account_number=account.account_number,
            currency=account.currency,
            data_status=account.data_status,
            filled=is_filled(account),
        )
        return int(row["id"])

    def page(
        self, *, slo_hours: int | None = None, after: str = "", limit: int = 100, only: str | None = None
    ) -> list[Row]:
        """Accounts in the order of their Mono ids, with the newest run of each.

        `slo_hours` is from when on one without an SLO of its own is stale; None: nothing is said of that.
        """
        return self._database.rows(_SQL["list_accounts"], after=after, limit=limit, only=only, slo_hours=slo_hours)

    def note_snapshot(self, run: LeasedRun, snapshot: AccountSnapshot, *, lease_seconds: int) -> None:
        """Keep what Mono says of the account now. Raises LeaseLost."""
        row = self._database.row(
            _SQL["note_account_state"],
            account_id=run.account.id,
            fence=run.fence,
            data_status=snapshot.data_status,
            filled=is_filled(snapshot),
            balance_minor=snapshot.balance_minor,
            mono_customer_id=snapshot.customer_id,
            reference=snapshot.ref,
            bank_code=snapshot.bank_code,
            account_number=snapshot.account_number,
            lease_seconds=lease_seconds,
        )
        if row is None:
            raise LeaseLost

    def block(self, account_id: int, *, status: LinkStatus, retry_seconds: float) -> None:
        """Stop reading the account until a new link, or for `retry_seconds`."""
        self._database.rows(
            _SQL["block_account"], account_id=account_id, link_status=status, retry_seconds=retry_seconds
        )

    def revive(self, account_id: int) -> None:
        """The account is no dead letter any more: somebody has asked for it."""
        self._database.rows(_SQL["revive"], account_id=account_id)

    def take_due(self, *, limit: int, interval_seconds: float) -> list[DueAccount]:
        """Accounts that are due now, each moved to its next time so that no other tick takes it."""
        rows = self._database.rows(_SQL["due_accounts"], limit=limit, interval_seconds=interval_seconds)
        return [_due(row) for row in rows]

    def look_again(self, account_ids: Iterable[int], *, seconds: float) -> None:
        """Make accounts due again in `seconds` at the latest."""
        self._database.rows(_SQL["look_again"], account_ids=list(account_ids), seconds=seconds)

    def take_unserved(self, *, limit: int, quiet_seconds: float) -> list[DueAccount]:
        """Accounts with an open run that nobody works on and nobody has woken for `quiet_seconds`."""
        return [
            _due(row) for row in self._database.rows(_RUNS["unserved_runs"], limit=limit, quiet_seconds=quiet_seconds)
        ]


def _due(row: Row) -> DueAccount:
    return DueAccount(
        id=row["id"],
        mono_account_id=row["mono_account_id"],
        first_mono_account_id=row["first_mono_account_id"],
        mono_customer_id=row["mono_customer_id"],
        kind=RunKind(row["kind"]),
    )
