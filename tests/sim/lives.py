"""Workers that take turns: each is a thread that stops before every call outside a transaction until it is let go on.

One runs at a time and all others stand between two calls, so that an interleaving is decided by who is let go on, and
by nothing else. A worker can be made to die at any of its next calls, before or after it is made, also inside a
transaction.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from tests.crash.calls import Call, Died

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.crash.calls import GatedDatabase

PATIENCE_SECONDS = 20.0
POLL_SECONDS = 0.02


class Hangs(AssertionError):
    """A worker that was let go on never came to its next call: it waits for a lock that nobody gives back."""


class Baton:
    """The gate of one worker. `fuse` counts the half calls (before, after) until it dies; None is never.

    `flushes` counts the flushes that it has committed. `stand_inside` makes it stand once in a transaction, behind so
    many more calls of it, `stand_at_end` behind the end of one: then its locks are gone.
    """

    def __init__(self) -> None:
        self.fuse: int | None = None
        self.dead = False
        self.at: Call | None = None
        self.database: GatedDatabase | None = None
        self.on_call: Callable[[Call], None] = lambda _call: None
        self.on_answer: Callable[[Call], None] = lambda _call: None
        self.run_on = False
        self.stand_inside: int | None = None
        self.stand_at_end = False
        self.flushes = 0
        self._go = threading.Semaphore(0)
        self._stopped = threading.Semaphore(0)

    @classmethod
    def open(cls) -> Baton:
        """A gate that stops nobody."""
        gate = cls()
        gate.run_on = True
        return gate

    def before(self, call: Call) -> None:
        """Stand still, unless locks are held, and then perhaps die."""
        if self.dead:
            raise Died
        if call.kind != "sql" and self.database is not None and self.database._in_transaction:
            raise AssertionError(f"{call} is made inside an open transaction")
        if (not call.inside and not self.run_on) or self._stands_inside(call):
            self._stand(call)
        self._burn()
        self.on_call(call)

    def after(self, call: Call) -> None:
        """Perhaps die with the answer not seen."""
        self.on_answer(call)
        if self.stand_at_end and call.name in {"COMMIT", "ROLLBACK"}:
            self.stand_at_end = False
            self._stand(call)
        self._burn()

    def _stands_inside(self, call: Call) -> bool:
        if not call.inside or self.stand_inside is None:
            return False
        self.stand_inside -= 1
        if self.stand_inside >= 0:
            return False
        self.stand_inside = None
        return True

    def _stand(self, call: Call) -> None:
        self.at = call
        self._stopped.release()
        self._go.acquire()

    def _burn(self) -> None:
        if self.dead:
            raise Died
        if self.fuse is not None:
            self.fuse -= 1
            if self.fuse < 0:
                self.dead = True
                raise Died

    def let_go(self) -> None:
        """Scheduler's side: let the worker go on to where it stands still again, or to its end."""
        self._go.release()
        self.wait()

    def wait(self) -> None:
        """Scheduler's side: until the worker stands still or has ended."""
        if not self._stopped.acquire(timeout=PATIENCE_SECONDS):
            raise Hangs(f"the worker does not come to its next call after {self.at}")

    def has_stopped(self, *, within: float) -> bool:
        """Scheduler's side: as `wait`, and whether it did."""
        return self._stopped.acquire(timeout=within)

    def run(self) -> None:
        """Scheduler's side: let the worker go on to its end, and do not wait for it."""
        self.run_on = True
        self._go.release()

    def ended(self) -> None:
        """Worker's side: it has ended."""
        self._stopped.release()


class Life:
    """One invocation under way. `outcome` is what it returned, `error` what it raised, `died` that it was killed."""

    def __init__(self, baton: Baton, work: Callable[[], Any], *, label: str) -> None:
        self.baton = baton
        self.label = label
        self.outcome: Any = None
        self.error: BaseException | None = None
        self.over = False
        self._work = work
        _THREADS.submit(self._live)
        baton.wait()

    def _live(self) -> None:
        try:
            self.outcome = self._work()
        except BaseException as error:  # noqa: BLE001 - told to the scheduler, which raises what nobody expects
            self.error = error
        self.over = True
        self.baton.ended()

    @property
    def died(self) -> bool:
        """Whether it was killed."""
        return isinstance(self.error, Died)

    def advance(self, calls: int) -> None:
        """Let it make at most so many calls or transactions."""
        for _ in range(calls):
            if self.over:
                return
            self.baton.let_go()

    def advance_into_a_transaction(self, calls: int) -> bool:
        """Let it go on until it stands in a transaction, holding locks; False where it has ended first."""
        self.baton.stand_inside = calls
        while not self.over:
            self.baton.let_go()
            if self.baton.stand_inside is None:
                break
        self.baton.stand_inside = None
        return not self.over

    def finish_beside(self, other: Life, waits: Callable[[], bool]) -> bool:
        """Let it go on to its end while `other` stands in a transaction; whether it waited for the end of that one."""
        self.baton.run()
        waited, since = False, time.monotonic()
        while not self.baton.has_stopped(within=POLL_SECONDS):
            if time.monotonic() - since > PATIENCE_SECONDS:
                raise Hangs("neither of two workers comes to its end beside the other")
            if not waited and waits():
                waited = True
                other.baton.stand_at_end = True
                other.baton.let_go()
        return waited

    def finish(self) -> None:
        """Let it go on to its end."""
        self.baton.run_on = True
        while not self.over:
            self.baton.let_go()

    def kill(self) -> None:
        """End it where it stands."""
        self.baton.dead = True
        self.finish()


class _Threads:
    """Threads kept for the next life: starting one takes longer than a short life."""

    def __init__(self) -> None:
        self._idle: deque[tuple[threading.Semaphore, list[Callable[[], None]]]] = deque()

    def submit(self, work: Callable[[], None]) -> None:
        """Run in a thread of its own."""
        if self._idle:
            wake, box = self._idle.popleft()
        else:
            wake, box = threading.Semaphore(0), []
            threading.Thread(target=self._serve, args=(wake, box), daemon=True).start()
        box.append(work)
        wake.release()

    def _serve(self, wake: threading.Semaphore, box: list[Callable[[], None]]) -> None:
        while True:
            wake.acquire()
            box.pop()()
            self._idle.append((wake, box))


_THREADS = _Threads()
