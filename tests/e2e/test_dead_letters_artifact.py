"""Dead letters through the built artifacts: made by a worker, looked at, replayed and purged at the front doors."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import httpx
import pytest
from botocore.exceptions import ClientError

from local.sandbox.effects import Status
from local.sandbox.faults import Fault
from mono_pipeline.adapters.postgres import Database, DatabaseAddress
from mono_pipeline.adapters.queue import FetchRequested
from tests.e2e.killing_proxy import KillingProxy
from tests.faults.artifact import Artifact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_sqs import SQSClient

    from local.sandbox.client import SandboxClient
    from local.stack import EmbeddedStack

SYNC: Final = "/api/v1/banking/transactions/sync"
LETTERS: Final = "/api/v1/ops/dead-letters"


@dataclass(frozen=True, kw_only=True)
class Doors:
    """The stack as an operator has it, and a look behind it."""

    http: httpx.Client
    functions: LambdaClient
    sqs: SQSClient
    sandbox: SandboxClient
    database: Database
    aws: str

    @property
    def dead(self) -> str:
        """The dead-letter queue's URL."""
        return self.sqs.get_queue_url(QueueName="mono-pipeline-local-dead-letters")["QueueUrl"]

    def ask(self, action: str, account: str, **more: Any) -> dict[str, Any]:
        """Asked at the API's own door, to the end."""
        body = question(action, account, action_id=str(uuid4()), **more)
        while True:
            answer = self.http.post(LETTERS, json=body)
            assert answer.status_code == 200, answer.text
            if answer.json()["status"] != "continues":
                return dict(answer.json())

    def invoke(self, body: dict[str, Any]) -> dict[str, Any]:
        """Asked by invoking the function as API Gateway does."""
        payload = json.dumps(api_event(body)).encode()
        answer = self.functions.invoke(FunctionName="mono-pipeline-local-dlq-replay", Payload=payload)
        return dict(json.loads(json.loads(answer["Payload"].read())["body"]))

    def put_wake_ups(self, account: str, count: int) -> None:
        """Wake-ups that no worker could finish."""
        for number in range(count):
            wake = FetchRequested(account_id=account, correlation_id=f"c-{number}", requested_by="webhook")
            self.sqs.send_message(QueueUrl=self.dead, MessageBody=wake.body(), MessageGroupId=account)

    def runs(self, account: str) -> list[tuple[str, str]]:
        """(who asked, how it stands) of the account's runs."""
        rows = self.database.rows(
            """SELECT r.requested_by, r.status FROM sync_runs r JOIN bank_accounts a ON a.id = r.account_id
               WHERE a.mono_account_id = :id ORDER BY r.requested_at""",
            id=account,
        )
        return [(row["requested_by"], row["status"]) for row in rows]

    def is_the_bank(self, account: str) -> bool:
        """Whether every live row is the bank's, and none is missing."""
        rows = self.database.rows(
            """SELECT t.mono_transaction_id AS id, t.amount_minor AS amount FROM bank_transactions t
               JOIN bank_accounts a ON a.id = t.account_id WHERE a.mono_account_id = :id AND disappeared_at IS NULL""",
            id=account,
        )
        at_the_bank = {row["id"]: row["amount"] for row in self.sandbox.truth(account)["bank"]}
        return {row["id"]: row["amount"] for row in rows} == at_the_bank

    def all_served(self) -> bool:
        """Whether no wake-up lies in a work queue or is being worked on."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        urls = [
            self.sqs.get_queue_url(QueueName=f"mono-pipeline-local-{name}")["QueueUrl"]
            for name in ("daily", "backfill")
        ]
        counts = [self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"] for url in urls]  # type: ignore[arg-type]  # of a closed list
        return not any(int(count) for each in counts for count in each.values())


@pytest.fixture
def address(stack: EmbeddedStack) -> DatabaseAddress:
    """Where the stack's database is."""
    url = httpx.URL(stack.record["database_url"])
    return DatabaseAddress(host=url.host, port=url.port or 0, database=url.path[1:], user=url.username)


@pytest.fixture
def doors(
    stack: EmbeddedStack, http: httpx.Client, functions: LambdaClient, sqs: SQSClient, sandbox: SandboxClient
) -> Iterator[Doors]:
    """The stack's."""
    url = httpx.URL(stack.record["database_url"])
    opened = Database(DatabaseAddress(host=url.host, port=url.port or 0, database=url.path[1:], user=url.username))
    yield Doors(
        http=http,
        functions=functions,
        sqs=sqs,
        sandbox=sandbox,
        database=opened,
        aws=stack.record["aws_endpoint_url"],
    )
    opened.close()


@pytest.fixture
def account(doors: Doors, flag: Callable[[str], None], new_account: Callable[..., str]) -> str:
    """An account at the bank, brought in, with the flag on for everybody."""
    flag("true")
    opened = new_account(transactions=20)
    payload = json.dumps({"action": "accounts.import", "account_ids": [opened]}).encode()
    doors.functions.invoke(FunctionName="mono-pipeline-local-ops", Payload=payload)
    until(lambda: doors.ask("replay", opened).get("would_be_refused") is None)  # it has heard of the flag
    return opened


def until(holds: Callable[[], Any], *, seconds: float = 60.0) -> Any:
    """Ask until the answer is true; fail when it never is."""
    give_up = time.monotonic() + seconds
    while not (answer := holds()):
        assert time.monotonic() < give_up, "it never came true"
        time.sleep(0.05)
    return answer


def question(action: str, account: str, **more: Any) -> dict[str, Any]:
    """What is asked, of one account's letters."""
    return {"action": action, "filter": {"account_id": account}, "asked_by": "ada", **more}


def api_event(body: dict[str, Any]) -> dict[str, Any]:
    """A call as API Gateway hands it over."""
    return {"body": json.dumps(body), "requestContext": {"requestId": "r-1", "identity": {}}}


def messages(answer: dict[str, Any], outcome: str) -> int:
    """How many messages come to this."""
    return int(answer["outcomes"].get(outcome, {"messages": 0})["messages"])


def test_an_account_that_failed_too_often_is_seen_and_replayed(doors: Doors, account: str) -> None:
    """The worker itself makes the letter; a dry run says what a replay does, and does nothing; the replay does it."""
    doors.sandbox.inject(Fault(effect=Status(status=400), path="*/transactions", account=account, times=None))
    for failures in range(1, 6):
        assert doors.http.post(SYNC, json={"account_id": account}).status_code == 202
        until(lambda failures=failures: [status for _, status in doors.runs(account)] == ["failed"] * failures)
    (letter,) = until(lambda: doors.ask("inspect", account)["letters"])
    doors.sandbox.clear_faults()
    assert (letter["type"], letter["account_id"], letter["reason"]) == ("mono.fetch.failed", account, "mono_rejected")

    dry = doors.invoke(question("replay", account))
    assert (dry["status"], dry["dry_run"], messages(dry, "requeued")) == ("completed", True, 1)
    assert [status for _, status in doors.runs(account)] == ["failed"] * 5
    done = doors.ask("replay", account, dry_run=False)

    assert (done["dry_run"], messages(done, "requeued")) == (False, 1)
    until(lambda: doors.runs(account)[-1] == ("replay", "completed"))
    assert doors.is_the_bank(account)
    assert doors.ask("inspect", account)["letters"] == []


@pytest.mark.parametrize("after", [False, True], ids=["before the deletion", "after it"])
def test_a_replay_killed_between_send_and_delete_doubles_nothing(
    doors: Doors, account: str, address: DatabaseAddress, tmp_path: Path, *, after: bool
) -> None:
    """SIGKILL of the shipped function: what it sent is served once, and the next replay only takes the letters off."""
    doors.put_wake_ups(account, 3)
    with KillingProxy(doors.aws, target="DeleteMessageBatch", after=after) as proxy:
        function = Artifact("DlqReplay", tmp_path, endpoint=proxy.url, address=address)
        process = proxy.victim = function.start()
        event = api_event(question("replay", account, dry_run=False, action_id=str(uuid4())))
        process.communicate(json.dumps(event), timeout=120)
    assert process.returncode == -9
    until(lambda: doors.runs(account) == [("replay", "completed")])
    for receipt in proxy.receipts:  # two minutes later: what somebody died over shows itself
        with suppress(ClientError):  # it is deleted
            doors.sqs.change_message_visibility(QueueUrl=doors.dead, ReceiptHandle=receipt, VisibilityTimeout=0)

    doors.ask("replay", account, dry_run=False)

    assert doors.ask("inspect", account)["letters"] == []
    until(doors.all_served)
    assert doors.runs(account) == [("replay", "completed")]
    assert doors.is_the_bank(account)


def test_a_purge_keeps_what_it_takes_away(doors: Doors, account: str) -> None:
    """A dry run through the function, the purge through the API: archived, deleted, and nobody is woken."""
    doors.put_wake_ups(account, 2)
    dry = doors.invoke(question("purge", account))
    assert (dry["dry_run"], messages(dry, "purged")) == (True, 2)

    done = doors.ask("purge", account, dry_run=False)

    assert messages(done, "purged") == 2
    assert doors.ask("inspect", account)["letters"] == []
    kept = doors.database.rows("SELECT archived_as FROM dead_letter_archive WHERE body LIKE :id", id=f"%{account}%")
    assert [row["archived_as"] for row in kept] == ["purged"] * 2
    assert doors.runs(account) == []
