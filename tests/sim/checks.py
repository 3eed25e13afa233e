"""What must hold after every step, asked of PostgreSQL and of the bank."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.invariants import broken as broken_invariants

if TYPE_CHECKING:
    from datetime import date
    from uuid import UUID

    from tests.sim.world import Account, Shown, World

# What only a simulation with an operator can break: the old side of an open question is nobody's to remove.
UNDER_SUSPICION = """
SELECT 'I10 a row disappeared while it is under suspicion: ' || d.old_id AS broken
  FROM duplicate_suspicions d
  JOIN bank_transactions t ON (t.account_id, t.mono_transaction_id) = (d.account_id, d.old_id)
 WHERE d.status = 'open' AND t.disappeared_at IS NOT NULL
"""
# Every worker stands still: whoever is idle is in no transaction, and must hold nothing for longer.
SESSION_LOCKS = """
SELECT 'I22 a lock outlives its transaction' AS broken
  FROM pg_locks l JOIN pg_stat_activity s USING (pid)
 WHERE l.locktype = 'advisory' AND s.state = 'idle' AND s.datname = current_database()
"""
STATE = """
SELECT a.id, a.mono_account_id, a.link_status, a.watermark, a.fence,
       (SELECT count(*) FROM bank_transactions t WHERE t.account_id = a.id) AS rows,
       (SELECT coalesce(sum(version), 0) FROM bank_transactions t WHERE t.account_id = a.id) AS versions,
       (SELECT count(*) FROM sync_runs r WHERE r.account_id = a.id AND r.status = 'completed') AS completed,
       (SELECT max(extract(epoch FROM started_at)::float8) FROM sync_runs r WHERE r.account_id = a.id) AS last_start,
       EXISTS (SELECT FROM sync_runs r WHERE r.account_id = a.id AND r.status = 'running' AND r.started_at IS NULL)
         AS waiting,
       a.dead_lettered_at IS NOT NULL OR a.next_attempt_at <= pipeline_now() + interval '16 minutes' AS soon_due_or_dead
FROM bank_accounts a
"""
FINISHED = """
SELECT r.run_id, r.kind, r.verdict, r.verdict_reason, r.window_start, r.window_end, r.account_id
FROM sync_runs r
WHERE r.status = 'completed' AND r.run_id <> ALL (:known::uuid[])
ORDER BY r.finished_at
"""
HEARD = "SELECT count(*) AS kept FROM webhook_inbox WHERE event_key = ANY (:heard::text[])"
STORED = """
SELECT t.mono_transaction_id, t.amount_minor, t.direction, t.narration, t.category, t.balance_after_minor,
       t.booking_date
FROM bank_transactions t
WHERE t.account_id = :account AND t.disappeared_at IS NULL
"""


@dataclass
class Checker:
    """Checks one world; keeps what must only grow."""

    world: World
    before: dict[int, dict[str, Any]] = field(default_factory=dict)
    finished: set[UUID] = field(default_factory=set)
    had: dict[int, list[str]] = field(default_factory=dict)  # the Mono ids that an account has gone by, in order
    verdicts: dict[str, int] = field(default_factory=dict)

    def check(self) -> None:
        """Raise AssertionError naming every invariant that does not hold."""
        world = self.world
        broken = broken_invariants(world.ground.checker)
        broken += [row["broken"] for row in world.ground.checker.rows(UNDER_SUSPICION)]
        broken += [row["broken"] for row in world.ground.checker.rows(SESSION_LOCKS)]
        broken += world.stale_commits
        states = world.ground.checker.rows(STATE)
        if len(states) != len(world.accounts):
            broken.append(f"I7 {len(world.accounts)} bank accounts are kept as {len(states)}")
        for account in world.accounts:
            state = next(each for each in states if each["id"] == account.id)
            broken += self._only_grows(state) + self._link(account, state) + self._no_wake_up_lost(account, state)
            self.before[account.id] = state
        broken += self._events_are_kept()
        broken += self._ended()
        assert not broken, "\n".join(broken)

    def check_ended(self) -> None:
        """Of what `check` asks, only whether runs that ended since told the truth: later ones change what is stored."""
        broken = self._ended()
        assert not broken, "\n".join(broken)

    def stored(self, account: Account) -> Shown:
        """What is stored of an account, without what disappeared."""
        rows = self.world.ground.checker.rows(STORED, account=account.id)
        return {row.pop("mono_transaction_id"): tuple(row.values()) for row in rows}

    def is_dead_letter(self, account: Account) -> bool:
        """Whether an account has failed so often that nobody asks any more."""
        found = self.world.ground.checker.rows(
            "SELECT dead_lettered_at IS NOT NULL AS dead FROM bank_accounts WHERE id = :id", id=account.id
        )
        return bool(found[0]["dead"])

    def _ended(self) -> list[str]:
        world, broken = self.world, []
        for run in world.ground.checker.rows(FINISHED, known=[str(each) for each in self.finished]):
            self.finished.add(run["run_id"])
            kind = run["verdict"] if run["verdict_reason"] is None else f"{run['verdict']} {run['verdict_reason']}"
            self.verdicts[kind] = self.verdicts.get(kind, 0) + 1
            if run["verdict"] == "verified":
                broken += self._honest(run)
            if run["verdict"] == "mismatch" and run["account_id"] != world.tampered:
                broken.append(f"I12 run {run['run_id']} says mismatch, and nobody has touched a row")
        return broken

    def _only_grows(self, state: dict[str, Any]) -> list[str]:
        before = self.before.get(state["id"])
        if before is None:
            return []
        broken = [
            f"{what}: {before[name]} became {state[name]}"
            for name, what in (
                ("fence", "I20 the fence fell"),
                ("rows", "I18 a transaction was deleted"),
                ("versions", "I15 a version was taken back"),
            )
            if state[name] < before[name]
        ]
        if before["watermark"] is not None and (state["watermark"] is None or state["watermark"] < before["watermark"]):
            broken.append(f"I2 the watermark fell from {before['watermark']} to {state['watermark']}")
        if state["watermark"] != before["watermark"] and state["completed"] == before["completed"]:
            broken.append("I2 the watermark moved without a complete pass")
        return broken

    def _link(self, account: Account, state: dict[str, Any]) -> list[str]:
        """A link stands as its own events tell, and an account never goes back to one that it has left."""
        link, status, had = state["mono_account_id"], state["link_status"], self.had.setdefault(account.id, [])
        broken = []
        if status == "unlinked" and link not in account.ended:
            broken.append(f"L1 {link} is held for unlinked, and it is not")
        if status == "reauth_required" and link not in account.wanted:
            broken.append(f"L2 {link} is held for one that wants the customer, and it never did")
        if link not in account.links or link in had[:-1]:
            broken.append(f"L3 the account goes by {link} after {had}")
        if link not in had:
            had.append(link)
        return broken

    def _events_are_kept(self) -> list[str]:
        heard = self.world.heard
        if not heard:
            return []
        kept = self.world.ground.checker.rows(HEARD, heard=sorted(heard))[0]["kept"]
        return [] if kept == len(heard) else [f"L4 {len(heard)} events were acknowledged, and {kept} are written down"]

    def _no_wake_up_lost(self, account: Account, state: dict[str, Any]) -> list[str]:
        if state["link_status"] == "unlinked":
            account.woken_at = account.told_at = None  # nobody reads what is not linked
        if state["waiting"]:
            return []
        last_start, broken = state["last_start"] or 0.0, []
        if account.woken_at is not None and last_start < account.woken_at:
            broken.append("I4 a wake-up was acknowledged, and no run began after it or waits to")
        # Of many events within minutes the last are left to the schedule, 15 minutes later if the flag is off.
        # The schedule leaves a dead letter alone until it is revived, and is held to it again from then on.
        if account.told_at is not None and last_start < account.told_at and not state["soon_due_or_dead"]:
            broken.append("I4 an event tells of rows, and no run began after it, waits to or will soon be asked for")
        return broken

    def _honest(self, run: dict[str, Any]) -> list[str]:
        """I1: `verified` was said, so that on the covered days the tables hold what the bank showed during the pass."""
        account = next(each for each in self.world.accounts if each.id == run["account_id"])
        _, link, began = self.world.pass_began[run["run_id"]]
        shown = account.links[link][began:]
        days = (run["window_start"], run["window_end"])
        stored = {key: row for key, row in self.stored(account).items() if _covered(row[-1], days)}
        broken = [
            f"I1 verified, and {key} is stored as {row}, which the bank never showed"
            for key, row in stored.items()
            if row not in [each.get(key) for each in shown]
        ]
        always = set.intersection(*(set(each) for each in shown))
        missing = {key for key in always - stored.keys() if all(_covered(each[key][-1], days) for each in shown)}
        return broken + [f"I1 verified, and {key} is not stored" for key in sorted(missing)]


def _covered(day: date, days: tuple[date | None, date | None]) -> bool:
    return days[0] is None or days[1] is None or days[0] <= day <= days[1]
