"""`POST /api/v1/banking/transactions/sync` on the wire: the body that is asked with, the answers, the errors."""

from __future__ import annotations

from datetime import date
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from msgspec.structs import asdict
from pydantic import BaseModel, ConfigDict, ValidationError

from mono_pipeline.core.booking import DateWindow
from mono_pipeline.core.errors import (
    AccountBlocked,
    AccountUnknown,
    AlreadyRunning,
    DependencyUnavailable,
    InvalidInput,
    PipelineError,
    RunUnknown,
)
from mono_pipeline.core.identity import parse_account_id
from mono_pipeline.http.refused_body import refused_body
from mono_pipeline.usecases.sync_request import SyncAnswer, SyncAsked

if TYPE_CHECKING:
    from datetime import datetime

OPERATION: Final = "sync_banking_transactions"
UNAVAILABLE_RETRY_SECONDS: Final = 5
FLAG_VERSION: Final = "Flag-Version"  # a header: SSM's version of the flag that the function acts by as it answers
_STATUS_CODES: Final = {
    "completed": 200,
    "incomplete": 200,
    "deferred": 200,
    "accepted": 202,
    "account_blocked": 409,
    "failed": 502,
    "paused": 503,
}

# Rows before the first are refused anyway; a window is asked for one day wider, and dates end with the year 9999.
_FIRST_DAY: Final = date(1990, 1, 1)
_LAST_DAY: Final = date(2199, 12, 31)

type Answer = tuple[int, dict[str, Any], dict[str, str]]


class SyncBody(BaseModel):
    """The body of a sync call; `start` and `end` are booking dates, both included, given together or not at all."""

    # strict: pydantic would take 1767225600 for the day that this second of Unix time begins
    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)

    account_id: str
    start: date | None = None
    end: date | None = None


def read_sync_call(body: str, *, correlation_id: str) -> SyncAsked:
    """What a body asks for. Raises InvalidInput naming the first field that is wrong."""
    try:
        read = SyncBody.model_validate_json(body)
    except ValidationError as error:
        raise refused_body(error) from error
    return SyncAsked(account_id=parse_account_id(read.account_id), window=_window(read), correlation_id=correlation_id)


def read_run_id(text: str) -> UUID:
    """The run that a path names. Raises InvalidInput."""
    try:
        return UUID(text)
    except ValueError as error:
        raise InvalidInput("run_id", "is not a run id") from error


def answer(outcome: SyncAnswer, correlation_id: str) -> Answer:
    """Status code, JSON body and headers of an outcome."""
    body: dict[str, Any] = {"operation": OPERATION, "status": outcome.status, "correlation_id": correlation_id}
    if outcome.run is not None:
        body["run"] = run_on_the_wire(outcome.run)
    if outcome.guidance is not None:
        body["guidance"] = asdict(outcome.guidance)
    if outcome.warnings:
        body["warnings"] = list(outcome.warnings)
    if outcome.blocked is not None:
        body["reason"] = outcome.blocked
        body["error"] = {"code": "account_blocked", "message": f"Mono refuses this account: {outcome.blocked}"}
    if outcome.status == "failed" and outcome.run is not None:
        body["error"] = {"code": outcome.run["error_code"], "message": "Mono did not give what was asked"}
    if outcome.paused is None:
        return _STATUS_CODES[outcome.status], body, {}
    body["reason"] = outcome.paused.reason
    return 503, body, {"Retry-After": str(max(1, round(outcome.paused.seconds)))}


def error_answer(error: PipelineError, correlation_id: str) -> Answer:
    """Status code, JSON body and headers of an error. Texts of our own only: nothing of a driver or of Mono's."""
    code, name = next((code, name) for kind, code, name in _ERRORS if isinstance(error, kind))
    body = {"operation": OPERATION, "status": name, **_more(error), "error": {"code": name, "message": _message(error)}}
    headers = {"Retry-After": str(UNAVAILABLE_RETRY_SECONDS)} if code == HTTPStatus.SERVICE_UNAVAILABLE else {}
    return code, {**body, "correlation_id": correlation_id}, headers


def with_flag_version(parts: Answer, version: int | None) -> Answer:
    """An answer that says by which version of the flag it was given, if by any: so a change is seen to arrive."""
    code, body, headers = parts
    return code, body, headers if version is None else {**headers, FLAG_VERSION: str(version)}


def run_on_the_wire(run: dict[str, Any]) -> dict[str, Any]:
    """A run as every answer shows it; dates and instants in ISO 8601."""
    return {
        "run_id": str(run["run_id"]),
        "account_id": run["account_id"],
        "status": run["status"],
        "verdict": {
            "kind": run["verdict"],
            "reason": run["verdict_reason"],
            "first_bad_day": _iso(run["first_bad_day"]),
        },
        "counts": {name: run[f"rows_{name}"] for name in ("seen", "inserted", "updated", "unchanged", "quarantined")},
        "window": {"start": _iso(run["window_start"]), "end": _iso(run["window_end"])},
        "started_at": _iso(run["started_at"]),
        "finished_at": _iso(run["finished_at"]),
        "pages_read": run["pages_read"],
        "mono_total": run["mono_total"],
        "error_code": run["error_code"],
    }


def run_answer(run: dict[str, Any], correlation_id: str) -> Answer:
    """The answer to a question for a run: a requested one that nobody started yet is `accepted`."""
    status = "accepted" if run["status"] == "running" and run["started_at"] is None else run["status"]
    body = {"operation": OPERATION, "status": status, "run": run_on_the_wire(run), "correlation_id": correlation_id}
    return 200, body, {}


def _window(read: SyncBody) -> DateWindow | None:
    if read.start is None and read.end is None:
        return None
    if read.start is None or read.end is None:
        raise InvalidInput("start" if read.start is None else "end", "is missing: give both days, or none")
    for field, day in (("start", read.start), ("end", read.end)):
        if not _FIRST_DAY <= day <= _LAST_DAY:
            raise InvalidInput(field, f"lies outside {_FIRST_DAY} to {_LAST_DAY}")
    return DateWindow(start=read.start, end=read.end)


_ERRORS: Final[tuple[tuple[type[PipelineError], int, str], ...]] = (
    (InvalidInput, 422, "invalid_input"),
    (AccountUnknown, 404, "unknown_account"),
    (RunUnknown, 404, "unknown_run"),
    (AlreadyRunning, 409, "already_running"),
    (AccountBlocked, 409, "account_blocked"),
    (DependencyUnavailable, 503, "unavailable"),
    (PipelineError, 500, "internal_error"),
)


def _message(error: PipelineError) -> str:
    """The error's words; of an outage or a defect only its kind, for they name hosts, users and settings of ours."""
    if isinstance(error, (InvalidInput, AccountUnknown, RunUnknown, AlreadyRunning, AccountBlocked)):
        return str(error)
    return (type(error).__doc__ or "").splitlines()[0]


def _more(error: PipelineError) -> dict[str, str]:
    match error:
        case InvalidInput():
            return {"field": error.field}
        case AlreadyRunning():
            return {"run_id": error.run_id}
        case AccountBlocked():
            return {"reason": error.reason}
        case _:
            return {}


def _iso(moment: date | datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None
