"""`sync_banking_transactions` as its caller sees it: what each state of the account and of Mono is answered with."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from local.sandbox.effects.answers import RateLimited, Status
from local.sandbox.faults import Fault
from local.sandbox.transport import SandboxTransport
from mono_pipeline.core.booking import DateWindow
from mono_pipeline.core.deadline import Deadline
from mono_pipeline.core.errors import AccountBlocked, AlreadyRunning, QueueUnavailable
from mono_pipeline.core.run import LinkStatus, RowCounts, RunKind, RunStatus
from mono_pipeline.http.sync_call import answer
from mono_pipeline.usecases.account_sync import AccountSync
from mono_pipeline.usecases.wake_up import Served

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from tests.harness import Pipeline

pytestmark = pytest.mark.integration


def test_a_first_history_is_accepted_and_goes_to_the_backfill_queue(pipeline: Pipeline) -> None:
    """It may take longer than any caller waits; the message alone brings it to its end."""
    account = pipeline.link(transactions=60)

    told = pipeline.ask(account)

    assert told.status == "accepted"
    assert told.run is not None
    assert pipeline.daily.messages == []
    (message,) = pipeline.backfill.drain()
    assert (message.account_id, message.hop, message.correlation_id) == (account, 0, "c-api")
    assert pipeline.wake(account, message=message) is Served.DONE
    run = pipeline.worker.runs.show(told.run["run_id"])
    assert run is not None
    assert (run["status"], run["rows_inserted"]) == ("completed", 60)


def test_a_second_call_before_the_start_names_the_same_run(pipeline: Pipeline) -> None:
    """However many ask, one run is owed."""
    account = pipeline.link(transactions=60)

    told = [pipeline.ask(account).run for _ in range(5)]

    assert len({run["run_id"] for run in told if run}) == 1
    assert len(pipeline.runs(account)) == 1


def test_a_known_account_syncs_while_the_caller_waits(pipeline: Pipeline) -> None:
    """The whole result is in the answer, and nothing goes to a queue."""
    account = pipeline.link(transactions=60, days=5)
    pipeline.sync(account)
    pipeline.sandbox.add(account)

    told = pipeline.ask(account)

    code, body, _ = answer(told, "c-api")
    assert (code, body["status"]) == (200, "completed")
    assert body["run"]["counts"]["inserted"] == 1
    assert pipeline.daily.messages == pipeline.backfill.messages == []
    assert pipeline.stored(account) == pipeline.truth(account)


def test_days_that_are_asked_for_are_read_while_the_caller_waits(pipeline: Pipeline) -> None:
    """Also before the first history, and the run names the days it answers for."""
    account = pipeline.link(transactions=60, days=60)
    today = pipeline.today()
    window = DateWindow(start=today - timedelta(days=9), end=today)

    told = pipeline.ask(account, window=window)

    assert (told.status, told.run and (told.run["window_start"], told.run["window_end"])) == (
        "completed",
        (window.start, window.end),
    )


def test_a_held_account_is_already_running_and_nothing_is_asked_for(pipeline: Pipeline) -> None:
    """409 leaves no request behind, with and without a first history."""
    fresh, known = pipeline.link(transactions=5), pipeline.link(transactions=5)
    pipeline.sync(known)
    for account in (fresh, known):
        run_id = pipeline.request(account)
        pipeline.worker.runs.claim(pipeline.account_row(account)["id"], flag_reason="DEFAULT")
        before = pipeline.runs(account)

        with pytest.raises(AlreadyRunning) as running:
            pipeline.ask(account)

        assert running.value.run_id == str(run_id)
        assert pipeline.runs(account) == before
    assert pipeline.backfill.messages == pipeline.daily.messages == []


def test_an_interrupted_run_goes_first(new_pipeline: Callable[..., Pipeline]) -> None:
    """Then the one that was asked for; the answer is that one's."""
    pipeline = new_pipeline(pages_in_flight=1)
    account = pipeline.link(transactions=60, days=4)
    pipeline.sync(account)
    interrupted = pipeline.request(account, kind=RunKind.FULL)
    leased = pipeline.worker.runs.claim(pipeline.account_row(account)["id"], flag_reason="DEFAULT")
    assert leased is not None
    AccountSync(pipeline.worker).run(leased, Deadline.after(0))

    told = pipeline.ask(account)

    assert told.status == "completed"
    assert told.run is not None
    assert told.run["run_id"] != interrupted
    assert [run["status"] for run in pipeline.runs(account)] == ["completed"] * 3


def test_what_takes_too_long_goes_on_in_the_queue(new_pipeline: Callable[..., Pipeline]) -> None:
    """202 with the run that was asked for, and the message that continues it."""
    pipeline = new_pipeline(pages_in_flight=1)
    account = pipeline.link(transactions=60, days=4)
    pipeline.sync(account)

    told = pipeline.ask(account, seconds=0)

    assert (told.status, told.run and told.run["status"]) == ("accepted", "running")
    (message,) = pipeline.daily.drain()
    assert pipeline.wake(account, message=message) is Served.DONE
    assert [run["status"] for run in pipeline.runs(account)] == ["completed", "completed"]


def test_a_run_that_another_worker_took_over_meanwhile_is_accepted(new_pipeline: Callable[..., Pipeline]) -> None:
    """The request stands, and who took it works on it: 409 would say that nothing was asked for."""
    pipeline = new_pipeline(pages_in_flight=1)
    account = pipeline.link(transactions=60, days=4)
    pipeline.sync(account)
    pipeline.request(account, kind=RunKind.FULL)
    internal = pipeline.account_row(account)["id"]
    leased = pipeline.worker.runs.claim(internal, flag_reason="DEFAULT")
    assert leased is not None
    AccountSync(pipeline.worker).run(leased, Deadline.after(0))
    finish = pipeline.worker.runs.finish_complete
    other = pipeline.new_worker()

    def finish_and_lose(*arguments: object, **named: object) -> RowCounts:
        """As soon as the interrupted run has ended, another worker is quicker."""
        landed = finish(*arguments, **named)  # type: ignore[arg-type]
        pipeline.worker.database.rows("COMMIT")
        pipeline.worker.database.rows("BEGIN")
        other.runs.claim(internal, flag_reason="DEFAULT")
        return landed

    pipeline.worker.runs.finish_complete = finish_and_lose  # type: ignore[method-assign]

    told = pipeline.ask(account)

    assert (told.status, told.run and told.run["status"]) == ("accepted", "running")


def test_a_rate_limit_is_paused_with_its_retry_after(pipeline: Pipeline) -> None:
    """503, the seconds that Mono asked for, and the run stays owed."""
    account = pipeline.link(transactions=5)
    pipeline.sync(account)
    pipeline.sandbox.inject(Fault(effect=RateLimited(retry_after="77"), path="*/transactions"))

    code, body, headers = answer(pipeline.ask(account), "c-api")

    assert (code, body["status"], headers) == (503, "paused", {"Retry-After": "77"})
    assert body["reason"] == "mono_rate_limited"
    assert pipeline.runs(account)[-1]["status"] == "running"
    assert 76 <= pipeline.seconds_to_next_attempt(account) <= 77


def test_a_person_does_not_get_past_a_pause(pipeline: Pipeline) -> None:
    """Nobody may call Mono: not one request is made."""
    account = pipeline.link(transactions=5)
    pipeline.sync(account)
    pipeline.worker.budget.pause(60, "mono_rate_limited")
    pipeline.sandbox.clear_requests()

    assert pipeline.ask(account).status == "paused"
    assert pipeline.sandbox.requests() == []


def test_a_person_goes_ahead_of_the_next_attempt(pipeline: Pipeline) -> None:
    """A due time is the schedule's; who asks now is served now."""
    account = pipeline.link(transactions=5)
    pipeline.sync(account)
    assert pipeline.seconds_to_next_attempt(account) > 3_600

    assert pipeline.ask(account).status == "completed"


@pytest.mark.parametrize(
    ("status", "reason"), [(401, "mono_key_refused"), (402, "mono_payment_required"), (403, "mono_forbidden")]
)
def test_a_key_that_is_refused_for_everything_pauses_everybody(pipeline: Pipeline, status: int, reason: str) -> None:
    """The account list fails too: not this account is to blame but our key or our wallet; a minute, then look again."""
    account = pipeline.link(transactions=5)
    pipeline.sync(account)
    pipeline.sandbox.inject(Fault(effect=Status(status=status), times=None))

    code, body, headers = answer(pipeline.ask(account), "c-api")

    assert (code, body["status"], body["reason"]) == (503, "paused", reason)
    assert headers == {"Retry-After": "60"}
    assert pipeline.account_row(account)["link_status"] == "linked"
    pipeline.sandbox.clear_faults()
    pipeline.let_pass(seconds=61)
    assert pipeline.ask(account).status == "completed"


@pytest.mark.parametrize("probe", [500, 404])
def test_a_probe_without_an_answer_blames_no_account(pipeline: Pipeline, probe: int) -> None:
    """Whether the key or the account was refused is unknown: nobody calls for a minute, and nobody is blocked."""
    account = pipeline.link(transactions=5)
    pipeline.sync(account)
    pipeline.sandbox.inject(
        Fault(effect=Status(status=403), account=account, times=None),
        Fault(effect=Status(status=probe), path="/v2/accounts", times=None),
    )

    assert pipeline.ask(account).status == "paused"
    assert pipeline.account_row(account)["link_status"] == "linked"


def test_an_account_that_alone_is_refused_is_blocked_for_an_hour(pipeline: Pipeline) -> None:
    """Other accounts go on, and a success later takes the block away."""
    account, other = pipeline.link(transactions=5), pipeline.link(transactions=5)
    pipeline.sync(account)
    pipeline.sync(other)
    pipeline.sandbox.inject(Fault(effect=Status(status=403), account=account, times=None))

    code, body, _ = answer(pipeline.ask(account), "c-api")

    assert (code, body["status"], body["reason"]) == (409, "account_blocked", "mono_forbidden")
    assert pipeline.account_row(account)["link_status"] == "refused"
    assert 3_500 < pipeline.seconds_to_next_attempt(account) <= 3_600
    assert pipeline.ask(other).status == "completed"
    pipeline.sandbox.clear_faults()
    pipeline.let_pass(seconds=3_601)
    assert pipeline.tick().requested == 1
    for message in pipeline.daily.drain():
        pipeline.wake(account, message=message)
    assert pipeline.account_row(account)["link_status"] == "linked"


def test_an_account_that_mono_does_not_know_is_blocked(pipeline: Pipeline) -> None:
    """404 is this account's; there is nothing to probe."""
    account = pipeline.link(transactions=5)
    pipeline.sync(account)
    pipeline.sandbox.set_link_state(account, state="unlinked")

    code, body, _ = answer(pipeline.ask(account), "c-api")

    assert (code, body["status"], body["reason"]) == (409, "account_blocked", "mono_not_found")
    assert len(pipeline.stored(account)) == 5


def test_an_unlinked_account_is_not_read(pipeline: Pipeline) -> None:
    """It waits for a new link; no request is made, none is left behind."""
    account = pipeline.link(transactions=5)
    pipeline.rows("UPDATE bank_accounts SET link_status = 'unlinked'")
    pipeline.sandbox.clear_requests()

    with pytest.raises(AccountBlocked) as blocked:
        pipeline.ask(account)

    assert blocked.value.reason == "unlinked"
    assert pipeline.runs(account) == pipeline.sandbox.requests() == []


def test_unlinked_while_it_was_refused_stays_unlinked(pipeline: Pipeline) -> None:
    """A webhook may be quicker than the run that fails for it."""
    account = pipeline.link(transactions=5)
    pipeline.rows("UPDATE bank_accounts SET link_status = 'unlinked'")

    internal = pipeline.account_row(account)["id"]
    pipeline.worker.accounts.block(internal, status=LinkStatus.REFUSED, retry_seconds=60)

    assert pipeline.account_row(account)["link_status"] == "unlinked"


def test_an_account_that_needs_reauthorisation_is_read_with_a_warning(pipeline: Pipeline) -> None:
    """Mono serves its old copy: the rows are worth having, and the caller is told."""
    account = pipeline.link(transactions=5)
    pipeline.sync(account)
    pipeline.rows("UPDATE bank_accounts SET link_status = 'reauth_required'")

    told = pipeline.ask(account)

    assert (told.status, told.warnings) == ("completed", ("reauth_required",))


def test_mono_failing_is_failed_with_its_reason(pipeline: Pipeline) -> None:
    """502 and never a success without rows."""
    account = pipeline.link(transactions=5)
    pipeline.sync(account)
    pipeline.sandbox.inject(Fault(effect=Status(status=500), path="*/transactions", times=None))

    code, body, _ = answer(pipeline.ask(account), "c-api")

    assert (code, body["status"], body["error"]["code"]) == (502, "failed", "mono_server_error")


def test_a_queue_that_is_down_loses_no_request(pipeline: Pipeline) -> None:
    """The run stands in the database; the tick sends for it again."""
    account = pipeline.link(transactions=5)
    pipeline.backfill.fails = True
    with pytest.raises(QueueUnavailable):
        pipeline.ask(account)
    pipeline.backfill.fails = False
    pipeline.let_pass(minutes=11)

    pipeline.tick()

    assert account in {message.account_id for message in pipeline.backfill.messages}


def test_a_lost_lease_in_the_middle_of_a_call_is_accepted(new_pipeline: Callable[..., Pipeline]) -> None:
    """Who took the account over goes on with its runs."""
    pipeline = new_pipeline(flush_rows=20, pages_in_flight=1)
    account = pipeline.link(transactions=60, days=4)
    pipeline.sync(account)
    other = pipeline.new_worker()
    internal = pipeline.account_row(account)["id"]

    class Overtaken(SandboxTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            """Answer page 2 after the lease has run out and gone to another."""
            if request.url.params.get("page") == "2":
                other.database.rows("UPDATE bank_accounts SET lease_until = pipeline_now() - interval '1 second'")
                other.runs.claim(internal, flag_reason="DEFAULT")
            return super().handle_request(request)

    pipeline.worker = pipeline.new_worker(Overtaken(pipeline.sandbox))

    told = pipeline.ask(account)

    assert (told.status, told.run and told.run["status"]) == ("accepted", RunStatus.RUNNING)
