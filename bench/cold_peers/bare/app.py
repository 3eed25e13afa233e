"""The least that a function of this kind can be: Powertools' logger, one boto3 client, one call."""

from __future__ import annotations

from typing import Any

import boto3
from aws_lambda_powertools import Logger

logger = Logger()
ssm = boto3.client("ssm")
FLAG = "/mono-pipeline/local/MONO_TRANSACTIONS_ENABLED"


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """Read the flag, and say so."""
    value = ssm.get_parameter(Name=FLAG)["Parameter"]["Value"]
    logger.info("flag read", value=value)
    return {"statusCode": 200, "body": value}
