"""The functions' own role may do all that dead letters need, and no more."""

from __future__ import annotations

from copy import replace
from typing import TYPE_CHECKING

import pytest

from local.aws import sqs_client
from mono_pipeline.adapters.message_quarantine import MessageQuarantine
from mono_pipeline.adapters.postgres import StatementRefused
from mono_pipeline.adapters.sqs_batch import SqsMessage
from tests.dead_letter_desk import DeadLetterDesk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.aws import AwsStandIn
    from mono_pipeline.adapters.postgres import DatabaseAddress
    from tests.harness import Pipeline

pytestmark = pytest.mark.integration


@pytest.fixture
def limited(pipeline: Pipeline, address: DatabaseAddress, sqs_server: AwsStandIn) -> Iterator[DeadLetterDesk]:
    """The desk, at a database that it enters as the functions do."""
    made = type(pipeline)(replace(address, user="pipeline"), pipeline.sandbox)
    yield DeadLetterDesk(made, sqs_client(sqs_server.url))
    made.close()


def test_the_functions_role_can_do_all_of_it(limited: DeadLetterDesk) -> None:
    """Fail, send, inspect, replay, give up, purge and quarantine."""
    account = limited.pipeline.link(transactions=2)
    limited.fail(account, times=5)
    limited.put("{")
    limited.put_wake_up("b" * 24)
    limited.ask()
    assert limited.counted(limited.replay()) == {"requeued": 1, "quarantined": 1, "unknown_account": 1}
    assert limited.counted(limited.purge()) == {"purged": 1}
    message = SqsMessage(message_id="m-1", queue_arn="a:daily", body="{", receives=1, sent_at=1.0)
    for _ in range(2):
        MessageQuarantine(limited.worker.database).keep(message, "x")
    assert limited.pipeline.tick().dead_letters_sent == 0


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM dead_letter_actions",
        "DELETE FROM dead_letter_archive",
        "UPDATE dead_letter_archive SET reason = 'x'",
        "DELETE FROM quarantined_messages",
    ],
)
def test_the_books_and_the_archive_are_not_rewritten(limited: DeadLetterDesk, statement: str) -> None:
    """Not even by us."""
    with pytest.raises(StatementRefused, match="42501"):
        limited.pipeline.rows(statement)
