"""Whether days are complete, in days and stretches."""

from __future__ import annotations

from datetime import UTC, date, datetime

from mono_pipeline.core.coverage import DUE, NEVER_READ, READ, Stretch, coverage_as_json

READ_AT = datetime(2026, 7, 2, 9, tzinfo=UTC)
WHOLE = Stretch(first=date(2026, 6, 1), last=date(2026, 6, 30), state=READ, oldest_read_at=READ_AT)


def test_days_that_were_all_read_are_complete() -> None:
    """Thirty of thirty."""
    assert coverage_as_json([WHOLE]) == {
        "from": "2026-06-01",
        "to": "2026-06-30",
        "complete": True,
        "days": {"read": 30, "due": 0, "never_read": 0},
        "stretches": [
            {"from": "2026-06-01", "to": "2026-06-30", "state": "read", "oldest_read_at": "2026-07-02T09:00:00+00:00"}
        ],
    }


def test_one_day_that_is_due_or_was_never_read_is_enough() -> None:
    """Each state has its own count, over all of its stretches."""
    due = Stretch(first=date(2026, 7, 1), last=date(2026, 7, 1), state=DUE, oldest_read_at=READ_AT)
    never = Stretch(first=date(2026, 7, 2), last=date(2026, 7, 3), state=NEVER_READ)
    again = Stretch(first=date(2026, 7, 4), last=date(2026, 7, 4), state=READ, oldest_read_at=READ_AT)

    shown = coverage_as_json([WHOLE, due, never, again])

    assert (shown["from"], shown["to"], shown["complete"]) == ("2026-06-01", "2026-07-04", False)
    assert shown["days"] == {"read": 31, "due": 1, "never_read": 2}
    assert shown["stretches"][2] == {
        "from": "2026-07-02",
        "to": "2026-07-03",
        "state": "never_read",
        "oldest_read_at": None,
    }
    assert not coverage_as_json([due])["complete"]
