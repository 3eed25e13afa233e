"""What a person asks of the dead letters, and what becomes of each: decided here, without looking anywhere."""

from __future__ import annotations

from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from msgspec import Struct, field

from mono_pipeline.core.dead_letter import UNREADABLE
from mono_pipeline.core.run import LinkStatus

if TYPE_CHECKING:
    from datetime import datetime, timedelta
    from uuid import UUID

    from mono_pipeline.core.dead_letter import DeadLetter

MAX_REPLAYS: Final = 3  # since the last run that succeeded; what comes back after them is given up


class Action(StrEnum):
    """What can be asked."""

    INSPECT = "inspect"
    REPLAY = "replay"
    PURGE = "purge"


class Outcome(StrEnum):
    """What becomes of a message, or would."""

    REQUEUED = "requeued"
    QUARANTINED = "quarantined"  # archived and deleted: unreadable, or replayed too often
    PURGED = "purged"
    # It stays, because of its account:
    UNKNOWN_ACCOUNT = "unknown_account"
    UNLINKED = "unlinked"
    REFUSED = "refused"  # Mono refuses it
    REAUTH_REQUIRED = "reauth_required"
    FLAG_OFF = "flag_off"
    # It stays, because nothing of ours would serve it: a person runs it again, or purges it.
    BY_HAND = "by_hand"
    # It is not what was asked for.
    NOT_MATCHED = "not_matched"


TAKES_OFF: Final = frozenset({Outcome.REQUEUED, Outcome.QUARANTINED, Outcome.PURGED})
_BLOCKED: Final = {
    LinkStatus.REFUSED: Outcome.REFUSED,
    LinkStatus.REAUTH_REQUIRED: Outcome.REAUTH_REQUIRED,
}


class LetterFilter(Struct, frozen=True, kw_only=True):
    """Which letters are meant: patterns as of a shell, case included; None means any."""

    type: str | None = None
    account_id: str | None = None
    reason: str | None = None
    older_than: timedelta | None = None
    older_than_text: str | None = None


class Asked(Struct, frozen=True, kw_only=True):
    """One inspection, replay or purge, as a person asked for it.

    `most` messages are taken off at the most, `per_second` a second; `action_id` is the same in every invocation that
    goes on with it.
    """

    action_id: UUID
    action: Action
    filter: LetterFilter = field(default_factory=LetterFilter)
    dry_run: bool = True
    most: int | None = None
    per_second: int | None = None
    force: bool = False
    asked_by: str
    correlation_id: str

    @property
    def changes(self) -> bool:
        """Whether anything is to be taken off the queue."""
        return not self.dry_run and self.action is not Action.INSPECT


class Standing(Struct, frozen=True, kw_only=True):
    """How the account of a letter stands. `replays` are those of earlier actions, since its last success.

    `last_error` is how its newest run ended, or `unfinished` while that is open.
    """

    id: int
    mono_account_id: str
    first_mono_account_id: str
    link_status: LinkStatus
    replays: int
    last_run_id: str | None
    last_error: str


class Sorted(Struct, frozen=True, kw_only=True):
    """A letter with all that is known of it, and what becomes of it."""

    letter: DeadLetter
    standing: Standing | None
    reason: str
    outcome: Outcome

    @property
    def replays(self) -> int:
        """How often it was replayed before: by its own account of it or by its account's, whichever knows of more."""
        return max(self.letter.replays, self.standing.replays if self.standing else 0)

    def is_left_by(self, asked: Asked) -> bool:
        """Whether an action leaves the letter on its queue."""
        return not asked.changes or self.outcome not in TAKES_OFF


def reason_of(letter: DeadLetter, standing: Standing | None) -> str:
    """Why the letter is here: what it says itself, else how its account's newest run ended."""
    if letter.reason is not None:
        return letter.reason
    return standing.last_error if standing is not None and letter.of_an_account else "unfinished"


def matches(asked: LetterFilter, letter: DeadLetter, standing: Standing | None, *, now: datetime) -> bool:
    """Whether the filter means this letter. A former id of an account means all of the account's letters."""
    if asked.type is not None and not fnmatchcase(letter.type, asked.type):
        return False
    if asked.account_id is not None:
        names = {letter.account_id}
        if standing is not None:
            names |= {standing.mono_account_id, standing.first_mono_account_id}
        if asked.account_id not in names:
            return False
    if asked.reason is not None and not fnmatchcase(reason_of(letter, standing), asked.reason):
        return False
    return asked.older_than is None or now - letter.message.sent_at >= asked.older_than


def outcome_of_replay(letter: DeadLetter, standing: Standing | None, *, flag_on: bool, force: bool) -> Outcome:
    """What a replay makes of a letter that is meant. `force` sets blocks and the flag aside, never the cap."""
    if letter.type == UNREADABLE:
        return Outcome.QUARANTINED
    if letter.work is None:
        return Outcome.BY_HAND
    if letter.of_an_account:
        stays = _account_keeps_it(standing, flag_on=flag_on, force=force)
        if stays is not None:
            return stays
    before = max(letter.replays, standing.replays if standing and letter.of_an_account else 0)
    return Outcome.QUARANTINED if before >= MAX_REPLAYS else Outcome.REQUEUED


def _account_keeps_it(standing: Standing | None, *, flag_on: bool, force: bool) -> Outcome | None:
    if standing is None:
        return Outcome.UNKNOWN_ACCOUNT
    if standing.link_status is LinkStatus.UNLINKED:
        return Outcome.UNLINKED
    if force:
        return None
    return _BLOCKED.get(standing.link_status) or (None if flag_on else Outcome.FLAG_OFF)
