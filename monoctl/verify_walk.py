"""The verification of one account: one invocation, or with Mono as many as the reading takes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from mono_pipeline.core.verdict import VerdictKind
from monoctl.errors import OpsRefused, Unanswered
from monoctl.exit_code import ExitCode, of_error, of_verdict, worst

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mono_pipeline.core.booking import DateWindow
    from monoctl.reach import AsksOps

    type Row = dict[str, Any]

# What Mono says of one account says nothing of the next one.
OF_ONE_ACCOUNT: Final = frozenset({"MonoNotFound", "MonoRefused", "MonoRejected", "MonoUnintelligible"})
_NAMED: Final = 100


def verified(
    ops: AsksOps, account_id: str, *, live: bool, days: DateWindow | None, watch: Callable[[Row], None]
) -> Row:
    """Return the answer on one account; `watch` sees how far a reading of Mono has come (`so_far`)."""
    arguments: Row = {"account_id": account_id, "live": live}
    if days is not None:
        arguments |= {"from": days.start.isoformat(), "to": days.end.isoformat()}
    answer = ops.ask("verify.account", **arguments)
    pages = 0
    while "so_far" in answer:
        if answer["so_far"]["pages"] <= pages:
            raise Unanswered(f"the reading of {account_id} does not move on after page {pages}")
        pages = answer["so_far"]["pages"]
        watch(answer["so_far"])
        answer = ops.ask("verify.account", **arguments, so_far=answer["so_far"])
    return answer


def verified_or_refused(ops: AsksOps, account_id: str, **how: Any) -> Row:
    """Return as `verified`, or the error where Mono refuses this one account, so that the others can be looked at."""
    try:
        return verified(ops, account_id, **how)
    except OpsRefused as refused:
        if refused.code not in OF_ONE_ACCOUNT:
            raise
        return {"account_id": account_id, "error": {"code": refused.code, "message": str(refused)}}


def exit_code(answer: Row) -> ExitCode:
    """Return what an answer comes to: its verdict, and whether the days that were asked for are complete."""
    if "error" in answer:
        return of_error(OpsRefused(answer["error"]["code"], answer["error"]["message"]))
    coverage = answer.get("coverage")
    covered = coverage is None or coverage["complete"]
    return worst([of_verdict(answer["verdict"]["kind"]), ExitCode.AS_PROMISED if covered else ExitCode.INCOMPLETE])


def verdicts_of(answers: Sequence[Row]) -> Row:
    """Return how many accounts have which verdict, and which of them are not verified (a hundred at most)."""
    kinds = {answer["account_id"]: (answer.get("verdict") or {}).get("kind", "cannot_tell") for answer in answers}
    others = {account_id: kind for account_id, kind in kinds.items() if kind != VerdictKind.VERIFIED}
    return {"verdicts": dict(Counter(kinds.values())), "not_verified": dict(list(others.items())[:_NAMED])}
