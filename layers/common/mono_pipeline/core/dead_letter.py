"""Dead letters: what they are, and what each says of itself. They hold ids and words of closed lists, never a row."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct, field
from msgspec.structs import asdict

from mono_pipeline.core.discreet import Discreet
from mono_pipeline.core.errors import InvalidInput
from mono_pipeline.core.identity import parse_account_id

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from mono_pipeline.core.run import LeasedRun

FETCH_REQUESTED: Final = "mono.fetch.requested"  # a wake-up that no worker could finish in five receives
FETCH_FAILED: Final = "mono.fetch.failed"  # an account whose runs failed five times in a row
INVOCATION_FAILED: Final = "mono.invocation.failed"  # an asynchronous invocation, or a tick of the scheduler
UNREADABLE: Final = "unreadable"

FAILURES_IN_A_ROW: Final = 5
LONGEST_BODY_KEPT: Final = 16_384  # characters, of a message that is taken off a queue for good
REPLAYS_ATTRIBUTE: Final = "replays"
_SCHEDULER_ATTRIBUTE: Final = "ERROR_CODE"  # EventBridge Scheduler puts it on what it could not deliver
_WORD = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_TYPE = re.compile(r"mono(\.[a-z_]{1,32}){1,4}")


def is_dead_letter(failures: int) -> bool:
    """Whether an account that failed so often in a row, for no block and no pause, is to be left alone."""
    return failures >= FAILURES_IN_A_ROW


class FailureStreak(Struct, frozen=True, kw_only=True):
    """An account's failures in a row; `owes_letter` says that it is a dead letter now and its queue has not heard."""

    failures: int
    owes_letter: bool


class FetchFailed(Struct, frozen=True, kw_only=True):
    """The message of an account that failed too often. `run_id` is what two copies of it have in common."""

    account_id: str
    correlation_id: str
    run_id: str
    error_code: str
    streak: int

    @classmethod
    def of(cls, run: LeasedRun, *, error_code: str, streak: int) -> FetchFailed:
        """The message of the run that was one failure too many."""
        return cls(
            account_id=run.account.mono_account_id,
            correlation_id=run.correlation_id,
            run_id=str(run.run_id),
            error_code=str(error_code),
            streak=streak,
        )

    def body(self) -> str:
        """The message as the queue holds it."""
        return json.dumps({"type": FETCH_FAILED, **asdict(self)})


class QueuedMessage(Discreet, frozen=True, kw_only=True):
    """A message as it was received. `source` is the name of the queue that gave it up, None where it was sent here."""

    hidden = frozenset({"receipt"})

    message_id: str
    receipt: str
    body: str
    sent_at: datetime
    receives: int
    source: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)


class DeadLetter(Struct, frozen=True, kw_only=True):
    """A message of the dead-letter queue, read. `work` is what a worker would serve, None where there is no such thing.

    `reason` is what the message itself says; of a wake-up, which says nothing, it is None.
    """

    message: QueuedMessage
    type: str
    account_id: str | None = None
    correlation_id: str | None = None
    run_id: str | None = None
    reason: str | None = None
    work: str | None = None
    replays: int = 0

    @property
    def of_an_account(self) -> bool:
        """Whether it is served by asking for a run of its account, whatever it holds besides."""
        return self.type in {FETCH_REQUESTED, FETCH_FAILED}


def read_dead_letter(message: QueuedMessage) -> DeadLetter:
    """What a message says. It never fails: what cannot be read is a letter of the type `unreadable`."""
    if _SCHEDULER_ATTRIBUTE in message.attributes:
        return _letter(message, INVOCATION_FAILED, {}, reason=_word(message.attributes[_SCHEDULER_ATTRIBUTE]))
    try:
        told = json.loads(message.body)
    except (ValueError, RecursionError):
        return _unreadable(message, "not_json")
    if not isinstance(told, dict):
        return _unreadable(message, "not_an_object")
    if isinstance(told.get("requestContext"), dict) and "requestPayload" in told:
        return _invocation(message, told)
    return _typed(message, told, message.body)


def _invocation(message: QueuedMessage, told: dict[str, Any]) -> DeadLetter:
    """What Lambda sends to the failure destination of an asynchronous invocation: the event, wrapped."""
    event = told["requestPayload"]
    if isinstance(event, dict) and isinstance(event.get("type"), str):
        return _typed(message, event, json.dumps(event))
    context, answer = told["requestContext"], told.get("responsePayload")
    kind = answer.get("errorType") if isinstance(answer, dict) else None
    event = event if isinstance(event, dict) else {}
    letter = _letter(message, INVOCATION_FAILED, event, reason=_word(kind) or _word(context.get("condition")))
    if letter.correlation_id is not None:
        return letter
    return _letter(message, INVOCATION_FAILED, {"correlation_id": context.get("requestId")}, reason=letter.reason)


def _typed(message: QueuedMessage, told: Mapping[str, Any], work: str) -> DeadLetter:
    kind = told.get("type")
    if not isinstance(kind, str) or _TYPE.fullmatch(kind) is None:
        return _unreadable(message, "no_type")
    if kind not in {FETCH_REQUESTED, FETCH_FAILED}:
        return _letter(message, kind, told, work=work)
    if _account(told) is None:
        return _unreadable(message, "no_account")
    reason = _word(told.get("error_code")) if kind == FETCH_FAILED else None
    return _letter(message, kind, told, reason=reason, work=work)


def _letter(
    message: QueuedMessage, kind: str, told: Mapping[str, Any], *, reason: str | None = None, work: str | None = None
) -> DeadLetter:
    replays = message.attributes.get(REPLAYS_ATTRIBUTE, "")
    return DeadLetter(
        message=message,
        type=kind,
        account_id=_account(told),
        correlation_id=_word(told.get("correlation_id")),
        run_id=_word(told.get("run_id")),
        reason=reason,
        work=work,
        replays=int(replays) if replays.isascii() and replays.isdigit() else 0,
    )


def _unreadable(message: QueuedMessage, reason: str) -> DeadLetter:
    return DeadLetter(message=message, type=UNREADABLE, reason=reason)


def _account(told: Mapping[str, Any]) -> str | None:
    try:
        return parse_account_id(str(told.get("account_id", "")))
    except InvalidInput:
        return None


def _word(value: object) -> str | None:
    return value if isinstance(value, str) and _WORD.fullmatch(value) else None


def kept_body(body: str) -> str:
    """A body as PostgreSQL can hold it: cut, and without what no text column takes."""
    return body[:LONGEST_BODY_KEPT].replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
