"""What the gate is told: whose runs ended how in a window, and what began after an instant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from local.sandbox.effects import Status
from local.sandbox.faults import Fault
from mono_pipeline.core.deadline import Deadline
from mono_pipeline.core.flag import bucket
from mono_pipeline.core.release_cohort import Cohort
from mono_pipeline.core.run import RunKind
from mono_pipeline.usecases.operations import Operations

if TYPE_CHECKING:
    from tests.harness import Pipeline

pytestmark = pytest.mark.integration


def ask(pipeline: Pipeline, action: str, **arguments: Any) -> dict[str, Any]:
    """Ask as monoctl does."""
    return Operations(pipeline.worker).perform({"action": f"releases.{action}", **arguments}, Deadline.after(30))


def now(pipeline: Pipeline) -> str:
    """The database's clock."""
    return str(ask(pipeline, "starts")["now"])


def cohort(document: dict[str, Any]) -> Cohort:
    """A cohort as it is told."""
    return Cohort(**document)


def test_a_window_keeps_canary_rest_and_before_apart(pipeline: Pipeline) -> None:
    """Each run is in exactly one of the three, by its account and by when it ended."""
    canary, other = pipeline.link(transactions=30), pipeline.link(transactions=30)
    pipeline.sync(other)
    opened = now(pipeline)
    for _ in range(2):
        pipeline.sync(canary)
    pipeline.sandbox.inject(Fault(effect=Status(status=404), account=other, path="*/transactions", times=None))
    pipeline.sync(other)

    seen = ask(pipeline, "observe", since=opened, accounts=[canary])

    told, rest, before = (cohort(seen[name]) for name in ("canary", "rest", "rest_before"))
    assert (told.accounts, told.completed, told.verified, told.fetches, told.failed) == (1, 2, 2, 1, 0)
    assert told.p95_seconds is not None
    assert 0 < told.p95_seconds < 2
    assert (rest.accounts, rest.completed, rest.failed) == (1, 0, 1)
    assert sum(rest.errors.values()) == 1
    assert (before.completed, before.failed) == (1, 0)
    (account,) = seen["accounts"]
    assert (account["account_id"], account["status"], account["verdict"]) == (canary, "completed", "verified")


def test_mismatches_and_suspicions_are_those_of_their_cohort(pipeline: Pipeline) -> None:
    """New ids for a canary's old rows are the canary's suspicion, and nobody else's."""
    canary, other = pipeline.link(transactions=30), pipeline.link(transactions=30)
    for account in (canary, other):
        pipeline.sync(account)
    opened = now(pipeline)
    pipeline.sandbox.remint(canary)
    pipeline.sync(canary, kind=RunKind.FULL)
    pipeline.sync(other)

    seen = ask(pipeline, "observe", since=opened, accounts=[canary])
    later = ask(pipeline, "observe", since=now(pipeline), accounts=[canary])

    assert cohort(seen["canary"]).suspicions > 0
    assert cohort(seen["rest"]).suspicions == 0
    assert cohort(later["canary"]) == Cohort()


def test_a_step_s_cohort_is_who_comes_on_by_it(pipeline: Pipeline) -> None:
    """By the flag's own deal, over the first id; who was on before is the rest."""
    accounts = [pipeline.link(transactions=5) for _ in range(12)]
    dealt = sorted((bucket("", account), account) for account in accounts)
    half = dealt[5][0] + 1
    before, after = '{"enabled": true, "percentage": 0}', f'{{"enabled": true, "percentage": {half / 100}}}'
    opened = now(pipeline)
    for account in accounts:
        pipeline.sync(account)

    step = ask(pipeline, "cohort", before=before, after=after, sample=3)
    seen = ask(pipeline, "observe", since=opened, before=before, after=after)
    rest_of_it = ask(pipeline, "cohort", before=after, after="true")

    assert step["accounts"] == 6
    assert set(step["sample"]) < {account for _, account in dealt[:6]}
    assert len(step["sample"]) == 3
    assert cohort(seen["canary"]).accounts == cohort(seen["rest"]).accounts == 6
    assert set(rest_of_it["sample"]) == {account for _, account in dealt[6:]}


def test_what_begins_after_an_instant_is_counted_to_the_second(pipeline: Pipeline) -> None:
    """Runs that were asked for wait; one that began is told with when it did; one at work is seen."""
    first, second = pipeline.link(transactions=5), pipeline.link(transactions=5)
    pipeline.sync(first)
    since = now(pipeline)
    pipeline.request(second)
    before = ask(pipeline, "starts", since=since)
    internal = pipeline.account_row(second)["id"]
    pipeline.worker.runs.claim(internal, flag_reason="DEFAULT")

    after = ask(pipeline, "starts", since=since)

    assert (before["started"], before["last_started_seconds"], before["working"], before["waiting"]) == (0, None, 0, 1)
    assert (after["started"], after["working"], after["waiting"]) == (1, 1, 0)
    assert 0 < after["last_started_seconds"] <= after["seconds"]


def test_how_old_the_bank_s_data_are_is_told_of_whoever_had_a_run(pipeline: Pipeline) -> None:
    """The oldest of each cohort, whatever our own runs' age, and of how many nobody knows."""
    canary, stale, unknown, idle = (pipeline.link(transactions=5) for _ in range(4))
    opened = now(pipeline)
    for account in (canary, stale, unknown):
        pipeline.sync(account)
    for account, hours in ((canary, 2), (stale, 30), (unknown, None), (idle, 900)):
        pipeline.rows(
            """UPDATE bank_accounts SET fresh_as_of = pipeline_now() - make_interval(hours => :hours::int)
               WHERE mono_account_id = :id""",
            hours=hours,
            id=account,
        )

    told = ask(pipeline, "observe", since=opened, accounts=[canary])["freshness"]
    nobody = ask(pipeline, "observe", since=now(pipeline), accounts=[canary])["freshness"]

    assert told["canary"] == {"oldest_seconds": pytest.approx(2 * 3600, abs=60), "unknown": 0}
    assert told["rest"] == {"oldest_seconds": pytest.approx(30 * 3600, abs=60), "unknown": 1}
    assert nobody == {name: {"oldest_seconds": None, "unknown": 0} for name in ("canary", "rest")}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"since": "yesterday", "accounts": []}, "InvalidInput"),
        ({"since": "2026-11-24T12:00:00", "accounts": []}, "InvalidInput"),
        ({"accounts": ["0" * 24]}, "AccountUnknown"),
        ({"accounts": "all"}, "InvalidInput"),
        ({"before": "true", "after": "flase"}, "InvalidInput"),
        ({}, "InvalidInput"),
        ({"accounts": [], "before": "true", "after": "true", "baseline_seconds": -1}, "InvalidInput"),
    ],
)
def test_a_question_that_means_nothing_is_refused(pipeline: Pipeline, arguments: dict[str, Any], code: str) -> None:
    """It is not answered with empty cohorts."""
    instant = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()

    assert ask(pipeline, "observe", **{"since": instant, **arguments})["error"]["code"] == code
