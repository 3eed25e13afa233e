"""The state machine: what a bank, a cloud and an operator may do to the pipeline, in any order."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from local.sandbox.effects.answers import Body, RateLimited, Status
from local.sandbox.faults import Fault
from mono_pipeline.adapters.account_store import AccountStore
from mono_pipeline.adapters.queue import FetchRequested, WebhookReceived
from mono_pipeline.adapters.suspicion_store import SuspicionStore
from mono_pipeline.core.dead_letter import FAILURES_IN_A_ROW
from mono_pipeline.core.errors import PipelineError
from mono_pipeline.usecases.lifecycle import Heard
from tests.crash.calls import Died
from tests.sim.checks import Checker
from tests.sim.world import Account, Message, World

if TYPE_CHECKING:
    from local.sandbox.effects.base import BaseEffect
    from tests.sim.lives import Life
    from tests.sim.world import Ground

STEPS: Final = 30
DAY: Final = 86_400
TICK: Final = 660
MOST_ROWS: Final = 60
MOST_LINKS: Final = 5
FLAGS: Final = (
    "true",
    "true",
    "true",
    "true",
    "false",
    "flase",
    "",
    '{"enabled": true, "percentage": 50}',
    '{"enabled": true, "percentage": 100}',
    '{"enabled": false, "percentage": 100}',
    None,
)
FAULTS: Final[dict[str, BaseEffect]] = {
    "500": Status(status=500),
    "503": Status(status=503),
    "429": RateLimited(retry_after="20"),
    "401": Status(status=401),
    "404": Status(status=404),
    "half an answer": Body(text='{"status": "successful", "data": ['),
    "html": Body(text="<html>down for maintenance</html>"),
}
BREAKS: Final[dict[str, dict[str, object]]] = {
    "a negative amount": {"amount": -5},
    "an amount with a fraction": {"amount": 12.5},
    "an unknown direction": {"type": "reversal"},
    "no day": {"date": "yesterday"},
    "no id": {"id": None},
}
# What Mono tells of a link, and how it says that a real-time sync went.
TELLS: Final[tuple[tuple[str, str | None], ...]] = (
    ("account_updated", "SUCCESSFUL"),
    ("account_updated", "FAILED"),
    ("account_updated", "REAUTHORISATION_REQUIRED"),
    ("jobs_update", None),
    ("reauthorisation_required", None),
    ("sync_failed", None),
    ("account_synced", None),
)
FLAG_LISTS: Final = ("allow", "deny")

# dead letters that have had a minute, and that no queue took
UNHEARD: Final = """
SELECT mono_account_id, dead_letter_run FROM bank_accounts
WHERE dead_lettered_at < pipeline_now() - interval '60 seconds' AND dead_letter_run::text <> ALL (:letters::text[])
"""


@dataclass
class Tally:
    """Over all sequences of a process: how often each rule did something, what was seen, and every verdict."""

    rules: Counter[str] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    sequences: int = 0
    whole: int = 0  # sequences of all their steps: Hypothesis also plays short ones, and some run out of choices
    steps: int = 0


TALLY: Final = Tally()
index = st.integers(0, 30)
mostly = st.sampled_from([True, True, False])


class PipelineMachine(RuleBasedStateMachine):
    """One sequence. `ground` is set before the first is made."""

    ground: Ground

    def __init__(self) -> None:
        super().__init__()
        TALLY.sequences += 1
        self.world = World(self.ground)
        self.checker = Checker(self.world)
        self.reminting = False
        self.steps = 0

    @initialize(
        rows=st.integers(0, 24),
        days=st.sampled_from([3, 12, 40]),
        others=st.integers(0, 7),
        reminting=st.sampled_from([False, False, True]),
        loaded=mostly,
    )
    def link(self, rows: int, days: int, others: int, *, reminting: bool, loaded: bool) -> None:
        """Two accounts, one with next to nothing, at a bank that re-mints ids or does not; read before, or not yet."""
        self.reminting = reminting
        self.world.link(transactions=rows, days=days)
        self.world.link(transactions=others, days=days)
        if loaded:
            self.world.let_pass(TICK)
            self._run_out(self.world.tick(), None, "tick")
            self.drain(None)
            self.world.let_pass(13 * 3600)

    # --- the bank

    @rule(account=index, count=st.integers(1, 3), later=st.sampled_from([0, 0, 25 * 3600]))
    def new_rows(self, account: int, count: int, later: int) -> None:
        """The customer pays, today or a day later."""
        if later:
            self.world.let_pass(later)
        chosen = self._with_room(account)
        if chosen:
            self.world.sandbox.add(chosen.mono_id, count=count)
            self._bank("new rows")

    @rule(account=index, days=st.integers(1, 30))
    def late_row(self, account: int, days: int) -> None:
        """A row is booked on a day that was read long ago."""
        chosen = self._with_room(account)
        if chosen:
            self.world.sandbox.late(chosen.mono_id, days_ago=days)
            self._bank("late row")

    @rule(account=index, row=index, what=st.sampled_from(["narration", "amount", "category"]))
    def amend(self, account: int, row: int, what: str) -> None:
        """The bank changes a row."""
        chosen, known = self._row(account, row)
        if known:
            now = {"narration": f"AMENDED {row}", "amount": 100 + row, "category": f"c{row % 3}"}[what]
            self.world.sandbox.amend(chosen.mono_id, transaction=known, changes={what: now})
            self._bank("amended")

    @rule(account=index, row=index)
    def remove(self, account: int, row: int) -> None:
        """The bank takes a row back."""
        chosen, known = self._row(account, row)
        if known:
            link = self.world.sandbox.link(chosen.mono_id)
            book, key = link.bank_account.ledger, link.key_of(known)
            entry = book.entries[key]
            self.world.sandbox.remove(chosen.mono_id, transactions=[known])

            def put_back() -> None:
                ledger = link.bank_account.ledger
                if key not in ledger.entries:
                    link.bank_account.ledger = ledger.post([entry])

            chosen.taken_out.append(put_back)
            self._bank("removed")

    @rule(account=index)
    def put_back(self, account: int) -> None:
        """The bank shows a removed row again, under its old id."""
        chosen = self._account(account)
        if chosen.taken_out:
            chosen.taken_out.pop()()
            self._bank("re-added")

    @rule(account=index, row=index)
    def twin(self, account: int, row: int) -> None:
        """A second row of the same day, amount and balance."""
        chosen, known = self._row(account, row)
        if known and self._with_room(account):
            self.world.sandbox.twin(chosen.mono_id, transaction=known)
            self._bank("twin")

    @rule(account=index, row=index, how=st.sampled_from(sorted(BREAKS)))
    def break_row(self, account: int, row: int, how: str) -> None:
        """Mono shows one of the bank's rows broken, until it is repaired."""
        _, known = self._row(account, row)
        if known:
            self.world.broken_rows[known] = BREAKS[how]
            self._bank(f"broken: {how}")

    @precondition(lambda self: self.world.broken_rows)
    @rule(number=index)
    def repair_row(self, number: int) -> None:
        """A row that came broken comes as the bank has it."""
        known = sorted(self.world.broken_rows)
        del self.world.broken_rows[known[number % len(known)]]
        self._bank("repaired")

    @precondition(lambda self: self.reminting)
    @rule(account=index)
    def remint(self, account: int) -> None:
        """Every row of an account gets a new id."""
        self.world.sandbox.remint(self._account(account).mono_id)
        self._bank("re-minted")

    @rule(account=index)
    def reshuffle(self, account: int) -> None:
        """The pages come in another order from now on."""
        self.world.sandbox.reshuffle(self._account(account).mono_id)
        self._bank("reshuffled")

    @rule(account=index, live=mostly)
    def link_state(self, account: int, live: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """The link dies, or the customer signs in again."""
        chosen = self._account(account)
        if not chosen.is_linked:
            return
        if live:
            self.world.sandbox.reauthorise(chosen.mono_id)
        else:
            self.world.sandbox.set_link_state(chosen.mono_id, state="dead")
        self._bank("revived" if live else "dead link")

    @rule(account=index, same_ids=mostly, ends_old=mostly, arrive=mostly)
    def relink(self, account: int, *, same_ids: bool, ends_old: bool, arrive: bool) -> None:
        """The customer links the account anew: rows keep their ids, or not; the old link ends, or lives on beside."""
        chosen = self._account(account)
        if len(chosen.links) == MOST_LINKS:
            return
        same = same_ids or not self.reminting
        self.world.let_pass(20)
        self.world.relink(chosen, same_ids=same, ends_old=ends_old and chosen.is_linked)
        self._bank(f"linked anew, {'the same' if same else 'new'} ids")
        if arrive:
            self._arrive_all()

    @rule(account=index, former=mostly)
    def unlink(self, account: int, *, former: bool) -> None:
        """The customer or Mono ends an old link that lives on, or all that there are."""
        chosen = self._account(account)
        living = [link for link in chosen.links if link not in chosen.ended]
        if former:
            living = [link for link in living[:1] if link != chosen.mono_id]
        for link in living:
            self.world.unlink(chosen, link)
            self._bank("old link ended" if former else "unlinked")

    @rule(account=index, link=index, told=st.sampled_from(TELLS))
    def tell(self, account: int, link: int, told: tuple[str, str | None]) -> None:
        """Mono tells how a real-time sync went, or that the bank wants the customer: of this link, or of an old one."""
        chosen = self._account(account)
        event, word = told
        self.world.tell(chosen, list(chosen.links)[-1 - link % len(chosen.links)], event, word)
        TALLY.rules[f"told: {word or event}"] += 1

    @rule(account=index, ready=mostly)
    def data_status(self, account: int, ready: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """Mono is still fetching, or has fetched."""
        status = "AVAILABLE" if ready else "PROCESSING"
        self.world.sandbox.set_data_status(self._account(account).mono_id, data_status=status)
        self._bank("ready" if ready else "processing")

    @rule(
        kind=st.sampled_from(sorted(FAULTS)), times=st.sampled_from([1, 2, 5, 6]), page=st.sampled_from([None, 1, 2, 3])
    )
    def mono_fails(self, kind: str, times: int, page: int | None) -> None:
        """Some of Mono's next answers go wrong: any, or those for one page, for longer than anybody tries again."""
        path = "*" if page is None else "*/transactions"
        self.world.sandbox.inject(Fault(effect=FAULTS[kind], path=path, page=page, times=times))
        TALLY.rules[f"mono fails: {kind}"] += 1

    @rule(account=index)
    def until_a_dead_letter(self, account: int) -> None:
        """Mono fails for an account again and again, until nobody asks any more."""
        chosen = self._account(account)
        self.world.sandbox.inject(
            Fault(effect=FAULTS["500"], path="*/transactions", account=chosen.mono_id, times=None)
        )
        for _ in range(FAILURES_IN_A_ROW):
            self.world.let_pass(TICK)
            self._run_out(self.world.deliver(self._webhook(account)), None, "worker")
        self.world.end_faults()
        TALLY.rules["dead letters"] += self.checker.is_dead_letter(chosen)

    # --- what is stored

    @rule(account=index, row=st.integers(0, 7), flushes=st.sampled_from([1, 1, 1, 0, 2]))
    def tamper(self, account: int, row: int, flushes: int) -> None:
        """A kobo is moved from row to row behind the engine's back while it is at work, and back when it has ended.

        Before the row is landed, the run sets it right; after it, it must not say `verified`, which the check of every
        step tells. Whatever keeps a worker from its work has passed.
        """
        chosen = self._account(account)
        self._clear_the_way(chosen)
        life = self.world.deliver(self._webhook(account))
        while not life.over and life.baton.flushes < flushes:
            life.advance(1)
        self.checker.check()
        changed = [] if life.over else self.world.tamper(chosen, row)
        self.world.tampered = chosen.id if changed else None
        self._run_out(life, None, "worker")
        self.checker.check()
        self.world.tampered = None
        if changed:
            TALLY.rules[
                "tampered with, " + ("and left so" if self.world.undo(changed) else "set right by the run")
            ] += 1

    # --- time and the switch

    @rule(seconds=st.sampled_from([20, 91, TICK, TICK, 13 * 3600, 13 * 3600, 25 * 3600, 8 * DAY]))
    def time_passes(self, seconds: int) -> None:
        """Seconds, or days."""
        self.world.let_pass(seconds)
        TALLY.rules["time passes while it is read" if self.world.lives else "time passes"] += 1

    @rule(value=st.sampled_from(FLAGS))
    def flag(self, value: str | None) -> None:
        """The flag is set, well or badly, or cannot be read."""
        self.world.flag.value = value
        TALLY.rules[f"flag {value!r}"] += 1

    @rule(account=index, named=st.sampled_from(FLAG_LISTS), percentage=st.sampled_from([0, 100]))
    def flag_of_one(self, account: int, named: str, percentage: int) -> None:
        """The flag is set for one account otherwise than for all others."""
        chosen = self._account(account)
        first = next(iter(chosen.links))
        self.world.flag.value = json.dumps({"enabled": True, "percentage": percentage, named: [first]})
        TALLY.rules[f"flag: {named} one of {percentage} %"] += 1

    # --- webhooks on their way

    @precondition(lambda self: self.world.on_the_way)
    @rule(number=index, copies=st.sampled_from([1, 1, 2]))
    def arrives(self, number: int, copies: int) -> None:
        """A webhook of Mono's comes, before others that were sent earlier; perhaps twice."""
        self.world.arrive(self.world.on_the_way.pop(number % len(self.world.on_the_way)), copies)
        TALLY.rules["webhook arrives" + (" twice" if copies > 1 else "")] += 1

    @precondition(lambda self: self.world.on_the_way)
    @rule(backwards=st.booleans())
    def all_arrive(self, backwards: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """All webhooks come that are on their way, perhaps the youngest first."""
        if backwards:
            self.world.on_the_way.reverse()
        self._arrive_all()
        TALLY.rules["webhooks arrive" + (" backwards" if backwards else "")] += 1

    @precondition(lambda self: self.world.on_the_way)
    @rule(number=index)
    def never_arrives(self, number: int) -> None:
        """Mono loses a webhook, as it does."""
        del self.world.on_the_way[number % len(self.world.on_the_way)]
        TALLY.rules["webhook lost"] += 1

    # --- wake-ups and workers

    @rule(account=index)
    def webhook(self, account: int) -> None:
        """A webhook was taken for durable."""
        self._webhook(account)
        TALLY.rules["webhook"] += 1

    @rule(account=index, calls=st.integers(1, 12), seconds=st.sampled_from([60.0, 60.0, 0.0]))
    def begin(self, account: int, calls: int, seconds: float) -> None:
        """A webhook wakes a worker, which comes so far and stands still."""
        self.world.deliver(self._webhook(account), seconds=seconds).advance(calls)
        TALLY.rules["begun"] += 1
        self._reap()

    @rule(account=index, fuse=st.none() | st.integers(0, 90))
    def sync(self, account: int, fuse: int | None) -> None:
        """A webhook wakes a worker, which works to the end, or dies on the way."""
        self._run_out(self.world.deliver(self._webhook(account)), fuse, "worker")

    @rule(fuse=st.none() | st.integers(0, 60))
    def tick(self, fuse: int | None) -> None:
        """The schedule fires; perhaps it dies of it."""
        self._run_out(self.world.tick(), fuse, "tick")

    @rule(account=index, fuse=st.none() | st.integers(0, 60))
    def ask(self, account: int, fuse: int | None) -> None:
        """Somebody asks through the API."""
        self._run_out(self.world.ask(self._account(account)), fuse, "api")

    @precondition(lambda self: self.world.messages)
    @rule(number=index, calls=st.integers(0, 12), seconds=st.sampled_from([60.0, 60.0, 0.0]))
    def deliver(self, number: int, calls: int, seconds: float) -> None:
        """A worker takes a message up, comes so far and stands still; delivered again, it is a second worker's."""
        message = self.world.messages[number % len(self.world.messages)]
        again = any(taken is message for _, taken in self.world.lives)
        self.world.deliver(message, seconds=seconds).advance(calls)
        TALLY.rules["delivered twice at once" if again else "delivered"] += 1
        self._reap()

    @precondition(lambda self: self.world.messages)
    @rule(fuse=st.none() | st.integers(0, 90))
    def drain(self, fuse: int | None) -> None:
        """Workers take every message up and work to the end; the first perhaps dies of it."""
        for message in list(self.world.messages):
            self.checker.check()
            self._run_out(self.world.deliver(message), fuse, "worker")
            fuse = None

    @precondition(lambda self: self.world.lives)
    @rule(number=index, calls=st.integers(1, 6))
    def advance(self, number: int, calls: int) -> None:
        """One of the workers that stand still goes on."""
        self._life(number).advance(calls)
        TALLY.rules["advanced"] += 1
        self._reap()

    @precondition(lambda self: self.world.lives)
    @rule(account=index, calls=st.integers(2, 20))
    def take_over(self, account: int, calls: int) -> None:
        """The leases run out while workers stand still, and another worker takes an account over."""
        self.world.let_pass(91)
        self.world.deliver(self._webhook(account)).advance(calls)
        TALLY.rules["taken over"] += 1
        self._reap()

    @precondition(lambda self: self.world.lives)
    @rule(number=index, fuse=st.none() | st.integers(0, 40))
    def finish(self, number: int, fuse: int | None) -> None:
        """One of them goes on to its end, or dies on the way."""
        self._run_out(self._life(number), fuse, "finished")

    @precondition(lambda self: self.world.messages)
    @rule(slow=index, calls=st.integers(0, 12), fast=index)
    def overtake(self, slow: int, calls: int, fast: int) -> None:
        """Between two statements of a worker's transaction another one does the whole of its work, or waits for it.

        Mostly both serve messages of one bank account.
        """
        messages = self.world.messages
        taken = _chosen([each for each in messages if isinstance(each.body, WebhookReceived)] or messages, slow)
        account = self.world.account_of(taken.body.account_id)
        near = [each for each in messages if self.world.account_of(each.body.account_id) is account]
        self._meet(taken, calls, None if fast % 5 == 4 else _chosen(near, fast))

    @rule(account=index, calls=st.integers(0, 9), same_ids=mostly, backwards=st.booleans())
    def links_meet(self, account: int, calls: int, *, same_ids: bool, backwards: bool) -> None:
        """An old link ends and a new one begins, and the events of both are served at once."""
        chosen = self._account(account)
        if len(chosen.links) == MOST_LINKS or not chosen.is_linked:
            return
        self.world.let_pass(20)
        self.world.relink(chosen, same_ids=same_ids or not self.reminting, ends_old=True)
        self._bank("links meet")
        *_, ended, connected, _filled = self.world.on_the_way
        for body in (ended, connected):
            self.world.on_the_way.remove(body)
            self.world.arrive(body)
        end, beginning = self.world.messages[-2:]
        slow, fast = (beginning, end) if backwards else (end, beginning)
        self._meet(slow, calls, fast)

    @rule(same=st.booleans())
    def decide(self, same: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """The operator decides a suspicion."""
        if self._decide(same=same):
            TALLY.rules["accepted" if same else "rejected"] += 1

    @rule(account=index)
    def revive(self, account: int) -> None:
        """The operator wants an account looked after again that was a dead letter."""
        if self._revive(self._account(account)):
            TALLY.rules["revived dead letter"] += 1

    @invariant()
    def holds(self) -> None:
        """Every invariant, after every step."""
        TALLY.steps += 1
        self.steps += 1
        self.checker.check()

    # --- the end

    def teardown(self) -> None:
        """Faults end; enough ticks later the tables are the bank."""
        TALLY.whole += self.steps == STEPS
        try:
            if self.world.accounts:
                self._settle()
        finally:
            for life, _ in self.world.lives:
                if not life.over:
                    life.kill()
            self.world.reap()
            TALLY.seen.update(self.world.seen)
            TALLY.verdicts.update(self.checker.verdicts)

    def _settle(self) -> None:
        world = self.world
        world.sandbox.clear_faults()
        world.broken_rows.clear()
        world.flag.value = "true"
        while world.lives:
            self._run_out(world.lives[0][0], None, "finished")
        self._arrive_all()
        self._serve_all()
        world.let_pass(TICK)
        for account in world.accounts:
            if account.is_linked:
                world.sandbox.reauthorise(account.mono_id)
                world.sandbox.set_data_status(account.mono_id, data_status="AVAILABLE")
        world.note_bank()
        self._arrive_all()
        for seconds in (TICK, 8 * DAY, 8 * DAY, 8 * DAY):
            world.let_pass(seconds)
            self._run_out(world.tick(), None, "tick")
            self._answer_dead_letters()
            self._serve_all()
            while self._decide(same=True):
                pass
            self.checker.check()
        self._links_are_mono_s()
        self._tables_are_the_bank()

    def _serve_all(self) -> None:
        for _ in range(60):
            if not self.world.messages:
                break
            self._run_out(self.world.deliver(self.world.messages[0]), None, "worker")
            self.checker.check_ended()

    def _links_are_mono_s(self) -> None:
        """Whatever was told, in whatever order: an account goes by its youngest link, or is known to have none."""
        for account in self.world.accounts:
            found = self.world.ground.checker.rows(
                "SELECT mono_account_id AS id, link_status FROM bank_accounts WHERE id = :id", id=account.id
            )[0]
            if account.is_linked:
                assert found == {"id": account.mono_id, "link_status": "linked"}, f"L5 {found}, but {account.mono_id}"
            else:
                assert found["link_status"] == "unlinked", f"L5 {found}, but every link has ended"
            TALLY.seen[f"end: {found['link_status']} after {len(account.links)} links"] += 1

    def _answer_dead_letters(self) -> None:
        """A tick was the last chance to tell the queue of a dead letter; then the operator has it looked after."""
        unheard = self.world.ground.checker.rows(UNHEARD, letters=[letter.run_id for letter in self.world.dead_letters])
        assert not unheard, f"dead letters of which the queue has not heard: {unheard}"
        for account in self.world.accounts:
            self._revive(account)

    def _tables_are_the_bank(self) -> None:
        world = self.world
        left = world.ground.checker.rows("SELECT run_id, kind FROM sync_runs WHERE status = 'running'")
        assert not left, f"I4 asked for and never served: {left}"
        doubtful = world.ground.checker.rows(
            """SELECT payload FROM quarantined_transactions q JOIN bank_accounts a ON a.id = q.account_id
               WHERE closed_at IS NULL AND link_status <> 'unlinked'"""
        )
        assert not doubtful, f"I6 the bank has repaired every row, and these are still in question: {doubtful}"
        for account in world.accounts:
            if not account.is_linked:
                continue
            bank, stored = account.links[account.mono_id][-1], self.checker.stored(account)
            lost = {key: row for key, row in bank.items() if stored.get(key) != row}
            assert not lost, f"I1 not stored as the bank has it: {lost}, but {[stored.get(key) for key in lost]}"
            last = world.ground.checker.rows(
                """SELECT verdict, verdict_reason FROM sync_runs
                   WHERE account_id = :id AND status = 'completed' AND kind = 'full'
                   ORDER BY finished_at DESC LIMIT 1""",
                id=account.id,
            )
            said = f"{last[0]['verdict']} {last[0]['verdict_reason']}" if last else "never read"
            extra = stored.keys() - bank.keys()
            if extra:
                assert said in {
                    "unverifiable history_truncated",
                    "unverifiable suspicious_empty",
                    "unverifiable duplicate_suspected",
                    "unverifiable removal_pending",
                }, f"{len(extra)} rows are stored that the bank no longer has, and the verdict is {said}"
            TALLY.seen[f"end: {said}{' with rows that the bank has no more' if extra else ''}"] += 1
            assert not said.startswith("mismatch"), said

    # --- how a step is done

    def _account(self, number: int) -> Account:
        # most of what happens, happens to the account that has rows
        return self.world.accounts[1 if number % 4 == 3 else 0]

    def _with_room(self, number: int) -> Account | None:
        account = self._account(number)
        rows = len(self.world.sandbox.link(account.mono_id).bank_account.ledger.entries)
        return account if rows < MOST_ROWS else None

    def _row(self, account: int, row: int) -> tuple[Account, str | None]:
        chosen = self._account(account)
        link = self.world.sandbox.link(chosen.mono_id)
        keys = sorted(link.bank_account.ledger.entries)
        return chosen, link.transaction_id(keys[row % len(keys)]) if keys else None

    def _webhook(self, account: int) -> Message:
        body = FetchRequested(
            account_id=self._account(account).mono_id, correlation_id="c-hook", requested_by="webhook"
        )
        message = Message(body=body, sent_at=self.world.now(), queue="daily")
        self.world.messages.append(message)
        return message

    def _life(self, number: int) -> Life:
        return self.world.lives[number % len(self.world.lives)][0]

    def _meet(self, taken: Message, calls: int, other: Message | None) -> None:
        """Serve a message, and behind so many calls of its transaction another one, or a tick of the schedule."""
        slow = self.world.deliver(taken)
        if slow.advance_into_a_transaction(calls):
            fast = self.world.tick() if other is None else self.world.deliver(other)
            waited = fast.finish_beside(slow, self.world.waits)
            TALLY.rules["waited for" if waited else "overtaken"] += 1
            self._reap()
            self.checker.check()
        self._run_out(slow, None, "worker")

    def _arrive_all(self) -> None:
        for body in self.world.on_the_way:
            self.world.arrive(body)
        self.world.on_the_way.clear()

    def _bank(self, what: str) -> None:
        self.world.note_bank()
        TALLY.rules[what + (" while it is read" if self.world.lives else "")] += 1

    def _run_out(self, life: Life, fuse: int | None, what: str) -> None:
        life.baton.fuse = fuse
        life.finish()
        TALLY.rules[f"{what} killed" if life.died else what] += 1
        self._reap()

    def _reap(self) -> None:
        for life, _message in self.world.reap():
            if life.error is not None and not isinstance(life.error, Died | PipelineError):
                raise life.error
            outcome = type(life.error).__name__ if life.error is not None else str(life.outcome)
            if isinstance(life.outcome, Heard):
                outcome = (
                    f"{life.outcome.effect or 'again'}{f', reads {life.outcome.read}' if life.outcome.read else ''}"
                )
            if not outcome.startswith("RoundResult"):
                TALLY.seen[f"{life.label}: {outcome}"] += 1

    def _clear_the_way(self, account: Account) -> None:
        self.world.end_faults()
        self.world.flag.value = "true"
        self.world.let_pass(TICK)
        self._revive(account)

    def _revive(self, account: Account) -> bool:
        known = self.checker.is_dead_letter(account)
        if known:
            AccountStore(self.world.ground.checker).revive(account.id)
        return known

    def _decide(self, *, same: bool) -> bool:
        store = SuspicionStore(self.world.ground.checker)
        found = store.page(account=None, every=False, limit=1)
        return bool(found) and store.decide(found[0]["id"], same=same, decided_by="operator")


def _chosen(messages: list[Message], number: int) -> Message:
    return messages[number % len(messages)]
