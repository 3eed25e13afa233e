"""A sync that writes nothing: the engine's reading of an account, and what landing it would do to the tables."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from mono_pipeline.adapters.shadow_store import ShadowStore
from mono_pipeline.adapters.verification_store import VerificationStore
from mono_pipeline.core.account_verdict import VERIFIED, AccountVerdict, cannot_say
from mono_pipeline.core.booking import DateWindow
from mono_pipeline.core.completeness import PassOutcome, PassTotals, judge_pass, judge_unclear_total
from mono_pipeline.core.discrepancy import MAX_ROWS
from mono_pipeline.core.errors import AccountBlocked
from mono_pipeline.core.run import LinkStatus, RowCounts
from mono_pipeline.core.verdict import VerdictKind, VerdictReason
from mono_pipeline.usecases.page_reader import PageReader
from mono_pipeline.usecases.paid_calls import PaidCalls

if TYPE_CHECKING:
    from datetime import date

    from mono_pipeline.core.deadline import Deadline
    from mono_pipeline.core.run import Account
    from mono_pipeline.core.wire import AccountSnapshot, TransactionPage
    from mono_pipeline.usecases.collaborators import Collaborators

    type Event = dict[str, Any]


class _Read(Struct):
    """What was read so far."""

    counts: RowCounts = field(default_factory=RowCounts)
    totals: list[int] = field(default_factory=list)
    ids: set[int] = field(default_factory=set)
    distinct: int = 0
    pages: int = 0
    first_bad_day: date | None = None
    changes: list[dict[str, Any]] = field(default_factory=list)
    not_ready: bool = False
    out_of_time: bool = False


class ShadowSync:
    """One reading of one account, as its next sync would make it; the flag has no say, for nothing lands.

    Its calls are paid for from the shared budget like anybody's, which with a pause of Mono's is all that it writes.
    """

    def __init__(self, collaborators: Collaborators, account: Account, deadline: Deadline) -> None:
        self._with = collaborators
        self._account = account
        self._deadline = deadline
        self._store = ShadowStore(collaborators.database, account)
        self._today, self._now = VerificationStore(collaborators.database).clock()
        self._days = self._days_of_the_next_run()
        self._calls = PaidCalls(
            budget=collaborators.budget,
            patience=collaborators.patience(),
            executor=collaborators.executor,
            deadline=deadline,
            background=self._days is None,
        )

    def compare(self) -> Event:
        """The counts that a sync would end with, and a verdict on the stored rows; `status` says how far it came.

        Raises AccountBlocked for an unlinked account, MonoError, ProviderPaused.
        """
        if self._account.link_status is LinkStatus.UNLINKED:
            raise AccountBlocked(LinkStatus.UNLINKED)
        try:
            snapshot = self._snapshot()
            read, reader = _Read(), self._reader()
            self._read(reader, read, snapshot)
            if not (read.counts.seen or read.not_ready or read.out_of_time):
                snapshot = self._snapshot()
            verdict = None if read.out_of_time else self._verdict(read, reader, snapshot)
        finally:
            self._with.budget.give_back()
        return self._answer(read, verdict)

    def _snapshot(self) -> AccountSnapshot:
        return self._calls.once(
            partial(self._with.mono.account, self._account.mono_account_id, deadline=self._deadline)
        )

    def _days_of_the_next_run(self) -> DateWindow | None:
        """The days that an incremental run answers for; every day where there is no watermark (`start_run`)."""
        if self._account.watermark is None:
            return None
        first = self._account.watermark - timedelta(days=self._with.settings.mono_overlap_days - 1)
        return DateWindow(start=first, end=max(first, self._today))

    def _reader(self) -> PageReader:
        return PageReader(self._fetch, calls=self._calls, in_flight=self._with.settings.pages_in_flight)

    def _read(self, reader: PageReader, read: _Read, snapshot: AccountSnapshot) -> None:
        held: list[TransactionPage] = []
        for page in reader.pages(1):
            if page.not_ready or (page.number == 1 and not page.seen and not snapshot.transactions_ready):
                read.not_ready = True
                return
            held.append(page)
            read.out_of_time = self._deadline.expired and page.has_next
            if sum(each.seen for each in held) >= self._with.settings.flush_rows or read.out_of_time:
                self._take(read, held)
                held = []
            if read.out_of_time:
                return
        self._take(read, held)

    def _take(self, read: _Read, pages: list[TransactionPage]) -> None:
        if not pages:
            return
        flush = self._store.flush(pages)
        seen, rejected = sum(page.seen for page in pages), sum(len(page.rejected) for page in pages)
        read.counts += RowCounts(
            seen=seen,
            inserted=flush.inserted,
            updated=flush.updated,
            unchanged=seen - rejected - flush.inserted - flush.updated,
            quarantined=rejected,
        )
        read.totals += [page.total for page in pages]
        read.ids.update(flush.ids)
        read.distinct += rejected
        read.pages += len(pages)
        read.changes = (read.changes + flush.changes)[:MAX_ROWS]
        if flush.first_bad_day is not None:
            read.first_bad_day = min(read.first_bad_day or flush.first_bad_day, flush.first_bad_day)

    def _verdict(self, read: _Read, reader: PageReader, snapshot: AccountSnapshot) -> AccountVerdict:
        if read.not_ready or not snapshot.vouches_for(read.counts.seen):
            return cannot_say(VerdictReason.NOT_READY)
        if (incomplete := self._why_incomplete(read, reader)) is not None:
            return cannot_say(incomplete)
        if read.first_bad_day is not None:
            return AccountVerdict(
                kind=VerdictKind.MISMATCH, reason=VerdictReason.DAYS_DIFFER, first_bad_day=read.first_bad_day
            )
        return self._open_reason(read)

    def _open_reason(self, read: _Read) -> AccountVerdict:
        """No stored row would change its money: whether something stands open all the same."""
        missing = self._store.not_shown(read.ids, self._days)
        reasons = (
            (missing.stored > 0 and not read.counts.seen, VerdictReason.SUSPICIOUS_EMPTY),
            (missing.suspected > 0, VerdictReason.DUPLICATE_SUSPECTED),
            (missing.absent > 0, VerdictReason.REMOVAL_PENDING),
            (read.counts.quarantined > 0, VerdictReason.QUARANTINED),
        )
        return next((cannot_say(reason) for holds, reason in reasons if holds), VERIFIED)

    def _why_incomplete(self, read: _Read, reader: PageReader) -> VerdictReason | None:
        totals = PassTotals(
            rows_read=read.counts.seen,
            distinct_rows=len(read.ids) + read.distinct,
            lowest_total=min(read.totals),
            highest_total=max(read.totals),
        )
        judged = judge_pass(
            totals,
            end=reader.end,
            windowed=self._days is not None,
            totals_ignore_window=self._account.totals_ignore_window,
        )
        if judged.outcome is PassOutcome.TOTAL_UNCLEAR:
            judged = judge_unclear_total(
                windowed_total=totals.highest_total,
                unfiltered_total=self._calls.once(partial(self._page, window=None, number=1, limit=1)).total,
                rows_outside=self._store.rows_outside(self._days),
            )
        if judged.outcome is PassOutcome.COMPLETE:
            return None
        return judged.reason or VerdictReason.TOTAL_DIFFERS

    def _fetch(self, number: int) -> TransactionPage:
        window = self._days.widened(1) if self._days else None
        return self._page(window=window, number=number, limit=self._with.settings.mono_page_limit)

    def _page(self, *, window: DateWindow | None, number: int, limit: int) -> TransactionPage:
        return self._with.mono.transactions(
            self._account.mono_account_id,
            window=window,
            page=number,
            limit=limit,
            deadline=self._deadline,
            today=self._today,
        )

    def _answer(self, read: _Read, verdict: AccountVerdict | None) -> Event:
        counts = read.counts
        return {
            "account_id": self._account.mono_account_id,
            "status": "out_of_time" if verdict is None else "compared",
            "verdict": verdict.as_json() if verdict else None,
            "counts": {
                "seen": counts.seen,
                "inserted": counts.inserted,
                "updated": counts.updated,
                "unchanged": counts.unchanged,
                "quarantined": counts.quarantined,
            },
            "window": {
                "start": self._days.start.isoformat() if self._days else None,
                "end": self._days.end.isoformat() if self._days else None,
            },
            "pages": read.pages,
            "mono_total": max(read.totals, default=None),
            "changes": read.changes,
            "read_at": self._now.isoformat(),
        }
