"""`monoctl sync`: the answer at once, or the run followed to its end."""

from __future__ import annotations

import json
from datetime import date

import httpx
import pytest

from tests.unit.monoctl.stand_ins import (
    ACCOUNT,
    RUN,
    FakeClock,
    FakeReach,
    ScriptedApi,
    answer,
    answer_document,
    connection_refused,
    golden,
    monoctl,
    run_document,
    without_margins,
)

VERIFIED = answer("completed", run=run_document())
ACCEPTED = answer(
    "accepted",
    run=run_document("running", None, finished_at=None, started_at=None, mono_total=None, pages_read=0),
)
RUNNING = answer("running", run=run_document("running", None, finished_at=None))
GUIDANCE = {
    "flag": "MONO_TRANSACTIONS_ENABLED",
    "parameter": "/mono-pipeline/local/MONO_TRANSACTIONS_ENABLED",
    "reason": "OFF",
    "explanation": "The flag's kill switch is off: no account is synced.",
    "enable": [f'monoctl --env local flag set --allow {ACCOUNT} --reason "…"', "aws ssm put-parameter …"],
    "meanwhile": "Nothing is lost: the sync goes on from the account's watermark.",
}


def test_a_sync_that_ends_at_once_is_shown_and_ends_with_its_verdict() -> None:
    """One request; run id, status, verdict, counts, days, duration on 80 columns."""
    api = ScriptedApi(asks=[VERIFIED])

    said = monoctl("sync", ACCOUNT, reach=FakeReach(api=api))

    assert (said.exit_code, without_margins(said.stdout)) == (0, golden("sync"))
    assert api.asked == [(ACCOUNT, None, None)]
    assert api.looked == []


def test_a_mismatch_names_the_first_bad_day_and_ends_with_5() -> None:
    """Where to look comes with the bad news."""
    verdict = {"kind": "mismatch", "reason": "days_differ", "first_bad_day": "2026-11-03"}
    api = ScriptedApi(asks=[answer("completed", run=run_document(verdict=verdict))])

    said = monoctl("sync", ACCOUNT, reach=FakeReach(api=api))

    assert said.exit_code == 5
    assert "mismatch (days_differ) (first bad day 2026-11-03)" in said.stdout


def test_a_run_that_goes_on_in_the_queue_is_followed_to_its_end() -> None:
    """A look a second; the end decides."""
    clock, api = FakeClock(), ScriptedApi(asks=[ACCEPTED], looks=[ACCEPTED, RUNNING, RUNNING, VERIFIED])

    said = monoctl("sync", ACCOUNT, reach=FakeReach(api=api), clock=clock)

    assert said.exit_code == 0
    assert api.looked == [RUN] * 4
    assert clock.pauses == [1.0] * 3


def test_without_waiting_an_accepted_sync_is_as_promised() -> None:
    """The run id is what the caller goes on with."""
    api = ScriptedApi(asks=[ACCEPTED])

    said = monoctl("sync", ACCOUNT, "--no-wait", reach=FakeReach(api=api))

    assert said.exit_code == 0
    assert RUN in said.stdout
    assert api.looked == []


def test_a_run_of_somebody_else_is_waited_for_and_then_ours_is_asked_for() -> None:
    """It may have read other days: its end is not the answer to this question."""
    theirs = answer("already_running", run_id="their-run", error={"code": "already_running", "message": "held"})
    api = ScriptedApi(asks=[theirs, VERIFIED], looks=[RUNNING, answer("failed", run=run_document("failed", None))])

    said = monoctl("sync", ACCOUNT, "--start", "2026-10-01", "--end", "2026-10-31", reach=FakeReach(api=api))

    assert said.exit_code == 0
    assert api.asked == [(ACCOUNT, date(2026, 10, 1), date(2026, 10, 31))] * 2
    assert api.looked == ["their-run"] * 2


def test_without_waiting_a_held_account_is_not_a_success() -> None:
    """Nothing was asked for."""
    theirs = answer("already_running", run_id="their-run", error={"code": "already_running", "message": "held"})

    said = monoctl("sync", ACCOUNT, "--no-wait", reach=FakeReach(api=ScriptedApi(asks=[theirs])))

    assert said.exit_code == 8
    assert "their-run" in said.stderr


def test_waiting_ends_and_says_that_the_run_goes_on() -> None:
    """After --timeout seconds nobody can tell yet."""
    api = ScriptedApi(asks=[ACCEPTED], looks=[RUNNING] * 10)

    said = monoctl("sync", ACCOUNT, "--timeout", "3", reach=FakeReach(api=api))

    assert said.exit_code == 8
    assert RUN in said.stderr
    assert len(api.looked) == 4


def test_a_lease_that_outlives_its_run_does_not_turn_waiting_into_hammering() -> None:
    """Between two questions there is a pause, and the time to wait still ends."""
    theirs = answer("already_running", run_id="their-run", error={"code": "already_running", "message": "held"})
    api = ScriptedApi(asks=[theirs] * 9, looks=[VERIFIED] * 9)

    said = monoctl("sync", ACCOUNT, "--timeout", "3", reach=FakeReach(api=api))

    assert said.exit_code == 8
    assert len(api.asked) == 4


def test_a_short_absence_of_the_api_does_not_end_the_watching() -> None:
    """The run goes on without its watcher, so the watcher looks again."""
    unavailable = answer("unavailable", error={"code": "unavailable", "message": "PostgreSQL is down"})
    lost = httpx.ReadError("reset", request=httpx.Request("GET", "http://127.0.0.1:3000/"))
    api = ScriptedApi(asks=[ACCEPTED], looks=[lost, unavailable, connection_refused(), VERIFIED])

    assert monoctl("sync", ACCOUNT, reach=FakeReach(api=api)).exit_code == 0


def test_an_api_that_stays_away_ends_the_watching() -> None:
    """After some looks in a row without an answer."""
    api = ScriptedApi(asks=[ACCEPTED], looks=[connection_refused()] * 20)

    said = monoctl("sync", ACCOUNT, reach=FakeReach(api=api))

    assert said.exit_code == 7
    assert "make up" in said.stderr


def test_a_deferred_sync_says_why_and_how_to_turn_it_on() -> None:
    """In paragraphs; the command stands on a line of its own."""
    api = ScriptedApi(asks=[answer("deferred", guidance=GUIDANCE)])

    said = monoctl("sync", ACCOUNT, reach=FakeReach(api=api))

    assert (said.exit_code, without_margins(said.stdout)) == (3, golden("sync_deferred"))


def test_a_warning_is_shown_beside_a_good_end() -> None:
    """A link that wants to be authorised again still reads Mono's copy."""
    api = ScriptedApi(asks=[answer("completed", run=run_document(), warnings=["reauth_required"])])

    said = monoctl("sync", ACCOUNT, reach=FakeReach(api=api))

    assert said.exit_code == 0
    assert "authorised again" in said.stdout


def test_machines_get_the_last_answer_of_the_api_as_it_came() -> None:
    """One document on stdout, whatever was shown meanwhile."""
    api = ScriptedApi(asks=[ACCEPTED], looks=[RUNNING, VERIFIED])

    said = monoctl("--json", "sync", ACCOUNT, reach=FakeReach(api=api))

    assert json.loads(said.stdout) == answer_document("completed", run=run_document())


@pytest.mark.parametrize(
    "arguments",
    [
        ("64779D900000000000AB0001",),
        ("../../health",),
        (ACCOUNT, "--start", "2026-10-01"),
        (ACCOUNT, "--end", "2026-10-01"),
        (ACCOUNT, "--start", "2026-10-02", "--end", "2026-10-01"),
        (ACCOUNT, "--start", "2026-02-30", "--end", "2026-10-01"),
        (ACCOUNT, "--start", "20261001", "--end", "2026-10-02"),
        (ACCOUNT, "--timeout", "0"),
    ],
)
def test_bad_input_is_refused_before_anything_is_asked(arguments: tuple[str, ...]) -> None:
    """Exit code 2, and the API hears nothing."""
    api = ScriptedApi()

    assert monoctl("sync", *arguments, reach=FakeReach(api=api)).exit_code == 2
    assert api.asked == []


def test_stopping_by_hand_says_that_the_run_goes_on() -> None:
    """Ctrl-C ends the watching, not the sync."""

    class Impatient(FakeClock):
        """The person at the keyboard."""

        def pause(self, seconds: float) -> None:  # noqa: ARG002 - they do not wait at all
            """Give up."""
            raise KeyboardInterrupt

    api = ScriptedApi(asks=[ACCEPTED], looks=[RUNNING])

    said = monoctl("sync", ACCOUNT, reach=FakeReach(api=api), clock=Impatient())

    assert said.exit_code == 8
    assert "goes on" in said.stderr
