"""What a day's count, ids and sums cannot show is shown by the weights of its rows."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import pytest

from mono_pipeline.core.verdict import VERIFIED, VerdictKind

if TYPE_CHECKING:
    from tests.harness import Pipeline

pytestmark = pytest.mark.integration


def test_a_kobo_that_went_from_one_row_of_a_day_to_another_is_a_mismatch(pipeline: Pipeline) -> None:
    """Same rows, same credits, same debits: only which row has how much is wrong."""
    account = pipeline.link(transactions=120, days=10)
    truth = pipeline.truth(account)
    direction = {row["id"]: row["type"] for row in pipeline.sandbox.truth(account)["bank"]}
    one, other = next(
        pair
        for pair in combinations(sorted(truth), 2)
        if truth[pair[0]][5] == truth[pair[1]][5] and direction[pair[0]] == direction[pair[1]]
    )
    pipeline.rows(
        f"""CREATE FUNCTION move_a_kobo() RETURNS trigger AS $f$ BEGIN
              NEW.amount_minor := NEW.amount_minor + CASE NEW.mono_transaction_id WHEN '{one}' THEN 1 ELSE -1 END;
              RETURN NEW; END $f$ LANGUAGE plpgsql"""
    )
    pipeline.rows(
        f"""CREATE TRIGGER move BEFORE INSERT ON bank_transactions FOR EACH ROW
            WHEN (NEW.mono_transaction_id IN ('{one}', '{other}')) EXECUTE FUNCTION move_a_kobo()"""
    )

    verdict = pipeline.sync(account).verdict

    assert verdict is not None
    assert (verdict.kind, verdict.first_bad_day) == (VerdictKind.MISMATCH, truth[one][5])


def test_flushes_of_the_code_before_weights_are_compared_without_them(pipeline: Pipeline) -> None:
    """A run may begin under one release and end under the next."""
    account = pipeline.link(transactions=120)
    pipeline.rows(
        """CREATE FUNCTION as_before() RETURNS trigger AS $f$ BEGIN
             NEW.weights := '{}'; NEW.covered_rows := 0; NEW.covered_weight := 0; RETURN NEW;
           END $f$ LANGUAGE plpgsql"""
    )
    pipeline.rows("CREATE TRIGGER before BEFORE INSERT ON sync_flushes FOR EACH ROW EXECUTE FUNCTION as_before()")

    assert pipeline.sync(account).verdict == VERIFIED
