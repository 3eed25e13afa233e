"""`sync --shadow`: what a sync would do, and nothing of it done."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from local.sandbox.effects import Drift
from local.sandbox.effects.contents import Rows
from local.sandbox.faults import Fault
from mono_pipeline.core.deadline import Deadline
from mono_pipeline.core.run import RunKind
from mono_pipeline.usecases.operations import Operations
from tests.fetching_anew import FetchingAnew

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.harness import Pipeline

pytestmark = pytest.mark.integration

VERIFIED = {"kind": "verified", "reason": None, "first_bad_day": None}
SPENT = {"provider_budget"}  # reading Mono costs tokens, whoever reads


def shadow(pipeline: Pipeline, account: str, *, seconds: float = 60.0) -> dict[str, Any]:
    """The answer of the ops function, as JSON carries it."""
    event = {"action": "sync.shadow", "account_id": account}
    answer = Operations(pipeline.worker).perform(event, Deadline.after(seconds))
    return dict(json.loads(json.dumps(answer)))


def synced(pipeline: Pipeline, **options: Any) -> str:
    """A new account with its history."""
    account = pipeline.link(**options)
    pipeline.sync(account)
    return account


def physical_rows(pipeline: Pipeline) -> dict[str, list[Any]]:
    """Place and writing transaction of every row of every table: a row that was written again has others."""
    names = pipeline.rows(
        "SELECT relname AS name FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    return {
        row["name"]: pipeline.rows(f"SELECT ctid::text, xmin::text, xmax::text FROM {row['name']} ORDER BY ctid")  # noqa: S608
        for row in names
        if row["name"] not in SPENT
    }


def sequences(pipeline: Pipeline) -> list[dict[str, Any]]:
    """What has been drawn from every sequence: also an insert that was taken back draws from it."""
    return pipeline.rows("SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'public' ORDER BY 1")


def nothing(_pipeline: Pipeline, _account: str) -> None:
    """The bank does nothing."""


def books(pipeline: Pipeline, account: str) -> None:
    """The bank books three more."""
    pipeline.sandbox.add(account, count=3)


def amends(pipeline: Pipeline, account: str) -> None:
    """The bank changes a row."""
    newest = max(pipeline.sandbox.truth(account)["bank"], key=lambda row: row["date"])
    pipeline.sandbox.amend(account, transaction=newest["id"])


def breaks(pipeline: Pipeline, account: str) -> None:
    """A row comes that cannot be trusted."""
    assert account
    pipeline.sandbox.inject(
        Fault(effect=Rows(replaced={0: '{"id": "no id"}'}), path="*/transactions", page=1, times=None)
    )


def takes_back(pipeline: Pipeline, account: str) -> None:
    """The bank takes a row back."""
    pipeline.take_out(account, pipeline.page_ids(account, 1)[0])


@pytest.mark.parametrize("change", [nothing, books, amends, breaks, takes_back], ids=lambda each: each.__name__)
@pytest.mark.parametrize("first", [True, False], ids=["first", "later"])
def test_what_it_counts_is_what_the_sync_then_does(
    pipeline: Pipeline, change: Callable[[Pipeline, str], None], *, first: bool
) -> None:
    """The same pages, the same rows: seen, inserted, updated, unchanged, quarantined, and the days."""
    account = pipeline.link(transactions=130, days=60)
    if not first:
        pipeline.sync(account)
    change(pipeline, account)

    told = shadow(pipeline, account)
    run = pipeline.run_row(pipeline.sync(account))

    assert told["status"] == "compared"
    assert told["counts"] == {name: run[f"rows_{name}"] for name in told["counts"]}
    assert [told["window"][end] for end in ("start", "end")] == [
        str(run[f"window_{end}"]) if run[f"window_{end}"] else None for end in ("start", "end")
    ]
    assert (told["pages"], told["mono_total"]) == (run["pages_read"], run["mono_total"])


@pytest.mark.parametrize("change", [nothing, books, amends, breaks], ids=lambda each: each.__name__)
def test_it_writes_nothing(pipeline: Pipeline, change: Callable[[Pipeline, str], None]) -> None:
    """Not a row of any table but the rate budget's, nor a number of any sequence."""
    account = synced(pipeline, transactions=130)
    change(pipeline, account)
    rows, numbers = physical_rows(pipeline), sequences(pipeline)
    assert len(rows) > 15

    shadow(pipeline, account)

    assert physical_rows(pipeline) == rows
    assert sequences(pipeline) == numbers
    assert pipeline.witness.names().count("mono.fetch.started") == 1  # the sync's own


def test_it_pays_for_its_requests(pipeline: Pipeline) -> None:
    """The account's page and each page of transactions, from the budget that all share."""
    account = synced(pipeline, transactions=130)
    pipeline.rows("UPDATE bank_accounts SET watermark = NULL")
    taken: list[int] = []
    budget = pipeline.worker.budget
    take = budget.take

    def counted(tokens: int, **how: Any) -> Any:
        taken.append(tokens)
        return take(tokens, **how)

    budget.take = counted  # type: ignore[method-assign]
    shadow(pipeline, account)

    assert sum(taken) == 1 + 7


def test_an_account_that_agrees_is_verified(pipeline: Pipeline) -> None:
    """Rows that are new at the bank are no difference: they would be inserted."""
    account = synced(pipeline, transactions=130)
    books(pipeline, account)

    told = shadow(pipeline, account)

    assert (told["verdict"], told["counts"]["inserted"], told["changes"]) == (VERIFIED, 3, [])


def test_stored_money_that_would_change_is_a_mismatch_with_both_sides(pipeline: Pipeline) -> None:
    """Whether the bank has amended it or this code reads it otherwise: somebody should look before it lands."""
    account = synced(pipeline, transactions=60)
    victim = pipeline.page_ids(account, 1)[0]
    pipeline.rows("UPDATE bank_accounts SET watermark = NULL")
    pipeline.rows(
        "UPDATE bank_transactions SET amount_minor = amount_minor + 500 WHERE mono_transaction_id = :id", id=victim
    )

    told = shadow(pipeline, account)

    assert told["verdict"]["kind"] == "mismatch"
    (row,) = told["changes"]
    assert (row["id"], row["day"]) == (victim, told["verdict"]["first_bad_day"])
    assert row["fields"]["amount_minor"]["stored"] - row["fields"]["amount_minor"]["bank"] == 500
    assert told["counts"]["updated"] == 1


def test_words_that_would_change_are_counted_and_no_mismatch(pipeline: Pipeline) -> None:
    """A narration is not money."""
    account = synced(pipeline, transactions=60)
    pipeline.rows("UPDATE bank_accounts SET watermark = NULL")
    pipeline.rows(
        "UPDATE bank_transactions SET narration = 'another' WHERE id = (SELECT min(id) FROM bank_transactions)"
    )

    told = shadow(pipeline, account)

    assert (told["verdict"], told["counts"]["updated"]) == (VERIFIED, 1)
    assert told["changes"][0]["fields"]["narration"]["stored"] == "another"


def test_what_is_not_shown_cannot_be_said(pipeline: Pipeline) -> None:
    """One row: a removal may be pending. All of them: suspicious."""
    account = synced(pipeline, transactions=60)
    pipeline.rows("UPDATE bank_accounts SET watermark = NULL")
    pipeline.take_out(account, pipeline.page_ids(account, 1)[0])
    assert shadow(pipeline, account)["verdict"]["reason"] == "removal_pending"

    pipeline.sandbox.remove(account, transactions=[row["id"] for row in pipeline.sandbox.truth(account)["bank"]])
    assert shadow(pipeline, account)["verdict"]["reason"] == "suspicious_empty"


def test_ids_that_may_be_double_are_said(pipeline: Pipeline) -> None:
    """While a suspicion is open its old side need not be shown."""
    account = synced(pipeline, transactions=60, balances="null")
    pipeline.rows("UPDATE bank_accounts SET watermark = NULL")
    pipeline.sandbox.remint(account)
    pipeline.sync(account, kind=RunKind.FULL)

    assert shadow(pipeline, account)["verdict"]["reason"] == "duplicate_suspected"


def test_rows_that_move_while_they_are_read_prove_nothing(new_pipeline: Callable[..., Pipeline]) -> None:
    """Drift is told and not read again: ask once more."""
    pipeline = new_pipeline(pages_in_flight=1)
    account = synced(pipeline, transactions=130)
    pipeline.rows("UPDATE bank_accounts SET watermark = NULL")
    pipeline.sandbox.inject(Fault(effect=Drift(operation="reshuffle"), path="*/transactions", page=3))

    assert shadow(pipeline, account)["verdict"]["reason"] == "drift"


def test_data_that_mono_does_not_have_yet_prove_nothing(pipeline: Pipeline) -> None:
    """An account that is still being collected."""
    account = synced(pipeline, transactions=60)
    pipeline.sandbox.set_data_status(account, data_status="PROCESSING", retrieved_data=[])

    assert shadow(pipeline, account)["verdict"]["reason"] == "not_ready"


def test_an_empty_page_of_an_account_that_was_ready_before_proves_nothing(pipeline: Pipeline) -> None:
    """Mono began to fetch in between."""
    account = synced(pipeline, transactions=0)
    pipeline.sandbox.add(account, count=1)
    worker = pipeline.new_worker(FetchingAnew(pipeline.sandbox))

    event = {"action": "sync.shadow", "account_id": account}
    assert Operations(worker).perform(event, Deadline.after(60))["verdict"]["reason"] == "not_ready"


def test_out_of_time_it_says_how_far_it_came(new_pipeline: Callable[..., Pipeline]) -> None:
    """Without a verdict; an invocation that is killed would say nothing at all."""
    pipeline = new_pipeline(pages_in_flight=1, flush_rows=20)
    account = pipeline.link(transactions=130)
    event = {"action": "sync.shadow", "account_id": account}

    class Short(Deadline):
        """Over at the first page, though a request still has its time."""

        @property
        def expired(self) -> bool:
            """It is."""
            return True

    answer = Operations(pipeline.worker).perform(event, Short(at=Deadline.after(60).at))

    assert (answer["status"], answer["verdict"], answer["counts"]["seen"]) == ("out_of_time", None, 20)


def test_the_flag_has_no_say(pipeline: Pipeline) -> None:
    """It is what one runs before the flag is on."""
    pipeline.ssm.set("false")
    account = pipeline.link(transactions=20)

    assert shadow(pipeline, account)["counts"]["inserted"] == 20


def test_an_unlinked_account_is_not_read(pipeline: Pipeline) -> None:
    """As no sync would read it."""
    account = synced(pipeline, transactions=20)
    pipeline.rows("UPDATE bank_accounts SET link_status = 'unlinked'")

    assert shadow(pipeline, account)["error"]["code"] == "AccountBlocked"
