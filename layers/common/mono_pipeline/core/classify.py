"""What to do about each error of the tree, as one table: what the caller must do, and what the metric calls it."""

from __future__ import annotations

from copy import replace
from enum import StrEnum

from msgspec import Struct

from mono_pipeline.core import errors
from mono_pipeline.core.wire.refusal import Refusal

MAX_PAUSE_SECONDS = 900.0  # however long Mono asks us to wait: fifteen minutes, then look again


class TreatmentKind(StrEnum):
    """What the caller must do."""

    RETRY = "retry"  # again in place, a little; then as `defer`
    DEFER = "defer"  # not now: `next_attempt_at` on the account, and the message is acknowledged
    ACCOUNT_BLOCKED = "account_blocked"  # this account waits for somebody to do something
    PROVIDER_SUSPECT = "provider_suspect"  # probe the account list: if it fails too, nobody may call Mono for a while
    POISON = "poison"  # never again: the message goes to quarantine
    STAND_DOWN = "stand_down"  # another run has the account: acknowledge, and write nothing


class ErrorReason(StrEnum):
    """The closed list of reasons: a metric dimension, and the `error_code` of a failed run."""

    INVALID_INPUT = "invalid_input"
    MALFORMED_FLAG = "malformed_flag"
    ACCOUNT_UNKNOWN = "account_unknown"
    RUN_UNKNOWN = "run_unknown"
    ACCOUNT_BLOCKED = "account_blocked"
    ALREADY_RUNNING = "already_running"
    PROVIDER_PAUSED = "provider_paused"
    LEASE_LOST = "lease_lost"
    CONFIGURATION = "configuration"
    DATABASE_UNAVAILABLE = "database_unavailable"
    QUEUE_UNAVAILABLE = "queue_unavailable"
    PARAMETERS_UNAVAILABLE = "parameters_unavailable"
    MONO_UNREACHABLE = "mono_unreachable"
    MONO_UNTRUSTED = "mono_untrusted"
    MONO_SERVER_ERROR = "mono_server_error"
    MONO_RATE_LIMITED = "mono_rate_limited"
    MONO_KEY_REFUSED = "mono_key_refused"
    MONO_PAYMENT_REQUIRED = "mono_payment_required"
    MONO_FORBIDDEN = "mono_forbidden"
    MONO_NOT_FOUND = "mono_not_found"
    MONO_REJECTED = "mono_rejected"
    MONO_UNINTELLIGIBLE = "mono_unintelligible"
    MONO_WRONG_ACCOUNT = "mono_wrong_account"
    UNEXPECTED = "unexpected"


class Treatment(Struct, frozen=True, kw_only=True):
    """`kind` decides; `defer_seconds` is how long to stay away, for `retry` once the attempts in place are used up.

    Zero means that there is nothing to wait for, or that the queue itself brings the message back.
    """

    kind: TreatmentKind
    reason: ErrorReason
    defer_seconds: float = 0.0


class Row(Struct, frozen=True):
    """One line of the table: an error, its status or refusal (None for every other), and its treatment."""

    error: type[errors.PipelineError]
    detail: int | str | None
    kind: TreatmentKind
    reason: ErrorReason
    defer_seconds: float = 0.0


_SOON, _LATER, _MUCH_LATER = 60.0, 300.0, 3600.0

_K, _R = TreatmentKind, ErrorReason
TABLE = (
    # Ours.
    Row(errors.PipelineError, None, _K.DEFER, _R.UNEXPECTED, _LATER),
    Row(errors.InvalidInput, None, _K.POISON, _R.INVALID_INPUT),
    Row(errors.MalformedFlag, None, _K.DEFER, _R.MALFORMED_FLAG, _LATER),
    Row(errors.AccountUnknown, None, _K.POISON, _R.ACCOUNT_UNKNOWN),
    Row(errors.RunUnknown, None, _K.POISON, _R.RUN_UNKNOWN),
    Row(errors.AccountBlocked, None, _K.ACCOUNT_BLOCKED, _R.ACCOUNT_BLOCKED, _MUCH_LATER),
    Row(errors.AlreadyRunning, None, _K.STAND_DOWN, _R.ALREADY_RUNNING),
    Row(errors.ProviderPaused, None, _K.DEFER, _R.PROVIDER_PAUSED, _SOON),
    Row(errors.LeaseLost, None, _K.STAND_DOWN, _R.LEASE_LOST),
    Row(errors.ConfigurationError, None, _K.DEFER, _R.CONFIGURATION, _LATER),
    # Without the database no due time can be written, so these come back by the queue.
    Row(errors.DependencyUnavailable, None, _K.RETRY, _R.UNEXPECTED),
    Row(errors.DatabaseUnavailable, None, _K.RETRY, _R.DATABASE_UNAVAILABLE),
    Row(errors.QueueUnavailable, None, _K.RETRY, _R.QUEUE_UNAVAILABLE),
    Row(errors.ParametersUnavailable, None, _K.RETRY, _R.PARAMETERS_UNAVAILABLE),
    # Mono's.
    Row(errors.MonoError, None, _K.DEFER, _R.UNEXPECTED, _LATER),
    Row(errors.MonoUnreachable, None, _K.RETRY, _R.MONO_UNREACHABLE, _LATER),
    # A certificate does not get better by trying. It is everybody's, so that the probe fails too until it is renewed.
    Row(errors.MonoUntrusted, None, _K.PROVIDER_SUSPECT, _R.MONO_UNTRUSTED, _SOON),
    Row(errors.MonoServerError, None, _K.RETRY, _R.MONO_SERVER_ERROR, _LATER),
    Row(errors.MonoRateLimited, None, _K.DEFER, _R.MONO_RATE_LIMITED, _SOON),
    Row(errors.MonoRefused, None, _K.PROVIDER_SUSPECT, _R.MONO_FORBIDDEN, _MUCH_LATER),
    Row(errors.MonoRefused, 401, _K.PROVIDER_SUSPECT, _R.MONO_KEY_REFUSED, _MUCH_LATER),
    Row(errors.MonoRefused, 402, _K.PROVIDER_SUSPECT, _R.MONO_PAYMENT_REQUIRED, _MUCH_LATER),
    Row(errors.MonoNotFound, None, _K.ACCOUNT_BLOCKED, _R.MONO_NOT_FOUND, _MUCH_LATER),
    Row(errors.MonoRejected, None, _K.DEFER, _R.MONO_REJECTED, _MUCH_LATER),
    Row(errors.MonoRejected, 408, _K.RETRY, _R.MONO_REJECTED, _LATER),
    Row(errors.MonoRejected, 409, _K.RETRY, _R.MONO_REJECTED, _LATER),
    Row(errors.MonoRejected, 425, _K.RETRY, _R.MONO_REJECTED, _LATER),
    # Half an answer, a gateway's HTML or the page before the one we asked for may be better next time ...
    Row(errors.MonoUnintelligible, None, _K.RETRY, _R.MONO_UNINTELLIGIBLE, _LATER),
    # ... these will not, and hammering Mono for them only hides that its contract moved.
    Row(errors.MonoUnintelligible, Refusal.TOO_LARGE, _K.DEFER, _R.MONO_UNINTELLIGIBLE, _MUCH_LATER),
    Row(errors.MonoUnintelligible, Refusal.TOO_MANY_ROWS, _K.DEFER, _R.MONO_UNINTELLIGIBLE, _MUCH_LATER),
    Row(errors.MonoUnintelligible, Refusal.DUPLICATE_KEY, _K.DEFER, _R.MONO_UNINTELLIGIBLE, _MUCH_LATER),
    Row(errors.MonoUnintelligible, Refusal.BAD_ACCOUNT, _K.DEFER, _R.MONO_UNINTELLIGIBLE, _MUCH_LATER),
    # Somebody else's data: an alarm, and no second look before a person had one.
    Row(errors.MonoUnintelligible, Refusal.WRONG_ACCOUNT, _K.DEFER, _R.MONO_WRONG_ACCOUNT, _MUCH_LATER),
)
_TREATMENTS = {
    (row.error, row.detail): Treatment(kind=row.kind, reason=row.reason, defer_seconds=row.defer_seconds)
    for row in TABLE
}


def classify(error: errors.PipelineError) -> Treatment:
    """What to do about `error`: its own row of `TABLE`, with the wait that the error itself asks for.

    An error of a class that has no row is treated as the nearest one above it.
    """
    treatment = _row_of(error)
    asked = _asked_wait(error)
    return treatment if asked is None else replace(treatment, defer_seconds=min(asked, MAX_PAUSE_SECONDS))


def _row_of(error: errors.PipelineError) -> Treatment:
    keys = [(ancestor, detail) for ancestor in type(error).__mro__ for detail in (_detail(error), None)]
    return next(_TREATMENTS[key] for key in keys if key in _TREATMENTS)


def _detail(error: errors.PipelineError) -> int | str | None:
    match error:
        case errors.MonoRefused() | errors.MonoRejected():
            return error.status
        case errors.MonoUnintelligible():
            return error.reason
        case _:
            return None


def _asked_wait(error: errors.PipelineError) -> float | None:
    match error:
        case errors.MonoRateLimited():
            return error.retry_after
        case errors.ProviderPaused():
            return error.seconds
        case _:
            return None
