"""What a release's report is told by the database, beside its trail."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from mono_pipeline.adapters.release_figures_store import Period, ReleaseFiguresStore
from mono_pipeline.core.errors import InvalidInput
from mono_pipeline.core.identity import parse_account_id
from mono_pipeline.core.whole_number import whole_number
from mono_pipeline.usecases.release_observation import MOST_ACCOUNTS, instant_of

if TYPE_CHECKING:
    from mono_pipeline.adapters.postgres import Database

    type Event = dict[str, Any]

MOST_SLOTS: Final = 500  # an invocation's answer holds many more
MOST_ACCOUNTS_SHOWN: Final = 200
_SHORTEST_SLOT, _LONGEST_SLOT = 1.0, 31 * 86_400.0


class ReleaseFigures:
    """Serves `releases.timeline|verdicts|letters`, each of a period from `since` to `until`, both included."""

    def __init__(self, database: Database) -> None:
        self._store = ReleaseFiguresStore(database)

    def timeline(self, event: Event) -> Event:
        """What ended in each slot of `slot_seconds`, the runs of `accounts` (`canary`) and of all others apart.

        Slots in which nothing ended are left out. `whole` is the period, `errors` the failed runs by slot and reason.
        Raises InvalidInput.
        """
        period, canary = _period(event), _canary(event)
        whole, *slots = self._store.runs(period, canary)
        errors = self._store.errors(period)
        return {
            "whole": _plain({name: value for name, value in whole.items() if name not in {"slot", "canary"}}),
            "slots": [_plain(row) for row in slots],
            "errors": [_plain(row) for row in errors],
        }

    def verdicts(self, event: Event) -> Event:
        """How the runs of each account ended in each slot, of the `limit` accounts that went worst.

        `found` is how many accounts had any. Raises InvalidInput.
        """
        period, canary = _period(event), _canary(event)
        limit = whole_number(event, "limit", usual=100, at_most=MOST_ACCOUNTS_SHOWN)
        accounts = self._store.accounts(period, canary, limit=limit)
        slots: dict[int, list[Event]] = {}
        for row in self._store.verdicts(period, [each["id"] for each in accounts]):
            slots.setdefault(row.pop("id"), []).append(_plain(row))
        found = accounts[0]["found"] if accounts else 0
        shown = [
            {**{name: value for name, value in row.items() if name not in {"id", "found"}}, "slots": slots[row["id"]]}
            for row in accounts
        ]
        return {"found": found, "accounts": shown}

    def letters(self, event: Event) -> Event:
        """Accounts that were given up and are so still, messages that were archived, and what was done about them.

        Raises InvalidInput.
        """
        period, limit = _period({"slot_seconds": _LONGEST_SLOT, **event}), MOST_ACCOUNTS_SHOWN
        given_up = self._store.given_up(period, limit=limit)
        return {
            "found": given_up[0]["found"] if given_up else 0,
            "accounts": [_plain({name: value for name, value in row.items() if name != "found"}) for row in given_up],
            "archived": self._store.archived(period, limit=limit),
            "actions": [_plain(row) for row in self._store.actions(period, limit=limit)],
        }


def _period(event: Event) -> Period:
    since, until = instant_of(event, "since"), instant_of(event, "until")
    slot = event.get("slot_seconds")
    if isinstance(slot, bool) or not isinstance(slot, int | float) or not _SHORTEST_SLOT <= slot <= _LONGEST_SLOT:
        raise InvalidInput("slot_seconds", f"is no number of seconds from {_SHORTEST_SLOT:.0f} to {_LONGEST_SLOT:.0f}")
    length = (until - since).total_seconds()
    if length < 0:
        raise InvalidInput("until", "is before since")
    if length / slot > MOST_SLOTS:
        raise InvalidInput("slot_seconds", f"makes more than {MOST_SLOTS} slots of this period")
    return Period(since=since, until=until, slot_seconds=float(slot))


def _canary(event: Event) -> list[str]:
    """The accounts that are told apart. One that was erased since breaks no report: it has no runs any more."""
    named = event.get("accounts") or []
    if not isinstance(named, list) or len(named) > MOST_ACCOUNTS:
        raise InvalidInput("accounts", f"is no list of at most {MOST_ACCOUNTS} ids")
    return [parse_account_id(str(each)) for each in named]


def _plain(row: Event) -> Event:
    return {
        name: value.isoformat() if isinstance(value, datetime) else str(value) if isinstance(value, UUID) else value
        for name, value in row.items()
    }
