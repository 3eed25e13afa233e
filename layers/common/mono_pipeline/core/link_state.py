"""How a link at Mono stands, judged from what webhooks have told of it: the same whatever the order they came in.

Every event leaves at most one mark at one instant, and the judgement is over the set of them, in which neither order
nor repetition is left. An event that Mono dates is taken for that instant; one without a date, as `account_unlinked`,
for when it reached us.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from mono_pipeline.core.run import LinkStatus
from mono_pipeline.core.webhook_event import WebhookKind

if TYPE_CHECKING:
    from datetime import datetime

    from mono_pipeline.core.webhook_event import WebhookEvent

SUCCESSES: Final = frozenset({"SUCCESSFUL", "SUCCESS"})  # an allow-list: any other word is no success (contract 5.3)
_REAUTHORISE: Final = "REAUTHORISATION_REQUIRED"
_NO_TRANSACTIONS: Final = frozenset({"UNAVAILABLE", "FAILED", "PROCESSING"})  # where it is not said what was retrieved
_TRIGGERS: Final = frozenset(
    {
        WebhookKind.CONNECTED,
        WebhookKind.REAUTHORISED,
        # of Data Sync, with bodies that nobody is sure of: they say when to look and nothing else (contract 5.3)
        WebhookKind.SYNCED,
        WebhookKind.SYNC_FAILED,
        WebhookKind.REAUTHORISATION_REQUIRED,
    }
)


class Mark(StrEnum):
    """What an event says of the link it is about."""

    CONNECTED = "connected"  # dated: the customer has linked the account
    DELIVERED = "delivered"  # transactions came without a word on success, as after linking and signing in
    SIGNED_IN = "signed_in"  # the customer has signed in again; whether data follow is told by the next event
    SUCCEEDED = "succeeded"  # Mono was at the bank and let in
    REAUTH_REQUIRED = "reauth_required"  # the bank wants the customer
    UNLINKED = "unlinked"


class LinkMarks(Struct, frozen=True):
    """What has been told of one link, and when. Of marks other than signing in, only the newest matters."""

    told: frozenset[tuple[Mark, datetime]] = frozenset()

    def noting(self, mark: Mark | None, at: datetime) -> LinkMarks:
        """These and one more."""
        return self if mark is None else LinkMarks(self.told | {(mark, at)})

    def newest(self, *marks: Mark, until: datetime | None = None) -> datetime | None:
        """The newest instant of any of `marks`, not after `until` where that is given."""
        found = (at for mark, at in self.told if mark in marks and (until is None or at <= until))
        return max(found, default=None)


class LinkState(Struct, frozen=True, kw_only=True):
    """The judgement. `proven_at` is when the link was last known to work, `required_at` when it last was not."""

    status: LinkStatus
    required_at: datetime | None
    proven_at: datetime | None


def mark_of(event: WebhookEvent) -> Mark | None:
    """What `event` says of its link, None where it says nothing of it.

    A job's end is not here: the `account_updated` behind it says how it went, and has a date (contract 5.3).
    """
    match event.kind:
        case WebhookKind.CONNECTED:
            # without a date it proves nothing: it may be the first one, late
            return Mark.CONNECTED if event.happened_at is not None else None
        case WebhookKind.REAUTHORISED:
            return Mark.SIGNED_IN
        case WebhookKind.REAUTHORISATION_REQUIRED:
            return Mark.REAUTH_REQUIRED
        case WebhookKind.UNLINKED:
            return Mark.UNLINKED
        case WebhookKind.UPDATED:
            return _mark_of_update(event)
        case _:
            return None


def wants_read(event: WebhookEvent) -> bool:
    """Whether there may be rows to read now. Why the bank was not asked does not matter: what is cached is read."""
    if event.kind is WebhookKind.UPDATED:
        return _brought_transactions(event)
    if event.kind is WebhookKind.JOB_UPDATED:
        return event.job_status == "FINISHED"
    return event.kind in _TRIGGERS


def is_success(event: WebhookEvent) -> bool:
    """Whether Mono says that it has fresh data of the bank."""
    return event.kind is WebhookKind.UPDATED and event.sync_status in SUCCESSES


def judge_link(marks: LinkMarks) -> LinkState:
    """How the link stands. Where instants do not tell which came last, the worse is taken for true.

    An unlinked one stays so (its id is permanent until then, contract 4), but for a new link under the same id, dated
    after we were told. What asked for the customer stays until a later success: a real-time sync's, or that of
    signing in, which is a success once data have followed.
    """
    proven = later(marks.newest(Mark.SUCCEEDED), _signed_in_with_data(marks))
    required = marks.newest(Mark.REAUTH_REQUIRED)
    return LinkState(status=_status(marks, required, proven), required_at=required, proven_at=proven)


def revives(marks: LinkMarks, connected_at: datetime) -> bool:
    """Whether a link that is unlinked by `marks` may live again by an event of `connected_at`: Mono is to be asked."""
    unlinked = marks.newest(Mark.UNLINKED)
    return unlinked is not None and connected_at > unlinked


def later(one: datetime | None, other: datetime | None) -> datetime | None:
    """The later of two instants of which either may be missing."""
    if one is None or other is None:
        return one or other
    return max(one, other)


def _status(marks: LinkMarks, required: datetime | None, proven: datetime | None) -> LinkStatus:
    unlinked, connected = marks.newest(Mark.UNLINKED), marks.newest(Mark.CONNECTED)
    if unlinked is not None and (connected is None or connected <= unlinked):
        return LinkStatus.UNLINKED
    if required is not None and (proven is None or required >= proven):
        return LinkStatus.REAUTH_REQUIRED
    return LinkStatus.LINKED


def _signed_in_with_data(marks: LinkMarks) -> datetime | None:
    """The newest time that the customer signed in and transactions followed; linking is a way of signing in."""
    delivered = marks.newest(Mark.DELIVERED)
    return delivered and marks.newest(Mark.SIGNED_IN, Mark.CONNECTED, until=delivered)


def _mark_of_update(event: WebhookEvent) -> Mark | None:
    if is_success(event):
        return Mark.SUCCEEDED
    if event.sync_status == _REAUTHORISE:
        return Mark.REAUTH_REQUIRED
    return Mark.DELIVERED if event.sync_status is None and _brought_transactions(event) else None


def _brought_transactions(event: WebhookEvent) -> bool:
    if event.retrieved_data is not None:
        return "transactions" in event.retrieved_data
    return event.data_status not in _NO_TRANSACTIONS
