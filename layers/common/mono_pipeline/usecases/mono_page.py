"""One look at an account's own page at Mono, for an event that leaves a doubt."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from mono_pipeline.core.classify import classify
from mono_pipeline.core.errors import MonoError, MonoNotFound, MonoRejected, ProviderPaused
from mono_pipeline.usecases.paid_calls import PaidCalls

if TYPE_CHECKING:
    from mono_pipeline.core.deadline import Deadline
    from mono_pipeline.core.wire import AccountSnapshot
    from mono_pipeline.usecases.collaborators import Collaborators

_SOONEST_SECONDS: Final = 60.0
_LATEST_SECONDS: Final = 900.0


class MonoPage(Struct, frozen=True, kw_only=True):
    """What Mono says: the account, that it is `absent`, or nothing yet: to be asked again in `retry_seconds`."""

    snapshot: AccountSnapshot | None = None
    absent: bool = False
    retry_seconds: float | None = None


def look_up(collaborators: Collaborators, account_id: str, deadline: Deadline) -> MonoPage:
    """Ask Mono for the account, within the shared rate budget; an outage of Mono's is an answer, not an error."""
    calls = PaidCalls(
        budget=collaborators.budget,
        patience=collaborators.patience(),
        executor=collaborators.executor,
        deadline=deadline,
    )
    try:
        return MonoPage(snapshot=calls.once(partial(collaborators.mono.account, account_id, deadline=deadline)))
    except ProviderPaused as pause:
        return _later(pause.seconds)
    except MonoError as error:
        if _is_absent(error):
            return MonoPage(absent=True)
        return _later(classify(error).defer_seconds)
    finally:
        collaborators.budget.give_back()


def _is_absent(error: MonoError) -> bool:
    """What reads of an unlinked account get is not documented; some 4xx is expected (Mono contract 6)."""
    return isinstance(error, MonoNotFound) or (
        isinstance(error, MonoRejected) and error.status == HTTPStatus.BAD_REQUEST
    )


def _later(seconds: float) -> MonoPage:
    return MonoPage(retry_seconds=min(max(seconds, _SOONEST_SECONDS), _LATEST_SECONDS))
