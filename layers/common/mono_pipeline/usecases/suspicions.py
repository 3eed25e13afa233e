"""Open questions of identity, for an operator: pages of them, and a few decided at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mono_pipeline.adapters.suspicion_store import SuspicionStore
from mono_pipeline.core.errors import InvalidInput
from mono_pipeline.core.identity import parse_account_id
from mono_pipeline.core.whole_number import whole_number

if TYPE_CHECKING:
    from mono_pipeline.adapters.postgres import Row
    from mono_pipeline.core.deadline import Deadline
    from mono_pipeline.usecases.collaborators import Collaborators

    type Event = dict[str, Any]

LARGEST_PAGE: Final = 500
DECIDED_AT_ONCE: Final = 100
_LONGEST_NAME: Final = 128


class Suspicions:
    """Serves `duplicates list|accept|reject`."""

    def __init__(self, collaborators: Collaborators) -> None:
        self._with = collaborators
        self._store = SuspicionStore(collaborators.database)

    def page(self, event: Event) -> tuple[list[Row], int | None]:
        """`limit` suspicions after the id `after`, of `account_id` or of all; open ones, with `decided` every one.

        Returns them, and after which id the next page starts. Raises InvalidInput, AccountUnknown.
        """
        limit = whole_number(event, "limit", usual=100, at_most=LARGEST_PAGE)
        after = whole_number(event, "after", usual=0, least=0)
        account = event.get("account_id")
        mono_account_id = self._with.accounts.find(parse_account_id(str(account))).mono_account_id if account else None
        rows = self._store.page(account=mono_account_id, every=bool(event.get("decided")), after=after, limit=limit)
        return rows, rows[-1]["id"] if len(rows) == limit else None

    def decide(self, event: Event, deadline: Deadline) -> Event:
        """Decide `ids`: `same` or not, by `decided_by`; each in a commit of its own, until time is up.

        `decided` are those that this call has decided, `not_open` those that are decided already or unknown, `left`
        those that it had no time for. Raises InvalidInput before anything is decided.
        """
        ids, same, who = _ids(event), event.get("same"), str(event.get("decided_by", ""))
        if not isinstance(same, bool):
            raise InvalidInput("same", "is neither true nor false")
        if not who.isprintable() or not 0 < len(who) <= _LONGEST_NAME:
            raise InvalidInput("decided_by", f"is no name of 1 to {_LONGEST_NAME} characters")
        answer: dict[str, list[int]] = {"decided": [], "not_open": [], "left": []}
        for each in ids:
            if deadline.expired:
                answer["left"].append(each)
            else:
                decided = self._store.decide(each, same=same, decided_by=who)
                answer["decided" if decided else "not_open"].append(each)
        return answer


def _ids(event: Event) -> list[int]:
    ids = event.get("ids")
    whole = isinstance(ids, list) and all(isinstance(each, int) and not isinstance(each, bool) for each in ids)
    if not whole or not ids or len(ids) > DECIDED_AT_ONCE:
        raise InvalidInput("ids", f"are not 1 to {DECIDED_AT_ONCE} whole numbers")
    return list(dict.fromkeys(ids))
