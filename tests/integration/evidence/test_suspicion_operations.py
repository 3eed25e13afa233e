"""Suspicions through the ops function's actions: pages of them, decisions, and no deadlock with a run that ends."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from mono_pipeline.adapters.postgres import Database
from mono_pipeline.adapters.suspicion_store import SuspicionStore
from mono_pipeline.core.deadline import Deadline
from mono_pipeline.core.run import RunKind
from mono_pipeline.core.verdict import VERIFIED
from mono_pipeline.usecases.operations import Operations

if TYPE_CHECKING:
    from tests.harness import Pipeline

pytestmark = pytest.mark.integration


def ask(pipeline: Pipeline, action: str, *, seconds: float = 30.0, **arguments: Any) -> dict[str, Any]:
    """What the ops function answers."""
    return Operations(pipeline.worker).perform({"action": action, **arguments}, Deadline.after(seconds))


@pytest.fixture
def reminted(pipeline: Pipeline) -> str:
    """An account of 30 transactions that all came back under new ids."""
    account = pipeline.link(transactions=30)
    pipeline.sync(account)
    pipeline.sandbox.remint(account)
    pipeline.sync(account, kind=RunKind.FULL)
    return account


def test_pages_follow_each_other_and_can_be_of_one_account(pipeline: Pipeline, reminted: str) -> None:
    """30 suspicions by 20 are two pages; another account has none."""
    other = pipeline.link(transactions=5)
    first = ask(pipeline, "duplicates.list", account_id=reminted, limit=20)
    second = ask(pipeline, "duplicates.list", account_id=reminted, limit=20, after=first["next"])

    listed = first["suspicions"] + second["suspicions"]
    assert (len(first["suspicions"]), len(second["suspicions"]), second["next"]) == (20, 10, None)
    assert {row["new_id"] for row in listed} == set(pipeline.truth(reminted))
    assert ask(pipeline, "duplicates.list", account_id=other)["suspicions"] == []
    assert ask(pipeline, "duplicates.list", account_id="0" * 24)["error"]["code"] == "AccountUnknown"


def test_accepted_ones_are_the_bank_s_rows_again(pipeline: Pipeline, reminted: str) -> None:
    """Decided in somebody's name, once; then the data are verified."""
    ids = [row["id"] for row in ask(pipeline, "duplicates.list")["suspicions"]]

    answer = ask(pipeline, "duplicates.decide", ids=[*ids, 10_000], same=True, decided_by="ada")

    assert answer == {"decided": ids, "not_open": [10_000], "left": []}
    assert pipeline.stored(reminted) == pipeline.truth(reminted)
    assert pipeline.sync(reminted, kind=RunKind.FULL).verdict == VERIFIED
    decided = ask(pipeline, "duplicates.list", decided=True)["suspicions"]
    assert {(row["status"], row["decided_by"]) for row in decided} == {("accepted", "ada")}
    again = ask(pipeline, "duplicates.decide", ids=ids[:1], same=False, decided_by="bola")
    assert again["not_open"] == ids[:1]


def test_what_there_is_no_time_for_is_left(pipeline: Pipeline, reminted: str) -> None:
    """And said, so that it can be asked for again."""
    ids = [row["id"] for row in ask(pipeline, "duplicates.list", account_id=reminted)["suspicions"]]

    answer = ask(pipeline, "duplicates.decide", seconds=0, ids=ids, same=True, decided_by="ada")

    assert answer == {"decided": [], "not_open": [], "left": ids}


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"ids": [], "same": True, "decided_by": "a"}, "ids"),
        ({"ids": ["1"], "same": True, "decided_by": "a"}, "ids"),
        ({"ids": list(range(101)), "same": True, "decided_by": "a"}, "ids"),
        ({"ids": [1], "decided_by": "a"}, "same"),
        ({"ids": [1], "same": "yes", "decided_by": "a"}, "same"),
        ({"ids": [1], "same": True}, "decided_by"),
        ({"ids": [1], "same": True, "decided_by": "a\nb"}, "decided_by"),
    ],
)
def test_a_wrong_question_is_refused_by_its_field(pipeline: Pipeline, arguments: dict[str, Any], field: str) -> None:
    """Before anything is decided."""
    error = ask(pipeline, "duplicates.decide", **arguments)["error"]

    assert error["code"] == "InvalidInput"
    assert error["message"].startswith(field)


def test_a_decision_and_the_end_of_a_run_do_not_lock_each_other_out(pipeline: Pipeline, reminted: str) -> None:
    """Both take the account first: the decision waits, and finds the question settled."""
    suspicion = ask(pipeline, "duplicates.list", account_id=reminted)["suspicions"][0]["id"]
    database = Database(pipeline.address)
    with ThreadPoolExecutor(1) as operator:
        with pipeline.worker.database.transaction():
            pipeline.rows("SELECT FROM bank_accounts WHERE mono_account_id = :id FOR UPDATE", id=reminted)
            decided = operator.submit(SuspicionStore(database).decide, suspicion, same=True, decided_by="ada")
            while not pipeline.rows("SELECT FROM pg_locks WHERE NOT granted"):
                assert not decided.done()
            pipeline.rows(
                """UPDATE duplicate_suspicions SET status = 'rejected', decided_at = now(), decided_by = 'the run'
                   WHERE id = :id""",
                id=suspicion,
            )
        assert decided.result(timeout=10) is False
    database.close()
