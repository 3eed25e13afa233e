"""A bank account that is linked anew under other ids for everything: asked about, counted once, and verified again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mono_pipeline.adapters.suspicion_store import SuspicionStore
from mono_pipeline.core.run import RunKind
from mono_pipeline.core.verdict import VERIFIED
from tests.webhook_life import drain, hear_all

if TYPE_CHECKING:
    from tests.harness import Pipeline

pytestmark = pytest.mark.integration

CANONICAL = """
SELECT array_agg(transaction_id) AS ids,
       sum(CASE direction WHEN 'credit' THEN amount_minor ELSE -amount_minor END) AS total
FROM bank_transactions t JOIN canonical_bank_transactions c ON c.transaction_id = t.mono_transaction_id
"""


def test_after_a_relink_with_new_ids_each_pair_is_asked_about_and_no_row_counts_twice(pipeline: Pipeline) -> None:
    """The new link's first reading raises them; once they are accepted, the account is the bank's under the new ids."""
    old = pipeline.link(transactions=30)
    pipeline.sync(old)
    (before,) = pipeline.rows(CANONICAL)
    pairs_of = SuspicionStore(pipeline.worker.database)

    new = pipeline.sandbox.relink(old, same_ids=False)["id"]
    hear_all(pipeline)
    drain(pipeline)

    (asked,) = pipeline.rows(CANONICAL)
    assert (sorted(asked["ids"]), asked["total"]) == (sorted(before["ids"]), before["total"])
    assert pipeline.runs(new)[-1]["verdict_reason"] == "duplicate_suspected"
    pairs = pairs_of.page(account=new, every=False)
    assert {pair["old_id"] for pair in pairs} == set(before["ids"])
    assert {pair["new_id"] for pair in pairs} == set(pipeline.truth(new))

    for pair in pairs:
        assert pairs_of.decide(pair["id"], same=True, decided_by="test")

    (after,) = pipeline.rows(CANONICAL)
    assert (sorted(after["ids"]), after["total"]) == (sorted(pipeline.truth(new)), before["total"])
    assert pipeline.sync(new, kind=RunKind.FULL).verdict == VERIFIED


def test_after_a_relink_with_the_old_ids_there_is_nothing_to_ask(pipeline: Pipeline) -> None:
    """The rows are the same, and so is every version."""
    old = pipeline.link(transactions=30)
    pipeline.sync(old)

    new = pipeline.sandbox.relink(old, same_ids=True)["id"]
    hear_all(pipeline)
    drain(pipeline)

    assert (pipeline.runs(new)[-1]["kind"], pipeline.runs(new)[-1]["verdict"]) == ("full", "verified")
    assert pipeline.rows("SELECT FROM bank_transaction_versions") == []
    assert pipeline.stored(new) == pipeline.truth(new)
