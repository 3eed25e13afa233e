"""`POST /api/v1/ops/dead-letters` on the wire: the body that is asked with, and the answers."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid4

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mono_pipeline.core.errors import InvalidInput
from mono_pipeline.core.identity import parse_account_id
from mono_pipeline.core.iso_duration import parse_duration
from mono_pipeline.core.replay import Action, Asked, LetterFilter
from mono_pipeline.http.refused_body import refused_body
from mono_pipeline.http.sync_call import error_answer

if TYPE_CHECKING:
    from mono_pipeline.core.errors import PipelineError
    from mono_pipeline.http.sync_call import Answer
    from mono_pipeline.usecases.dead_letters import Progress, Refusal

OPERATION: Final = "dead_letters"
_CODES: Final = {"flag_off": HTTPStatus.CONFLICT, "provider_paused": HTTPStatus.SERVICE_UNAVAILABLE}
# what a person can read: PostgreSQL takes no NUL, and a log line no line break
_VISIBLE: Final = r"^[^\x00-\x1f\x7f]+$"
_STRICT: Final = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)


class FilterBody(BaseModel):
    """Which letters: `type` and `reason` are patterns (`mono.fetch.*`), `older_than` an ISO 8601 duration."""

    model_config = _STRICT

    type: str | None = Field(default=None, max_length=64, pattern=_VISIBLE)
    account_id: str | None = None
    reason: str | None = Field(default=None, max_length=64, pattern=_VISIBLE)
    older_than: str | None = None


class DeadLetterBody(BaseModel):
    """What is asked. `action_id` is a UUID of the caller's; the same body with the same one goes on with the action."""

    model_config = _STRICT

    action: str
    filter: FilterBody = FilterBody()
    dry_run: bool = True
    limit: int | None = Field(default=None, ge=1, le=1_000_000)
    rate: int | None = Field(default=None, ge=1, le=10_000)
    force: bool = False
    action_id: str | None = None
    asked_by: str | None = Field(default=None, max_length=128, pattern=_VISIBLE)


def read_dead_letter_call(event: dict[str, Any]) -> Asked:
    """What an API Gateway event asks for. Raises InvalidInput naming the first field that is wrong.

    Who asks is who signed the request; `asked_by` counts only where nothing is signed, as on the embedded stack.
    """
    try:
        read = DeadLetterBody.model_validate_json(event.get("body") or "{}")
    except ValidationError as error:
        raise refused_body(error) from error
    context = event.get("requestContext") or {}
    signed_by = (context.get("identity") or {}).get("userArn")
    correlation_id = str(context.get("requestId") or uuid4())
    return Asked(
        action_id=_action_id(read.action_id),
        action=_action(read.action),
        filter=_filter(read.filter),
        dry_run=read.dry_run,
        most=read.limit,
        per_second=read.rate,
        force=read.force,
        asked_by=str(signed_by or read.asked_by or "unknown"),
        correlation_id=correlation_id,
    )


def dead_letter_answer(progress: Progress) -> Answer:
    """Status code, JSON body and headers of how far an action is."""
    asked, refusal = progress.asked, progress.refusal
    body: dict[str, Any] = {
        "operation": asked.action,
        "status": "completed" if progress.finished else "continues",
        "dry_run": not asked.changes,
        "action_id": str(asked.action_id),
        "so_far": {"seen": progress.seen, "expected": progress.expected},
        "outcomes": progress.outcomes,
        "groups": [_plain(row) for row in progress.groups],
        "letters": [_plain(row) for row in progress.letters],
        "correlation_id": asked.correlation_id,
    }
    if refusal is None:
        return HTTPStatus.OK, body, {}
    if not asked.changes:
        return HTTPStatus.OK, {**body, "would_be_refused": refusal.code}, {}
    error = {"code": refusal.code, "message": _words(refusal)}
    headers = {"Retry-After": str(max(1, round(refusal.seconds)))} if refusal.seconds is not None else {}
    return _CODES[refusal.code], {**body, "status": "refused", "error": error}, headers


def dead_letter_error(error: PipelineError, correlation_id: str) -> Answer:
    """Status code, JSON body and headers of an error; before anything is known of the action, it has no name."""
    code, body, headers = error_answer(error, correlation_id)
    return code, {**body, "operation": OPERATION}, headers


def _words(refusal: Refusal) -> str:
    if refusal.seconds is None:
        return f"the flag is off for everyone ({refusal.reason}): nothing that is replayed would be synced"
    return f"nobody may call Mono for {refusal.seconds:.0f} s ({refusal.reason}): a replay would fail again"


def _action_id(text: str | None) -> UUID:
    try:
        return UUID(text) if text is not None else uuid4()
    except ValueError as error:
        raise InvalidInput("action_id", "is not a UUID") from error


def _action(text: str) -> Action:
    try:
        return Action(text)
    except ValueError as error:
        raise InvalidInput("action", f"is none of: {', '.join(Action)}") from error


def _filter(given: FilterBody) -> LetterFilter:
    return LetterFilter(
        type=given.type,
        account_id=parse_account_id(given.account_id) if given.account_id is not None else None,
        reason=given.reason,
        older_than=parse_duration("older_than", given.older_than) if given.older_than is not None else None,
        older_than_text=given.older_than,
    )


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """A row as JSON: instants in ISO 8601."""
    return {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in row.items()}
