"""Real-time calls against a bank that moves only for them: one header, one price, and never on a retry."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from local.sandbox.effects.answers import Status
from local.sandbox.faults import Fault
from mono_pipeline.adapters.realtime_store import CallTarget, RealtimeStore
from mono_pipeline.core.deadline import Deadline
from mono_pipeline.core.errors import DatabaseUnavailable
from mono_pipeline.core.realtime import CallOutcome, CallState, RealtimePolicy, Refusal
from mono_pipeline.usecases.realtime_refresh import RealtimeRefresh

if TYPE_CHECKING:
    from collections.abc import Callable

    from mono_pipeline.usecases.collaborators import Collaborators
    from tests.harness import Pipeline

pytestmark = pytest.mark.integration


@pytest.fixture
def paying(new_pipeline: Callable[..., Pipeline]) -> Pipeline:
    """A pipeline that may spend NGN 1,000 a month."""
    return new_pipeline(realtime_monthly_cap_ngn=1_000)


def lagging(pipeline: Pipeline, policy: RealtimePolicy = RealtimePolicy.ON_DEMAND) -> str:
    """Return an account that was synced, whose copy at Mono moves with real-time jobs alone, and two rows behind."""
    account = pipeline.link(transactions=20)
    pipeline.sync(account)
    pipeline.sandbox.set_link_state(account, state="cached")
    pipeline.sandbox.add(account, count=2)
    RealtimeStore(pipeline.worker.database).set_policy(pipeline.account_row(account)["id"], policy)
    pipeline.sandbox.clear_requests()
    return account


def ask(pipeline: Pipeline, account: str) -> CallOutcome | Refusal:
    """Ask as a person does."""
    return ask_for(target_of(pipeline, account), pipeline.worker)


def target_of(pipeline: Pipeline, account: str) -> CallTarget:
    """Return the account as a call names it."""
    row = pipeline.account_row(account)
    return CallTarget(
        id=row["id"],
        mono_account_id=account,
        first_mono_account_id=row["first_mono_account_id"],
        mono_customer_id=row["mono_customer_id"],
    )


def ask_for(target: CallTarget, worker: Collaborators) -> CallOutcome | Refusal:
    """Ask over a worker's own connection, as its own thread may."""
    return RealtimeRefresh(worker).ask(target, requested_by="test", correlation_id="c-rt", deadline=Deadline.after(60))


def paid_requests(pipeline: Pipeline) -> list[dict[str, Any]]:
    """Return the requests that carried the header."""
    return [
        request
        for request in pipeline.sandbox.requests()
        if "true" in {request["headers"].get("x-realtime"), request["headers"].get("x-real-time")}
    ]


def calls(pipeline: Pipeline) -> list[dict[str, Any]]:
    """Return the calls as the table has them, oldest first."""
    return pipeline.rows("SELECT * FROM realtime_calls ORDER BY id")


def spent(pipeline: Pipeline) -> int:
    """Return what all months have cost."""
    return sum(row["spent_ngn"] for row in pipeline.rows("SELECT spent_ngn FROM realtime_spend"))


def test_a_call_brings_what_the_bank_has_and_is_followed_by_a_plain_sync(paying: Pipeline) -> None:
    """One request with the header; every read after it without; fresh as of the call; NGN 100."""
    account = lagging(paying)
    assert paying.stored(account) != paying.truth(account)

    outcome = ask(paying, account)
    assert isinstance(outcome, CallOutcome)
    assert outcome.state is CallState.FINISHED
    paying.drain()

    assert paying.stored(account) == paying.truth(account)
    assert len(paid_requests(paying)) == 1
    assert len(paying.page_requests(account)) > 1
    (call,) = calls(paying)
    assert (call["state"], call["charged_ngn"], call["has_new_data"]) == ("finished", 100, True)
    assert paying.account_row(account)["fresh_as_of"] == call["asked_at"]
    assert spent(paying) == 100


def test_a_call_that_brings_nothing_is_given_back(paying: Pipeline) -> None:
    """Mono does not charge for it: reserved, and settled at 0."""
    account = lagging(paying)
    paying.sandbox.refresh(account)

    ask(paying, account)

    assert (calls(paying)[0]["charged_ngn"], spent(paying)) == (0, 0)
    assert paying.account_row(account)["fresh_as_of"] is not None


def test_without_a_policy_or_a_cap_nothing_is_paid(new_pipeline: Callable[..., Pipeline]) -> None:
    """Both defaults are no: `never`, and NGN 0."""
    pipeline = new_pipeline()
    account = lagging(pipeline, RealtimePolicy.NEVER)

    assert ask(pipeline, account) is Refusal.POLICY_NEVER
    RealtimeStore(pipeline.worker.database).set_policy(pipeline.account_row(account)["id"], RealtimePolicy.DAILY)
    assert ask(pipeline, account) is Refusal.MONTHLY_CAP
    assert pipeline.round().realtime_calls == 0

    assert paid_requests(pipeline) == []
    assert calls(pipeline) == []
    assert pipeline.account_row(account)["realtime_asked_at"] is None


def test_a_second_call_within_five_minutes_is_not_made(paying: Pipeline) -> None:
    """Mono would name the last job again; after five minutes one is made."""
    account = lagging(paying)
    ask(paying, account)

    assert ask(paying, account) is Refusal.RECENT
    paying.let_pass(minutes=5)
    assert isinstance(ask(paying, account), CallOutcome)

    assert len(paid_requests(paying)) == 2


def test_many_that_ask_at_once_make_one_call(paying: Pipeline) -> None:
    """The guard is taken in the statement that looks at it."""
    account = lagging(paying)
    target, workers = target_of(paying, account), [paying.new_worker() for _ in range(4)]

    with ThreadPoolExecutor(max_workers=4) as pool:
        answers = list(pool.map(lambda worker: ask_for(target, worker), workers))

    assert sum(isinstance(answer, CallOutcome) for answer in answers) == 1
    assert len(paid_requests(paying)) == len(calls(paying)) == 1


def test_many_that_ask_at_once_stay_below_the_cap(new_pipeline: Callable[..., Pipeline]) -> None:
    """Twelve accounts, NGN 500: five calls, whoever comes first."""
    pipeline = new_pipeline(realtime_monthly_cap_ngn=500)
    targets = [target_of(pipeline, lagging(pipeline)) for _ in range(12)]
    pipeline.sandbox.clear_requests()
    workers = [pipeline.new_worker() for _ in range(4)]

    with ThreadPoolExecutor(max_workers=4) as pool:
        parts = list(pool.map(lambda n: [ask_for(target, workers[n]) for target in targets[n::4]], range(4)))

    answers = [answer for part in parts for answer in part]
    assert sum(isinstance(answer, CallOutcome) for answer in answers) == 5
    assert answers.count(Refusal.MONTHLY_CAP) == 7
    assert (len(paid_requests(pipeline)), spent(pipeline)) == (5, 500)


def test_the_next_month_has_a_cap_of_its_own(new_pipeline: Callable[..., Pipeline]) -> None:
    """A calendar month in Lagos."""
    pipeline = new_pipeline(realtime_monthly_cap_ngn=100)
    account = lagging(pipeline)
    ask(pipeline, account)
    pipeline.let_pass(minutes=6)
    assert ask(pipeline, account) is Refusal.MONTHLY_CAP
    pipeline.let_pass(days=31)

    assert isinstance(ask(pipeline, account), CallOutcome)


@pytest.mark.parametrize("dies", ["before the call", "after the call"])
def test_who_dies_after_the_reservation_has_made_the_one_call(
    paying: Pipeline, dies: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A redelivered message, a second tick and the poll make none; it counts as charged, and is closed by itself."""
    account = lagging(paying, RealtimePolicy.DAILY)
    if dies == "before the call":
        monkeypatch.setattr(paying.worker.mono, "start_realtime", _die)
    else:
        monkeypatch.setattr(RealtimeStore, "job_ended", _die)
    with pytest.raises(DatabaseUnavailable):
        ask(paying, account)
    monkeypatch.undo()
    made = len(paid_requests(paying))

    assert ask(paying, account) is Refusal.RECENT
    paying.let_pass(minutes=9)
    assert ask(paying, account) is Refusal.RECENT  # its answer may still be on the way
    paying.round()
    paying.let_pass(minutes=2)
    paying.round()

    (call,) = calls(paying)
    assert (call["state"], call["charged_ngn"]) == ("unknown", 100)
    assert len(paid_requests(paying)) == made == (dies == "after the call")
    assert spent(paying) == 100


@pytest.mark.parametrize("status", [500, 502, 429, 400, 404])
def test_an_answer_that_is_an_error_is_not_tried_again(paying: Pipeline, status: int) -> None:
    """Elsewhere a 502 is tried five times; here once. Refused by its status it is free, else it counts."""
    account = lagging(paying)
    paying.sandbox.inject(Fault(effect=Status(status=status), path="*/transactions", times=None))

    outcome = ask(paying, account)

    assert isinstance(outcome, CallOutcome)
    assert len(paid_requests(paying)) == 1
    assert spent(paying) == (100 if status >= 500 else 0)
    assert paying.slept == []


def test_402_turns_real_time_off_and_nothing_else(paying: Pipeline) -> None:
    """Recorded with its reason, told as an event; the account is read on, nobody is paused, nothing is charged."""
    account = lagging(paying, RealtimePolicy.DAILY)
    other = lagging(paying, RealtimePolicy.DAILY)
    paying.sandbox.inject(Fault(effect=Status(status=402), path=f"*/{account}/transactions", times=1))

    ask(paying, account)

    row = paying.account_row(account)
    assert (row["realtime"], row["realtime_off_reason"], row["link_status"]) == (
        "never",
        "mono_payment_required",
        "linked",
    )
    assert "mono.realtime.turned_off" in paying.witness.names()
    assert ask(paying, account) is Refusal.POLICY_NEVER
    assert paying.account_row(other)["realtime"] == "daily"
    assert spent(paying) == 0
    assert paying.sync(account).status == "completed"
    assert paying.rows("SELECT pause_reason FROM provider_budget") == [{"pause_reason": None}]


def test_a_business_account_that_mono_refuses_is_synced_as_ever(paying: Pipeline) -> None:
    """Real-time is not for them (Mono contract 2.6): the call is refused and free, the policy stays, syncs go on."""
    account = lagging(paying, RealtimePolicy.DAILY)
    paying.sandbox.inject(Fault(effect=Status(status=400), path="*/transactions", times=1))

    result = paying.round()

    assert result.realtime_calls == 1
    assert (calls(paying)[0]["state"], calls(paying)[0]["reason"], spent(paying)) == ("refused", "mono_rejected", 0)
    row = paying.account_row(account)
    assert (row["realtime"], row["link_status"]) == ("daily", "linked")
    assert paying.sync(account).status == "completed"


def test_a_job_under_way_is_looked_at_by_the_tick_and_then_synced(paying: Pipeline) -> None:
    """`data: null` and `processing`: no waiting, no second call; the tick asks for the job, without the header."""
    paying.sandbox.set_switches(realtime_job="processing", realtime_seconds=400.0, realtime_body="null")
    account = lagging(paying)

    outcome = ask(paying, account)
    assert isinstance(outcome, CallOutcome)
    assert outcome.state is CallState.PROCESSING
    assert paying.slept == []
    assert paying.daily.messages == []
    assert paying.account_row(account)["fresh_as_of"] is None
    paying.let_pass(minutes=5)
    assert paying.round().jobs_ended == 0
    paying.let_pass(minutes=5)
    assert paying.round().jobs_ended == 1
    paying.drain()

    (call,) = calls(paying)
    assert paying.account_row(account)["fresh_as_of"] == call["asked_at"]
    assert paying.stored(account) == paying.truth(account)
    # the job's page does not say whether there were new data: until the webhook does, it counts
    assert (call["state"], call["charged_ngn"], call["has_new_data"], spent(paying)) == ("finished", 100, None, 100)
    assert len(paid_requests(paying)) == 1


def test_a_job_is_looked_at_once_by_two_ticks_at_once(paying: Pipeline) -> None:
    """Whoever takes it moves it on; who comes meanwhile passes it by, and does not wait."""
    paying.sandbox.set_switches(realtime_job="processing")
    ask(paying, lagging(paying))
    paying.let_pass(minutes=5)
    paying.sandbox.clear_requests()
    other = paying.new_worker()

    with other.database.transaction():
        (taken,) = RealtimeStore(other.database).take_polls(limit=9)
        paying.round()
    paying.round()

    assert taken.job_id == calls(paying)[0]["job_id"]
    assert not [request for request in paying.sandbox.requests() if "/jobs/" in request["path"]]


def test_a_job_for_which_the_bank_wants_the_customer_leaves_the_account_to_be_signed_in(paying: Pipeline) -> None:
    """Needing a code of the bank's: the job fails, the link says so until a success, and nothing was charged."""
    account = lagging(paying)
    paying.sandbox.set_link_state(account, state="dead")

    ask(paying, account)

    row = paying.account_row(account)
    assert (row["link_status"], row["fresh_as_of"]) == ("reauth_required", None)
    assert (calls(paying)[0]["state"], spent(paying)) == ("failed", 0)
    assert paying.sync(account).status == "completed"
    assert paying.account_row(account)["link_status"] == "reauth_required"
    paying.sandbox.set_link_state(account, state="cached")
    paying.let_pass(minutes=6)
    ask(paying, account)
    assert paying.account_row(account)["link_status"] == "linked"


def test_the_last_job_named_again_is_no_new_freshness(paying: Pipeline) -> None:
    """Mono's clock may be a little behind ours: inside its five minutes it started nothing, and it is free."""
    account = lagging(paying)
    ask(paying, account)
    fresh = paying.account_row(account)["fresh_as_of"]
    paying.rows("UPDATE bank_accounts SET realtime_asked_at = realtime_asked_at - interval '5 minutes'")

    ask(paying, account)

    again = calls(paying)[-1]
    assert (again["state"], again["reason"], again["charged_ngn"]) == ("refused", "last_job_again", 0)
    assert paying.account_row(account)["fresh_as_of"] == fresh
    assert len(paying.sandbox.job_list(account)) == 1
    assert spent(paying) == 100


def test_what_the_job_brought_is_settled_when_it_is_known(paying: Pipeline) -> None:
    """A poll knows the end alone and counts NGN 100; a later word that there was nothing new gives it back, once."""
    paying.sandbox.set_switches(realtime_job="processing", realtime_seconds=1.0)
    account = lagging(paying)
    ask(paying, account)
    paying.let_pass(minutes=5)
    paying.round()
    assert spent(paying) == 100
    store, account_id = RealtimeStore(paying.worker.database), paying.account_row(account)["id"]
    from mono_pipeline.core import realtime  # noqa: PLC0415 - beside its use

    told = realtime.ended(finished=True, job_id=calls(paying)[0]["job_id"], has_new_data=False)
    for _ in range(3):
        with paying.worker.database.transaction():
            store.job_ended(account_id, told, needs_customer=False)

    assert (calls(paying)[0]["charged_ngn"], spent(paying)) == (0, 0)


def test_a_job_that_never_ends_is_given_up_after_a_day(paying: Pipeline) -> None:
    """Until then no other call is made for the account; then it counts as charged, and the next one may be made."""
    paying.sandbox.set_switches(realtime_job="processing")
    account = lagging(paying)
    ask(paying, account)
    paying.let_pass(hours=23)
    paying.round()
    assert ask(paying, account) is Refusal.RECENT
    paying.let_pass(hours=2)

    paying.round()

    assert (calls(paying)[0]["state"], calls(paying)[0]["reason"]) == ("unknown", "not_ended")
    assert isinstance(ask(paying, account), CallOutcome)


def test_daily_is_once_in_24_hours_and_needs_nobody(paying: Pipeline) -> None:
    """The tick every five minutes makes one call a day; accounts of another policy are left alone."""
    account, on_demand = lagging(paying, RealtimePolicy.DAILY), lagging(paying, RealtimePolicy.ON_DEMAND)
    made = 0
    for _ in range(3 * 12 + 1):
        made += paying.round().realtime_calls
        paying.drain()
        paying.let_pass(hours=2)

    assert made == 4
    assert {call["account_id"] for call in calls(paying)} == {paying.account_row(account)["id"]}
    assert paying.stored(account) == paying.truth(account)
    assert paying.stored(on_demand) != paying.truth(on_demand)


def test_ticks_at_once_make_a_daily_call_once(paying: Pipeline) -> None:
    """Fired twice, late or overlapping: the reservation decides."""
    accounts = [lagging(paying, RealtimePolicy.DAILY) for _ in range(6)]
    paying.sandbox.clear_requests()
    workers = [paying.new_worker() for _ in range(4)]

    with ThreadPoolExecutor(max_workers=4) as pool:
        made = sum(round_.realtime_calls for round_ in pool.map(lambda w: paying.round(worker=w), workers))

    assert made == len(paid_requests(paying)) == len(accounts)


def test_the_first_402_ends_the_daily_calls_of_a_tick(paying: Pipeline) -> None:
    """An empty wallet needs no second proof: the accounts that had their turn in this batch, and no more."""
    for _ in range(9):
        lagging(paying, RealtimePolicy.DAILY)
    paying.sandbox.clear_requests()
    paying.sandbox.inject(Fault(effect=Status(status=402), path="*/transactions", times=None))

    paying.round()

    assert len(paid_requests(paying)) == paying.settings.pages_in_flight


def test_no_call_is_paid_for_an_account_that_the_flag_leaves_out(paying: Pipeline) -> None:
    """Nobody would read what it brings."""
    lagging(paying, RealtimePolicy.DAILY)
    paying.ssm.set('{"enabled": true, "percentage": 0, "allow": ["ffffffffffffffffffffffff"]}')

    assert paying.round().realtime_calls == 0
    assert calls(paying) == []


def test_nobody_calls_while_the_provider_is_paused(paying: Pipeline) -> None:
    """And what was not reserved is not spent: the day's call is made when the pause is over."""
    account = lagging(paying, RealtimePolicy.DAILY)
    paying.worker.budget.pause(60, "test")

    assert paying.round().realtime_calls == 0
    assert ask(paying, account) is Refusal.RATE_BUDGET
    assert (calls(paying), paid_requests(paying)) == ([], [])
    paying.let_pass(minutes=2)
    assert paying.round().realtime_calls == 1


def test_the_month_s_spend_is_the_sum_of_its_calls(paying: Pipeline) -> None:
    """What is reserved and not settled counts too, whatever mix of ends there was."""
    for effect in (None, Status(status=500), Status(status=402), None):
        account = lagging(paying)
        if effect is not None:
            paying.sandbox.inject(Fault(effect=effect, path=f"*/{account}/transactions", times=1))
        ask(paying, account)
    paying.sandbox.set_switches(realtime_job="processing")
    ask(paying, lagging(paying))

    counted = sum(
        call["reserved_ngn"] if call["charged_ngn"] is None else call["charged_ngn"] for call in calls(paying)
    )
    assert counted == spent(paying) == 400


def _die(*_: object, **__: object) -> None:
    raise DatabaseUnavailable
