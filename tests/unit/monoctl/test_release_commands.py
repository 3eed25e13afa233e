"""`monoctl canary|watch|promote|rollback|release`: what they change, what they refuse, what is on record afterwards."""

from __future__ import annotations

import json
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from mono_pipeline.core.flag import parse_flag
from mono_pipeline.core.release_cohort import Cohort
from monoctl import release_window
from tests.unit.monoctl.release_world import ReleaseWorld, rules, worse
from tests.unit.monoctl.stand_ins import ACCOUNT

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_ssm import SSMClient

OTHER = "64779d900000000000ab0002"
WAIVED = ("--without-alerts", "no Prometheus in a test")
CANARY = ("canary", "start", "--account", ACCOUNT, "--reason", "launch", *WAIVED)
PROMOTE = ("promote", "--reason", "launch", *WAIVED)


@pytest.fixture
def world(ssm: SSMClient) -> ReleaseWorld:
    """No release yet, the flag off for everyone, and accounts that do well."""
    return ReleaseWorld(ssm)


@pytest.fixture
def promoted_canary(world: ReleaseWorld) -> ReleaseWorld:
    """A release whose canary was promoted."""
    assert world.run(*CANARY).exit_code == 0
    world.ops.asked.clear()
    world.api.asked.clear()
    world.clock.seconds = 0
    return world


class AtOnce(Executor):
    """Threads that are done when they are begun: on a clock that jumps, nobody waits for a real one."""

    def __init__(self, *_: object, **__: object) -> None:
        """Take what a pool of threads takes."""

    def submit[**P, T](self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Do it, and return what came of it."""
        done: Future[T] = Future()
        done.set_result(fn(*args, **kwargs))
        return done


def test_a_canary_lets_its_account_in_and_asks_for_it_again_and_again(
    world: ReleaseWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once and every three minutes for fifteen; what was done is on record, in its order."""
    monkeypatch.setattr(release_window, "ThreadPoolExecutor", AtOnce)
    world.api.first.extend(["deferred", "deferred"])

    said = world.run(*CANARY)

    assert (said.exit_code, set(parse_flag(world.flag).allow)) == (0, {ACCOUNT})
    assert "promote (healthy)" in said.stdout
    assert world.clock.seconds == pytest.approx(900 + 1)
    # two deferred, the one that was not, and those at 0, 3, 6, 9, 12 and 15 minutes
    assert len(world.api.asked) == 3 + 6
    assert world.ops.kinds() == ["flag.changed", "canary.started", "gate.judged"]
    assert world.ops.detail("flag.changed")["propagation_seconds"] == 1.0
    assert world.ops.detail("canary.started")["without_alerts"] == WAIVED[1]
    assert world.ops.releases[0]["status"] == "open"


def test_machines_get_a_line_for_each_look_and_one_for_the_end(world: ReleaseWorld) -> None:
    """Each line is a document; the last one has the verdict and the release."""
    said = world.run("--json", *CANARY, "--minutes", "1", "--look", "30", "--alerting-lag", "30")

    *looks, end = [json.loads(line) for line in said.stdout.splitlines()]
    assert [look["open_seconds"] for look in looks] == [0.0, 30.0, 60.0]
    assert [look["reason"] for look in looks] == ["alerting_lag", "healthy", "healthy"]
    assert looks[0]["canary"]["completed"] == 5
    assert (end["decision"], end["release"], end["taken_out"]) == ("promote", world.ops.releases[0]["id"], False)


BROKEN = {
    "mismatch": (worse(mismatches=1), 5),
    "duplicate_suspicion": (worse(suspicions=2), 5),
    "error_ratio": (worse(completed=1, failed=4, errors={"mono_server_error": 4}), 7),
    "latency": (worse(slow=5, p95_seconds=6.0), 7),
}


@pytest.mark.parametrize("reason", BROKEN)
def test_a_canary_that_breaks_is_taken_out_at_once(world: ReleaseWorld, reason: str) -> None:
    """Not at the window's end; the rest of the flag is as it was, and the release is over."""
    world.flag = f'{{"enabled": true, "percentage": 0, "allow": ["{OTHER}"]}}'
    broken, code = BROKEN[reason]
    world.ops.canary = lambda seconds: broken if seconds > 100 else Cohort()

    said = world.run(*CANARY)

    assert said.exit_code == code
    assert f"roll back ({reason})" in said.stdout
    assert world.clock.seconds < 130
    assert parse_flag(world.flag).allow == {OTHER}
    assert world.ops.kinds()[-4:] == ["gate.judged", "flag.changed", "canary.stopped", "rollback.finished"]
    assert world.ops.detail("rollback.finished")["reason"] == reason
    assert world.ops.releases[0]["status"] == "rolled_back"


def test_too_few_runs_are_held_and_the_account_stays_in(world: ReleaseWorld) -> None:
    """A hold changes nothing: who decides is the operator."""
    world.ops.canary = lambda _: worse(completed=3, fetches=3)

    said = world.run(*CANARY)

    assert (said.exit_code, set(parse_flag(world.flag).allow)) == (4, {ACCOUNT})
    assert "hold (insufficient_data): 3 complete runs, 4 are needed" in said.stdout
    assert world.ops.releases[0]["status"] == "open"


def test_without_prometheus_and_without_a_word_of_it_nothing_is_promoted(world: ReleaseWorld) -> None:
    """Exit 8, cannot tell."""
    said = world.run("canary", "start", "--account", ACCOUNT)

    assert said.exit_code == 8
    assert "hold (alerts_unknown)" in said.stdout


@pytest.mark.parametrize(
    ("flag", "sentence"),
    [
        ("true", "on for everyone already"),
        (f'{{"enabled": true, "deny": ["{ACCOUNT}"]}}', "deny list"),
        ('{"enabled": false, "percentage": 5}', "kill switch keeps"),
        ("flase", "malformed"),
    ],
)
def test_a_canary_that_would_show_nothing_is_refused(world: ReleaseWorld, flag: str, sentence: str) -> None:
    """Before a release is begun or the flag is touched."""
    world.flag = flag

    said = world.run(*CANARY)

    assert (said.exit_code, world.flag) == (2, flag)
    assert sentence in said.stderr
    assert world.ops.releases == []


def test_a_canary_is_stopped_by_hand(promoted_canary: ReleaseWorld) -> None:
    """Its accounts are those that the release let in."""
    said = promoted_canary.run("canary", "stop", "--reason", "lunch")

    assert said.exit_code == 0
    assert not parse_flag(promoted_canary.flag).allow
    assert promoted_canary.ops.detail("canary.stopped") == {"accounts": [ACCOUNT], "reason": "lunch"}


def test_a_promotion_walks_every_step(promoted_canary: ReleaseWorld) -> None:
    """1, 5, 25, 50, 100 %, a window at each; at the end the release is promoted."""
    world = promoted_canary

    said = world.run(*PROMOTE)

    assert said.exit_code == 0
    steps = [event["detail"]["percentage"] for event in world.ops.events if event["kind"] == "promotion.step"]
    assert steps == [100, 500, 2_500, 5_000, 10_000]
    assert world.clock.seconds == pytest.approx(5 * 900)
    assert parse_flag(world.flag).percentage == 10_000
    assert world.ops.kinds()[-1] == "promotion.finished"
    assert world.ops.releases[0]["status"] == "promoted"


def test_who_is_judged_at_a_step_came_on_by_it(promoted_canary: ReleaseWorld) -> None:
    """From the flag's text before the step to that after it."""
    promoted_canary.run(*PROMOTE, "--step", "5")

    (observed,) = {
        (given["before"], given["after"]) for action, given in promoted_canary.ops.asked if action == "releases.observe"
    }
    assert [parse_flag(text).percentage for text in observed] == [0, 500]


def test_a_promotion_that_breaks_turns_the_flag_off(promoted_canary: ReleaseWorld) -> None:
    """The kill switch keeps percentage and lists; no further step is taken."""
    world = promoted_canary
    world.ops.canary = lambda seconds: worse(mismatches=1) if seconds > 1000 else worse()

    said = world.run(*PROMOTE)

    rule = parse_flag(world.flag)
    assert (said.exit_code, rule.enabled, rule.percentage) == (5, False, 500)
    assert world.ops.kinds().count("promotion.step") == 2
    assert world.ops.kinds()[-3:] == ["rollback.started", "flag.changed", "rollback.finished"]
    assert world.ops.releases[0]["status"] == "rolled_back"
    assert "For support:" in said.stdout


def test_a_step_that_is_held_is_judged_again(promoted_canary: ReleaseWorld) -> None:
    """The flag stays where it is; the next `promote` goes on from there, without another edit for that step."""
    world = promoted_canary
    world.ops.canary = lambda _: worse(failed=1)

    held = world.run(*PROMOTE)
    edits = world.ops.kinds().count("flag.changed")
    reached = parse_flag(world.flag).percentage
    world.ops.canary = lambda _: worse()
    on = world.run(*PROMOTE, "--step", "1", "--step", "5")

    assert (held.exit_code, reached, on.exit_code) == (4, 100, 0)
    steps = [event["detail"]["percentage"] for event in world.ops.events if event["kind"] == "promotion.step"]
    assert steps == [100, 100, 500]
    assert world.ops.kinds().count("flag.changed") == edits + 1
    again = [event["detail"] for event in world.ops.events if event["kind"] == "promotion.step"][1]
    assert parse_flag(again["before"]).percentage == 0


def test_a_step_by_which_nobody_comes_on_is_passed(promoted_canary: ReleaseWorld) -> None:
    """A fleet of ten has nobody at 1 %: there is nobody to judge, and it is said."""
    promoted_canary.ops.added = 0

    said = promoted_canary.run(*PROMOTE)

    assert said.exit_code == 0
    assert promoted_canary.clock.seconds == 0
    assert said.stderr.count("no account came on by it") == 5


def test_nothing_is_promoted_without_a_canary_that_was(world: ReleaseWorld) -> None:
    """Unless somebody says why, which is on record."""
    world.ops.canary = lambda _: worse(completed=1)
    world.run(*CANARY)
    world.ops.canary = lambda _: worse()

    refused = world.run(*PROMOTE)
    allowed = world.run(*PROMOTE, "--step", "1", "--without-canary", "same code as yesterday")

    assert (refused.exit_code, allowed.exit_code) == (2, 0)
    assert "its canary says hold (insufficient_data)" in refused.stderr
    assert world.ops.detail("promotion.started")["without_canary"] == "same code as yesterday"


def test_a_watch_judges_whom_the_release_brought_on(promoted_canary: ReleaseWorld) -> None:
    """Two hours, no sync asked for, no flag changed, and a verdict on record."""
    world = promoted_canary
    before = world.flag

    said = world.run("watch", *WAIVED)

    assert said.exit_code == 0
    assert world.clock.seconds == 7200
    assert world.api.asked == []
    assert world.flag == before
    assert world.ops.detail("gate.judged")["stage"] == "watch"


def test_a_rollback_is_proven_and_says_the_way_back(promoted_canary: ReleaseWorld) -> None:
    """Off, no run begun after what is promised, dead letters shown, commands and a note for support."""
    world = promoted_canary
    world.letters.messages = 3
    world.ops.starts = lambda seconds: {
        "started": 2,
        "last_started_seconds": 9.5,
        "working": 1 if seconds < 21 else 0,
    }

    said = world.run("--json", "rollback", "--reason", "totals look wrong")

    told = json.loads(said.stdout)
    assert said.exit_code == 0
    assert parse_flag(world.flag).enabled is False
    assert told["proof"] == {
        "watched_seconds": 21.0,
        "started": 2,
        "last_started_seconds": 9.5,
        "working": 0,
        "stopped_seconds": 21.0,
        "holds": True,
    }
    assert told["dead_letters"][0]["messages"] == 3
    assert world.letters.messages == 3
    assert told["back"] == ['monoctl --env local flag restore 2 --reason "fixed: ..."']
    assert "Why: totals look wrong" in told["status_note"]
    assert world.ops.releases[0]["status"] == "rolled_back"


@pytest.mark.parametrize("late", [0.07, 0.87, 3.0], ids="{} s late".format)
def test_a_rollback_is_watched_for_what_is_promised_by_the_clock_that_it_tells(
    promoted_canary: ReleaseWorld, late: float
) -> None:
    """An answer comes later than the database looked: what it tells is as old as it says, not as it is when read."""
    world = promoted_canary

    def looked(seconds: float) -> dict[str, Any]:
        world.clock.seconds += late
        return {"started": 0, "last_started_seconds": None, "working": 0, "seconds": seconds}

    world.ops.starts = looked

    said = world.run("--json", "rollback", "--reason", "totals look wrong")

    proof = json.loads(said.stdout)["proof"]
    assert (said.exit_code, proof["holds"]) == (0, True)
    assert 15 <= proof["watched_seconds"] < 15 + 1 + late  # one look a second


def test_dead_letters_are_taken_away_where_that_was_said(promoted_canary: ReleaseWorld) -> None:
    """Those of fetches alone, and it is on record."""
    promoted_canary.letters.messages = 3

    promoted_canary.run("rollback", "--clear-dead-letters")

    assert promoted_canary.letters.messages == 0
    assert promoted_canary.letters.bodies[-1]["filter"] == {"type": "mono.fetch.*"}
    assert promoted_canary.ops.detail("dead_letters.cleared")["messages"] == 3


def test_the_flag_goes_off_though_the_database_is_away(promoted_canary: ReleaseWorld) -> None:
    """Nothing is asked of it before; that nothing is proven or recorded is said, and the exit code is cannot tell."""
    world = promoted_canary
    world.ops.down = {"releases.starts", "releases.list", "releases.record", "releases.show"}

    said = world.run("rollback")

    assert parse_flag(world.flag).enabled is False
    assert said.exit_code == 8
    assert "PostgreSQL is away" in said.stdout


def test_runs_that_begin_too_late_are_a_defect(promoted_canary: ReleaseWorld) -> None:
    """The promise is 15 s, and what breaks it is said."""
    promoted_canary.ops.starts = lambda _: {"started": 1, "last_started_seconds": 15.5, "working": 0}

    said = promoted_canary.run("rollback")

    assert said.exit_code == 1
    assert "later than the 15 s" in " ".join(said.stdout.split())


def test_runs_that_do_not_stop_are_not_waited_for_for_ever(promoted_canary: ReleaseWorld) -> None:
    """After the patience it says how many."""
    promoted_canary.ops.starts = lambda _: {"started": 0, "last_started_seconds": None, "working": 2}

    said = promoted_canary.run("--json", "rollback", "--patience", "40")

    assert said.exit_code == 4
    assert json.loads(said.stdout)["proof"]["working"] == 2
    assert promoted_canary.clock.seconds == pytest.approx(40)


def test_a_flag_that_nobody_can_read_is_off_and_becomes_so_plainly(world: ReleaseWorld) -> None:
    """There is no release either: it is rolled back all the same."""
    world.flag = "flase"

    said = world.run("rollback")

    assert (said.exit_code, world.flag) == (0, "false")


@pytest.mark.parametrize("command", [["canary", "start", "--account", ACCOUNT], ["promote"], ["rollback"]])
def test_prod_is_not_changed_without_a_reason(world: ReleaseWorld, command: list[str]) -> None:
    """As `flag set`."""
    said = world.run(*command, environment="prod")

    assert said.exit_code == 2
    assert "--reason: is required in prod" in said.stderr
    assert world.ops.releases == []


def test_a_release_is_shown_signed_for_and_closed(promoted_canary: ReleaseWorld) -> None:
    """By whom and when is the trail's."""
    world = promoted_canary

    assert world.run("release", "sign-off", "totals spot-checked", "--note", "12 accounts").exit_code == 0
    assert world.run("release", "close", "--reason", "another day").exit_code == 0
    again = world.run("release", "close")
    shown = world.run("release", "show")
    listed = world.run("release", "list")
    status = json.loads(world.run("--json", "canary", "status").stdout)

    assert again.exit_code == 2
    assert "release.signed_off  item totals spot-checked, note 12 accounts" in shown.stdout
    assert "closed" in listed.stdout
    assert [event["kind"] for event in status["events"]][-2:] == ["release.signed_off", "release.closed"]


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--minutes", "0"], "--minutes"),
        (["--every", "-1"], "--every"),
        (["--look", "0"], "--look"),
        (["--alerting-lag", "-1"], "--alerting-lag"),
        (["--without-alerts", " "], "--without-alerts"),
        (["--account", "x"], "account"),
    ],
)
def test_terms_that_mean_nothing_are_refused(world: ReleaseWorld, options: list[str], word: str) -> None:
    """Before anything is begun."""
    said = world.run(*CANARY, *options)

    assert said.exit_code == 2
    assert word in said.stderr
    assert world.ops.releases == []


@pytest.mark.parametrize("steps", [["5", "1"], ["0"], ["5", "5"]])
def test_steps_that_do_not_rise_are_refused(promoted_canary: ReleaseWorld, steps: list[str]) -> None:
    """A rollout only adds accounts."""
    options = [option for step in steps for option in ("--step", step)]

    assert promoted_canary.run(*PROMOTE, *options).exit_code == 2


def test_alerts_decide_where_prometheus_is_known(world: ReleaseWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Silent before and after, it promotes; an alert that is new is harm to the rest."""
    firing: list[str] = []
    plain = httpx.Client

    def client(**options: Any) -> Any:
        return plain(**{**options, "transport": rules(*firing)})

    monkeypatch.setattr("monoctl.prometheus.httpx.Client", client)
    asked = ["canary", "start", "--account", ACCOUNT, "--prometheus", "http://prometheus", "--minutes", "10"]

    well = world.run(*asked)
    alerts = world.ops.detail("gate.judged")["alerts"]
    world.run("canary", "stop")
    world.run("release", "close")
    firing.append("MonoPipelineLatencySLA")
    fired_before = world.run(*asked)

    assert (well.exit_code, alerts["canary"], alerts["fleet_before"]) == (0, [], [])
    assert fired_before.exit_code == 8  # it fires, and the account has no series of its own: nobody can tell
