"""What an operator asks of the database through the ops function: one action, one answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from msgspec.structs import asdict

from mono_pipeline.core.errors import AccountUnknown, InvalidInput, PipelineError, RunUnknown
from mono_pipeline.core.identity import parse_account_id
from mono_pipeline.core.whole_number import whole_number
from mono_pipeline.usecases.account_check import check_account
from mono_pipeline.usecases.account_import import AccountImport
from mono_pipeline.usecases.backfill import Backfill
from mono_pipeline.usecases.erasure import AccountErasure
from mono_pipeline.usecases.freshness_operations import FreshnessOperations
from mono_pipeline.usecases.maintenance import Maintenance
from mono_pipeline.usecases.paid_calls import PaidCalls
from mono_pipeline.usecases.preflight import Preflight
from mono_pipeline.usecases.reauthorisation import reauth_link
from mono_pipeline.usecases.release_figures import ReleaseFigures
from mono_pipeline.usecases.release_log import ReleaseLog
from mono_pipeline.usecases.release_observation import ReleaseObservation
from mono_pipeline.usecases.shadow_sync import ShadowSync
from mono_pipeline.usecases.suspicions import Suspicions

if TYPE_CHECKING:
    from collections.abc import Callable

    from mono_pipeline.core.deadline import Deadline
    from mono_pipeline.usecases.collaborators import Collaborators

    type Event = dict[str, Any]

_LARGEST_PAGE: Final = 500
_JSON: Final = (str, int, float, dict, list, type(None))


class Operations:
    """The actions of the ops function but `migrate`, by name."""

    def __init__(self, collaborators: Collaborators) -> None:
        self._with = collaborators

    def perform(self, event: Event, deadline: Deadline) -> Event:
        """The answer to an event; an error of the tree becomes its answer, any other is Lambda's to report."""
        actions: dict[str, Callable[[Event, Deadline], Event]] = {
            "accounts.import": self._import,
            "accounts.list": self._list,
            "accounts.show": self._show,
            "accounts.reauth_link": lambda event, deadline: reauth_link(self._with, event, deadline),
            "accounts.erase": lambda event, _deadline: AccountErasure(self._with.database).erase(event),
            "maintenance.run": lambda _event, deadline: Maintenance(self._with.database).run(deadline),
            "runs.show": self._run,
            "verify.account": self._verify,
            "sync.shadow": self._shadow,
            "preflight.settings": lambda _event, _deadline: Preflight(self._with).settings(),
            "preflight.flag": lambda _event, _deadline: Preflight(self._with).flag(),
            "preflight.database": lambda _event, _deadline: Preflight(self._with).database(),
            "preflight.mono": lambda _event, deadline: Preflight(self._with).mono(deadline),
            "preflight.arrival": lambda event, _deadline: Preflight(self._with).arrival(event),
            "backfill.plan": lambda event, _deadline: Backfill(self._with).plan(event),
            "backfill.start": lambda event, _deadline: Backfill(self._with).start(event),
            "duplicates.list": self._suspicions,
            "duplicates.decide": lambda event, deadline: Suspicions(self._with).decide(event, deadline),
            "realtime.refresh": lambda event, deadline: FreshnessOperations(self._with).refresh(event, deadline),
            "realtime.show": lambda event, deadline: FreshnessOperations(self._with).show(event, deadline),
            "realtime.policy": lambda event, _deadline: FreshnessOperations(self._with).set_policy(event),
            "releases.begin": lambda event, _deadline: ReleaseLog(self._with.database).begin(event),
            "releases.record": lambda event, _deadline: ReleaseLog(self._with.database).record(event),
            "releases.show": lambda event, _deadline: ReleaseLog(self._with.database).show(event),
            "releases.list": lambda event, _deadline: ReleaseLog(self._with.database).list(event),
            "releases.observe": lambda event, _deadline: ReleaseObservation(self._with).observe(event),
            "releases.cohort": lambda event, _deadline: ReleaseObservation(self._with).cohort(event),
            "releases.starts": lambda event, _deadline: ReleaseObservation(self._with).starts(event),
            "releases.timeline": lambda event, _deadline: ReleaseFigures(self._with.database).timeline(event),
            "releases.verdicts": lambda event, _deadline: ReleaseFigures(self._with.database).verdicts(event),
            "releases.letters": lambda event, _deadline: ReleaseFigures(self._with.database).letters(event),
            "freshness.slo": lambda event, _deadline: FreshnessOperations(self._with).set_slo(event),
        }
        try:
            action = actions.get(event.get("action", ""))
            if action is None:
                raise InvalidInput("action", f"is none of: migrate, {', '.join(actions)}")
            return action(event, deadline)
        except PipelineError as error:
            return {"error": {"code": type(error).__name__, "message": str(error)}}

    def _import(self, event: Event, deadline: Deadline) -> Event:
        """`account_ids` (none: all that Mono lists, from `page` on)."""
        calls = PaidCalls(
            budget=self._with.budget,
            patience=self._with.patience(),
            executor=self._with.executor,
            deadline=deadline,
        )
        bring = AccountImport(self._with, calls)
        wanted = [parse_account_id(text) for text in event.get("account_ids") or []]
        first_page = whole_number(event, "page", usual=1)
        try:
            return asdict(bring.named(wanted, deadline) if wanted else bring.all(deadline, first_page=first_page))
        finally:
            self._with.budget.give_back()

    def _list(self, event: Event, _deadline: Deadline) -> Event:
        """`limit` accounts after the id `after`; `next` is where the following page starts, or null."""
        limit = whole_number(event, "limit", usual=100, at_most=_LARGEST_PAGE)
        rows = self._with.accounts.page(
            slo_hours=self._with.settings.freshness_slo_hours, after=str(event.get("after", "")), limit=limit
        )
        return {
            "accounts": [_plain(row) for row in rows],
            "next": rows[-1]["mono_account_id"] if len(rows) == limit else None,
        }

    def _show(self, event: Event, _deadline: Deadline) -> Event:
        account = self._with.accounts.find(parse_account_id(str(event.get("account_id", ""))))
        rows = self._with.accounts.page(
            slo_hours=self._with.settings.freshness_slo_hours, only=account.mono_account_id, limit=1
        )
        if not rows:
            raise AccountUnknown
        return {"account": _plain(rows[0])}

    def _run(self, event: Event, _deadline: Deadline) -> Event:
        try:
            run = self._with.runs.show(UUID(str(event.get("run_id", ""))))
        except ValueError as error:
            raise InvalidInput("run_id", "is not a run id") from error
        if run is None:
            raise RunUnknown
        return {"run": _plain(run)}

    def _verify(self, event: Event, deadline: Deadline) -> Event:
        answer = check_account(self._with, event, deadline)
        for name in ("run", "newest_end"):
            if answer.get(name) is not None:
                answer[name] = _plain(answer[name])
        return answer

    def _shadow(self, event: Event, deadline: Deadline) -> Event:
        """What a sync of `account_id` would do now; nothing of it is done."""
        account = self._with.accounts.find(parse_account_id(str(event.get("account_id", ""))))
        return ShadowSync(self._with, account, deadline).compare()

    def _suspicions(self, event: Event, _deadline: Deadline) -> Event:
        rows, following = Suspicions(self._with).page(event)
        return {"suspicions": [_plain(row) for row in rows], "next": following}


def _plain(row: Event) -> Event:
    """A row as JSON: dates, instants and ids as text."""
    return {name: value if isinstance(value, _JSON) else str(value) for name, value in row.items()}
