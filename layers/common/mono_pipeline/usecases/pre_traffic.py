"""Whether new code may have traffic: what speaks against it, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mono_pipeline.core.identity import parse_account_id
from mono_pipeline.core.verdict import VerdictKind
from mono_pipeline.usecases.shadow_sync import ShadowSync

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mono_pipeline.core.deadline import Deadline
    from mono_pipeline.usecases.collaborators import Collaborators


class PreTraffic:
    """Looks at the flag, the schema and one account. Nothing is written but what the calls to Mono cost."""

    def __init__(self, collaborators: Collaborators) -> None:
        self._with = collaborators

    def problem(self, *, pending: Iterable[str], account_id: str, deadline: Deadline) -> str | None:
        """Why this code may have no traffic; None where nothing speaks against it.

        `pending` are migrations that the database does not have; those that come after the code may be missing.
        Without an `account_id` none is read. Raises PipelineError: what cannot be looked at is a no too.
        """
        reading = self._with.flag.read(max_age=0.0)
        if reading.problem is not None:
            return f"the flag is {reading.problem}: {reading.detail}"
        before_code = [name for name in pending if "_pre_" in name]
        if before_code:
            return f"the schema lacks {', '.join(before_code)}: migrate first"
        return self._shadow_problem(account_id, deadline) if account_id else None

    def _shadow_problem(self, account_id: str, deadline: Deadline) -> str | None:
        account = self._with.accounts.find(parse_account_id(account_id))
        answer = ShadowSync(self._with, account, deadline).compare()
        verdict = answer["verdict"]
        rows = {f"rows_{name}": count for name, count in answer["counts"].items()}
        told = {"verdict": verdict["kind"], "verdict_reason": verdict["reason"]} if verdict else {}
        self._with.observer.event("mono.release.shadow", None, account_id=account_id, **rows, **told)
        if verdict is None:
            return f"the shadow sync of {account_id} did not end in time"
        if verdict["kind"] == VerdictKind.MISMATCH:
            return f"this code would change stored rows of {account_id} since {verdict['first_bad_day']}"
        return None
