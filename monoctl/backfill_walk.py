"""A backfill from its plan to its end: month by month, several accounts at a time, followed run by run."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from monoctl.errors import OpsRefused, Unanswered
from monoctl.exit_code import ExitCode, of_error, of_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mono_pipeline.core.booking import DateWindow
    from monoctl.reach import AsksOps

    type Row = dict[str, Any]

LOOK_SECONDS: Final = 1.0
ENDED: Final = frozenset({"completed", "incomplete", "failed", "stopped"})


@dataclass(kw_only=True)
class Window:
    """One month of one account. `state` is covered, open, or how it ended: a run's status, deferred, refused, left.

    `left` is a month of an account that Mono failed with before; `why` says more of the last three.
    """

    account_id: str
    first: str
    last: str
    state: str
    requests: int
    run_id: str | None = None
    run: Row | None = None
    why: str | None = None

    @property
    def exit_code(self) -> ExitCode:
        """What this month comes to."""
        match self.state:
            case "covered":
                return ExitCode.AS_PROMISED
            case "deferred":
                return ExitCode.DEFERRED
            case "refused":
                return of_error(OpsRefused(self.why or "", ""))
            case "left":
                return ExitCode.INCOMPLETE
            case "open":
                return ExitCode.CANNOT_TELL
        return of_run(self.run or {})


@dataclass(kw_only=True)
class Plan:
    """All months of all accounts. `seconds` is an estimate, None where nothing has been read yet to estimate from."""

    windows: list[Window] = field(default_factory=list)
    requests: int = 0
    seconds: float | None = 0.0

    @property
    def to_read(self) -> list[Window]:
        """The months that are not covered."""
        return [window for window in self.windows if window.state != "covered"]

    def add(self, answer: Row) -> None:
        """Add one account's plan."""
        self.requests += answer["requests"]
        known = self.seconds is not None and answer["seconds"] is not None
        self.seconds = self.seconds + answer["seconds"] if known else None
        self.windows += [
            Window(
                account_id=answer["account_id"],
                first=window["from"],
                last=window["to"],
                state="covered" if window["covered"] else "open",
                requests=window["requests"],
                run_id=window["run_id"],
            )
            for window in answer["windows"]
        ]


def plan(ops: AsksOps, account_ids: Iterable[str], days: DateWindow, *, again: bool) -> Plan:
    """Return what there is to read; one invocation an account."""
    made = Plan()
    span = {"from": days.start.isoformat(), "to": days.end.isoformat()}
    for account_id in account_ids:
        made.add(ops.ask("backfill.plan", account_id=account_id, again=again, **span))
    return made


class BackfillWalk:
    """Walks through a plan. Interrupted, it leaves at most one open month an account, and a new plan finds it."""

    def __init__(
        self,
        ops: AsksOps,
        *,
        in_flight: int,
        patience: float,
        monotonic: Callable[[], float],
        pause: Callable[[float], None],
    ) -> None:
        """`in_flight` accounts at a time; after `patience` seconds in which nothing moved, give up."""
        self._ops = ops
        self._in_flight = in_flight
        self._patience = patience
        self._monotonic = monotonic
        self._pause = pause

    def go(self, windows: Sequence[Window], watch: Callable[[], None]) -> None:
        """Read `windows`; each keeps how it ended. `watch` is called whenever something moved.

        Raises Unanswered when nothing moves any more; what is open goes on without us.
        """
        waiting = _by_account(windows)
        flying: list[Window] = []
        moved_at = self._monotonic()
        while waiting or flying:
            early: list[list[Window]] = []
            while waiting and len(flying) < self._in_flight:
                rest = waiting.popleft()
                flying += (begun := self._next_of(rest))
                if not begun and rest[0].state == "open":
                    early.append(rest)
            waiting += early
            if self._look(flying):
                moved_at = self._monotonic()
                watch()
            ended = [window for window in flying if window.state != "open"]
            flying = [window for window in flying if window.state == "open"]
            for window in ended:
                rest = [each for each in windows if each.account_id == window.account_id and each.state == "open"]
                if rest and window.state == "failed":
                    _close(rest, "left", str((window.run or {}).get("error_code")))
                elif rest:
                    waiting.append(rest)
            if not ended and (flying or early):
                if self._monotonic() - moved_at > self._patience:
                    raise Unanswered(_stuck(flying or early[0], self._patience))
                self._pause(LOOK_SECONDS)

    def _next_of(self, rest: list[Window]) -> list[Window]:
        """The account's next month, asked for; none where the account is refused, or it is too soon for another."""
        window = rest[0]
        if window.run_id is None:
            self._start(window, rest)
        return [window] if window.run_id is not None else []

    def _start(self, window: Window, rest: list[Window]) -> None:
        span = {"from": window.first, "to": window.last}
        try:
            answer = self._ops.ask("backfill.start", account_id=window.account_id, **span)
        except OpsRefused as refused:
            if refused.code != "AccountBlocked":
                raise
            _close(rest, "refused", refused.code)
            return
        if answer["status"] == "deferred":
            _close(rest, "deferred", answer["reason"])
        elif answer["status"] != "too_soon":
            window.run_id = answer["run_id"]

    def _look(self, flying: Sequence[Window]) -> bool:
        """Whether anything moved since the last look."""
        moved = False
        for window in flying:
            seen = self._ops.ask("runs.show", run_id=window.run_id)["run"]
            moved |= seen != window.run
            window.run = seen
            if seen["status"] in ENDED:
                window.state = seen["status"]
        return moved


def _by_account(windows: Sequence[Window]) -> deque[list[Window]]:
    """The months of each account; first one that is under way already, which no other can overtake."""
    accounts = dict.fromkeys(window.account_id for window in windows)
    first = sorted(windows, key=lambda window: window.run_id is None)
    return deque([window for window in first if window.account_id == account] for account in accounts)


def _close(windows: Iterable[Window], state: str, why: str) -> None:
    for window in windows:
        window.state, window.why = state, why


def _stuck(flying: Sequence[Window], seconds: float) -> str:
    first = flying[0]
    run = f"run {first.run_id}" if first.run_id else "another backfill"
    return (
        f"nothing moved for {seconds:.0f} s: {run} of {first.account_id} is open;"
        " what was asked for goes on, and the same command goes on from there"
    )
