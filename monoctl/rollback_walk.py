"""A rollback: the flag off first, whatever else fails; then the proof that no run began, and what is left behind."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from mono_pipeline.core.errors import MalformedFlag
from mono_pipeline.core.flag import FlagChange
from mono_pipeline.core.release import ReleaseEventKind, ReleaseStatus
from mono_pipeline.usecases.flag_editor import FlagConflict
from monoctl.dead_letter_walk import carry_through
from monoctl.failure import EXPLAINED, explain
from monoctl.flag_propagation import PROMISED_SECONDS
from monoctl.release_book import existing_book

if TYPE_CHECKING:
    from collections.abc import Callable

    from mono_pipeline.usecases.flag_editor import FlagEdit, FlagEditor
    from monoctl.alert_states import AlertStates
    from monoctl.release_book import ReleaseBook
    from monoctl.session import Session

    type Row = dict[str, Any]
    type Say = Callable[[str], None]

LETTERS: Final = "mono.fetch.*"
_LOOK_SECONDS: Final = 1.0
_ATTEMPTS: Final = 5


@dataclass(frozen=True, kw_only=True)
class Proof:
    """Whether runs still begin.

    Attributes:
        watched_seconds: from the edit of the flag to the last look.
        started: runs that began after the edit.
        last_started_seconds: from the edit to the last of them, None where none did.
        working: runs that were still at work at the last look; each stops at its next flush.
        stopped_seconds: from the edit until none was at work, None where some still are.
    """

    watched_seconds: float
    started: int
    last_started_seconds: float | None
    working: int
    stopped_seconds: float | None

    @property
    def holds(self) -> bool:
        """Whether no run began after what is promised."""
        late = self.last_started_seconds is not None and self.last_started_seconds > PROMISED_SECONDS
        return not late and self.watched_seconds >= PROMISED_SECONDS


@dataclass(frozen=True, kw_only=True)
class RollbackEnd:
    """What a rollback came to. What could not be found out is None, and `problems` says why."""

    release: str | None
    before: Row
    after: Row
    proof: Proof | None
    firing: list[str] | None
    letters: Row | None
    cleared: int | None
    last_good_version: str | None
    problems: list[str] = field(default_factory=list)


class RollbackWalk:
    """Takes everybody out. Nothing is asked of a database before the flag is off."""

    def __init__(self, session: Session, editor: FlagEditor, alerts: AlertStates, *, patience: float) -> None:
        """`patience` is for how many seconds running runs are waited for."""
        self._session = session
        self._editor = editor
        self._alerts = alerts
        self._patience = patience
        self._problems: list[str] = []

    def go(self, *, why: str, release_id: str | None, clear: Callable[[Row], bool], say: Say) -> RollbackEnd:
        """Do all of it; `clear` decides of the dead letters that are there. Raises only where the flag is not off."""
        began = self._session.wiring.monotonic()
        say("turning the flag off")
        edit = self._flag_off(why)
        book = self._try(
            lambda: existing_book(self._session.reach.ops, who=self._session.reach.who, release_id=release_id)
        )
        if book is not None:
            self._try(lambda: self._tell_begin(book, edit, why))
        say("watching that no run begins")
        proof = self._try(lambda: self._prove(began, say))
        fleet = self._alerts.fleet()
        if fleet is None and self._alerts.problem:
            self._problems.append(self._alerts.problem)
        say("looking at the dead letters")
        letters = self._try(self._letters)
        cleared = self._clear(letters, clear) if letters is not None else None
        end = RollbackEnd(
            release=book.id if book else None,
            before={"version": edit.before.version, "value": edit.before.value},
            after={"version": edit.after.version, "value": edit.after.value},
            proof=proof,
            firing=None if fleet is None else sorted(fleet),
            letters=letters,
            cleared=cleared,
            last_good_version=self._try(lambda: self._last_good(book)),
            problems=self._problems,
        )
        if book is not None:
            self._try(lambda: self._tell_end(book, end, why))
        return end

    def _flag_off(self, why: str) -> FlagEdit:
        """Turn the kill switch; somebody who edits at the same time is not waited for."""
        for _ in range(_ATTEMPTS - 1):
            try:
                return self._off_once(why)
            except FlagConflict as conflict:
                self._problems.append(str(conflict))
        return self._off_once(why)

    def _off_once(self, why: str) -> FlagEdit:
        who = self._session.reach.who
        try:
            return self._editor.amend(FlagChange(enabled=False), who=who, why=why)
        except MalformedFlag:  # it is off already, by what nobody can read: now by what everybody can
            return self._editor.set_value("false", who=who, why=why)

    def _prove(self, began: float, say: Say) -> Proof:
        """Look until what is promised is over and nobody works any more, or the patience is."""
        ops = self._session.reach.ops
        since = self._instant_of(began)
        stopped: float | None = None
        while True:
            seen = ops.ask("releases.starts", since=since)
            quiet_since = seen["seconds"] if stopped is None else stopped
            stopped = None if seen["working"] else quiet_since
            age = seen["seconds"]  # as the last look saw it: an answer that came late would be older than what it tells
            say(f"{age:.0f} s: {seen['started']} began, {seen['working']} at work")
            if age >= PROMISED_SECONDS and (stopped is not None or age >= self._patience):
                return Proof(
                    watched_seconds=age,
                    started=seen["started"],
                    last_started_seconds=seen["last_started_seconds"],
                    working=seen["working"],
                    stopped_seconds=stopped,
                )
            self._session.wiring.pause(_LOOK_SECONDS)

    def _instant_of(self, began: float) -> str:
        """When the rollback began, by the database's clock: its now, less what has passed since by our own."""
        now = datetime.fromisoformat(self._session.reach.ops.ask("releases.starts")["now"])
        return (now - timedelta(seconds=self._session.wiring.monotonic() - began)).isoformat()

    def _letters(self) -> Row:
        return self._on_letters({"action": "inspect", "filter": {"type": LETTERS}})

    def _clear(self, letters: Row, clear: Callable[[Row], bool]) -> int | None:
        """Take the letters away where that is wanted; each is archived first."""
        if not letters["groups"] or not clear(letters):
            return 0
        body = {"action": "purge", "filter": {"type": LETTERS}, "dry_run": False, "limit": None}
        purged = self._try(lambda: self._on_letters(body))
        return None if purged is None else sum(group["messages"] for group in purged["groups"])

    def _on_letters(self, body: Row) -> Row:
        reach = self._session.reach
        return carry_through(reach.dead_letters, body, asked_by=reach.who, watch=lambda _: None)

    def _last_good(self, book: ReleaseBook | None) -> str | None:
        """The newest version that was promoted and stayed, other than this one."""
        found = self._session.reach.ops.ask("releases.list", limit=50)["releases"]
        good = (
            each for each in found if each["status"] == ReleaseStatus.PROMOTED and (not book or each["id"] != book.id)
        )
        newest = next(good, None)
        return None if newest is None else str(newest["version"])

    def _tell_begin(self, book: ReleaseBook, edit: FlagEdit, why: str) -> None:
        book.record(ReleaseEventKind.ROLLBACK_STARTED, scope="everyone", reason=why)
        book.record_flag(edit.before, edit.after)

    def _tell_end(self, book: ReleaseBook, end: RollbackEnd, why: str) -> None:
        if end.cleared:
            book.record(ReleaseEventKind.DEAD_LETTERS_CLEARED, messages=end.cleared, filter=LETTERS)
        book.record(ReleaseEventKind.ROLLBACK_FINISHED, scope="everyone", reason=why, **_in_short(end))

    def _try[T](self, work: Callable[[], T]) -> T | None:
        """Do what helps; that it cannot be done is a problem to tell of, and no reason to stop."""
        try:
            return work()
        except EXPLAINED as error:
            self._problems.append(explain(error).sentence)
            return None


def _in_short(end: RollbackEnd) -> Row:
    proof = end.proof
    return {
        "proven": proof.holds if proof else None,
        "runs_begun_after": proof.started if proof else None,
        "last_began_after_seconds": proof.last_started_seconds if proof else None,
        "all_stopped_after_seconds": proof.stopped_seconds if proof else None,
        "firing": end.firing,
        "dead_letters": None if end.letters is None else end.letters["groups"],
        "cleared": end.cleared,
        "problems": end.problems,
    }
