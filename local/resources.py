"""What the expanded template declares, as values."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Self

from local.intrinsics import Unresolvable

if TYPE_CHECKING:
    from collections.abc import Mapping

_RATE: Final = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")


@dataclass(frozen=True, kw_only=True)
class Function:
    """A Lambda function: `timeout` in seconds, `memory` in MB, `artifact` and `layers` as folders of the build.

    `on_failure` is the ARN of the queue that an asynchronous invocation goes to after `async_retries` failed retries.
    """

    logical_id: str
    name: str
    handler: str
    artifact: str
    layers: tuple[str, ...]
    timeout: int
    memory: int
    environment: Mapping[str, str]
    reserved_concurrency: int | None
    async_retries: int
    on_failure: str | None

    @classmethod
    def of(
        cls,
        logical_id: str,
        properties: Mapping[str, Any],
        *,
        layers: tuple[str, ...],
        invoke_config: Mapping[str, Any],
    ) -> Self:
        """From the resolved properties of an `AWS::Lambda::Function` and its `EventInvokeConfig` (empty for none)."""
        return cls(
            logical_id=logical_id,
            name=properties["FunctionName"],
            handler=properties["Handler"],
            artifact=properties["Code"]["S3Key"],
            layers=layers,
            timeout=int(properties["Timeout"]),
            memory=int(properties["MemorySize"]),
            environment={name: str(value) for name, value in properties["Environment"]["Variables"].items()},
            reserved_concurrency=_whole(properties.get("ReservedConcurrentExecutions")),
            async_retries=int(invoke_config.get("MaximumRetryAttempts", 2)),
            on_failure=invoke_config.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination"),
        )


@dataclass(frozen=True, kw_only=True)
class Route:
    """A method and path of the API; `path` may hold `{name}` segments, `is_open` means without IAM."""

    method: str
    path: str
    function: str
    is_open: bool


@dataclass(frozen=True, kw_only=True)
class Queue:
    """An SQS queue: times in seconds; `attributes` as SQS's CreateQueue takes them."""

    logical_id: str
    name: str
    arn: str
    url: str
    visibility: int
    retention: int
    max_receive_count: int | None
    dead_letter_arn: str | None
    attributes: Mapping[str, str]

    @classmethod
    def of(cls, logical_id: str, properties: Mapping[str, Any], *, arn: str, url: str) -> Self:
        """From the resolved properties of an `AWS::SQS::Queue`."""
        redrive = properties.get("RedrivePolicy", {})
        return cls(
            logical_id=logical_id,
            name=properties["QueueName"],
            arn=arn,
            url=url,
            visibility=int(properties.get("VisibilityTimeout", 30)),
            retention=int(properties.get("MessageRetentionPeriod", 345_600)),
            max_receive_count=_whole(redrive.get("maxReceiveCount")),
            dead_letter_arn=redrive.get("deadLetterTargetArn"),
            attributes={name: _attribute(value) for name, value in properties.items() if name != "QueueName"},
        )


@dataclass(frozen=True, kw_only=True)
class EventSource:
    """A queue that a function works off, at most `concurrency` batches at once."""

    queue_arn: str
    function: str
    batch_size: int
    concurrency: int | None
    reports_item_failures: bool

    @classmethod
    def of(cls, properties: Mapping[str, Any], *, function: str) -> Self:
        """From the resolved properties of an `AWS::Lambda::EventSourceMapping`."""
        return cls(
            queue_arn=properties["EventSourceArn"],
            function=function,
            batch_size=int(properties.get("BatchSize", 10)),
            concurrency=_whole(properties.get("ScalingConfig", {}).get("MaximumConcurrency")),
            reports_item_failures="ReportBatchItemFailures" in properties.get("FunctionResponseTypes", []),
        )


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A function that EventBridge Scheduler invokes every so often, with `payload` where the schedule has one."""

    name: str
    function: str
    every: timedelta
    dead_letter_arn: str | None
    payload: str | None

    @classmethod
    def of(cls, properties: Mapping[str, Any], *, function: str) -> Self:
        """From the resolved properties of an `AWS::Scheduler::Schedule`.

        Raises:
            Unresolvable: its expression is not a rate.
        """
        found = _RATE.fullmatch(properties["ScheduleExpression"])
        if found is None:
            raise Unresolvable(f"schedule {properties['ScheduleExpression']}: only rate(...) runs locally")
        return cls(
            name=properties["Name"],
            function=function,
            every=timedelta(**{f"{found[2]}s": int(found[1])}),
            dead_letter_arn=properties["Target"].get("DeadLetterConfig", {}).get("Arn"),
            payload=properties["Target"].get("Input"),
        )


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """An SSM parameter that CloudFormation creates."""

    name: str
    kind: str
    value: str
    description: str

    @classmethod
    def of(cls, properties: Mapping[str, Any]) -> Self:
        """From the resolved properties of an `AWS::SSM::Parameter`."""
        return cls(
            name=properties["Name"],
            kind=properties["Type"],
            value=properties["Value"],
            description=properties.get("Description", ""),
        )


def _attribute(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value) if isinstance(value, dict) else str(value)


def _whole(value: Any) -> int | None:
    return None if value is None else int(value)
