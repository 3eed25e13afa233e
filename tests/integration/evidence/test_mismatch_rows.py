"""A mismatch names its rows: only the days that differ are read again, and what they show is stored with the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from local.sandbox.effects import Status
from local.sandbox.faults import Fault
from mono_pipeline.core.deadline import Deadline
from mono_pipeline.core.discrepancy import MAX_DAYS, MAX_ROWS
from mono_pipeline.core.verdict import VerdictKind
from mono_pipeline.http.sync_call import run_on_the_wire
from mono_pipeline.usecases.operations import Operations

if TYPE_CHECKING:
    from tests.harness import Pipeline

pytestmark = pytest.mark.integration


def lose_a_kobo(pipeline: Pipeline, *, of: str) -> None:
    """A defect of ours between reading and storing: each row for which `of` (SQL over NEW) holds loses a kobo."""
    pipeline.rows(
        """CREATE FUNCTION lose_a_kobo() RETURNS trigger AS
           $f$ BEGIN NEW.amount_minor := NEW.amount_minor - 1; RETURN NEW; END $f$ LANGUAGE plpgsql"""
    )
    pipeline.rows(
        f"""CREATE TRIGGER lose BEFORE INSERT ON bank_transactions FOR EACH ROW
            WHEN ({of}) EXECUTE FUNCTION lose_a_kobo()"""
    )


def shown(pipeline: Pipeline, run_id: object) -> dict[str, Any]:
    """The run as `runs.show` answers."""
    answer = Operations(pipeline.worker).perform({"action": "runs.show", "run_id": str(run_id)}, Deadline.after(10))
    return dict(answer["run"])


def test_the_run_that_finds_a_mismatch_says_which_row_it_is(pipeline: Pipeline) -> None:
    """The row, its day, and both sides of the field that is not alike; nothing else is accused."""
    account = pipeline.link(transactions=60)
    victim = sorted(pipeline.sandbox.truth(account)["bank"], key=lambda row: row["date"])[20]
    lose_a_kobo(pipeline, of=f"NEW.mono_transaction_id = '{victim['id']}'")

    end = pipeline.sync(account)

    day = pipeline.truth(account)[victim["id"]][5]
    told = shown(pipeline, end.run.run_id)["mismatch"]
    assert told["rows"] == [
        {
            "day": day.isoformat(),
            "id": victim["id"],
            "fault": "differs",
            "fields": {"amount_minor": {"bank": victim["amount"], "stored": victim["amount"] - 1}},
        }
    ]
    assert (told["rows_differing"], told["days_differing"], told["unread"]) == (1, 1, None)
    (both,) = told["days"]
    assert both["day"] == day.isoformat()
    assert both["bank_credits"] + both["bank_debits"] == both["stored_credits"] + both["stored_debits"] + 1


def test_only_the_first_days_are_read_again_and_the_rest_is_counted(pipeline: Pipeline) -> None:
    """One window a day, three days at the most; rows are kept up to a limit, days are all counted."""
    account = pipeline.link(transactions=300, days=30)
    pages = len(range(0, 300, pipeline.settings.mono_page_limit))
    lose_a_kobo(pipeline, of="true")

    end = pipeline.sync(account)

    told = shown(pipeline, end.run.run_id)["mismatch"]
    days = {row[5] for row in pipeline.truth(account).values()}
    assert told["days_differing"] == len(days) > MAX_DAYS
    assert [day["day"] for day in told["days"]] == [day.isoformat() for day in sorted(days)[:MAX_DAYS]]
    assert len(told["rows"]) == min(MAX_ROWS, told["rows_differing"])
    again = [query for query in pipeline.page_requests(account) if "start" in query]
    assert len({query["start"] for query in again}) == MAX_DAYS
    assert len(pipeline.page_requests(account)) <= pages + 1 + 3 * MAX_DAYS


def test_the_public_interface_knows_the_first_bad_day_alone(pipeline: Pipeline) -> None:
    """`GET run` is as it was: rows are for the operator."""
    account = pipeline.link(transactions=30)
    lose_a_kobo(pipeline, of="true")

    end = pipeline.sync(account)

    run = pipeline.worker.runs.show(end.run.run_id)
    assert run is not None
    assert "mismatch" in run
    assert "mismatch" not in run_on_the_wire(run)
    assert (
        run_on_the_wire(run)["verdict"]["first_bad_day"]
        == min(row[5] for row in pipeline.truth(account).values()).isoformat()
    )


def test_rows_that_cannot_be_read_again_leave_the_mismatch_as_it_is(pipeline: Pipeline) -> None:
    """Mono fails after the pass: the run ends with its verdict, and says why it has no rows."""
    account = pipeline.link(transactions=15)  # one page
    lose_a_kobo(pipeline, of="true")
    pipeline.sandbox.inject(Fault(effect=Status(status=503), path="*/transactions", times=None, nth=2))

    end = pipeline.sync(account)

    assert end.verdict is not None
    assert end.verdict.kind is VerdictKind.MISMATCH
    told = shown(pipeline, end.run.run_id)["mismatch"]
    assert (told["unread"], told["rows"]) == ("mono_server_error", [])
    assert told["days_differing"] > 0


def test_a_row_that_waits_for_evidence_is_not_accused_beside_a_broken_one(pipeline: Pipeline) -> None:
    """Set aside means set aside: the rows around a mismatch name the defect alone."""
    account = pipeline.link(transactions=60, balances="null")
    pipeline.sync(account)
    rows = sorted(pipeline.sandbox.truth(account)["bank"], key=lambda row: row["date"])
    gone = rows[-2]
    pipeline.sandbox.remove(account, transactions=[gone["id"]])
    lose_a_kobo(pipeline, of="true")
    (new,) = pipeline.sandbox.add(account, rows=[{"date": gone["date"], "narration": "another"}])

    end = pipeline.sync(account)

    assert [row["id"] for row in shown(pipeline, end.run.run_id)["mismatch"]["rows"]] == [new["id"]]


def test_a_good_run_has_no_rows(pipeline: Pipeline) -> None:
    """And asks Mono for none."""
    account = pipeline.link(transactions=60)

    end = pipeline.sync(account)

    assert shown(pipeline, end.run.run_id)["mismatch"] is None
    assert not [query for query in pipeline.page_requests(account) if "start" in query]
