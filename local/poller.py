"""Lambda's event source mapping for SQS: receives, invokes, deletes what succeeded, leaves the rest to the queue.

What failed becomes visible again after the queue's visibility timeout, and the queue's own redrive policy moves it to
the dead-letter queue; nothing here counts.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mypy_boto3_sqs import SQSClient

    from local.lambda_pool import LambdaService
    from local.lambda_runtime import Outcome
    from local.resources import EventSource, Queue

LOG: Final = logging.getLogger("local.poller")
_WAIT_SECONDS: Final = 1  # of a long poll: it is also how long a stop may take
_PAUSE_SECONDS: Final = 1.0  # after the queue did not answer


class Poller:
    """Works off one queue; `run` until cancelled."""

    def __init__(
        self, source: EventSource, queue: Queue, *, sqs: SQSClient, functions: LambdaService, region: str
    ) -> None:
        self._source = source
        self._queue = queue
        self._sqs = sqs
        self._functions = functions
        self._region = region
        self._slots = asyncio.Semaphore(self._concurrency())
        self._deliveries: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Poll for ever."""
        while True:
            await self._slots.acquire()
            try:
                messages = await asyncio.to_thread(self._receive)
            except (BotoCoreError, ClientError) as problem:
                LOG.warning("queue %s does not answer: %s", self._queue.name, problem)
                await asyncio.sleep(_PAUSE_SECONDS)
                messages = []
            if messages:
                self._start(messages)
            else:
                self._slots.release()

    def _start(self, messages: Sequence[Mapping[str, Any]]) -> None:
        delivery = asyncio.create_task(self._deliver(messages))
        self._deliveries.add(delivery)
        delivery.add_done_callback(self._delivered)

    def _delivered(self, delivery: asyncio.Task[None]) -> None:
        self._deliveries.discard(delivery)
        self._slots.release()
        if not delivery.cancelled() and (problem := delivery.exception()):
            LOG.error("%s: a delivery failed; its messages go back", self._queue.name, exc_info=problem)

    async def _deliver(self, messages: Sequence[Mapping[str, Any]]) -> None:
        records = [sqs_record(message, queue_arn=self._queue.arn, region=self._region) for message in messages]
        outcome = await self._functions.invoke(self._source.function, json.dumps({"Records": records}).encode())
        failed = failed_ids(
            outcome, [record["messageId"] for record in records], partial=self._source.reports_item_failures
        )
        done = [message for message in messages if message["MessageId"] not in failed]
        if failed:
            LOG.info("%s: %d of %d messages go back", self._queue.name, len(failed), len(messages))
        if done:
            await asyncio.to_thread(self._delete, done)

    def _receive(self) -> Sequence[Mapping[str, Any]]:
        answer = self._sqs.receive_message(
            QueueUrl=self._queue.url,
            MaxNumberOfMessages=min(self._source.batch_size, 10),
            WaitTimeSeconds=_WAIT_SECONDS,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        return answer.get("Messages", [])

    def _delete(self, messages: Sequence[Mapping[str, Any]]) -> None:
        answer = self._sqs.delete_message_batch(
            QueueUrl=self._queue.url,
            Entries=[
                {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                for number, message in enumerate(messages)
            ],
        )
        for refused in answer.get("Failed", []):
            LOG.warning("%s: a message was not deleted: %s", self._queue.name, refused)

    def _concurrency(self) -> int:
        limit = self._functions.pool(self._source.function).limit
        return min(self._source.concurrency or limit, limit)


def sqs_record(message: Mapping[str, Any], *, queue_arn: str, region: str) -> dict[str, Any]:
    """A received message as Lambda hands it to a function."""
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": dict(message.get("Attributes", {})),
        "messageAttributes": {
            name: {
                "stringValue": attribute.get("StringValue"),
                "stringListValues": [],
                "binaryListValues": [],
                "dataType": attribute["DataType"],
            }
            for name, attribute in message.get("MessageAttributes", {}).items()
        },
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": region,
    }


def failed_ids(outcome: Outcome, message_ids: Sequence[str], *, partial: bool) -> set[str]:
    """Which messages of a batch are not done.

    All of them where the invocation failed, and where the report of item failures is not of its form: Lambda then
    takes the whole batch as failed. A null or empty report means that all are done.
    """
    everything = set(message_ids)
    if outcome.failed:
        return everything
    report = outcome.json() if partial else None
    if not report:
        return set()
    if not isinstance(report, dict):
        return everything
    items = report.get("batchItemFailures") or []
    named = {str(item.get("itemIdentifier")) if isinstance(item, dict) else "" for item in items}
    if named - everything:
        return everything
    return named
