"""A real-time call from the question to the job's end, looked at every few seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mono_pipeline.core.realtime import CallState, Refusal
from monoctl.exit_code import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from monoctl.reach import AsksOps

    type Document = dict[str, Any]

LOOK_SECONDS: Final = 10.0
_OPEN: Final = frozenset({CallState.ASKED, CallState.PROCESSING})
_REFUSED: Final = {
    Refusal.POLICY_NEVER: (
        ExitCode.USAGE,
        "Its policy is never, so that nothing was paid: `monoctl accounts realtime {account} on-demand`.",
    ),
    Refusal.MONTHLY_CAP: (
        ExitCode.USAGE,
        "The month's cap allows no further call (REALTIME_MONTHLY_CAP_NGN is {cap}, NGN {spent} are spent).",
    ),
    Refusal.FLAG_OFF: (ExitCode.DEFERRED, "The flag is off for this account: `monoctl flag show`."),
    Refusal.UNLINKED: (ExitCode.BLOCKED, "The account is unlinked."),
    Refusal.RATE_BUDGET: (ExitCode.DOWN, "Nobody may call Mono just now; nothing was paid. Ask again in a minute."),
}
_ENDED: Final = {
    CallState.FINISHED: (ExitCode.AS_PROMISED, "Mono has fetched from the bank; now the sync."),
    CallState.FAILED: (
        ExitCode.BLOCKED,
        "The bank wants the customer: `monoctl accounts reauth-link {account}`. Nothing was charged.",
    ),
    CallState.REFUSED: (ExitCode.DOWN, "Mono started nothing ({reason}); nothing was charged."),
    CallState.UNKNOWN: (
        ExitCode.CANNOT_TELL,
        "Nobody knows whether Mono went to the bank ({reason}); it counts as charged, and is not asked again.",
    ),
}


@dataclass(frozen=True, kw_only=True)
class RealtimeEnd:
    """What became of a call. `finished` is that the bank's data are there."""

    document: Document
    exit_code: ExitCode
    sentence: str
    finished: bool = False


class RealtimeWait:
    """Makes one call and waits for its job, `patience` seconds at most. It is never made again."""

    def __init__(
        self, ops: AsksOps, *, patience: float, monotonic: Callable[[], float], pause: Callable[[float], None]
    ) -> None:
        self._ops = ops
        self._patience = patience
        self._monotonic = monotonic
        self._pause = pause

    def until_the_end(self, account_id: str, say: Callable[[str], None]) -> RealtimeEnd:
        """Return how the call ended. One made less than five minutes ago is the one that is waited for."""
        give_up = self._monotonic() + self._patience
        answer = self._ops.ask("realtime.refresh", account_id=account_id)
        reason = str(answer.get("reason"))
        if answer["status"] == "refused" and reason != Refusal.RECENT:
            return _end(answer, *_REFUSED[Refusal(reason)])
        while CallState(answer["call"]["state"]) in _OPEN:
            if self._monotonic() >= give_up:
                code = ExitCode.CANNOT_TELL if self._patience else ExitCode.AS_PROMISED  # nobody wanted to wait
                return _end(answer, code, "Mono is at the bank; when it is done, a sync follows by itself.")
            say(f"Mono is at the bank of {account_id}")
            self._pause(LOOK_SECONDS)
            answer = self._ops.ask("realtime.show", account_id=account_id)
        state = CallState(answer["call"]["state"])
        return _end(answer, *_ENDED[state], finished=state is CallState.FINISHED)


def _end(answer: Document, exit_code: ExitCode, sentence: str, *, finished: bool = False) -> RealtimeEnd:
    words = {
        "account": answer["account_id"],
        "cap": answer["monthly_cap_ngn"],
        "spent": answer["spent_ngn"],
        "reason": (answer["call"] or {}).get("reason"),
    }
    return RealtimeEnd(document=answer, exit_code=exit_code, sentence=sentence.format(**words), finished=finished)
