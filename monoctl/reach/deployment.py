"""What an environment is made of beside its functions' answers: queues, schedule, versions, addresses."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Protocol

import httpx
from botocore.exceptions import ClientError

from mono_pipeline.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import boto3
    from botocore.config import Config
    from mypy_boto3_sqs import SQSClient

QUEUES: Final = ("daily", "backfill", "dead-letters")
SCHEDULES: Final = ("tick", "maintenance")
FUNCTIONS: Final = ("sync-api", "sync-schedule", "sync-worker", "backfill-worker", "webhook", "dlq-replay", "ops")
WEBHOOK_PATH: Final = "/api/v1/webhooks/mono/integrations/mono/webhook"
_ALIAS: Final = "live"
_LOOK_SECONDS: Final = 10.0


@dataclass(frozen=True, kw_only=True)
class ScheduleState:
    """A schedule: its name, whether it runs, and how often in its own words."""

    name: str
    enabled: bool
    every: str


@dataclass(frozen=True, kw_only=True)
class LiveVersion:
    """What the alias of a function serves; `previous` is the published version before it, None for the first one."""

    function: str
    live: str
    previous: str | None


class Deployment(Protocol):
    """What a pre-flight looks at."""

    @property
    def api_url(self) -> str:
        """The API's base, with its stage."""
        ...

    @property
    def webhook_url(self) -> str:
        """The exact URL that Mono's dashboard must have."""
        ...

    def queue(self, name: str) -> Mapping[str, str] | None:
        """The attributes of one of `QUEUES`, as SQS names them; None where there is no such queue."""
        ...

    def schedules(self) -> list[ScheduleState]:
        """The schedules of the environment."""
        ...

    def versions(self) -> list[LiveVersion] | None:
        """The versions of every function; None where code has no versions."""
        ...


class AwsDeployment:
    """An environment on AWS, by the names that template.yaml gives."""

    def __init__(self, session: boto3.Session, environment: str, config: Config) -> None:
        self._session = session
        self._stack = f"mono-pipeline-{environment}"
        self._config = config

    @property
    def api_url(self) -> str:
        """The stack's output ApiUrl."""
        return self._output("ApiUrl")

    @property
    def webhook_url(self) -> str:
        """The stack's output WebhookUrl."""
        return self._output("WebhookUrl")

    def queue(self, name: str) -> Mapping[str, str] | None:
        """From SQS."""
        return queue_attributes(self._session.client("sqs", config=self._config), f"{self._stack}-{name}")

    def schedules(self) -> list[ScheduleState]:
        """From EventBridge Scheduler; those that are not there are left out."""
        client: Any = self._session.client("scheduler", config=self._config)
        found = (_schedule(client, f"{self._stack}-{name}") for name in SCHEDULES)
        return [each for each in found if each is not None]

    def versions(self) -> list[LiveVersion] | None:
        """From Lambda: the alias `live` and the published versions."""
        client: Any = self._session.client("lambda", config=self._config)
        return [_live_version(client, f"{self._stack}-{name}") for name in FUNCTIONS]

    @cached_property
    def _outputs(self) -> dict[str, str]:
        client = self._session.client("cloudformation", config=self._config)
        described = client.describe_stacks(StackName=self._stack)
        return {each["OutputKey"]: each["OutputValue"] for each in described["Stacks"][0].get("Outputs", [])}

    def _output(self, name: str) -> str:
        if name not in self._outputs:
            raise ConfigurationError(name, f"stack {self._stack} has no such output: deploy template.yaml again")
        return self._outputs[name]


class EmbeddedDeployment:
    """The embedded stack: the same queues at its stand-in, the schedule that its supervisor runs, no versions."""

    def __init__(self, sqs: SQSClient, *, http: str, transport: httpx.BaseTransport | None = None) -> None:
        self._sqs = sqs
        self._http = http
        self._transport = transport

    @property
    def api_url(self) -> str:
        """The gateway."""
        return self._http

    @property
    def webhook_url(self) -> str:
        """At the gateway."""
        return f"{self._http}{WEBHOOK_PATH}"

    def queue(self, name: str) -> Mapping[str, str] | None:
        """From the stand-in."""
        return queue_attributes(self._sqs, f"mono-pipeline-local-{name}")

    def schedules(self) -> list[ScheduleState]:
        """What the supervisor ticks."""
        with httpx.Client(
            base_url=self._http, timeout=_LOOK_SECONDS, trust_env=False, transport=self._transport
        ) as client:
            told = client.get("/_stack/status").raise_for_status().json()
        return [ScheduleState(**each) for each in told["schedules"]]

    def versions(self) -> list[LiveVersion] | None:
        """What is built is what runs."""
        return None


def queue_attributes(sqs: SQSClient, name: str) -> Mapping[str, str] | None:
    """Return a queue's attributes; None where there is no queue of this name."""
    try:
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        told: Mapping[Any, str] = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    except ClientError as error:
        if not error.response["Error"]["Code"].endswith(("NonExistentQueue", "QueueDoesNotExist")):
            raise
        return None
    return {str(name): value for name, value in told.items()}


def _live_version(client: Any, function: str) -> LiveVersion:
    live = str(client.get_alias(FunctionName=function, Name=_ALIAS)["FunctionVersion"])
    pages = client.get_paginator("list_versions_by_function").paginate(FunctionName=function)
    numbers = [int(each["Version"]) for page in pages for each in page["Versions"] if each["Version"].isdigit()]
    older = [number for number in numbers if live.isdigit() and number < int(live)]
    return LiveVersion(function=function, live=live, previous=str(max(older)) if older else None)


def _schedule(client: Any, name: str) -> ScheduleState | None:
    try:
        told = client.get_schedule(Name=name)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        return None
    return ScheduleState(name=told["Name"], enabled=told["State"] == "ENABLED", every=told["ScheduleExpression"])
