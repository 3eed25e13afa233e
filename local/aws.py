"""The AWS stand-in of the embedded stack (MiniStack) and what the template wants to find in it: queues, parameters."""

from __future__ import annotations

import asyncio
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import boto3
from botocore.config import Config

from local import child
from local.ports import LOOPBACK, answers
from local.sam import REGION

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Awaitable, Callable, Mapping

    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_ssm import SSMClient

    from local.resources import Queue
    from local.template import Template

PROGRAM: Final = Path(__file__).resolve().parent.parent / ".local" / "ministack" / "bin" / "ministack"
CREDENTIALS: Final[Mapping[str, str]] = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
}
_START_SECONDS: Final = 20.0


class AwsStandIn:
    """A running MiniStack with SQS and SSM; its state lives in its memory. Made by `start`."""

    def __init__(self, process: subprocess.Popen[bytes], *, port: int) -> None:
        self._process = process
        self.url = f"http://{LOOPBACK}:{port}"

    @classmethod
    def start(cls, *, port: int, log: Path, program: Path = PROGRAM) -> Self:
        """Start it on a loopback port.

        Raises:
            RuntimeError: it is not installed, or did not come up.
        """
        if not program.exists():
            raise RuntimeError(f"{program} is not there; `make setup` installs it")
        environment = {
            "PATH": "/usr/bin:/bin",
            "BIND_HOST": LOOPBACK,  # it listens on every interface unless told
            "GATEWAY_PORT": str(port),
            "MINISTACK_HOST": LOOPBACK,
            "MINISTACK_REGION": REGION,
            "SERVICES": "sqs,ssm",
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "LOG_LEVEL": "WARNING",
            "DOCKER_HOST": "unix:///nonexistent",
            "TMPDIR": tempfile.gettempdir(),
        }
        process = child.spawn([program], log=log, env=environment)
        stand_in = cls(process, port=port)
        try:
            child.wait_until(
                lambda: answers(port), child=process, what="the AWS stand-in", log=log, patience=_START_SECONDS
            )
        except BaseException:
            stand_in.stop()
            raise
        return stand_in

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def stop(self) -> None:
        """Stop it; what it held is gone."""
        child.stop(self._process, signals=[signal.SIGTERM], patience=2.0)


def sqs_client(endpoint: str) -> SQSClient:
    """An SQS client of the stand-in, with enough connections for the pollers."""
    return boto3.client("sqs", config=Config(max_pool_connections=32), **_connection(endpoint))


def ssm_client(endpoint: str) -> SSMClient:
    """An SSM client of the stand-in."""
    return boto3.client("ssm", **_connection(endpoint))


def create_resources(template: Template, *, endpoint: str, visibility: int | None = None) -> None:
    """Create the template's queues with their redrive, and its SSM parameters.

    Args:
        template: expanded for this endpoint.
        endpoint: where the stand-in answers.
        visibility: in seconds, instead of the queues' own: failed work comes back sooner.
    """
    sqs = sqs_client(endpoint)
    for queue in template.queues:
        created = sqs.create_queue(QueueName=queue.name, Attributes=_attributes(queue, visibility))
        if created["QueueUrl"] != queue.url:
            raise RuntimeError(f"queue {queue.name} answers at {created['QueueUrl']}, the template says {queue.url}")
    ssm = ssm_client(endpoint)
    for parameter in template.parameters:
        ssm.put_parameter(
            Name=parameter.name,
            Value=parameter.value,
            Type=parameter.kind,  # type: ignore[arg-type]  # the template's word for it
            Description=parameter.description,
            Overwrite=True,
        )


def queue_sender(template: Template, *, endpoint: str) -> Callable[[str, str], Awaitable[None]]:
    """A function that sends a body to one of the template's queues, by its ARN."""
    sqs = sqs_client(endpoint)
    urls = {queue.arn: queue.url for queue in template.queues}

    async def send(arn: str, body: str) -> None:
        await asyncio.to_thread(sqs.send_message, QueueUrl=urls[arn], MessageBody=body)

    return send


def _attributes(queue: Queue, visibility: int | None) -> Any:
    attributes = dict(queue.attributes)
    if visibility is not None and queue.max_receive_count is not None:
        attributes["VisibilityTimeout"] = str(visibility)
    return attributes


def _connection(endpoint: str) -> dict[str, Any]:
    return {
        "endpoint_url": endpoint,
        "region_name": REGION,
        "aws_access_key_id": CREDENTIALS["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
    }
