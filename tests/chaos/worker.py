"""A worker process of the soak: takes messages from SQS and hands them to the worker function, until it is killed.

What Lambda's event source mapping does, and the deployed handler as it is: the settings from the environment, the flag
from SSM, the queues over HTTP. What it writes goes to a log.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass, field
from multiprocessing import parent_process
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from functions.sync import schedule, worker
from mono_pipeline.core.errors import DependencyUnavailable

if TYPE_CHECKING:
    from pathlib import Path

ACCOUNT_ID_LENGTH: Final = 24

_INVOCATION_SECONDS: Final = 60.0
_IDLE_SECONDS: Final = 0.1
_ARN: Final = "arn:aws:sqs:eu-west-1:000000000000:"


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """Lambda's context, as far as it is asked."""

    function_name: str = "worker"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:eu-west-1:000000000000:function:worker"
    aws_request_id: str = field(default_factory=lambda: str(uuid4()))

    def get_remaining_time_in_millis(self) -> int:
        """All of it: an invocation of the soak ends by itself, or by SIGKILL."""
        return int(_INVOCATION_SECONDS * 1000)


@dataclass(frozen=True, kw_only=True)
class FastClock:
    """The database's clock as SQS would show it: from `began` (Unix seconds) on, `speed` times as fast as ours."""

    began: float
    speed: float

    def milliseconds(self, milliseconds: str) -> str:
        """One of our instants, as that clock has it."""
        return str(int(1000 * (self.began + self.speed * (int(milliseconds) / 1000 - self.began))))


def work(environ: dict[str, str], queues: list[str], clock: FastClock, log: Path, serving: Any) -> None:
    """Serve the queues in turn while the soak lives; `serving` (shared memory) has the account of its message."""
    _become(environ, log)
    sqs = boto3.client("sqs")
    soak = parent_process()
    while soak is not None and soak.is_alive():
        served = 0
        for url in queues:
            try:
                served += _serve_one(sqs, url, clock, serving)
            except (BotoCoreError, ClientError):
                continue
        if not served:
            time.sleep(_IDLE_SECONDS)


def tick(environ: dict[str, str], log: Path) -> None:
    """One round of the schedule, as EventBridge asks for it."""
    _become(environ, log)
    try:
        schedule.handler({}, Invocation())  # type: ignore[arg-type]
    except DependencyUnavailable:
        sys.exit(1)  # as Lambda: the invocation failed, the next tick comes


def _become(environ: dict[str, str], log: Path) -> None:
    os.environ.update(environ)
    file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.dup2(file, 1)
    os.dup2(file, 2)


def _serve_one(sqs: Any, url: str, clock: FastClock, serving: Any) -> int:
    """Serve a message of the queue, if it has one; how many there were."""
    received = sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=1, WaitTimeSeconds=0, AttributeNames=["All"], MessageAttributeNames=["All"]
    )
    messages = received.get("Messages", [])
    for message in messages:
        record = {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message["Attributes"]
            | {"SentTimestamp": clock.milliseconds(message["Attributes"]["SentTimestamp"])},
            "messageAttributes": {},
            "eventSource": "aws:sqs",
            "eventSourceARN": _ARN + url.rsplit("/", 1)[-1],
            "awsRegion": "eu-west-1",
        }
        serving.value = json.loads(message["Body"])["account_id"].encode()
        if not _failed({"Records": [record]}):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        serving.value = b""
    return len(messages)


def _failed(event: dict[str, Any]) -> bool:
    try:
        return bool(worker.handler(event, Invocation())["batchItemFailures"])  # type: ignore[arg-type]
    except Exception:  # noqa: BLE001 - as Lambda does: the message comes back
        return True
