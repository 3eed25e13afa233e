"""`verify --live`: what is stored against what Mono shows now. Mono's pages are read, and nothing is landed."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mono_pipeline.adapters.comparison_store import joined_rows
from mono_pipeline.adapters.verification_store import VerificationStore
from mono_pipeline.core.account_verdict import VERIFIED, AccountVerdict, cannot_say
from mono_pipeline.core.completeness import PassEnd, PassOutcome, PassTotals, judge_pass
from mono_pipeline.core.day_digest import DayDigest, differing_days
from mono_pipeline.core.errors import InvalidInput
from mono_pipeline.core.verdict import VerdictKind, VerdictReason
from mono_pipeline.usecases.closer_look import CloserLook
from mono_pipeline.usecases.page_reader import PageReader
from mono_pipeline.usecases.paid_calls import PaidCalls

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mono_pipeline.core.booking import DateWindow
    from mono_pipeline.core.deadline import Deadline
    from mono_pipeline.core.discrepancy import Discrepancy
    from mono_pipeline.core.run import Account
    from mono_pipeline.core.wire import AccountSnapshot, TransactionPage
    from mono_pipeline.usecases.collaborators import Collaborators

    type Event = dict[str, Any]

# An invocation reads for so long and hands back how far it came: whoever asked sees progress, and asks on.
SLICE_SECONDS: Final = 15.0
_CHUNK_PAGES: Final = 10


class SoFar(BaseModel):
    """How far a reading has come. It goes to the caller and back, so that nothing is stored anywhere.

    `days` are the bank's digests; `shown` are undecided ids that came after all, `broken` ids of rows that cannot be
    trusted; `balance` (minor units) and `ready` are of the account's own page.
    """

    model_config = ConfigDict(extra="forbid")

    pages: int = Field(default=0, ge=0)
    rows: int = Field(default=0, ge=0)
    lowest_total: int | None = None
    highest_total: int = 0
    days: dict[date, tuple[int, int, int, int]] = {}
    shown: list[str] = []
    broken: list[str] = []
    rejected: int = 0
    balance: int | None = None
    ready: bool = True
    ended: bool = False
    endless: bool = False

    def digests(self) -> dict[date, DayDigest]:
        """The bank's side."""
        return {
            day: DayDigest(rows=rows, credits=credits_, debits=debits, weight=weight)
            for day, (rows, credits_, debits, weight) in self.days.items()
        }


class LiveVerification:
    """Compares one account, of `days` or whole. `deadline` is that of the invocation."""

    def __init__(
        self, collaborators: Collaborators, account: Account, *, days: DateWindow | None, deadline: Deadline
    ) -> None:
        self._with = collaborators
        self._account = account
        self._days = days
        self._deadline = deadline
        self._store = VerificationStore(collaborators.database)
        self._today, self._now = self._store.clock()
        self._calls = PaidCalls(
            budget=collaborators.budget,
            patience=collaborators.patience(),
            executor=collaborators.executor,
            deadline=deadline,
        )

    def go_on(self, told: object, *, seconds: float = SLICE_SECONDS) -> Event:
        """Read for `seconds` from where `told` (what an earlier answer called `so_far`; None: from the start) says.

        The answer has `so_far` while there is more to read, else the verdict. Raises InvalidInput, MonoError,
        ProviderPaused.
        """
        so_far = _so_far(told)
        try:
            if so_far is None:
                so_far = self._begin()
            if so_far.ready and not so_far.ended:
                self._read(so_far, self._deadline.within(seconds))
                if so_far.ended and not so_far.rows:
                    so_far.ready = self._snapshot().vouches_for(0)
            if so_far.ready and not so_far.ended:
                return {"account_id": self._account.mono_account_id, "so_far": so_far.model_dump(mode="json")}
            return self._judged(so_far)
        finally:
            self._with.budget.give_back()

    def _begin(self) -> SoFar:
        snapshot = self._snapshot()
        ready = snapshot.transactions_ready and not snapshot.still_processing
        return SoFar(balance=snapshot.balance_minor, ready=ready)

    def _snapshot(self) -> AccountSnapshot:
        mono_account_id = self._account.mono_account_id
        return self._calls.once(partial(self._with.mono.account, mono_account_id, deadline=self._deadline))

    def _read(self, so_far: SoFar, until: Deadline) -> None:
        """Add pages to what there is until the last one, or until time is up."""
        undecided = self._store.undecided(self._account)
        reader = PageReader(self._fetch, calls=self._calls, in_flight=self._with.settings.pages_in_flight)
        held: list[TransactionPage] = []
        for page in reader.pages(so_far.pages + 1):
            if page.not_ready:
                so_far.ready = False
                return
            held.append(page)
            if until.expired and page.has_next and page.seen:
                break
            if len(held) == _CHUNK_PAGES:
                self._take(so_far, held, undecided)
                held = []
        else:
            so_far.ended = True
        so_far.endless = reader.end is PassEnd.ENDLESS
        self._take(so_far, held, undecided)

    def _take(self, so_far: SoFar, pages: list[TransactionPage], undecided: Iterable[str]) -> None:
        if not pages:
            return
        rows = joined_rows(pages)
        for day, digest in self._store.digest_of_rows(rows).items():
            old = so_far.days.get(day, (0, 0, 0, 0))
            new = (digest.rows, digest.credits, digest.debits, digest.weight)
            so_far.days[day] = (old[0] + new[0], old[1] + new[1], old[2] + new[2], old[3] + new[3])
        if undecided:
            so_far.shown += self._store.shown_of(undecided, rows)
        totals = [page.total for page in pages]
        so_far.lowest_total = min(totals if so_far.lowest_total is None else [so_far.lowest_total, *totals])
        so_far.highest_total = max(so_far.highest_total, *totals)
        so_far.pages = pages[-1].number
        so_far.rows += sum(page.seen for page in pages)
        broken = [row for page in pages for row in page.rejected]
        so_far.rejected += len(broken)
        so_far.broken += [row.mono_transaction_id for row in broken if row.mono_transaction_id]

    def _judged(self, so_far: SoFar) -> Event:
        undecided = {
            name: reason for name, reason in self._store.undecided(self._account).items() if name not in so_far.shown
        }
        set_aside = [*undecided, *so_far.broken]
        bank = {day: digest for day, digest in so_far.digests().items() if self._asked_for(day)}
        stored = self._store.digest_of_stored(self._account, self._days, set_aside=set_aside)
        verdict, discrepancy = self._verdict(so_far, bank, stored, undecided)
        return {
            "account_id": self._account.mono_account_id,
            "verdict": verdict.as_json(),
            "read_at": self._now.isoformat(),
            "pages": so_far.pages,
            "bank": _totals(bank.values(), so_far.balance),
            "stored": _totals(
                [self._store.canonical_totals(self._account, self._days)], self._store.balance(self._account)
            ),
            "days_compared": len(bank.keys() | stored.keys()),
            "undecided": len(undecided),
            "quarantined": so_far.rejected,
            "mismatch": discrepancy.as_json() if discrepancy else None,
        }

    def _verdict(
        self,
        so_far: SoFar,
        bank: dict[date, DayDigest],
        stored: dict[date, DayDigest],
        undecided: dict[str, str],
    ) -> tuple[AccountVerdict, Discrepancy | None]:
        unread = self._why_unread(so_far, stored)
        if unread is not None:
            return cannot_say(unread), None
        differing = differing_days(bank, stored)
        if differing:
            look = CloserLook(
                collaborators=self._with,
                calls=self._calls,
                deadline=self._deadline,
                account=self._account,
                today=self._today,
            ).at(differing, set_aside=undecided)
            if not look.found.total and look.unread is None:
                # read by day, the rows are alike: they moved while they were paged
                return cannot_say(VerdictReason.DRIFT), look
            first = min((row.day for row in look.found.rows), default=differing[0].day)
            return (
                AccountVerdict(kind=VerdictKind.MISMATCH, reason=VerdictReason.DAYS_DIFFER, first_bad_day=first),
                look,
            )
        return self._open_reason(so_far, undecided), None

    def _why_unread(self, so_far: SoFar, stored: dict[date, DayDigest]) -> VerdictReason | None:
        """Why Mono's pages are no ground for a comparison; None where they are."""
        if not so_far.ready:
            return VerdictReason.NOT_READY
        judged = judge_pass(
            PassTotals(
                rows_read=so_far.rows,
                distinct_rows=so_far.rows,
                lowest_total=so_far.lowest_total or 0,
                highest_total=so_far.highest_total,
            ),
            end=PassEnd.ENDLESS if so_far.endless else PassEnd.LAST_PAGE,
            windowed=self._days is not None,
            totals_ignore_window=self._account.totals_ignore_window,
        )
        if judged.outcome is not PassOutcome.COMPLETE:
            return judged.reason or VerdictReason.TOTAL_DIFFERS
        if not so_far.rows and stored and self._days is None:
            return VerdictReason.SUSPICIOUS_EMPTY
        return None

    def _open_reason(self, so_far: SoFar, undecided: dict[str, str]) -> AccountVerdict:
        """Every day agrees: whether something stands open all the same."""
        for reason in (VerdictReason.DUPLICATE_SUSPECTED, VerdictReason.REMOVAL_PENDING):
            if reason in undecided.values():
                return cannot_say(reason)
        if so_far.rejected:
            return cannot_say(VerdictReason.QUARANTINED)
        stored = self._store.balance(self._account)
        if None not in (so_far.balance, stored) and so_far.balance != stored:
            return cannot_say(VerdictReason.BALANCE_AHEAD)
        return VERIFIED

    def _asked_for(self, day: date) -> bool:
        return self._days is None or self._days.start <= day <= self._days.end

    def _fetch(self, number: int) -> TransactionPage:
        return self._with.mono.transactions(
            self._account.mono_account_id,
            window=self._days.widened(1) if self._days else None,
            page=number,
            limit=self._with.settings.mono_page_limit,
            deadline=self._deadline,
            today=self._today,
        )


def _so_far(told: object) -> SoFar | None:
    if told is None:
        return None
    try:
        return SoFar.model_validate(told)
    except ValidationError as error:
        raise InvalidInput("so_far", "is not what an earlier answer said") from error


def _totals(digests: Iterable[DayDigest], balance: int | None) -> dict[str, int | None]:
    total = sum(digests, start=DayDigest())
    return {"rows": total.rows, "credits": total.credits, "debits": total.debits, "balance": balance}
