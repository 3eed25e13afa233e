"""An action on the dead letters from its first answer to its last: asked for again and again until it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from mono_pipeline.core.replay import TAKES_OFF, Outcome
from monoctl.errors import Unanswered
from monoctl.exit_code import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from monoctl.reach import AsksDeadLetters

    type Row = dict[str, Any]

_STANDSTILLS: Final = 5  # answers in a row in which nothing moved
_BLOCKED: Final = frozenset({Outcome.UNLINKED, Outcome.REFUSED, Outcome.REAUTH_REQUIRED})


def carry_through(api: AsksDeadLetters, body: Row, *, asked_by: str, watch: Callable[[Row], None]) -> Row:
    """Return the last answer; `watch` sees each. Raises Unanswered where the action does not move on.

    The action's id is made here, so that an answer that is lost costs nothing: what was done is not done twice.
    """
    body = {**body, "action_id": str(uuid4()), "asked_by": asked_by}
    before, standstills = None, 0
    while True:
        answer = api.ask(body)
        watch(answer)
        if answer["status"] == "completed":
            return answer
        now = (answer["so_far"], answer["outcomes"])
        standstills = standstills + 1 if now == before else 0
        if standstills == _STANDSTILLS:
            raise Unanswered(f"action {body['action_id']} does not move on; what it did is done")
        before = now


def left_behind(answer: Row) -> dict[str, Row]:
    """Return the outcomes of letters that were meant and stay, with their counts."""
    taken = {*TAKES_OFF, Outcome.NOT_MATCHED}
    return {outcome: counts for outcome, counts in answer["outcomes"].items() if outcome not in taken}


def exit_code(answer: Row) -> ExitCode:
    """Return what an action comes to: a dry run promises nothing, and letters that stay are not as promised."""
    left = left_behind(answer)
    if answer["dry_run"] or not left:
        return ExitCode.AS_PROMISED
    if not TAKES_OFF & set(answer["outcomes"]):
        if set(left) == {Outcome.FLAG_OFF}:
            return ExitCode.DEFERRED
        if set(left) <= _BLOCKED:
            return ExitCode.BLOCKED
    return ExitCode.INCOMPLETE
