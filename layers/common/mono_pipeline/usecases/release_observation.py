"""What the gate of a release is told by the database, and how many accounts a step of it reaches."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import asdict

from mono_pipeline.adapters.release_observatory import AccountNames, ReleaseObservatory
from mono_pipeline.core.errors import InvalidInput, MalformedFlag
from mono_pipeline.core.flag import FlagReading, decide, parse_flag
from mono_pipeline.core.identity import parse_account_id
from mono_pipeline.core.release_cohort import Cohort, cohort_of
from mono_pipeline.core.whole_number import whole_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mono_pipeline.adapters.release_observatory import SeenRun
    from mono_pipeline.usecases.collaborators import Collaborators

    type Event = dict[str, Any]
    type IsIn = Callable[[AccountNames], bool]

MOST_ACCOUNTS: Final = 140  # as many as the flag's lists hold
_LONGEST_SAMPLE: Final = 100
_LONGEST_BASELINE: Final = 86_400.0


class ReleaseObservation:
    """Serves `releases.observe|cohort|starts`."""

    def __init__(self, collaborators: Collaborators) -> None:
        self._with = collaborators
        self._look = ReleaseObservatory(collaborators.database)

    def observe(self, event: Event) -> Event:
        """The cohorts `canary`, `rest` and `rest_before` of a window that was opened at `since`.

        The canary is `accounts`, else those that the flag text `after` turns on and `before` does not. The baseline is
        `baseline_seconds` before the window. `freshness` tells how old the bank's data are of whoever had a run,
        `accounts` how each account of a named canary stands.
        Raises InvalidInput, AccountUnknown.
        """
        since, baseline = instant_of(event, "since"), _seconds(event, "baseline_seconds", 3_600.0)
        named = self._present(event)
        is_canary = _named(named) if named else _added(event)
        seen = self._look.ended_runs(since=since, baseline_from=since - timedelta(seconds=baseline))
        raised = self._look.suspicions(since=since)

        def cohort(*, canary: bool, inside: bool = True) -> Event:
            runs = [each.run for each in seen if each.inside is inside and is_canary(each.names) is canary]
            suspicions = sum(count for names, count in raised if inside and is_canary(names) is canary)
            return cohort_document(cohort_of(runs, suspicions=suspicions))

        return {
            "now": self._look.now().isoformat(),
            "canary": cohort(canary=True),
            "rest": cohort(canary=False),
            "rest_before": cohort(canary=False, inside=False),
            "freshness": {
                name: _freshness(each for each in seen if each.inside and is_canary(each.names) is canary)
                for name, canary in (("canary", True), ("rest", False))
            },
            "accounts": [_plain(row) for row in self._look.stand(named)] if named else [],
        }

    def cohort(self, event: Event) -> Event:
        """How many readable accounts the flag text `after` turns on and `before` does not, with a `sample` of them."""
        is_added = _added(event)
        limit = whole_number(event, "sample", usual=20, least=0, at_most=_LONGEST_SAMPLE)
        added, sample = 0, list[str]()
        for names in self._look.accounts():
            if is_added(names):
                added += 1
                if len(sample) < limit:
                    sample.append(names.present)
        return {"accounts": added, "sample": sample}

    def starts(self, event: Event) -> Event:
        """What began after `since`; without it, the clock alone: `now` is the database's."""
        if event.get("since") is None:
            return {"now": self._look.now().isoformat()}
        since = instant_of(event, "since")
        starts = self._look.starts(since=since)
        last = starts.last_started_at
        return {
            "now": starts.now.isoformat(),
            "seconds": (starts.now - since).total_seconds(),
            "started": starts.started,
            "last_started_seconds": None if last is None else (last - since).total_seconds(),
            "working": starts.working,
            "waiting": starts.waiting,
        }

    def _present(self, event: Event) -> list[str]:
        """The present ids of the accounts that are named."""
        named = event.get("accounts") or []
        if not isinstance(named, list) or len(named) > MOST_ACCOUNTS:
            raise InvalidInput("accounts", f"is no list of at most {MOST_ACCOUNTS} ids")
        ids = [parse_account_id(str(each)) for each in named]
        return sorted({self._with.accounts.find(each).mono_account_id for each in ids})


def cohort_document(cohort: Cohort) -> Event:
    """A cohort as JSON."""
    return asdict(cohort)


def _freshness(runs: Iterable[SeenRun]) -> Event:
    """The oldest of the bank's data in seconds, and of how many accounts nobody knows how old they are."""
    ages = {run.names.present: run.bank_data_seconds for run in runs}
    known = [seconds for seconds in ages.values() if seconds is not None]
    return {"oldest_seconds": max(known, default=None), "unknown": len(ages) - len(known)}


def _named(accounts: list[str]) -> IsIn:
    wanted = frozenset(accounts)
    return lambda names: bool(names.all & wanted)


def _added(event: Event) -> IsIn:
    before, after = _rule(event, "before"), _rule(event, "after")

    def is_on(flag: FlagReading, names: AccountNames) -> bool:
        return decide(flag, names.first, also_known_as=names.all).enabled

    return lambda names: is_on(after, names) and not is_on(before, names)


def _rule(event: Event, name: str) -> FlagReading:
    try:
        return FlagReading(rule=parse_flag(str(event.get(name, ""))))
    except MalformedFlag as malformed:
        raise InvalidInput(name, f"is no text of the flag: {malformed}") from malformed


def instant_of(event: Event, name: str) -> datetime:
    """Return the instant that an event names; raise InvalidInput for what is none, or has no zone."""
    try:
        instant = datetime.fromisoformat(str(event.get(name, "")))
    except ValueError:
        raise InvalidInput(name, "is no instant") from None
    if instant.tzinfo is None:
        raise InvalidInput(name, "is an instant without its zone")
    return instant


def _seconds(event: Event, name: str, usual: float) -> float:
    given = event.get(name, usual)
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given <= _LONGEST_BASELINE:
        raise InvalidInput(name, f"is no number of seconds from 0 to {_LONGEST_BASELINE:.0f}")
    return float(given)


def _plain(row: Event) -> Event:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}
