"""The chain of running balances, seen in one pass over the rows, is the chain that sets balance off against balance."""

from __future__ import annotations

import random
from copy import replace
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from mono_pipeline.adapters.evidence_store import EvidenceStore
from mono_pipeline.adapters.postgres import Database
from mono_pipeline.core.balance_chain import BalanceChain, ChainState
from mono_pipeline.core.booking import DateWindow
from mono_pipeline.core.run import Account, LeasedRun, LinkStatus, RunKind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from mono_pipeline.adapters.postgres import DatabaseAddress

pytestmark = pytest.mark.integration

LIMIT = 2**62

INSERT = """
INSERT INTO bank_transactions (account_id, mono_transaction_id, amount_minor, direction, currency, narration,
                               balance_after_minor, occurred_at, booking_date, occurred_text, changed_at, run_id)
SELECT 1, n::text, abs(amount), CASE WHEN amount < 0 THEN 'debit' ELSE 'credit' END, 'NGN', '', after, at,
       lagos_date(at), '', now(), gen_random_uuid()
FROM unnest(:amounts::bigint[], :after::bigint[], :days::int[]) WITH ORDINALITY AS r (amount, after, day, n),
     LATERAL (SELECT '2026-03-01T12:00:00Z'::timestamptz + make_interval(days => day)) AS i (at)"""


@pytest.fixture
def database(address: DatabaseAddress) -> Iterator[Database]:
    """One account without rows."""
    connection = Database(address)
    connection.rows(
        "INSERT INTO bank_accounts (mono_account_id, first_mono_account_id, currency) VALUES (:id, :id, 'NGN')",
        id="a" * 24,
    )
    yield connection
    connection.close()


def stored(database: Database, amounts: list[int], after: list[int | None], days: list[int]) -> LeasedRun:
    """A run over all days of an account that holds these rows: signed amounts, balances after, days of a spring."""
    database.rows("TRUNCATE bank_transactions CASCADE")
    database.rows(INSERT, amounts=amounts, after=after, days=days)
    account = Account(
        id=1,
        mono_account_id="a" * 24,
        first_mono_account_id="a" * 24,
        currency="NGN",
        link_status=LinkStatus.LINKED,
        watermark=None,
        last_full_read_at=None,
        fresh_as_of=None,
        totals_ignore_window=False,
    )
    today: date = database.rows("SELECT current_date AS today")[0]["today"]
    return LeasedRun(
        run_id=UUID(int=1),
        account=account,
        fence=1,
        kind=RunKind.FULL,
        days=None,
        pass_number=1,
        pages_done=0,
        today=today,
        correlation_id="c",
        requested_by="test",
    )


def both(database: Database, run: LeasedRun, closing: int) -> tuple[BalanceChain, BalanceChain]:
    """The judgement with a closing balance to go by, and without."""
    evidence = EvidenceStore(database)
    return evidence.chain(run, closing=closing), evidence.chain(run, closing=None)


@pytest.mark.parametrize("seed", range(12))
def test_whatever_happened_to_the_rows_both_ways_judge_alike(database: Database, seed: int) -> None:
    """Chains of twins, rings and overdrafts, whole and with one balance or amount broken, a row lost, a row doubled."""
    dice = random.Random(seed)  # noqa: S311 - reproducible on purpose
    for damage in ("none", "balance", "amount", "lost", "doubled", "bare", "swapped days"):
        amounts = [dice.choice((-500, -500, 500, 0, 7, -7, 10**9)) for _ in range(dice.randrange(2, 30))]
        after: list[int | None] = [sum(amounts[: n + 1]) for n in range(len(amounts))]
        days = sorted(dice.randrange(6) for _ in amounts)
        closing, hit = sum(amounts), dice.randrange(len(amounts))
        if damage == "balance":
            after[hit] = (after[hit] or 0) + 1
        elif damage == "amount":
            amounts[hit] += 1
        elif damage == "bare":
            after[hit] = None
        elif damage == "swapped days":
            days.reverse()
        elif damage in {"lost", "doubled"}:
            again = [] if damage == "lost" else [(amounts[hit], after[hit], days[hit])] * 2
            rows = list(zip(amounts, after, days, strict=True))
            rows[hit : hit + 1] = again
            amounts, after, days = (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [])

        fast, slow = both(database, stored(database, amounts, after, days), closing)

        assert fast == slow, damage


def test_a_chain_that_holds_needs_no_look_at_single_balances(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the one pass would be for nothing."""
    run = stored(database, [100, -30, 5], [100, 70, 75], [0, 0, 2])

    def unwanted(*_: object) -> None:
        pytest.fail("looked at the balances one by one")

    monkeypatch.setattr(EvidenceStore, "_balances", unwanted)

    assert EvidenceStore(database).chain(run, closing=75) == BalanceChain(state=ChainState.HOLDS, opening=0, closing=75)


def test_a_balance_ahead_of_the_rows_is_no_end_of_their_chain(database: Database) -> None:
    """The chain holds up to where it really ends."""
    run = stored(database, [100, -30], [100, 70], [0, 1])

    assert EvidenceStore(database).chain(run, closing=999) == BalanceChain(
        state=ChainState.HOLDS, opening=0, closing=70
    )


@pytest.mark.parametrize("closing", [LIMIT, LIMIT + 1, 2**63 - 1, -(2**63) + 1])
def test_balances_at_the_edge_of_64_bits_are_judged_alike_and_never_overflow(database: Database, closing: int) -> None:
    """What is beyond 2^62 counts as left out, either way."""
    run = stored(database, [LIMIT - 1, -3], [closing, closing - 3 if closing > 0 else closing], [0, 1])

    fast, slow = both(database, run, closing)

    assert fast == slow


def test_days_outside_the_window_are_not_of_the_chain(database: Database) -> None:
    """A window's chain begins where the window begins."""
    run = stored(database, [100, -30, 5], [100, 70, 75], [0, 10, 20])
    first, last = (
        database.rows("SELECT min(booking_date) + 5 AS first, max(booking_date) AS last FROM bank_transactions")[0][key]
        for key in ("first", "last")
    )
    evidence = EvidenceStore(database)
    windowed = replace(run, days=DateWindow(start=first, end=last))

    assert evidence.chain(windowed, closing=75) == BalanceChain(state=ChainState.HOLDS, opening=100, closing=75)
