"""`backfill`: which months of an account are to be read, what that may take, and one month asked for at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from mono_pipeline.adapters.queue import FetchRequested
from mono_pipeline.adapters.statements import statements
from mono_pipeline.core.booking import DateWindow
from mono_pipeline.core.errors import AccountBlocked, InvalidInput
from mono_pipeline.core.flag import decide
from mono_pipeline.core.identity import parse_account_id
from mono_pipeline.core.run import BACKFILL, LinkStatus, RunKind
from mono_pipeline.usecases.account_check import read_days

if TYPE_CHECKING:
    from mono_pipeline.core.flag import Decision
    from mono_pipeline.core.run import Account
    from mono_pipeline.usecases.collaborators import Collaborators

    type Event = dict[str, Any]

REQUESTED_BY = BACKFILL
_SQL = statements("backfill")


class Backfill:
    """Serves `monoctl backfill`. What was done is in the ledger, so that a plan made again is what is left."""

    def __init__(self, collaborators: Collaborators) -> None:
        self._with = collaborators

    def plan(self, event: Event) -> Event:
        """The days `from` to `to` of `account_id` by months, up to today: which are covered, which have an open run.

        `again` takes no month for covered. `requests` is an estimate from the rows that are stored, `seconds` from the
        pace of the newest runs and the rate budget. Raises InvalidInput, AccountUnknown.
        """
        account, days = self._asked(event)
        today = self._with.database.rows("SELECT lagos_date(pipeline_now()) AS today")[0]["today"]
        if days.start > today:
            raise InvalidInput("from", "is in the future")
        days = DateWindow(start=days.start, end=min(days.end, today))
        windows = [self._window(row, again=bool(event.get("again"))) for row in self._months(account, days)]
        requests = sum(window["requests"] for window in windows if not window["covered"])
        return {
            "account_id": account.mono_account_id,
            "from": days.start.isoformat(),
            "to": days.end.isoformat(),
            "windows": windows,
            "requests": requests,
            "seconds": self._seconds(requests, runs=sum(not window["covered"] for window in windows)),
        }

    def start(self, event: Event) -> Event:
        """Ask the backfill queue for the days `from` to `to` of `account_id`; `accepted` with the run, or `deferred`.

        Asking again for what is asked for or under way names the same run. `too_soon`, and in how many `seconds` to ask
        again, while another backfill of the account waits or is under way, or began less than an interval ago. Raises
        InvalidInput, AccountUnknown, AccountBlocked, DependencyUnavailable.
        """
        account, days = self._asked(event)
        decision = self._decide(account)
        if not decision.enabled:
            return {"status": "deferred", "reason": decision.reason}
        if account.link_status is LinkStatus.UNLINKED:
            raise AccountBlocked(LinkStatus.UNLINKED)
        if account.dead_lettered_at is not None:
            self._with.accounts.revive(account.id)
        correlation_id = str(event.get("correlation_id") or uuid4())[:64]
        with self._with.database.transaction():
            self._with.database.rows(_SQL["hold_account"], account_id=account.id)
            run_id = self._open_run(account, days)
            seconds = self._seconds_to_wait(account) if run_id is None else 0.0
            if seconds > 0:
                return {"status": "too_soon", "seconds": seconds}
            run_id = run_id or self._with.runs.request(
                account.id, kind=RunKind.WINDOW, asked=days, requested_by=REQUESTED_BY, correlation_id=correlation_id
            )
        wake = FetchRequested(
            account_id=account.mono_account_id, correlation_id=correlation_id, requested_by=REQUESTED_BY
        )
        self._with.backfill.send(wake, group=account.mono_account_id)
        return {"status": "accepted", "run_id": str(run_id)}

    def _asked(self, event: Event) -> tuple[Account, DateWindow]:
        days = read_days(event)
        if days is None:
            raise InvalidInput("from", "is missing")
        return self._with.accounts.find(parse_account_id(str(event.get("account_id", "")))), days

    def _decide(self, account: Account) -> Decision:
        reading = self._with.flag.read()
        return decide(reading, account.first_mono_account_id, also_known_as={account.mono_account_id})

    def _months(self, account: Account, days: DateWindow) -> list[Event]:
        return self._with.database.rows(
            _SQL["months"],
            account_id=account.id,
            mono_account_id=account.mono_account_id,
            from_day=days.start,
            to_day=days.end,
            overlap_days=self._with.settings.mono_overlap_days,
        )

    def _open_run(self, account: Account, days: DateWindow) -> object:
        row = self._with.database.row(
            _SQL["open_window_run"], account_id=account.id, from_day=days.start, to_day=days.end
        )
        return row and row["run_id"]

    def _seconds_to_wait(self, account: Account) -> float:
        """Until the account's next backfill may be asked for; one that is open ends nobody knows when."""
        interval = float(self._with.settings.backfill_interval_seconds)
        if not interval:
            return 0.0
        row = self._with.database.rows(_SQL["next_backfill"], account_id=account.id, interval_seconds=interval)[0]
        return interval if row["under_way"] else float(row["seconds"] or 0.0)

    def _window(self, row: Event, *, again: bool) -> Event:
        pages = max(1, -(-row["rows"] // self._with.settings.mono_page_limit))
        return {
            "from": row["first_day"].isoformat(),
            "to": row["last_day"].isoformat(),
            "covered": row["covered"] and not again,
            "run_id": str(row["run_id"]) if row["run_id"] else None,
            "requests": pages + 1,
        }

    def _seconds(self, requests: int, *, runs: int) -> float | None:
        pace = self._with.database.rows(_SQL["pace"])[0]["seconds_per_request"]
        if pace is None:
            return None
        settings = self._with.settings
        return max(
            float(requests * max(pace, 60.0 / settings.mono_rate_limit_per_minute)),
            float(runs * settings.backfill_interval_seconds),
        )
