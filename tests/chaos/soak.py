"""The soak: a database that crashes, workers that are killed or frozen, a bank that changes, and at the end the truth.

Everything runs as deployed but for the clock: `pipeline_now()` runs `SPEED` times as fast as ours, so that
leases, waits and quiet times of minutes pass in seconds.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, Self

from tests.chaos.always import not_as_always
from tests.chaos.bank import ChangingBank
from tests.chaos.crew import Crew
from tests.chaos.ground import Ground
from tests.chaos.order import VERSIONS, out_of_order
from tests.chaos.plan import Act, Event, plan
from tests.chaos.reckoning import Kind, differences
from tests.chaos.report import Report

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.chaos.reckoning import Difference

ACCOUNTS: Final = 120
WORKERS: Final = 6
REST_SECONDS: Final = 900.0  # a machine with too much else to do is no finding
FREEZE_TRIES: Final = 20
WOKEN_AT_ONCE: Final = 8
# A first day for what is due anyway; a deep re-read is due a week after the last one, and two of them are evidence.
REST_DAYS: Final = (1, 9, 17)

# Who still has something to do, by the database.
OPEN: Final = """
SELECT (SELECT count(*) FROM sync_runs WHERE status = 'running')
     + (SELECT count(*) FROM bank_accounts WHERE next_attempt_at <= pipeline_now() AND dead_lettered_at IS NULL) AS open
"""
HELD: Final = "SELECT mono_account_id FROM bank_accounts WHERE lease_until > pipeline_now()"
BEGUN: Final = "SELECT count(*) AS begun FROM sync_runs WHERE status = 'completed'"
TOTALS: Final = """
SELECT (SELECT count(*) FROM sync_runs WHERE status = 'completed') AS syncs,
       (SELECT sum(fence) FROM bank_accounts)
         - (SELECT count(*) FROM sync_runs WHERE started_at IS NOT NULL) AS taken_over,
       (SELECT count(*) FROM bank_accounts a WHERE 'verified' = (
          SELECT verdict FROM sync_runs r WHERE r.account_id = a.id ORDER BY r.finished_at DESC LIMIT 1)) AS verified
"""


class Soak:
    """One world, its harm and its reckoning. A context manager that ends all of it; `tell` hears of its progress."""

    def __init__(
        self,
        seed: int,
        seconds: float,
        folder: Path,
        *,
        accounts: int,
        workers: int,
        enough: Callable[[int], bool],
        tell: Callable[[str], None],
    ) -> None:
        self.report = Report(seed=seed, seconds=seconds, accounts=accounts, workers=workers)
        self._tell = tell
        self._ground = Ground(folder)
        self._bank = ChangingBank(seed=f"chaos {seed}", accounts=accounts)
        self._folder = folder
        self._workers = workers
        self._enough = enough
        self._syncs = 0

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self._ground)
            stack.enter_context(self._bank)
            self._crew = stack.enter_context(Crew(self._ground, self._bank.url, self._folder, workers=self._workers))
            self._leave = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._leave.__exit__(None, None, None)

    def go(self) -> Report:
        """Let the schedule happen, then let everything come to rest, and compare."""
        began = time.monotonic()
        self._begin()
        self._harm()
        self._rest()
        self._reckon()
        self.report.took = time.monotonic() - began
        return self.report

    def _begin(self) -> None:
        """Rounds bring in the accounts of Mono's list; the harm begins with the first of the first histories."""
        give_up = time.monotonic() + REST_SECONDS
        while self._ground.rows(BEGUN)[0]["begun"] == 0 and time.monotonic() < give_up:
            self._crew.tick_and_wait()

    def _harm(self) -> None:
        began = time.monotonic()
        for event in plan(self.report.seed, self.report.seconds):
            if self._enough(self._syncs):
                self.report.seconds = event.at
                return
            time.sleep(max(0.0, began + event.at - time.monotonic()))
            self._do(event)
            self.report.done[event.act] += 1

    def _do(self, event: Event) -> None:
        match event.act:
            case Act.RESTART:
                self._ground.crash()
                self._look()
            case Act.KILL:
                self._crew.kill(event.choice)
            case Act.FREEZE:
                self._freeze(event.choice)
            case Act.THAW:
                self._crew.thaw(event.choice)
            case Act.TICK:
                self._crew.tick()
            case Act.CHANGE:
                self._bank.change(event.choice)
            case Act.WAKE:
                accounts = self._bank.accounts
                self._ground.wake([accounts[(event.choice + each) % len(accounts)] for each in range(WOKEN_AT_ONCE)])

    def _freeze(self, choice: int) -> None:
        """The bank changes what the frozen worker may have read, and when its lease has run out others are called.

        On a queue that is served first: behind all that waits the frozen worker would be back before.
        """
        account = self._freeze_a_holder(choice)
        if account is not None:
            self._bank.amend_newest(account)
            self._ground.wake([account], queue="urgent", in_seconds=2)

    def _freeze_a_holder(self, choice: int) -> str | None:
        """A worker that holds an account, or after some tries one that may not; its account."""
        for _ in range(FREEZE_TRIES):
            account = self._crew.freeze(choice)
            if account is not None and account in {row["mono_account_id"] for row in self._ground.rows(HELD)}:
                return account
            self._crew.thaw(choice)
            time.sleep(0.02)  # it takes up something else
        return self._crew.freeze(choice)

    def _look(self) -> None:
        """What must hold at every moment, in the middle of the harm as well."""
        with self._ground.database() as database:
            self.report.note(not_as_always(database))
            self._syncs = int(database.rows(BEGUN)[0]["begun"])
        self.report.looks += 1
        if self.report.looks % 10 == 0:
            self._tell_progress()

    def _tell_progress(self) -> None:
        done, syncs = self.report.done, self._syncs
        harm = f"{done[Act.RESTART]} crashes, {done[Act.KILL]} kills, {done[Act.FREEZE]} freezes"
        self._tell(f"{harm}, {syncs} syncs, {len(self.report.wrong)} wrong")

    def _rest(self) -> None:
        """No more harm: what waits is worked off, days pass, every account is read in full, and again."""
        self._crew.thaw_all()
        for day in REST_DAYS:
            self._ground.set_clock(day)
            self._come_to_rest()
            self._look()
            if day == REST_DAYS[0]:
                self.report.note(
                    f"lost until the next reading in full: {row.transaction} of {row.account}"
                    for row in self._differences()
                    if row.kind is Kind.LOST
                )
            self._tell(f"at rest on day {day}")

    def _come_to_rest(self) -> None:
        give_up = time.monotonic() + REST_SECONDS
        self._crew.tick_and_wait()
        while not self._at_rest():
            if time.monotonic() > give_up:
                self.report.note([f"not at rest after {REST_SECONDS:.0f} s"])
                return
            self._crew.tick_and_wait()

    def _at_rest(self) -> bool:
        return self._ground.waiting() == 0 and self._ground.rows(OPEN)[0]["open"] == 0

    def _reckon(self) -> None:
        report = self.report
        report.differing = self._differences()
        with self._ground.database() as database:  # all versions that there ever were are still there
            report.note(out_of_order(database, self._bank.shown))
        report.rows = sum(len(self._bank.rows(account)) for account in self._bank.accounts)
        report.removed = len(self._bank.removed)
        report.versions = len(self._ground.rows(VERSIONS))
        totals = self._ground.rows(TOTALS)[0]
        report.syncs, report.verified = totals["syncs"], totals["verified"]
        report.taken_over = int(totals["taken_over"])
        report.leases_lost = self._crew.leases_lost()
        report.dead_letters = self._ground.dead_letters()

    def _differences(self) -> list[Difference]:
        with self._ground.database() as database:
            return [
                difference
                for account in self._bank.accounts
                for difference in differences(database, account, self._bank.rows(account))
            ]


def soak(
    seed: int,
    seconds: float,
    *,
    accounts: int = ACCOUNTS,
    workers: int = WORKERS,
    enough: Callable[[int], bool] = lambda _: False,
    tell: Callable[[str], None] = lambda _: None,
) -> Report:
    """A soak of `seconds`, or until so many syncs are `enough`, and the time to come to rest after it."""
    with TemporaryDirectory(prefix="mono-pipeline-chaos-") as folder:
        Path(folder).chmod(0o711)  # PostgreSQL runs as another user and has to pass
        with Soak(seed, seconds, Path(folder), accounts=accounts, workers=workers, enough=enough, tell=tell) as world:
            return world.go()
