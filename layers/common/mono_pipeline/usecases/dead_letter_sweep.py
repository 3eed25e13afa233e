"""One invocation's way through the dead-letter queue: received in rounds, a part of a round decided in one commit."""

from __future__ import annotations

from copy import replace
from itertools import batched
from typing import TYPE_CHECKING, Final

from mono_pipeline.adapters.dead_letter_queue import SentBack
from mono_pipeline.adapters.queue import REPLAY, FetchRequested
from mono_pipeline.core.dead_letter import QueuedMessage, read_dead_letter
from mono_pipeline.core.errors import QueueUnavailable
from mono_pipeline.core.flag import decide
from mono_pipeline.core.replay import TAKES_OFF, Action, Outcome, Sorted, matches, outcome_of_replay, reason_of
from mono_pipeline.core.run import RunKind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from mono_pipeline.adapters.dead_letter_store import DeadLetterStore, Decided, Woken
    from mono_pipeline.core.dead_letter import DeadLetter
    from mono_pipeline.core.deadline import Deadline
    from mono_pipeline.core.flag import FlagReading
    from mono_pipeline.core.replay import Asked, Standing
    from mono_pipeline.usecases.collaborators import Collaborators

_MOST_HELD: Final = 20_000  # messages that one invocation hides at once; SQS allows 120,000 in all


class Sweep:
    """Sorts every message that the queue shows, and where it is no dry run, serves or archives and deletes it."""

    def __init__(
        self,
        collaborators: Collaborators,
        store: DeadLetterStore,
        asked: Asked,
        reading: FlagReading,
        *,
        now: datetime,
        pause: Callable[[float], None],
    ) -> None:
        """`now` is the database's clock; `pause` waits, where so many a second are asked for."""
        self._with = collaborators
        self._queue = collaborators.dead_letters
        self._store = store
        self._asked = asked
        self._reading = reading
        self._now = now
        self._pause = pause
        self._held: list[QueuedMessage] = []
        self._left: int | None = None
        self._woken: set[str] = set()  # accounts whose wake-up SQS has: what more there is of them is served by it

    def go(self, deadline: Deadline) -> bool:
        """Until the queue shows nothing new, or as many as were asked for are done (True); or time is up (False).

        Whatever happens, nothing that was received and left there stays hidden for longer than it takes to go on.
        """
        self._left = self._allowance()
        finished = False
        try:
            while not finished and not deadline.expired and len(self._held) < _MOST_HELD:
                finished = self._round(self._queue.receive(), deadline)
        except BaseException:
            self._show_again()
            raise
        if finished:  # else it would only be received again
            self._show_all_again()
        return finished

    def _allowance(self) -> int | None:
        if self._asked.most is None:
            return None
        done = self._store.outcomes(self._asked.action_id)
        taken = sum(int(counts["messages"]) for outcome, counts in done.items() if outcome in TAKES_OFF)
        return self._asked.most - taken

    def _round(self, received: Sequence[QueuedMessage], deadline: Deadline) -> bool:
        messages = list({message.message_id: message for message in received}.values())
        self._held += [replace(message, body="", attributes={}) for message in messages]  # a body may be a megabyte
        news = False
        for part in batched(messages, self._asked.per_second or max(1, len(messages)), strict=False):
            if self._left == 0:
                return True
            if deadline.expired:
                self._show_again(part)
                continue
            news = self._part(part) or news
        return not news and not deadline.expired

    def _part(self, messages: Sequence[QueuedMessage]) -> bool:
        """Decide on messages and act; returns whether any of them was new to this action."""
        asked = self._asked
        before = self._store.decided(asked.action_id, messages)
        letters = [read_dead_letter(message) for message in messages]
        standings = self._store.standings(asked.action_id, (each.account_id for each in letters if each.account_id))
        sorted_out = [self._sort(each, standings.get(each.account_id or ""), before) for each in letters]
        known = {each for each, decided in before.items() if decided.by_this}
        todo = self._within_allowance([each for each in sorted_out if self._is_open(before.get(_id(each)))], known)
        fresh = [each for each in todo if not self._was_cut_short(before.get(_id(each)))]
        with self._with.database.transaction():
            self._store.decide(asked, todo, seen=len(messages) - len(known))
            woken = self._commit(fresh) if asked.changes else []
        if asked.changes:
            self._carry_out(todo, woken)
        return len(known) < len(messages) or (asked.changes and bool(todo))

    def _sort(self, letter: DeadLetter, standing: Standing | None, before: dict[str, Decided]) -> Sorted:
        earlier = before.get(letter.message.message_id)
        meant = matches(self._asked.filter, letter, standing, now=self._now)
        if earlier is not None and self._was_cut_short(earlier) and (earlier.by_this or meant):
            outcome = earlier.outcome  # it is carried out as it was decided
        elif not meant:
            outcome = Outcome.NOT_MATCHED
        elif self._asked.action is Action.PURGE:
            outcome = Outcome.PURGED
        else:
            flag_on = standing is not None and self._flag_on(standing)
            outcome = outcome_of_replay(letter, standing, flag_on=flag_on, force=self._asked.force)
        return Sorted(letter=letter, standing=standing, reason=reason_of(letter, standing), outcome=outcome)

    def _was_cut_short(self, earlier: Decided | None) -> bool:
        """Whether a message was to be taken off before, by this action or another, and somebody died over it."""
        return self._asked.changes and earlier is not None and earlier.outcome in TAKES_OFF

    def _is_open(self, earlier: Decided | None) -> bool:
        """Whether there is anything to do or to note: not for what this action has left where it is before."""
        return earlier is None or not earlier.by_this or self._was_cut_short(earlier)

    def _within_allowance(self, letters: list[Sorted], known: set[str]) -> list[Sorted]:
        if self._left is None:
            return letters
        allowed = []
        for each in letters:
            takes = each.outcome in TAKES_OFF and _id(each) not in known
            if not takes or self._left > 0:
                allowed.append(each)
                self._left -= takes
        return allowed

    def _flag_on(self, standing: Standing) -> bool:
        names = {standing.mono_account_id}
        return decide(self._reading, standing.first_mono_account_id, also_known_as=names).enabled

    def _commit(self, fresh: Sequence[Sorted]) -> list[Woken]:
        """What a message comes to, in the commit of its decision: an archived row, or a run that is asked for."""
        self._store.archive(
            self._asked.action_id, [each for each in fresh if each.outcome in {Outcome.QUARANTINED, Outcome.PURGED}]
        )
        correlation_ids = {
            each.standing.id: each.letter.correlation_id or self._asked.correlation_id
            for each in reversed(fresh)
            if each.outcome is Outcome.REQUEUED and each.letter.of_an_account and each.standing is not None
            if _key(each) not in self._woken
        }
        return self._store.request_replays(self._asked.action_id, correlation_ids)

    def _carry_out(self, letters: Sequence[Sorted], woken: Sequence[Woken]) -> None:
        """Send first, then delete what was sent or archived; what SQS did not take stays where it is."""
        targets = {each.account_id: each for each in woken}
        back = {each.key: each for each in self._back(letters, targets) if each.key not in self._woken}
        sent = self._queue.send_back(back.values()) | self._woken
        self._woken = sent
        done = [
            each.letter.message
            for each in letters
            if (_key(each) in sent if each.outcome is Outcome.REQUEUED else each.outcome in TAKES_OFF)
        ]
        self._queue.delete(done)
        gone = {message.message_id for message in done}
        self._held = [message for message in self._held if message.message_id not in gone]
        self._pause_after(len(done))

    def _back(self, letters: Sequence[Sorted], woken: dict[str, Woken]) -> list[SentBack]:
        settings = self._with.settings
        found = []
        for each in letters:
            if each.outcome is not Outcome.REQUEUED:
                continue
            letter, wake = each.letter, woken.get(_key(each))
            full = wake.kind is RunKind.FULL if wake else _is_of(settings.backfill_queue_url, letter.message.source)
            found.append(
                SentBack(
                    key=_key(each),
                    queue_url=settings.backfill_queue_url if full else settings.queue_url,
                    body=self._wake_up(each) if letter.of_an_account else letter.work or letter.message.body,
                    group=wake.group if wake else letter.account_id or letter.message.message_id,
                    replays=wake.replays if wake else each.replays + 1,
                )
            )
        return found

    def _wake_up(self, each: Sorted) -> str:
        correlation_id = each.letter.correlation_id or self._asked.correlation_id
        return FetchRequested(account_id=_key(each), correlation_id=correlation_id, requested_by=REPLAY).body()

    def _pause_after(self, done: int) -> None:
        if self._asked.per_second and done:
            self._pause(done / self._asked.per_second)

    def _show_all_again(self) -> None:
        """Also what earlier invocations of this action left hidden."""
        shown = {message.message_id for message in self._held}
        self._show_again()
        while hidden := self._store.take_hidden(self._asked.action_id):
            earlier = [(each, receipt) for each, receipt in hidden.items() if each not in shown]
            self._queue.release([_hidden(each, receipt, self._now) for each, receipt in earlier])

    def _show_again(self, messages: Sequence[QueuedMessage] | None = None) -> None:
        """Show messages to others at once. Where SQS does not answer, they show themselves in two minutes."""
        shown = self._held if messages is None else list(messages)
        try:
            self._queue.release(shown)
        except QueueUnavailable:
            self._with.observer.event("mono.dead_letters.still_hidden", None, messages=len(shown))
        gone = {message.message_id for message in shown}
        self._held = [message for message in self._held if message.message_id not in gone]


def _hidden(message_id: str, receipt: str, now: datetime) -> QueuedMessage:
    """A message of which nothing is needed any more but its receipt."""
    return QueuedMessage(message_id=message_id, receipt=receipt, body="", sent_at=now, receives=0)


def _id(each: Sorted) -> str:
    return each.letter.message.message_id


def _key(each: Sorted) -> str:
    """What a message is sent for: its account, whose messages are all served by one wake-up, or itself."""
    if each.letter.of_an_account and each.standing is not None:
        return each.standing.mono_account_id
    return _id(each)


def _is_of(queue_url: str, source: str | None) -> bool:
    return source is not None and queue_url.endswith(f"/{source}")
