"""A person's right to be forgotten: an account is emptied, and what is left says only that something was there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mono_pipeline.adapters.retention_store import RetentionStore
from mono_pipeline.core.errors import AccountUnknown, InvalidInput
from mono_pipeline.core.identity import parse_account_id
from mono_pipeline.core.release import parse_actor

if TYPE_CHECKING:
    from mono_pipeline.adapters.postgres import Database

_LONGEST_REASON: Final = 700


class AccountErasure:
    """Serves `accounts.erase`."""

    def __init__(self, database: Database) -> None:
        self._store = RetentionStore(database)

    def erase(self, event: dict[str, Any]) -> dict[str, Any]:
        """Erase `account_id` by `actor`, for `reason`; `confirm` is the account's id once more.

        There is no way back. Of an account that was erased before, the first erasure is told.

        Raises:
            InvalidInput: something is missing, or `confirm` is another id.
            AccountUnknown: there is no such account.
        """
        account_id = parse_account_id(str(event.get("account_id", "")))
        if event.get("confirm") != account_id:
            raise InvalidInput("confirm", "is not the account's id")
        reason = str(event.get("reason") or "").strip()
        if not 0 < len(reason) <= _LONGEST_REASON:
            raise InvalidInput("reason", f"needs 1 to {_LONGEST_REASON} characters")
        erased = self._store.erase(account_id, actor=parse_actor(str(event.get("actor", ""))), reason=reason)
        if erased is None:
            raise AccountUnknown
        return {
            "account_id": account_id,
            "erasure_id": str(erased.erasure_id),
            "erased_at": erased.erased_at.isoformat(),
            "erased_by": erased.erased_by,
            "reason": erased.reason,
            "rows": {
                "transactions": erased.transactions,
                "versions": erased.versions,
                "quarantined": erased.quarantined,
            },
        }
