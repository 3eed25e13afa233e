"""Runs and leases in PostgreSQL: who may write an account's rows, and how each run stands."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from msgspec import Struct

from mono_pipeline.adapters.statements import statements
from mono_pipeline.core.booking import DateWindow
from mono_pipeline.core.dead_letter import FailureStreak, is_dead_letter
from mono_pipeline.core.errors import AccountUnknown, AlreadyRunning, LeaseLost
from mono_pipeline.core.run import Account, LeasedRun, LinkStatus, RowCounts, RunKind, RunStatus
from mono_pipeline.core.verdict import VerdictKind

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from mono_pipeline.adapters.postgres import Database, Row
    from mono_pipeline.core.verdict import Verdict

_SQL = statements("runs")


class Held(Struct, frozen=True, kw_only=True):
    """The account that a commit has locked: its failures in a row so far, and how many statements changed its rows."""

    failure_streak: int
    row_changes: int


class RunStore:
    """Requests, leases and ends of runs. All times are the database's."""

    def __init__(self, database: Database, *, lease_seconds: int, overlap_days: int) -> None:
        """`overlap_days` is how far before the watermark an incremental run reads again."""
        self._database = database
        self._lease_seconds = lease_seconds
        self._overlap_days = overlap_days

    def request(
        self, account_id: int, *, kind: RunKind, asked: DateWindow | None, requested_by: str, correlation_id: str
    ) -> UUID:
        """Ask for a run, without starting it. A second request for the same, before it starts, is the same run."""
        row = self._database.row(
            _SQL["request_run"],
            run_id=uuid4(),
            account_id=account_id,
            kind=kind,
            requested_by=requested_by,
            correlation_id=correlation_id,
            window_start=asked.start if asked else None,
            window_end=asked.end if asked else None,
        )
        return _expected(row)["run_id"]  # type: ignore[no-any-return]  # a uuid column

    def request_unless_open(self, account_id: int, *, kind: RunKind, requested_by: str, correlation_id: str) -> None:
        """Ask for a run where nothing is asked for or under way."""
        if not self.has_open(account_id):
            self.request(account_id, kind=kind, asked=None, requested_by=requested_by, correlation_id=correlation_id)

    def refuse_if_held(self, account_id: int) -> None:
        """Raise AlreadyRunning while a run holds the account."""
        row = self._database.row(_SQL["holder"], account_id=account_id)
        if row is not None:
            raise AlreadyRunning(str(row["lease_run_id"]))

    def has_waiting(self, account_id: int) -> bool:
        """Whether a run of the account that reads what is new is asked for and has not started yet."""
        return self._database.row(_SQL["waiting_run"], account_id=account_id) is not None

    def has_open(self, account_id: int) -> bool:
        """Whether a run of the account is asked for or under way."""
        return self._database.row(_SQL["open_run"], account_id=account_id) is not None

    def backfill_is_next(self, account_id: int) -> bool:
        """Whether nobody has the account, and what would be claimed of it is a backfill."""
        row = self._database.row(_SQL["backfill_is_next"], account_id=account_id)
        return bool(row and row["is_next"])

    def request_and_claim(
        self,
        account_id: int,
        *,
        kind: RunKind,
        asked: DateWindow | None,
        requested_by: str,
        correlation_id: str,
        flag_reason: str,
    ) -> tuple[UUID, LeasedRun]:
        """Ask for a run and take the account's lease in one commit: refused with AlreadyRunning, nothing was asked.

        The leased run is the one asked for, unless an interrupted one goes first.
        """
        with self._database.transaction():
            locked = self._lock(account_id)
            run_id = self.request(
                account_id, kind=kind, asked=asked, requested_by=requested_by, correlation_id=correlation_id
            )
            leased = self._lease(locked, flag_reason=flag_reason, hop=0)
        if leased is None:
            raise LookupError("a run that was just asked for is open")
        return run_id, leased

    def claim(self, account_id: int, *, flag_reason: str, hop: int = 0) -> LeasedRun | None:
        """Take the account's lease for its next open run; None when nothing is asked for.

        An interrupted run is taken up before one that has not started. Raises AlreadyRunning while another run holds
        the lease, AccountUnknown when the account is gone.
        """
        with self._database.transaction():
            return self._lease(self._lock(account_id), flag_reason=flag_reason, hop=hop)

    def _lock(self, account_id: int) -> Row:
        locked = self._database.row(_SQL["lock_account"], account_id=account_id)
        if locked is None:
            raise AccountUnknown
        if locked["held_by"] is not None:
            raise AlreadyRunning(str(locked["held_by"]))
        return locked

    def _lease(self, locked: Row, *, flag_reason: str, hop: int) -> LeasedRun | None:
        started = self._database.row(
            _SQL["lease_next_run"],
            account_id=locked["id"],
            lease_seconds=self._lease_seconds,
            flag_reason=flag_reason,
            hop=hop,
            today=locked["today"],
            overlap_days=self._overlap_days,
        )
        return None if started is None else _leased(locked, started)

    def served_since(self, account_id: int, sent_at: float) -> bool:
        """Whether one that reads what is new started at or after `sent_at` (Unix seconds)."""
        row = self._database.row(_SQL["served_since"], account_id=account_id, sent_at=sent_at)
        return bool(_expected(row)["served"])

    def hold(self, run: LeasedRun) -> Held:
        """Lock the account and renew the lease; the first statement of every commit. Raises LeaseLost."""
        held = self._database.row(
            _SQL["hold_lease"], account_id=run.account.id, fence=run.fence, lease_seconds=self._lease_seconds
        )
        if held is None:
            raise LeaseLost
        return Held(failure_streak=held["failure_streak"], row_changes=held["row_changes"])

    def begin_next_pass(self, run: LeasedRun) -> int:
        """Forget the pass that drifted and return the next one's number."""
        with self._database.transaction():
            self.hold(run)
            return int(_expected(self._database.row(_SQL["begin_next_pass"], run_id=run.run_id))["pass"])

    def release(self, run: LeasedRun, *, next_attempt_seconds: float | None = None) -> None:
        """Let the account go with the run still open, to be continued; a lost lease has nothing to let go."""
        self._database.rows(
            _SQL["release_lease"],
            account_id=run.account.id,
            fence=run.fence,
            next_attempt_seconds=next_attempt_seconds,
        )

    def finish_complete(
        self,
        run: LeasedRun,
        verdict: Verdict,
        *,
        newest_day: date | None,
        totals_ignore_window: bool,
        interval_seconds: float,
        deep_read_days: int,
        fetch_seconds: float | None = None,
    ) -> RowCounts:
        """End a run whose last pass was complete: verdict, watermark and lease in the caller's transaction.

        `fetch_seconds` is how long Mono's answers were waited for. Returns what became of the rows in all its
        invocations.
        """
        counts = self._finish(run, RunStatus.COMPLETED, verdict=verdict, fetch_seconds=fetch_seconds)
        row = self._database.row(
            _SQL["account_succeeded"],
            account_id=run.account.id,
            fence=run.fence,
            # days that somebody asked for say nothing of the days before them
            newest_day=None if run.kind is RunKind.WINDOW else newest_day,
            full_read=run.kind is RunKind.FULL,
            mismatch=verdict.kind is VerdictKind.MISMATCH,
            totals_ignore_window=totals_ignore_window,
            interval_seconds=interval_seconds,
            deep_read_days=deep_read_days,
        )
        if row is None:
            raise LeaseLost
        return counts

    def finish_without_success(
        self,
        run: LeasedRun,
        status: RunStatus,
        *,
        retry: Callable[[int], float],
        verdict: Verdict | None = None,
        error_code: str | None = None,
        counts: bool = True,
        fetch_seconds: float | None = None,
    ) -> tuple[FailureStreak, RowCounts]:
        """End a run that proves nothing; the watermark stays.

        Returns the account's failures in a row, and what became of the rows in all invocations of the run.

        `retry` tells from the failures in a row, this one included, in how many seconds the account is tried again.
        `counts` False is a failure that somebody is waited for to put right: a block. In the same commit the account
        becomes a dead letter, once it has failed too often.
        """
        fails = counts and status is RunStatus.FAILED
        with self._database.transaction():
            streak = self.hold(run).failure_streak + fails
            landed = self._finish(run, status, verdict=verdict, error_code=error_code, fetch_seconds=fetch_seconds)
            row = self._database.row(
                _SQL["account_did_not_succeed"],
                account_id=run.account.id,
                run_id=run.run_id,
                fence=run.fence,
                failure_streak=streak,
                dead_letter=fails and is_dead_letter(streak),
                next_attempt_seconds=retry(streak),
            )
        return FailureStreak(failures=streak, owes_letter=bool(row and row["owes_letter"])), landed

    def show(self, run_id: UUID) -> Row | None:
        """The run as its public description reads it, or None."""
        return self._database.row(_SQL["show_run"], run_id=run_id)

    def _finish(
        self,
        run: LeasedRun,
        status: RunStatus,
        *,
        verdict: Verdict | None = None,
        error_code: str | None = None,
        fetch_seconds: float | None = None,
    ) -> RowCounts:
        row = self._database.row(
            _SQL["finish_run"],
            run_id=run.run_id,
            status=status,
            verdict=verdict.kind if verdict else None,
            verdict_reason=verdict.reason if verdict else None,
            first_bad_day=verdict.first_bad_day if verdict else None,
            error_code=error_code,
            mono_total=None,
            fetch_seconds=fetch_seconds,
        )
        return RowCounts(**{name.removeprefix("rows_"): count for name, count in _expected(row).items()})


def _expected(row: Row | None) -> Row:
    if row is None:  # the statement returns a row by construction
        raise LookupError("a statement that always returns a row returned none")
    return row


def _leased(account: Row, run: Row) -> LeasedRun:
    return LeasedRun(
        run_id=run["run_id"],
        account=account_from(account),
        fence=run["fence"],
        kind=RunKind(run["kind"]),
        days=DateWindow(start=run["window_start"], end=run["window_end"]) if run["window_start"] else None,
        pass_number=run["pass"],
        pages_done=run["pages_done"],
        today=account["today"],
        correlation_id=run["correlation_id"],
        requested_by=run["requested_by"],
    )


def account_from(row: Row) -> Account:
    """An account as a row of `find_account` or `lock_account` has it."""
    return Account(
        id=row["id"],
        mono_account_id=row["mono_account_id"],
        first_mono_account_id=row["first_mono_account_id"],
        currency=row["currency"],
        link_status=LinkStatus(row["link_status"]),
        watermark=row["watermark"],
        last_full_read_at=row["last_full_read_at"],
        fresh_as_of=row["fresh_as_of"],
        totals_ignore_window=row["totals_ignore_window"],
        dead_lettered_at=row["dead_lettered_at"],
    )
