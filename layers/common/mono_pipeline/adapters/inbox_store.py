"""Mono's events in PostgreSQL, and what each does to its account. Everything here is called inside one transaction."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from mono_pipeline.adapters.queue import WebhookReceived
from mono_pipeline.adapters.statements import statements
from mono_pipeline.core.link_state import LinkMarks, Mark
from mono_pipeline.core.run import LinkStatus, RunKind
from mono_pipeline.core.webhook_event import WebhookEvent, WebhookKind

if TYPE_CHECKING:
    from uuid import UUID

    from mono_pipeline.adapters.postgres import Database, Row
    from mono_pipeline.core.link_state import LinkState

_SQL = statements("inbox")
# What the account knows of its link without an event: from real-time jobs, and from Mono's own pages.
_LEARNED: Final = {
    Mark.REAUTH_REQUIRED: "reauth_required_at",
    Mark.SUCCEEDED: "link_proven_at",
    Mark.UNLINKED: "found_unlinked_at",
    Mark.CONNECTED: "found_linked_at",
}


class Effect(StrEnum):
    """What came of an event."""

    IMPORTED = "imported"  # its account is new
    RELINKED = "relinked"  # its account is an old one under a new Mono id
    CHANGED = "changed"  # the link stands otherwise than before
    NOTED = "noted"  # nothing but a reason to look, perhaps
    FORMER_LINK = "former_link"  # the account goes by another Mono id now
    UNKNOWN_ACCOUNT = "unknown_account"  # Mono does not know it either
    NO_CURRENCY = "no_currency"  # Mono does not say in what it counts
    WAITING = "waiting"  # Mono is to be asked first, and could not be


class KnownEvent(Struct, frozen=True, kw_only=True):
    """An event that was written down before."""

    effect: Effect
    account_id: int | None


class LinkedAccount(Struct, frozen=True, kw_only=True):
    """An account, locked, as far as its link goes."""

    id: int
    mono_account_id: str
    link_status: LinkStatus
    was_read: bool
    marks: LinkMarks


class Sighting(Struct, frozen=True, kw_only=True):
    """An event as it came in: when it reached us (SQS's instant), and what it says of its link."""

    message: WebhookReceived
    received_at: datetime
    mark: Mark | None

    @property
    def told_at(self) -> datetime:
        """When it happened, as far as can be told: nothing has happened after it reached us."""
        return min(self.happened_at or self.received_at, self.received_at)

    @property
    def happened_at(self) -> datetime | None:
        """Mono's word on it."""
        told = self.message.event.happened_at
        return None if told is None else datetime.fromisoformat(told)


class InboxStore:
    """The rows of `webhook_inbox`, and the links that they are about."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def lock_link(self, mono_account_id: str) -> None:
        """Wait for everybody else who writes of this link; the first statement of the transaction."""
        self._database.rows(_SQL["lock_link"], mono_account_id=mono_account_id)

    def find(self, event_key: str) -> KnownEvent | None:
        """The event, if it was written down before."""
        row = self._database.row(_SQL["find_event"], event_key=event_key)
        return None if row is None else KnownEvent(effect=Effect(row["effect"]), account_id=row["account_id"])

    def count_delivery(self, event_key: str) -> None:
        """Mono has sent it again."""
        self._database.rows(_SQL["count_delivery"], event_key=event_key)

    def write(
        self,
        sighting: Sighting,
        effect: Effect,
        *,
        account_id: int | None = None,
        run_id: UUID | None = None,
        retry_seconds: float | None = None,
    ) -> None:
        """Write an event down with what came of it."""
        event = sighting.message.event
        self._database.rows(
            _SQL["write_event"],
            event_key=event.event_key,
            kind=event.kind,
            name=event.name,
            mono_account_id=sighting.message.account_id,
            account_id=account_id,
            happened_at=sighting.happened_at,
            received_at=sighting.received_at,
            sync_status=event.sync_status,
            data_status=event.data_status,
            retrieved_data=None if event.retrieved_data is None else list(event.retrieved_data),
            has_new_data=event.has_new_data,
            job_id=event.job_id,
            job_status=event.job_status,
            mark=sighting.mark,
            effect=effect,
            run_id=run_id,
            correlation_id=sighting.message.correlation_id,
            retry_seconds=retry_seconds,
        )

    def marks(self, mono_account_id: str) -> LinkMarks:
        """What has been told of a link so far."""
        rows = self._database.rows(_SQL["link_marks"], mono_account_id=mono_account_id)
        return LinkMarks(frozenset((Mark(row["mark"]), row["told_at"]) for row in rows))

    def lock(self, account_id: int) -> LinkedAccount:
        """The account, locked, with what has been told of its present link by events and learned otherwise."""
        row = self._database.rows(_SQL["lock_account_for_link"], account_id=account_id)[0]
        marks = self.marks(row["mono_account_id"])
        for mark, column in _LEARNED.items():
            marks = marks.noting(mark, row[column]) if row[column] is not None else marks
        return LinkedAccount(
            id=row["id"],
            mono_account_id=row["mono_account_id"],
            link_status=LinkStatus(row["link_status"]),
            was_read=row["watermark"] is not None,
            marks=marks,
        )

    def hold_link(self, account_id: int, mono_account_id: str) -> bool:
        """Lock the account; False where it goes by another Mono id, by an event that was served at the same time."""
        held = self._database.row(_SQL["hold_link"], account_id=account_id, mono_account_id=mono_account_id)
        return held is not None

    def settle(
        self,
        account_id: int,
        state: LinkState,
        *,
        status: LinkStatus,
        look_again_seconds: float | None = None,
    ) -> None:
        """Keep how the link stands; one that is new is looked at once more in `look_again_seconds`."""
        self._database.rows(
            _SQL["settle_link"],
            account_id=account_id,
            link_status=status,
            required_at=state.required_at,
            proven_at=state.proven_at,
            look_again_seconds=look_again_seconds,
        )

    def stop(self, account_id: int) -> None:
        """End all runs of the account, asked for or under way: nothing more of them is written."""
        self._database.rows(_SQL["stop_account"], account_id=account_id)

    def covering_run(self, account_id: int, since: datetime) -> Row | None:
        """The run that sees what was there at `since`, with `run_id`, `kind` and `waiting`; None where none does."""
        return self._database.row(_SQL["covering_run"], account_id=account_id, since=since)

    def open_kind(self, account_id: int) -> RunKind | None:
        """What of the account is asked for or under way, by the run that comes first; None where nothing is."""
        row = self._database.row(_SQL["open_kind"], account_id=account_id)
        return None if row is None else RunKind(row["kind"])

    def put_off_read(self, account_id: int, *, requested_by: str, runs: int, interval_seconds: float) -> bool:
        """Leave the account's next reading to a tick where `requested_by` started so many `runs` in the interval.

        Returns whether it was put off; it is due when the oldest of these began an interval ago.
        """
        row = self._database.row(
            _SQL["put_off_read"],
            account_id=account_id,
            requested_by=requested_by,
            runs=runs,
            interval_seconds=interval_seconds,
        )
        return row is not None

    def same_bank_account(self, *, bank_code: str, account_number: str, currency: str) -> LinkedAccount | None:
        """The account of this bank account, locked; who else links it at this moment waits."""
        identity = {"bank_code": bank_code, "account_number": account_number, "currency": currency}
        self._database.rows(_SQL["lock_bank_account"], **identity)
        row = self._database.row(_SQL["same_bank_account"], **identity)
        return None if row is None else self.lock(row["id"])

    def take_new_link(self, account_id: int, mono_account_id: str) -> None:
        """Let the account go by `mono_account_id` from now on; its old id becomes an alias."""
        self.stop(account_id)
        self._database.rows(_SQL["take_new_link"], account_id=account_id, mono_account_id=mono_account_id)

    def note_former_link(self, account_id: int, mono_account_id: str) -> None:
        """`mono_account_id` is an older link of the account."""
        self._database.rows(_SQL["note_former_link"], account_id=account_id, mono_account_id=mono_account_id)

    def adopt_events(self, account_id: int, mono_account_id: str) -> bool:
        """Events that came before their account are its own from now on; False where there are none of its link."""
        row = self._database.row(_SQL["adopt_events"], account_id=account_id, mono_account_id=mono_account_id)
        return bool(row and row["told"])

    def take_waiting(self, *, limit: int, retry_seconds: float) -> list[tuple[WebhookReceived, datetime]]:
        """Events that wait for Mono and are due, with when they reached us, moved on so that no other tick has them."""
        rows = self._database.rows(_SQL["take_waiting"], limit=limit, retry_seconds=retry_seconds)
        return [(_message(row), row["received_at"]) for row in rows]


def _message(row: Row) -> WebhookReceived:
    event = WebhookEvent(
        name=row["name"],
        kind=WebhookKind(row["kind"]),
        account_id=row["mono_account_id"],
        event_key=row["event_key"],
        has_event_id=row["event_key"].startswith("event:"),
        happened_at=None if row["happened_at"] is None else row["happened_at"].isoformat(),
        sync_status=row["sync_status"],
        data_status=row["data_status"],
        retrieved_data=None if row["retrieved_data"] is None else tuple(row["retrieved_data"]),
        has_new_data=row["has_new_data"],
        job_id=row["job_id"],
        job_status=row["job_status"],
    )
    return WebhookReceived(event=event, account_id=row["mono_account_id"], correlation_id=row["correlation_id"])
