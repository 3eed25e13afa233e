"""The queue of daily work as another program sees it: it asks for syncs, and waits until nobody has work."""

from __future__ import annotations

import json
from functools import partial
from itertools import batched
from typing import TYPE_CHECKING

from local.aws import sqs_client
from tests.e2e.test_main_job import until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from local.stack import EmbeddedStack


class DailyQueue:
    """That of a stack."""

    def __init__(self, stack: EmbeddedStack) -> None:
        self._sqs = sqs_client(stack.record["aws_endpoint_url"])
        self._work = [url for url in self._sqs.list_queues()["QueueUrls"] if url.endswith(("-daily", "-backfill"))]
        self._daily = next(url for url in self._work if url.endswith("-daily"))

    def ask_for(self, accounts: Sequence[str]) -> None:
        """Send a message for each; of none of them there is a row of a run."""
        for some in batched(accounts, 10, strict=False):
            self._sqs.send_message_batch(
                QueueUrl=self._daily,
                Entries=[{"Id": str(number), "MessageBody": _body(account)} for number, account in enumerate(some)],
            )

    def wait_until_empty(self) -> None:
        """Until no work queue has a message, taken or not; however long it takes, as long as they become fewer."""
        while left := self._messages():
            until(partial(self._has_fewer, left), seconds=120)

    def _has_fewer(self, than: int) -> bool:
        return self._messages() < than

    def _messages(self) -> int:
        told = [
            self._sqs.get_queue_attributes(
                QueueUrl=url,
                AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
            )["Attributes"]
            for url in self._work
        ]
        return sum(int(count) for counts in told for count in counts.values())


def _body(account: str) -> str:
    return json.dumps(
        {
            "type": "mono.fetch.requested",
            "account_id": account,
            "correlation_id": "c-load",
            "requested_by": "another program",
            "hop": 0,
        }
    )
