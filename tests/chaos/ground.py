"""The ground of a soak: PostgreSQL that can crash, its fast clock, the queues and the flag. A context manager."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Self

from local.aws import AwsStandIn, sqs_client, ssm_client
from local.ports import free_port
from mono_pipeline.adapters.migrator import migrate
from mono_pipeline.adapters.postgres import Database, DatabaseAddress
from mono_pipeline.adapters.queue import FetchRequested
from mono_pipeline.core.errors import DatabaseUnavailable
from tests.chaos.worker import FastClock
from tests.faults.own_server import OwnServer
from tests.integration.conftest import MIGRATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

SPEED: Final = 30
VISIBILITY: Final = "5"  # seconds after which SQS shows a message again whose worker was killed
_DURABLE: Final = {"fsync": "off"}  # the process crashes here, not the machine
_PATIENCE: Final = 30.0
_WORK: Final = ("urgent", "daily", "backfill")


class Ground:
    """`queues` are the queues' addresses by name, `clock` is the database's as SQS would show it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server = OwnServer(folder / "cluster")
        self.queues: dict[str, str] = {}

    def __enter__(self) -> Self:
        self._server.start(**_DURABLE)
        self._server.running.ensure_database("pipeline")
        migrate(self._server.running.url("pipeline"), MIGRATIONS)
        self.address = DatabaseAddress(
            host="127.0.0.1", port=self._server.port, database="pipeline", user="postgres", timeout_seconds=10.0
        )
        now = self.rows("SELECT now()::text AS at, extract(epoch FROM now())::float8 AS seconds")[0]
        self._began = now["at"]
        self.clock = FastClock(began=now["seconds"], speed=SPEED)
        self.set_clock(0)
        self._aws = AwsStandIn.start(port=free_port(), log=self._folder / "aws.log")
        self.aws_url = self._aws.url
        self._sqs = sqs_client(self._aws.url)
        self._make_queues()
        ssm_client(self._aws.url).put_parameter(
            Name="/mono-pipeline/local/MONO_TRANSACTIONS_ENABLED", Value="true", Type="String"
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._aws.stop()
        self._server.stop()

    def crash(self) -> None:
        """PostgreSQL ends at once and starts again."""
        self._server.crash()
        self._server.start(**_DURABLE)

    def set_clock(self, days: int) -> None:
        """The pipeline's clock: `days` ahead of when it began, and `SPEED` times as fast as ours."""
        self.rows(
            f"""CREATE OR REPLACE FUNCTION pipeline_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS
                $$ SELECT timestamptz '{self._began}' + interval '{24 * days} hours'
                        + {SPEED} * (clock_timestamp() - timestamptz '{self._began}') $$"""
        )

    @contextmanager
    def database(self) -> Iterator[Database]:
        """A connection to look through, once the server takes one."""
        give_up = time.monotonic() + _PATIENCE
        database = Database(self.address)
        try:
            while True:
                try:
                    database.rows("SELECT 1")
                    break
                except DatabaseUnavailable:
                    if time.monotonic() > give_up:
                        raise
                    time.sleep(0.1)
            yield database
        finally:
            database.close()

    def rows(self, statement: str) -> list[dict[str, Any]]:
        """The rows of a statement."""
        with self.database() as database:
            return database.rows(statement)

    def wake(self, accounts: Sequence[str], *, queue: str = "daily", in_seconds: int = 0) -> None:
        """Ask for accounts, ten at most, from outside, after a delay."""
        messages = [
            FetchRequested(account_id=account, correlation_id="c-chaos", requested_by="webhook") for account in accounts
        ]
        entries: Any = [
            {"Id": str(place), "MessageBody": message.body(), "DelaySeconds": in_seconds}
            for place, message in enumerate(messages)
        ]
        self._sqs.send_message_batch(QueueUrl=self.queues[queue], Entries=entries)

    def waiting(self) -> int:
        """How many messages the work queues hold, those included that a worker has or that are delayed."""
        kinds: Any = ["", "NotVisible", "Delayed"]
        return sum(self._count(name, f"ApproximateNumberOfMessages{kind}") for name in _WORK for kind in kinds)

    def dead_letters(self) -> int:
        """How many messages were given up."""
        return self._count("dead", "ApproximateNumberOfMessages")

    def _count(self, queue: str, attribute: Any) -> int:
        answer = self._sqs.get_queue_attributes(QueueUrl=self.queues[queue], AttributeNames=[attribute])
        return int(answer["Attributes"][attribute])

    def _make_queues(self) -> None:
        create = self._sqs.create_queue
        self.queues["dead"] = create(QueueName="dead")["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self.queues["dead"], AttributeNames=["QueueArn"])["Attributes"]
        redrive = f'{{"deadLetterTargetArn": "{arn["QueueArn"]}", "maxReceiveCount": 5}}'
        for name in _WORK:
            attributes: Any = {"VisibilityTimeout": VISIBILITY, "RedrivePolicy": redrive}
            self.queues[name] = create(QueueName=name, Attributes=attributes)["QueueUrl"]
