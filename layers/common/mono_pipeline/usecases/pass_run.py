"""One pass of a run: the pages from where the last flush ended, landed about a thousand rows at a time."""

from __future__ import annotations

import time
from collections import Counter
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING

from mono_pipeline.core.errors import MonoError, MonoUnintelligible, ProviderPaused
from mono_pipeline.core.flag import decide
from mono_pipeline.core.observer import Outcome, Stage
from mono_pipeline.usecases.page_reader import PageReader
from mono_pipeline.usecases.run_watch import fetch_stage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mono_pipeline.core.booking import DateWindow
    from mono_pipeline.core.completeness import PassEnd
    from mono_pipeline.core.deadline import Deadline
    from mono_pipeline.core.reading import Reading
    from mono_pipeline.core.run import LeasedRun
    from mono_pipeline.core.wire import AccountSnapshot, TransactionPage
    from mono_pipeline.usecases.collaborators import Collaborators
    from mono_pipeline.usecases.paid_calls import PaidCalls
    from mono_pipeline.usecases.run_watch import RunWatch

GRACE_SECONDS = 5.0


class PassStop(StrEnum):
    """Why a pass stopped reading. Only `read` says that its last page was reached."""

    READ = "read"
    NOT_READY = "not_ready"
    FLAG_OFF = "flag_off"
    OUT_OF_TIME = "out_of_time"


class PassRun:
    """Reads and lands one pass. Every stop is at a flush boundary."""

    def __init__(
        self,
        collaborators: Collaborators,
        run: LeasedRun,
        reading: Reading,
        *,
        deadline: Deadline,
        calls: PaidCalls,
        snapshot: AccountSnapshot,
        watch: RunWatch,
    ) -> None:
        self._with = collaborators
        self._run = run
        self._reading = reading
        self._deadline = deadline
        self.snapshot = snapshot
        self._calls = calls
        self._watch = watch
        self._reader = PageReader(self._fetch, calls=calls, in_flight=collaborators.settings.pages_in_flight)
        self._buffer: list[TransactionPage] = []
        self._flushed_at = time.monotonic()
        self._persist_seconds: list[float] = []
        self._parse_seconds: list[float] = []  # of each page; threads add to it
        self._failed: set[Stage] = set()

    @property
    def end(self) -> PassEnd:
        """How the pages ended."""
        return self._reader.end

    def go(self) -> PassStop:
        """Read on to the last page, or to the first reason to stop. Raises what reading and landing raise."""
        before = self._calls.seconds
        try:
            return self._read()
        except ProviderPaused:
            self._flush()  # what was read and paid for is kept
            raise
        except MonoError as error:
            self._failed.add(fetch_stage(self._run))
            if isinstance(error, MonoUnintelligible):
                self._failed.add(Stage.TRANSFORM)
            raise
        finally:
            self._measure(self._calls.seconds - before)

    def _measure(self, fetch_seconds: float) -> None:
        """Tell of the stages that there were: a pass that read nothing has landed nothing."""
        took = {fetch_stage(self._run): [fetch_seconds]}
        took |= {Stage.TRANSFORM: self._parse_seconds, Stage.PERSIST: self._persist_seconds}
        for stage, seconds in took.items():
            if seconds:
                outcome = Outcome.ERROR if stage in self._failed else Outcome.OK
                self._watch.stage(self._run, stage, sum(seconds), outcome)

    def unfiltered_total(self) -> int:
        """What Mono says there is without date filters: one request."""
        return self._calls.once(partial(self._request, window=None, number=1, limit=1)).total

    def _read(self) -> PassStop:
        for page in self._reader.pages(self._run.pages_done + 1):
            if page.not_ready or (page.number == 1 and not page.seen and not self.snapshot.transactions_ready):
                return PassStop.NOT_READY
            self._buffer.append(page)
            if self._time_to_flush():
                self._flush()
                if page.has_next and (stop := self._reason_to_stop()):
                    return stop
        self._flush()
        return PassStop.READ

    def _reason_to_stop(self) -> PassStop | None:
        if self._deadline.expired:
            return PassStop.OUT_OF_TIME
        account = self._run.account
        decision = decide(
            self._with.flag.read(), account.first_mono_account_id, also_known_as={account.mono_account_id}
        )
        return None if decision.enabled else PassStop.FLAG_OFF

    def _time_to_flush(self) -> bool:
        """Enough rows, no time left, or a third of the lease gone since it was renewed."""
        return (
            sum(page.seen for page in self._buffer) >= self._with.settings.flush_rows
            or self._deadline.expired
            or time.monotonic() - self._flushed_at > self._with.settings.lease_seconds / 3
        )

    def _flush(self) -> None:
        if self._buffer:
            began = time.monotonic()
            self._failed.add(Stage.PERSIST)  # until it is done
            try:
                self._watch.counts += self._with.transactions.flush(self._run, self._buffer)
                self._failed.remove(Stage.PERSIST)
            finally:
                self._flushed_at = time.monotonic()
                self._persist_seconds.append(self._flushed_at - began)
            landed, self._buffer = self._buffer, []
            self._announce(landed)

    def _announce(self, landed: Iterable[TransactionPage]) -> None:
        reasons = Counter(str(row.reason) for page in landed for row in page.rejected)
        if reasons:
            self._with.observer.event("mono.rows.quarantined", self._run, rows=reasons.total(), reasons=dict(reasons))

    def _fetch(self, number: int) -> TransactionPage:
        limit = self._with.settings.mono_page_limit
        return self._request(window=self._reading.window, number=number, limit=limit)

    def _request(self, *, window: DateWindow | None, number: int, limit: int) -> TransactionPage:
        return self._with.mono.transactions(
            self._run.account.mono_account_id,
            window=window,
            page=number,
            limit=limit,
            # a request that is under way when time is up may still end
            deadline=self._deadline.later(GRACE_SECONDS),
            today=self._run.today,
            parsed=self._parse_seconds.append,
        )
