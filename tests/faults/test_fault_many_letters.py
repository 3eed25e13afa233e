"""Row L09: ten thousand dead letters, of which each account's lie all over the queue, are replayed once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench.dead_letters import ACCOUNTS, LETTERS, carry_through, fill

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.dead_letter_desk import DeadLetterDesk

pytestmark = pytest.mark.integration


def test_L09_ten_thousand_letters(desk: DeadLetterDesk, seen: Callable[[str], None]) -> None:
    """One run an account, and no letter is left; how fast that is `make bench-dead-letters` measures."""
    fill(desk)

    _, _, done = carry_through(desk, dry_run=False)

    assert desk.counted(done) == {"requeued": LETTERS}
    assert desk.worker.dead_letters.count() == 0
    runs = desk.pipeline.rows("SELECT count(*) AS runs, count(DISTINCT account_id) AS accounts FROM sync_runs")
    assert runs == [{"runs": ACCOUNTS, "accounts": ACCOUNTS}]
    assert desk.pipeline.rows("SELECT DISTINCT dead_letter_replays AS replays FROM bank_accounts") == [{"replays": 1}]
    seen(f"{LETTERS:,} letters of {ACCOUNTS:,} accounts: one run each")
