"""Clients of AWS services that give up soon. boto3 takes half as long to import as all the rest, so it waits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_ssm import SSMClient


@overload
def aws_client(service: Literal["ssm"], *, connect_seconds: float, read_seconds: float, attempts: int) -> SSMClient: ...
@overload
def aws_client(service: Literal["sqs"], *, connect_seconds: float, read_seconds: float, attempts: int) -> SQSClient: ...
@overload
def aws_client(
    service: Literal["rds", "codedeploy"], *, connect_seconds: float, read_seconds: float, attempts: int
) -> Any: ...  # boto3 adds what is asked of it to the client, untyped
def aws_client(
    service: Literal["ssm", "sqs", "rds", "codedeploy"], *, connect_seconds: float, read_seconds: float, attempts: int
) -> Any:
    """A client of `service` that makes so many attempts, each with so long to connect and to read."""
    import boto3  # noqa: PLC0415 - see above: not every environment calls AWS, and none at once
    from botocore.config import Config  # noqa: PLC0415 - as above

    config = Config(
        connect_timeout=connect_seconds,
        read_timeout=read_seconds,
        retries={"total_max_attempts": attempts, "mode": "standard"},
    )
    return boto3.client(service, config=config)
