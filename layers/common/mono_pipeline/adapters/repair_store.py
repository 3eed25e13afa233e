"""The walk through Mono's account list: where it stands, and what it says of the accounts that are known here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from mono_pipeline.adapters.statements import statements

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mono_pipeline.adapters.postgres import Database

_SQL = statements("repair")
WALK_SECONDS: Final = 21_600  # a new walk begins six hours after the last one ended
HOLD_SECONDS: Final = 120  # a walker that is silent for so long is gone


class KnownAccount(Struct, frozen=True, kw_only=True):
    """An account of ours, and Mono's id of it."""

    id: int
    mono_account_id: str


class RepairStore:
    """The one row of `account_list_walk`, and what it tells of `bank_accounts`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin_walk(self) -> int | None:
        """The page at which to go on, and nobody else does; None while somebody does, or before it is time."""
        row = self._database.row(_SQL["begin_walk"], hold_seconds=HOLD_SECONDS, every_seconds=WALK_SECONDS)
        return None if row is None else int(row["next_page"])

    def page_walked(self, page: int) -> bool:
        """Go on behind `page`; False where somebody else has."""
        return self._database.row(_SQL["page_walked"], page=page, hold_seconds=HOLD_SECONDS) is not None

    def end_walk(self, page: int, *, whole: bool) -> None:
        """The walk ended at `page`; `whole` says that every page of it was read."""
        self._database.rows(_SQL["end_walk"], page=page, whole=whole)

    def rest(self, page: int) -> None:
        """Somebody may go on at `page`."""
        self._database.rows(_SQL["rest"], page=page)

    def note_listed(self, mono_account_ids: Iterable[str]) -> list[KnownAccount]:
        """These ids are on Mono's list; returns accounts that are unlinked here and have come back to it.

        One that was never seen to leave the list has not come back: Mono may go on listing what is unlinked.
        """
        rows = self._database.rows(_SQL["note_listed"], mono_account_ids=list(mono_account_ids))
        return [KnownAccount(id=row["id"], mono_account_id=row["mono_account_id"]) for row in rows if row["is_back"]]

    def unknown(self, mono_account_ids: Iterable[str]) -> set[str]:
        """Those of these ids that no account has, and none had before a re-link."""
        return {row["id"] for row in self._database.rows(_SQL["unknown_ids"], mono_account_ids=list(mono_account_ids))}

    def take_vanished(self, *, limit: int) -> list[KnownAccount]:
        """Linked accounts that the last whole list did not have, each taken once a walk."""
        rows = self._database.rows(_SQL["take_vanished"], limit=limit)
        return [KnownAccount(id=row["id"], mono_account_id=row["mono_account_id"]) for row in rows]

    def bring_forward(self, *, longest_seconds: float) -> list[str]:
        """Make accounts due that are scheduled later than `longest_seconds` from now; returns their Mono ids."""
        rows = self._database.rows(_SQL["bring_forward"], longest_seconds=longest_seconds)
        return [row["mono_account_id"] for row in rows]

    def note_unlinked(self, account: KnownAccount) -> bool:
        """The account is unlinked; its rows stay. False where that was known, or it goes by another Mono id now."""
        row = self._database.row(_SQL["note_unlinked"], account_id=account.id, mono_account_id=account.mono_account_id)
        return row is not None

    def note_linked_again(self, account: KnownAccount) -> bool:
        """The account is linked again, and due. False where that was known, or it goes by another Mono id now."""
        row = self._database.row(
            _SQL["note_linked_again"], account_id=account.id, mono_account_id=account.mono_account_id
        )
        return row is not None
