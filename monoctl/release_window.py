"""A window of a release followed to its end: accounts asked for, looked at, and judged again and again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

import httpx
from msgspec import structs

from mono_pipeline.core.release_cohort import Cohort
from mono_pipeline.core.release_gate import (
    FiringAlerts,
    GateDecision,
    GateLimits,
    GateVerdict,
    Observation,
    judge_release,
)
from monoctl.errors import Unanswered

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from monoctl.alert_states import AlertStates
    from monoctl.reach import AsksOps, CallsSync
    from monoctl.stage_latency import StageLatency

    type Row = dict[str, Any]

_ASKED_AT_ONCE: Final = 4
_NO_ANSWER: Final = "no_answer"


@dataclass(frozen=True, kw_only=True)
class Cohorts:
    """Who is judged: accounts by their ids, else those whom the flag text `after` turns on and `before` does not."""

    accounts: tuple[str, ...] = ()
    before: str = ""
    after: str = ""

    @property
    def question(self) -> Row:
        """As the ops function is asked."""
        return {"accounts": list(self.accounts)} if self.accounts else {"before": self.before, "after": self.after}


@dataclass(frozen=True, kw_only=True)
class WindowPlan:
    """What a window is.

    Attributes:
        stage: what it is called: canary, 5 %, watch.
        who: whose runs are judged.
        asked: accounts that are synced when it opens and every `sync_every` seconds; none are where it is empty.
        seconds: for how long it is open.
        look_every: seconds between two looks.
        waived: why it is judged without alerts; None where they count.
    """

    stage: str
    who: Cohorts
    seconds: float
    asked: tuple[str, ...] = ()
    sync_every: float = 180.0
    look_every: float = 15.0
    limits: GateLimits = field(default_factory=GateLimits)
    waived: str | None = None


@dataclass(frozen=True, kw_only=True)
class Opening:
    """From when on runs count, by the database's clock; and which alerts fired then, None where nobody can tell."""

    since: str
    firing: frozenset[str] | None


@dataclass(frozen=True, kw_only=True)
class Stages:
    """Seconds by stage at the 95th percentile: of those judged and of all, None where nobody can tell."""

    judged: dict[str, float] | None = None
    everyone: dict[str, float] | None = None


@dataclass(frozen=True, kw_only=True)
class Freshness:
    """How old the bank's own data are of those who had a run: the oldest, and of how many nobody knows."""

    oldest_seconds: float | None = None
    unknown: int = 0


@dataclass(frozen=True, kw_only=True)
class Look:
    """What one look at a window has shown.

    Attributes:
        accounts: how each account of a named canary stands.
        asks: answers to the syncs that were asked for, by their status.
        alert_problem: why the alerts cannot be told.
        stages: how long each stage takes.
        fresh, fresh_rest: of those judged and of the rest.
        left_seconds: until the window ends.
    """

    stage: str
    seen: Observation
    verdict: GateVerdict
    left_seconds: float
    accounts: Sequence[Row] = ()
    asks: dict[str, int] = field(default_factory=dict)
    alert_problem: str | None = None
    stages: Stages = field(default_factory=Stages)
    fresh: Freshness = field(default_factory=Freshness)
    fresh_rest: Freshness = field(default_factory=Freshness)


class ReleaseWindow:
    """Follows one window. `monotonic` and `pause` are in seconds."""

    def __init__(
        self,
        ops: AsksOps,
        api: Callable[[], CallsSync],
        alerts: AlertStates,
        stages: StageLatency,
        *,
        monotonic: Callable[[], float],
        pause: Callable[[float], None],
    ) -> None:
        self._ops = ops
        self._api = api
        self._alerts = alerts
        self._stages = stages
        self._monotonic = monotonic
        self._pause = pause

    def open(self) -> Opening:
        """Return from when on runs count, and what fires now: before anything is changed."""
        return Opening(since=str(self._ops.ask("releases.starts")["now"]), firing=self._alerts.fleet())

    def follow(self, plan: WindowPlan, watch: Callable[[Look], None], opening: Opening) -> Look:
        """Return the last look: the first that rolls back, else the one at the end of the window.

        `watch` sees every look. Raises what the ops function and the API raise, but for answers that are lost.
        """
        opened = self._monotonic()
        with ThreadPoolExecutor(_ASKED_AT_ONCE, thread_name_prefix="sync") as pool:
            round_of_asks = _Asks(pool, self._api, plan, monotonic=self._monotonic)
            while True:
                round_of_asks.go_on()
                age = self._monotonic() - opened
                ends = age >= plan.seconds
                if ends:
                    round_of_asks.wait()
                look = self._look(plan, opening, age, round_of_asks.answers)
                watch(look)
                if ends or look.verdict.decision is GateDecision.ROLL_BACK:
                    return look
                self._pause(min(plan.look_every, plan.seconds - age))

    def _look(self, plan: WindowPlan, opening: Opening, age: float, asks: dict[str, int]) -> Look:
        found = self._ops.ask("releases.observe", since=opening.since, **plan.who.question)
        fleet = self._alerts.fleet()
        canary = self._alerts.of_accounts(plan.who.accounts) if plan.who.accounts else None
        if not plan.who.accounts and fleet is not None:
            # of a share of all accounts nobody can ask by name: there every new alert is one too many
            canary = frozenset()
        seen = Observation(
            open_seconds=age,
            canary=Cohort(**found["canary"]),
            rest=Cohort(**found["rest"]),
            rest_before=Cohort(**found["rest_before"]),
            alerts=FiringAlerts(canary=canary, fleet=fleet, fleet_before=opening.firing),
            alerts_waived=plan.waived is not None,
        )
        return Look(
            stage=plan.stage,
            seen=seen,
            verdict=judge_release(seen, plan.limits),
            left_seconds=max(plan.seconds - age, 0.0),
            accounts=found["accounts"],
            asks=dict(asks),
            alert_problem=self._alerts.problem,
            stages=Stages(
                judged=self._stages.of_accounts(plan.who.accounts) if plan.who.accounts else None,
                everyone=self._stages.of_all(),
            ),
            fresh=_freshness(found, "canary"),
            fresh_rest=_freshness(found, "rest"),
        )


class _Asks:
    """Asks for the syncs of a plan when they are due; one that is still under way is not asked for again."""

    def __init__(
        self,
        pool: ThreadPoolExecutor,
        api: Callable[[], CallsSync],
        plan: WindowPlan,
        *,
        monotonic: Callable[[], float],
    ) -> None:
        self._pool, self._plan, self._monotonic = pool, plan, monotonic
        self._api = api
        self._under_way: dict[str, Future[str]] = {}
        self._due = monotonic()
        self.answers: dict[str, int] = {}

    def go_on(self) -> None:
        """Take the answers that are there, and ask for what is due."""
        self._collect([account for account, asked in self._under_way.items() if asked.done()])
        if self._monotonic() < self._due:
            return
        self._due += self._plan.sync_every
        for account in self._plan.asked:
            if account not in self._under_way:
                self._under_way[account] = self._pool.submit(self._ask, account)

    def wait(self) -> None:
        """Take the answers to all that was asked."""
        self._collect(list(self._under_way))

    def _collect(self, accounts: Sequence[str]) -> None:
        for account in accounts:
            status = self._under_way.pop(account).result()
            self.answers[status] = self.answers.get(status, 0) + 1

    def _ask(self, account: str) -> str:
        try:
            return self._api().ask(account, start=None, end=None).status
        except (httpx.TransportError, Unanswered):
            return _NO_ANSWER  # the run goes on without us, and is judged as it ends


def _freshness(found: Row, cohort: str) -> Freshness:
    """Of a cohort, as an ops function tells that knows of it."""
    return Freshness(**found.get("freshness", {}).get(cohort, {}))


def look_document(look: Look) -> Row:
    """Return a look as JSON."""
    seen, alerts = look.seen, look.seen.alerts
    return {
        "stage": look.stage,
        "decision": look.verdict.decision.value,
        "reason": look.verdict.reason.value,
        "sentence": look.verdict.sentence,
        "open_seconds": round(seen.open_seconds, 1),
        "left_seconds": round(look.left_seconds, 1),
        "canary": {**structs.asdict(seen.canary), "error_ratio": round(seen.canary.error_ratio, 4)},
        "rest": {**structs.asdict(seen.rest), "error_ratio": round(seen.rest.error_ratio, 4)},
        "rest_before": {**structs.asdict(seen.rest_before), "error_ratio": round(seen.rest_before.error_ratio, 4)},
        "alerts": {
            "canary": _names(alerts.canary),
            "fleet": _names(alerts.fleet),
            "fleet_before": _names(alerts.fleet_before),
            "problem": look.alert_problem,
            "waived": seen.alerts_waived,
        },
        "stages": asdict(look.stages),
        "freshness": {"canary": asdict(look.fresh), "rest": asdict(look.fresh_rest)},
        "accounts": list(look.accounts),
        "asks": look.asks,
    }


def _names(alerts: frozenset[str] | None) -> list[str] | None:
    return None if alerts is None else sorted(alerts)
