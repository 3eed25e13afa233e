"""What a report makes of a trail: the verdict and its reason, the checklist, slots and axes that people can read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from monoctl.report.alert_history import alert_course, spans_of
from monoctl.report.charts import error_reasons, errors_chart, flag_chart, lane_words, latency_chart
from monoctl.report.checklist import checklist
from monoctl.report.gates import gates_of
from monoctl.report.model import AlertLook, Figures, FlagCourse, RunCourse, Slot, Span, Tone
from monoctl.report.outcome import outcome_of
from monoctl.report.period import slot_seconds, ticks
from monoctl.report.plot import Scale
from monoctl.report.trail import trail_of
from tests.unit.monoctl.report_world import BEGAN, Trail, minutes, promoted, rolled_back

if TYPE_CHECKING:
    from monoctl.report.model import CheckItem, Outcome


def outcome(trail: Trail) -> Outcome:
    """How a release stands."""
    events = trail_of(trail.events)
    return outcome_of(trail.release, events, gates_of(events), began_at=BEGAN)


def items(trail: Trail) -> dict[str, CheckItem]:
    """The checklist of a release."""
    events = trail_of(trail.events)
    return {item.name: item for item in checklist(events, gates_of(events))}


def period(**length: float) -> Span:
    """From the release's begin on."""
    return Span(since=BEGAN, until=BEGAN + timedelta(**length))


def test_a_promoted_release_says_so_with_its_last_gate() -> None:
    """By whom and when is the promotion's."""
    told = outcome(promoted())

    assert (told.tone, told.word, told.at, told.who) == (Tone.GOOD, "Promoted", minutes(97), "ada@example.com")
    assert told.sentence == (
        "Everybody is on. Last gate, watch: promote (healthy): 1,204 complete runs, p95 1.3 s, 2 failed."
    )


def test_a_promoted_release_whose_monitoring_breaks_is_not_green() -> None:
    """Nobody should miss that under a green word."""
    trail = promoted()
    trail.gate(170, "watch", "roll_back", "error_ratio", "9 of 20 runs failed")

    told = outcome(trail)

    assert told.tone is Tone.DOUBT
    assert told.sentence == "Since then: Last gate, watch: roll back (error ratio): 9 of 20 runs failed."


@pytest.mark.parametrize(
    ("detail", "sentence"),
    [
        (
            {"scope": "canary", "reason": "latency", "sentence": "p95 is 6 s"},
            "p95 is 6 s (latency). Off for the canary alone.",
        ),
        (
            {"scope": "everyone", "reason": "totals look wrong", "proven": True},
            "totals look wrong. Off for everyone. It is proven that no run began after it.",
        ),
        (
            {"scope": "everyone", "reason": "x", "proven": False},
            "x. Off for everyone. Runs began later than is promised.",
        ),
        ({"scope": "everyone", "reason": "x", "proven": None}, "x. Off for everyone."),
        ({}, "no reason is on record. Off for everyone."),
    ],
)
def test_a_rolled_back_release_says_why_and_for_whom(detail: dict[str, Any], sentence: str) -> None:
    """And whether it is proven that no run began."""
    trail = Trail(status="rolled_back")
    trail.add(9, "rollback.finished", **detail)

    assert (outcome(trail).tone, outcome(trail).sentence) == (Tone.BAD, sentence)


def test_an_open_release_says_what_it_waits_for() -> None:
    """Its last gate, or that none has judged it."""
    trail = Trail()
    assert outcome(trail).sentence == "Not finished; no gate has judged it yet."

    trail.gate(9, "canary", "hold", "alerting_lag", "open for 60 s")

    assert outcome(trail).sentence == "Not finished. Last gate, canary: hold (alerting lag): open for 60 s."


def test_a_closed_release_says_why() -> None:
    """It is neither good nor bad."""
    trail = Trail(status="closed")
    trail.add(9, "release.closed", reason="postponed")

    assert (outcome(trail).tone, outcome(trail).sentence) == (Tone.PLAIN, "postponed")


def test_the_checklist_says_who_and_when_of_each_line() -> None:
    """Commands and people alike, in the order of the procedure."""
    told = items(promoted())

    assert list(told) == [
        "Pre-flight",
        "Webhook URL confirmed",
        "Shadow sync",
        "Smoke test",
        "Canary",
        "Everybody on",
        "Monitoring window",
        "Data verified",
        "totals spot-checked",
    ]
    assert {item.tone for item in told.values()} == {Tone.GOOD}
    signed = told["totals spot-checked"]
    assert (signed.who, signed.at, signed.says) == ("bola@example.com", minutes(162), "12 accounts, June")


def test_what_was_not_done_is_not_on_record_and_what_failed_is_not_in_order() -> None:
    """Absence is no failure, and no success either."""
    told = items(rolled_back())

    assert (told["Pre-flight"].tone, told["Pre-flight"].state) == (Tone.BAD, "not in order")
    for name in ("Webhook URL confirmed", "Smoke test", "Canary", "Everybody on", "Monitoring window", "Data verified"):
        assert (told[name].tone, told[name].state, told[name].who) == (Tone.PLAIN, "not on record", None)


def test_a_canary_that_was_left_out_is_waived_by_its_reason() -> None:
    """Unless one was promoted after all."""
    trail = Trail()
    trail.add(1, "promotion.started", without_canary="one account at all")
    assert (items(trail)["Canary"].state, items(trail)["Canary"].says) == ("waived", "one account at all")

    trail.gate(2, "canary", "promote", "healthy", "well")

    assert items(trail)["Canary"].state == "done"


@pytest.mark.parametrize(
    ("length", "most", "seconds"),
    [
        ({"seconds": 0}, 150, 1),
        ({"seconds": 40}, 24, 5),
        ({"minutes": 15}, 150, 60),
        ({"minutes": 150}, 150, 60),
        ({"minutes": 151}, 150, 120),
        ({"hours": 4}, 24, 600),
        ({"days": 40}, 24, 172_800),
    ],
)
def test_slots_are_minutes_or_more_but_for_a_release_of_seconds(
    length: dict[str, float], most: int, seconds: int
) -> None:
    """No more of them than fit."""
    assert slot_seconds(period(**length), most=most) == seconds


def test_marks_of_an_axis_are_on_whole_minutes_hours_and_days() -> None:
    """Whenever the release began."""
    odd = Span(since=datetime(2026, 11, 24, 9, 7, 31, tzinfo=UTC), until=datetime(2026, 11, 24, 11, 42, tzinfo=UTC))

    assert [f"{at:%H:%M}" for at in ticks(odd, most=6)] == ["09:30", "10:00", "10:30", "11:00", "11:30"]


@pytest.mark.parametrize(
    ("highest", "whole", "marks"),
    [
        (2.5, False, (0, 1, 2, 3)),
        (6.5, False, (0, 2, 4, 6, 8)),
        (0.09, False, (0, 0.025, 0.05, 0.075, 0.1)),
        (4.0, True, (0, 1, 2, 3, 4)),
        (0.0, True, (0, 1)),
        (37.0, True, (0, 10, 20, 30, 40)),
        (1_250.0, True, (0, 500, 1_000, 1_500)),
    ],
)
def test_an_axis_has_few_marks_that_are_easy_to_say(highest: float, whole: bool, marks: tuple[float, ...]) -> None:  # noqa: FBT001 - a case
    """And holds the highest value."""
    scale = Scale.upto(highest, whole=whole)

    assert scale.marks == pytest.approx(marks)
    assert scale.top >= highest


def test_samples_that_follow_each_other_are_one_stretch() -> None:
    """It goes on for a step after its last sample; a missing one ends it."""
    at = BEGAN.timestamp()

    found = spans_of([at, at + 60, at + 120, at + 300], step=60)

    assert [(span.since, span.until) for span in found] == [(minutes(0), minutes(3)), (minutes(5), minutes(6))]


def test_silence_of_an_alert_that_nobody_looked_at_is_not_known() -> None:
    """A gate looks at the three required alerts and at no other."""
    looks = [AlertLook(at=minutes(5), firing=("Another",)), AlertLook(at=minutes(9), firing=None)]

    course = alert_course(None, looks, problem="no Prometheus")

    assert [lane.name for lane in course.lanes][3:] == ["Another"]
    assert lane_words("Another", course) == "seen firing by 1 of 2 gates"
    assert lane_words("MonoPipelineLatencySLA", course) == "seen silent by 1 of 2 gates, else not known"
    assert lane_words("MonoDeadLetters", course) == "not known"


def slot(minute: float, *, p95: float | None = None, **errors: int) -> Slot:
    """What ended in a minute."""
    return Slot(at=minutes(minute), runs=5, failed=sum(errors.values()), p95_canary=p95, p95_rest=None, errors=errors)


def course(*slots: Slot) -> RunCourse:
    """Runs over time."""
    counts = {"runs": 5, "failed": 0, "fetches": 5, "slow": 0, "verified": 5, "unverifiable": 0, "mismatches": 0}
    whole = Figures(accounts=1, p95_seconds=1.0, zero_runs=0, **counts)
    return RunCourse(slot_seconds=60, sla_seconds=2.0, whole=whole, slots=slots)


def test_a_minute_without_a_fetch_is_a_gap_and_not_a_line() -> None:
    """Nothing is known of it."""
    drawn = latency_chart(course(slot(0, p95=1), slot(1, p95=1), slot(3, p95=1), slot(4, p95=1)), period(minutes=10))

    assert drawn.count("<path") == 2
    assert drawn.count('class="dot canary"') == 4
    assert "SLA 2 s" in drawn


def test_errors_beyond_the_most_frequent_are_one_colour() -> None:
    """The drawing loses none of them: the bars of a slot are as high as its failed runs."""
    seen = course(slot(0, a=9, b=8, c=7, d=6, e=5, f=4), slot(1, f=1))

    assert error_reasons(seen) == ["a", "b", "c", "d", "other"]
    drawn = errors_chart(seen, period(minutes=10))
    assert "other: 9" in drawn
    assert "other: 1<" in drawn


def test_a_flag_of_which_nothing_is_known_is_not_drawn_as_off() -> None:
    """There is no line, and the description says so."""
    drawn = flag_chart(FlagCourse(percent_before=None, meaning_before=None, steps=()), period(minutes=10))

    assert "<path" not in drawn
    assert "Before: not known" in drawn
