"""SQS: wake-ups for accounts and Mono's events, ids and closed words only.

The rows of `sync_runs` are what is owed; a wake-up only says when to look. An event is owed until its worker has
written it down.
"""

from __future__ import annotations

import json
import re
from itertools import batched
from typing import TYPE_CHECKING, Final, NoReturn

from botocore.exceptions import BotoCoreError, ClientError
from msgspec import Struct
from msgspec.structs import asdict

from mono_pipeline.adapters.aws import aws_client
from mono_pipeline.core.errors import InvalidInput, QueueUnavailable
from mono_pipeline.core.identity import parse_account_id
from mono_pipeline.core.webhook_event import (
    DATA_STATUSES,
    JOB_STATUSES,
    RETRIEVABLE,
    SYNC_STATUSES,
    UNKNOWN_WORD,
    WebhookEvent,
    WebhookKind,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet

    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

FETCH_REQUESTED: Final = "mono.fetch.requested"
WEBHOOK_RECEIVED: Final = "mono.webhook.received"
SCHEDULE: Final = "schedule"  # `requested_by` of the tick, which asks in the database before it sends
REPLAY: Final = "replay"  # as SCHEDULE, of a replayed dead letter
MAX_HOPS: Final = 8  # AWS cuts a Lambda-SQS-Lambda chain at about 16
_BATCH = 10  # SQS SendMessageBatch
_CORRELATION = 64  # characters of a correlation id that are kept
_PLAIN = re.compile(r"[A-Za-z0-9:_.+-]{1,160}")


class FetchRequested(Struct, frozen=True, kw_only=True):
    """A wake-up for one account. `hop` counts how often a run has passed itself on."""

    account_id: str
    correlation_id: str
    requested_by: str
    hop: int = 0

    def body(self) -> str:
        """The message as the queue holds it."""
        return json.dumps({"type": FETCH_REQUESTED, **asdict(self)})


class WebhookReceived(Struct, frozen=True, kw_only=True):
    """An authentic event of Mono's about one account, on its way to the worker that writes it down."""

    event: WebhookEvent
    account_id: str
    correlation_id: str

    def body(self) -> str:
        """The message as the queue holds it: below 2 kB."""
        told = asdict(self.event)
        del told["app"]  # it was ours, or there would be no message
        return json.dumps(
            {"type": WEBHOOK_RECEIVED, **told, "account_id": self.account_id, "correlation_id": self.correlation_id}
        )


type Message = FetchRequested | WebhookReceived


def message_type(body: str) -> str | None:
    """What kind of message this is, None where it does not say."""
    try:
        told = json.loads(body)
    except ValueError:
        return None
    kind = told.get("type") if isinstance(told, dict) else None
    return kind if isinstance(kind, str) else None


def read_fetch_requested(body: str) -> FetchRequested:
    """The wake-up in a message. Raises InvalidInput naming what is wrong: such a message can never be served."""
    told = _told(body, FETCH_REQUESTED)
    hop = told.get("hop", 0)
    if not isinstance(hop, int) or isinstance(hop, bool) or hop < 0:
        raise InvalidInput("hop", "is not a whole number")
    return FetchRequested(
        account_id=parse_account_id(_text(told, "account_id")),
        correlation_id=_text(told, "correlation_id")[:_CORRELATION],
        requested_by=_text(told, "requested_by")[:64],
        hop=hop,
    )


def read_webhook_received(body: str) -> WebhookReceived:
    """The event in a message. Raises InvalidInput naming what is wrong: such a message can never be served."""
    told = _told(body, WEBHOOK_RECEIVED)
    account_id = parse_account_id(_text(told, "account_id"))
    event = WebhookEvent(
        name=_plain(told, "name"),
        kind=WebhookKind(_one_of(told, "kind", frozenset(WebhookKind)) or WebhookKind.UNKNOWN),
        account_id=account_id,
        event_key=_plain(told, "event_key") or _missing("event_key"),
        has_event_id=told.get("has_event_id") is True,
        happened_at=_plain(told, "happened_at"),
        sync_status=_one_of(told, "sync_status", SYNC_STATUSES | {UNKNOWN_WORD}),
        data_status=_one_of(told, "data_status", DATA_STATUSES | {UNKNOWN_WORD}),
        retrieved_data=_retrieved(told),
        has_new_data=told.get("has_new_data") is True,
        job_id=_plain(told, "job_id"),
        job_status=_one_of(told, "job_status", JOB_STATUSES | {UNKNOWN_WORD}),
    )
    correlation_id = _text(told, "correlation_id")[:_CORRELATION]
    return WebhookReceived(event=event, account_id=account_id, correlation_id=correlation_id)


def _told(body: str, kind: str) -> dict[str, object]:
    try:
        told = json.loads(body)
    except ValueError as error:
        raise InvalidInput("message", "is not JSON") from error
    if not isinstance(told, dict) or told.get("type") != kind:
        raise InvalidInput("type", f"is not {kind}")
    return told


def _text(told: dict[str, object], name: str) -> str:
    value = told.get(name)
    if not isinstance(value, str) or not value.isprintable():
        raise InvalidInput(name, "is not a text")
    return value


def _plain(told: dict[str, object], name: str) -> str | None:
    value = told.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not _PLAIN.fullmatch(value):
        raise InvalidInput(name, "is not of its form")
    return value


def _one_of(told: dict[str, object], name: str, known: AbstractSet[str]) -> str | None:
    value = _plain(told, name)
    if value is not None and value not in known:
        raise InvalidInput(name, "is not a word of its list")
    return value


def _retrieved(told: dict[str, object]) -> tuple[str, ...] | None:
    value = told.get("retrieved_data")
    return tuple(name for name in RETRIEVABLE if name in value) if isinstance(value, list) else None


def _missing(name: str) -> NoReturn:
    raise InvalidInput(name, "is missing")


class WorkQueue:
    """One queue of wake-ups. `group` (the customer) keeps one tenant's many accounts from delaying the others'."""

    def __init__(self, url: str, client: SQSClient | None = None) -> None:
        self._url = url
        self._client = client

    def send(self, message: Message, *, group: str) -> None:
        """Put one message on the queue. Raises QueueUnavailable when SQS does not take it."""
        try:
            self._sqs().send_message(QueueUrl=self._url, MessageBody=message.body(), MessageGroupId=group)
        except (BotoCoreError, ClientError) as error:
            raise QueueUnavailable(f"SQS did not take the message: {type(error).__name__}") from error

    def send_many(self, messages: Iterable[tuple[FetchRequested, str]]) -> int:
        """Put (message, group) pairs on the queue, ten a call; returns how many SQS took.

        One that SQS did not take is not lost: its run stands in the database, and the tick sends for it again.
        """
        return sum(self._send_batch(batch) for batch in batched(messages, _BATCH, strict=False))

    def _send_batch(self, batch: tuple[tuple[FetchRequested, str], ...]) -> int:
        entries: list[SendMessageBatchRequestEntryTypeDef] = [
            {"Id": str(number), "MessageBody": message.body(), "MessageGroupId": group}
            for number, (message, group) in enumerate(batch)
        ]
        try:
            answer = self._sqs().send_message_batch(QueueUrl=self._url, Entries=entries)
        except (BotoCoreError, ClientError) as error:
            raise QueueUnavailable(f"SQS did not take the messages: {type(error).__name__}") from error
        return len(answer.get("Successful", []))

    def _sqs(self) -> SQSClient:
        if self._client is None:
            self._client = _connect()
        return self._client


def _connect() -> SQSClient:
    return aws_client("sqs", connect_seconds=1, read_seconds=3, attempts=3)
