"""SQS: wake-ups for accounts, ids only. The rows of `sync_runs` are what is owed; a message only says when to look."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from itertools import batched
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from mono_pipeline.adapters.aws import aws_client
from mono_pipeline.core.errors import InvalidInput, QueueUnavailable
from mono_pipeline.core.identity import parse_account_id

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

FETCH_REQUESTED: Final = "mono.fetch.requested"
SCHEDULE: Final = "schedule"  # `requested_by` of the tick, which asks in the database before it sends
MAX_HOPS: Final = 8  # AWS cuts a Lambda-SQS-Lambda chain at about 16
_BATCH = 10  # SQS SendMessageBatch


@dataclass(frozen=True, kw_only=True)
class FetchRequested:
    """A wake-up for one account. `hop` counts how often a run has passed itself on."""

    account_id: str
    correlation_id: str
    requested_by: str
    hop: int = 0

    def body(self) -> str:
        """The message as the queue holds it."""
        return json.dumps({"type": FETCH_REQUESTED, **asdict(self)})


def read_fetch_requested(body: str) -> FetchRequested:
    """The wake-up in a message. Raises InvalidInput naming what is wrong: such a message can never be served."""
    try:
        told = json.loads(body)
    except ValueError as error:
        raise InvalidInput("message", "is not JSON") from error
    if not isinstance(told, dict) or told.get("type") != FETCH_REQUESTED:
        raise InvalidInput("type", f"is not {FETCH_REQUESTED}")
    hop = told.get("hop", 0)
    if not isinstance(hop, int) or isinstance(hop, bool) or hop < 0:
        raise InvalidInput("hop", "is not a whole number")
    return FetchRequested(
        account_id=parse_account_id(_text(told, "account_id")),
        correlation_id=_text(told, "correlation_id")[:64],
        requested_by=_text(told, "requested_by")[:64],
        hop=hop,
    )


def _text(told: dict[str, object], name: str) -> str:
    value = told.get(name)
    if not isinstance(value, str) or not value.isprintable():
        raise InvalidInput(name, "is not a text")
    return value


class WorkQueue:
    """One queue of wake-ups. `group` (the customer) keeps one tenant's many accounts from delaying the others'."""

    def __init__(self, url: str, client: SQSClient | None = None) -> None:
        self._url = url
        self._client = client

    def send(self, message: FetchRequested, *, group: str) -> None:
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


class DeadLetterQueue:
    """The queue of messages that no worker could finish."""

    def __init__(self, url: str, client: SQSClient | None = None) -> None:
        self._url = url
        self._client = client or _connect()

    def count(self) -> int:
        """How many messages there are, as SQS estimates it. Raises QueueUnavailable."""
        try:
            told = self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=["ApproximateNumberOfMessages"])
        except (BotoCoreError, ClientError) as error:
            raise QueueUnavailable(f"SQS did not answer: {type(error).__name__}") from error
        return int(told["Attributes"]["ApproximateNumberOfMessages"])


def _connect() -> SQSClient:
    return aws_client("sqs", connect_seconds=1, read_seconds=3, attempts=3)
