"""All that the schedule does every five minutes, the most urgent first: each part leaves time to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct, field

from mono_pipeline.usecases.lifecycle import Lifecycle
from mono_pipeline.usecases.paid_calls import PaidCalls
from mono_pipeline.usecases.provider_probe import probe_provider
from mono_pipeline.usecases.realtime_refresh import RealtimeRefresh
from mono_pipeline.usecases.schedule_repair import RepairResult, ScheduleRepair
from mono_pipeline.usecases.schedule_tick import ScheduleTick, TickResult
from mono_pipeline.usecases.stale_accounts import StaleAccounts

if TYPE_CHECKING:
    from mono_pipeline.core.deadline import Deadline
    from mono_pipeline.usecases.collaborators import Collaborators

_PROBE_SECONDS: Final = 10.0
_EVENT_SECONDS: Final = 5.0
_POLL_SECONDS: Final = 10.0
_STALE_SECONDS: Final = 5.0


class RoundResult(Struct, frozen=True, kw_only=True):
    """What one round did. `stale` is how many accounts are, None where nobody looked: the flag is off for everyone."""

    tick: TickResult
    repair: RepairResult = field(default_factory=RepairResult)
    events_taken_up: int = 0
    jobs_ended: int = 0
    realtime_calls: int = 0
    stale: int | None = None


class ScheduledRound:
    """Serves the schedule."""

    def __init__(self, collaborators: Collaborators) -> None:
        self._with = collaborators.in_one_invocation()

    def go(self, deadline: Deadline) -> RoundResult:
        """Ask for what is due, then all the rest, in the order in which it matters that it is done now.

        While the flag is off for everyone nothing is touched. Raises DependencyUnavailable.
        """
        if not self._with.flag.read().off_for_everyone:
            probe_provider(self._with, deadline.within(_PROBE_SECONDS))
        tick = ScheduleTick(self._with).tick(deadline)
        reading = self._with.flag.read()
        if reading.off_for_everyone:
            return RoundResult(tick=tick)
        refresh = RealtimeRefresh(self._with)
        repair = ScheduleRepair(self._with, self._calls(deadline, background=True))
        try:
            brought_forward = repair.bring_forward()
            events = Lifecycle(self._with).take_up_waiting(deadline.within(_EVENT_SECONDS))
            jobs_ended = refresh.poll(self._calls(deadline), deadline.within(_POLL_SECONDS))
            stale = StaleAccounts(self._with).tell(deadline.within(_STALE_SECONDS))
            realtime_calls = refresh.start_daily(reading, deadline)
            repaired = repair.walk(deadline)
        finally:
            self._with.budget.give_back()
        return RoundResult(
            tick=tick,
            repair=brought_forward + repaired,
            events_taken_up=events,
            jobs_ended=jobs_ended,
            realtime_calls=realtime_calls,
            stale=stale,
        )

    def _calls(self, deadline: Deadline, *, background: bool = False) -> PaidCalls:
        return PaidCalls(
            budget=self._with.budget,
            patience=self._with.patience(),
            executor=self._with.executor,
            deadline=deadline,
            background=background,
        )
