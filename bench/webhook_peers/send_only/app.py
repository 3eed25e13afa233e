"""What the webhook function is measured against: one SendMessage and 200, nothing else; nobody is asked who he is."""

from __future__ import annotations

import os
from typing import Any

import boto3

queue = os.environ["QUEUE_URL"]
sqs = boto3.client("sqs")


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """Send the body on."""
    sqs.send_message(QueueUrl=queue, MessageBody=event["body"])
    return {"statusCode": 200, "body": ""}
