"""`monoctl sync --shadow`: what a sync would do, shown; nothing asked of the sync itself."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.monoctl.stand_ins import ACCOUNT, FakeReach, ScriptedOps, golden, monoctl, without_margins

CHANGE = {
    "day": "2026-11-03",
    "id": "64779d900000000000d10001",
    "fault": "differs",
    "fields": {"amount_minor": {"bank": 120_000, "stored": 120_500}},
}


def shadowed(**fields: Any) -> dict[str, Any]:
    """An answer of the ops function."""
    answer = {
        "account_id": ACCOUNT,
        "status": "compared",
        "verdict": {"kind": "mismatch", "reason": "days_differ", "first_bad_day": "2026-11-03"},
        "counts": {"seen": 42, "inserted": 3, "updated": 1, "unchanged": 38, "quarantined": 0},
        "window": {"start": "2026-11-17", "end": "2026-11-24"},
        "pages": 1,
        "mono_total": 42,
        "changes": [CHANGE],
        "read_at": "2026-11-24T12:00:00+00:00",
    }
    return {**answer, **fields}


def of(answer: dict[str, Any]) -> FakeReach:
    """An environment that answers so, and has no API: nothing may be asked of it."""
    return FakeReach(ops=ScriptedOps(lambda _action, _arguments: answer))


def test_what_would_be_done_is_shown_with_the_rows_that_would_change() -> None:
    """On 80 columns; a mismatch ends with 5."""
    reach = of(shadowed())

    said = monoctl("sync", ACCOUNT, "--shadow", reach=reach)

    assert (said.exit_code, without_margins(said.stdout)) == (5, golden("sync_shadow"))
    assert reach.ops.asked == [("sync.shadow", {"account_id": ACCOUNT})]


@pytest.mark.parametrize(
    ("verdict", "exit_code"),
    [
        ({"kind": "verified", "reason": None, "first_bad_day": None}, 0),
        ({"kind": "unverifiable", "reason": "drift", "first_bad_day": None}, 4),
        (None, 8),
    ],
    ids=["verified", "unverifiable", "out of time"],
)
def test_the_exit_code_is_the_verdicts(verdict: dict[str, Any] | None, exit_code: int) -> None:
    """None: the invocation's time was up, and nothing can be told."""
    answer = shadowed(verdict=verdict, changes=[])

    said = monoctl("--json", "sync", ACCOUNT, "--shadow", reach=of(answer))

    assert (said.exit_code, json.loads(said.stdout)) == (exit_code, answer)


@pytest.mark.parametrize("other", [["--realtime"], ["--start", "2026-10-01", "--end", "2026-10-31"]])
def test_it_goes_alone(other: list[str]) -> None:
    """It never costs money, and reads what the next sync would read."""
    reach = of(shadowed())

    assert monoctl("sync", ACCOUNT, "--shadow", *other, reach=reach).exit_code == 2
    assert reach.ops.asked == []


def test_what_was_found_is_recorded_where_a_release_is_named() -> None:
    """By name, whole; without `--shadow` the option is wrong."""
    reach = of(shadowed())

    monoctl("sync", ACCOUNT, "--shadow", "--release", "r1", reach=reach)

    action, said = reach.ops.asked[-1]
    assert (action, said["release_id"], said["kind"]) == ("releases.record", "r1", "shadow.compared")
    assert (said["actor"], said["detail"]) == ("ada@example.com", shadowed())
    assert monoctl("sync", ACCOUNT, "--release", "r1", reach=reach).exit_code == 2
