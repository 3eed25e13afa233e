"""What a complete pass proves of an account: which rows are gone, which ids may be one, and whether all is the bank's.

Runs inside the transaction that ends the run, under its fence. What was decided here is decided once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from mono_pipeline.core.balance_chain import ChainState
from mono_pipeline.core.removal import Absence, MissingRow, is_gone, judge_absence
from mono_pipeline.core.verdict import DifferingDay, Findings, Verdict, VerdictReason, judge

if TYPE_CHECKING:
    from datetime import datetime

    from mono_pipeline.adapters.evidence_store import Questions
    from mono_pipeline.adapters.transaction_store import PassReading
    from mono_pipeline.core.balance_chain import BalanceChain
    from mono_pipeline.core.run import LeasedRun
    from mono_pipeline.core.wire import AccountSnapshot
    from mono_pipeline.usecases.collaborators import Collaborators

_CHAIN_REASONS = {
    ChainState.MISSING: VerdictReason.BALANCE_MISSING,
    ChainState.LAGGING: VerdictReason.BALANCE_LAGGING,
    ChainState.BACKWARDS: VerdictReason.BALANCE_BACKWARDS,
}


class _Absences(Struct, frozen=True, kw_only=True):
    """What the pass did not show: how to take it, the rows that are missing and not decided on, and all set aside."""

    kind: Absence
    missing: list[MissingRow]
    set_aside: list[MissingRow]
    suspected: set[str]


class Conclusion:
    """Draws the conclusions of one complete pass.

    `differing` are the days on which it and the tables differ, once drawn, with the ids `set_aside` left out.
    """

    def __init__(self, collaborators: Collaborators, run: LeasedRun, snapshot: AccountSnapshot) -> None:
        self._with = collaborators
        self._run = run
        self._snapshot = snapshot
        self.differing: list[DifferingDay] = []
        self.set_aside: list[str] = []

    def draw(self, found: PassReading) -> Verdict:
        """Settle absences and suspicions, and compare: as a whole, then, where that differs, day by day."""
        run, stored = self._run, self._with.transactions
        open_before = self._with.evidence.questions(run)  # nearly always nothing, and then there is nothing to close
        if open_before.suspicions:
            self._with.evidence.settle_twins(run)
        if stored.agrees(run):  # as nearly always: no row is missing, and none differs
            absences = self._nothing_absent(open_before)
        else:
            absences = self._settle_absences(found, open_before)
            self.set_aside = _ids(absences.set_aside)
            self.differing = stored.differing_days(run, set_aside=self.set_aside)
        verdict = judge(
            Findings(
                differing=self.differing,
                missing=len(absences.missing),
                absence=absences.kind,
                open_suspicions=len(absences.suspected),
                open_quarantine=(
                    stored.open_quarantine(run, rows_read=found.totals.rows_read) if open_before.quarantined else 0
                ),
                balance_reason=self._balance_reason(),
            )
        )
        if verdict.reason in {VerdictReason.HISTORY_CHANGED, VerdictReason.HISTORY_TRUNCATED}:
            self._with.evidence.ask_for_deep_read(run)
        self._with.evidence.cover(run, verdict)
        return verdict

    def _nothing_absent(self, open_before: Questions) -> _Absences:
        evidence, run = self._with.evidence, self._run
        if open_before.removals:
            evidence.forget_absences(run, [])
        suspected = evidence.suspected(run) if open_before.suspicions else set()
        return _Absences(kind=Absence.NONE, missing=[], set_aside=[], suspected=suspected)

    def _settle_absences(self, found: PassReading, open_before: Questions) -> _Absences:
        evidence, run = self._with.evidence, self._run
        not_landed = evidence.missing(run)
        if not not_landed:
            return self._nothing_absent(open_before)
        missing = [row for row in not_landed if not row.came_broken]
        extent = evidence.extent(run)
        if found.totals.rows_read:
            evidence.suspect_duplicates(run, _ids(missing))
        suspected = evidence.suspected(run)
        alone = [row for row in missing if row.mono_transaction_id not in suspected]
        kind = judge_absence(
            alone,
            rows_shown=found.totals.rows_read,
            oldest_shown=extent.oldest_shown,
            covered_rows=extent.covered_rows,
            full=run.days is None,
        )
        if kind is Absence.SUSPICIOUS_EMPTY:
            return _Absences(kind=kind, missing=missing, set_aside=not_landed, suspected=suspected)
        evidence.forget_absences(run, _ids(missing))
        gone = self._take_as_evidence(alone, extent.now) if kind is Absence.EVIDENCE else set()
        return _Absences(
            kind=kind,
            missing=[row for row in missing if row.mono_transaction_id not in gone],
            set_aside=[row for row in not_landed if row.mono_transaction_id not in gone],
            suspected=suspected,
        )

    def _take_as_evidence(self, alone: list[MissingRow], now: datetime) -> set[str]:
        hours = self._with.settings.removal_evidence_hours
        fresh = self._run.account.fresh_as_of
        gone = [row for row in alone if is_gone(row, now=now, fresh_as_of=fresh, evidence_hours=hours)]
        self._with.evidence.note_absences(self._run, _ids(alone))
        if gone:
            rows = self._with.evidence.disappear(self._run, _ids(gone))
            self._with.observer.event("mono.rows.disappeared", self._run, rows=rows)
        return set(_ids(gone))

    def _balance_reason(self) -> VerdictReason | None:
        """Why the running balances prove nothing; None when they carry the rows from before the window to the end."""
        evidence, run = self._with.evidence, self._run
        balance = self._snapshot.balance_minor if run.days is None or run.days.end >= run.today else None
        covered = evidence.chain(run, closing=balance)
        if covered.state is not ChainState.HOLDS:
            return _CHAIN_REASONS[covered.state]
        if self._history_changed(covered):
            return VerdictReason.HISTORY_CHANGED
        if None not in (balance, covered.closing) and balance != covered.closing:
            return VerdictReason.BALANCE_AHEAD
        return None

    def _history_changed(self, covered: BalanceChain) -> bool:
        """Whether the covered days do not go on from what is stored before them: something older is not as it was.

        A chain that breaks on the way to them says so too, where the whole history has been read once.
        """
        before = self._with.evidence.chain_before(self._run)
        if before.state in {ChainState.LAGGING, ChainState.BACKWARDS}:
            return self._run.account.last_full_read_at is not None
        return None not in (before.closing, covered.opening) and before.closing != covered.opening


def _ids(rows: list[MissingRow]) -> list[str]:
    return [row.mono_transaction_id for row in rows]
