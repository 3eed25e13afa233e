"""An event's inbox row and its effect are one commit: a worker that dies between them has done neither."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mono_pipeline.adapters.inbox_store import InboxStore
from mono_pipeline.adapters.postgres import Database
from mono_pipeline.core.errors import DatabaseUnavailable
from tests.webhook_life import hear, told

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.harness import Pipeline

pytestmark = pytest.mark.integration

# What an event may change; whose rows in whose order, and which transaction wrote each of them.
CHANGED = """
SELECT 'account' AS of, to_jsonb(a)::text AS row, xmin::text FROM bank_accounts a
UNION ALL SELECT 'alias', to_jsonb(l)::text, xmin::text FROM account_aliases l
UNION ALL SELECT 'run', to_jsonb(r)::text, xmin::text FROM sync_runs r
UNION ALL SELECT 'call', to_jsonb(c)::text, xmin::text FROM realtime_calls c
UNION ALL SELECT 'event', to_jsonb(i)::text, xmin::text FROM webhook_inbox i ORDER BY 1, 2
"""


def a_first_link(pipeline: Pipeline) -> dict[str, Any]:
    """An account that nobody knows: the effect is the account and its first run."""
    pipeline.sandbox.link_account(transactions=5, ready=True)
    return told(pipeline)[0]


def a_success(pipeline: Pipeline) -> dict[str, Any]:
    """The effect is how fresh the bank's data are, and a run."""
    account = pipeline.link(transactions=5)
    pipeline.sync(account)
    body: dict[str, Any] = pipeline.sandbox.fire_webhook(event="account_updated", account=account)[0]["body"]
    body["data"]["meta"]["sync_status"] = "SUCCESSFUL"
    return body


def a_finished_job(pipeline: Pipeline) -> dict[str, Any]:
    """The effect is that the account is fresh."""
    account = pipeline.link(transactions=5)
    body: dict[str, Any] = pipeline.sandbox.fire_webhook(event="jobs_update", account=account)[0]["body"]
    body["data"]["id"] = "681b431edb122e972b21fd4c"
    return body


def a_customer_who_is_wanted(pipeline: Pipeline) -> dict[str, Any]:
    """The effect is the account's status."""
    account = pipeline.link(transactions=5)
    body: dict[str, Any] = pipeline.sandbox.fire_webhook(event="reauthorisation_required", account=account)[0]["body"]
    return body


def an_end(pipeline: Pipeline) -> dict[str, Any]:
    """The effect is that a run which was asked for is stopped, and the account's status."""
    account = pipeline.link(transactions=5)
    pipeline.request(account)
    since = len(pipeline.sandbox.webhooks())
    pipeline.sandbox.unlink(account)
    return told(pipeline, since)[0]


def a_new_link_of_a_known_account(pipeline: Pipeline) -> dict[str, Any]:
    """The effect is another Mono id, and the old one as an alias."""
    account = pipeline.link(transactions=5)
    pipeline.sync(account)
    since = len(pipeline.sandbox.webhooks())
    pipeline.sandbox.relink(account, unlink=False)
    return told(pipeline, since)[0]


EVENTS = (
    a_first_link,
    a_success,
    a_finished_job,
    a_customer_who_is_wanted,
    an_end,
    a_new_link_of_a_known_account,
)


def end_the_session(database: Database, pipeline: Pipeline) -> None:
    """PostgreSQL ends the worker's session, as when the worker or its server dies."""
    (mine,) = database.rows("SELECT pg_backend_pid() AS pid")
    other = Database(pipeline.address)
    other.rows("SELECT pg_terminate_backend(:pid, 5000)", pid=mine["pid"])
    other.close()


@pytest.mark.parametrize("event", EVENTS)
def test_a_worker_that_dies_before_the_inbox_row_has_done_nothing(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, event: Callable[[Pipeline], dict[str, Any]]
) -> None:
    """The tables are as they were; delivered again the event does all it would have done at first."""
    body = event(pipeline)
    before = pipeline.rows(CHANGED)
    dying = pipeline.new_worker()
    write = InboxStore.write
    reached: list[str] = []

    def dies(self: InboxStore, *arguments: Any, **named: Any) -> None:
        reached.extend(row["of"] for row in self._database.rows(CHANGED) if row not in before)
        end_the_session(dying.database, pipeline)
        write(self, *arguments, **named)

    with monkeypatch.context() as once:
        once.setattr(InboxStore, "write", dies)
        with pytest.raises(DatabaseUnavailable):
            hear(pipeline, body, worker=dying, read=False)

    assert reached  # the effect was there, for this worker
    assert pipeline.rows(CHANGED) == before
    hear(pipeline, body, read=False)
    changed = {row["of"] for row in pipeline.rows(CHANGED) if row not in before}
    assert changed == {*reached, "event"}


@pytest.mark.parametrize("event", EVENTS)
def test_an_inbox_row_is_there_only_with_its_effect(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, event: Callable[[Pipeline], dict[str, Any]]
) -> None:
    """A worker that dies once both are written, and neither is committed, has done nothing either."""
    body = event(pipeline)
    before = pipeline.rows(CHANGED)
    dying = pipeline.new_worker()
    write = InboxStore.write

    def dies(self: InboxStore, *arguments: Any, **named: Any) -> None:
        write(self, *arguments, **named)
        raise DatabaseUnavailable("made up")

    with monkeypatch.context() as once:
        once.setattr(InboxStore, "write", dies)
        with pytest.raises(DatabaseUnavailable):
            hear(pipeline, body, worker=dying, read=False)

    assert pipeline.rows(CHANGED) == before
