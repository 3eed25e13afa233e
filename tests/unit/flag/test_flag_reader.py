"""The flag as a running function sees it, through time, outages and bad values. The clock is the test's."""

from __future__ import annotations

from threading import Barrier, Event, Thread

import pytest

from mono_pipeline.adapters.flag_reader import CACHE_SECONDS, LAST_GOOD_SECONDS, FlagReader
from mono_pipeline.adapters.parameters import Parameter
from mono_pipeline.core.errors import ConfigurationError, ParametersUnavailable
from mono_pipeline.core.flag import EVERYONE, NOBODY, FlagProblem, FlagReading, Reason, decide

NAME = "/mono-pipeline/dev/MONO_TRANSACTIONS_ENABLED"
ME = "64779d900000000000ab0001"


class Ssm:
    """One parameter of an SSM that can be written, deleted and cut off, and the clock beside it."""

    def __init__(self, value: str | None = "true") -> None:
        self.value = value
        self.version = 1
        self.up = True
        self.now = 1_000.0
        self.calls = 0

    def get(self, name: str) -> Parameter:
        """Answer as SSM would now."""
        self.calls += 1
        if not self.up:
            raise ParametersUnavailable("SSM GetParameter: ReadTimeoutError")
        if self.value is None:
            raise ConfigurationError(name, "SSM has no such parameter")
        return Parameter(name=name, value=self.value, version=self.version)

    def write(self, value: str | None) -> None:
        """Put another value, or none."""
        self.value = value
        self.version += 1


def reader_of(ssm: Ssm, alarms: list[FlagReading] | None = None) -> FlagReader:
    """Return a reader on the test's clock."""
    return FlagReader(ssm, NAME, monotonic=lambda: ssm.now, alarm=None if alarms is None else alarms.append)


def test_the_cache_is_at_most_fifteen_seconds() -> None:
    """Design section 7, with what a slow SSM may take on top."""
    assert CACHE_SECONDS + 2 <= 15
    assert LAST_GOOD_SECONDS == 300


def test_a_change_is_seen_when_the_cache_is_old_and_ssm_is_asked_once_until_then() -> None:
    """SSM gives 40 answers a second to a whole account: a warm function asks rarely."""
    ssm = Ssm("true")
    reader = reader_of(ssm)
    assert reader.read() == FlagReading(rule=EVERYONE, version=1)
    ssm.write("false")

    ssm.now += CACHE_SECONDS - 0.001
    assert reader.read().rule == EVERYONE
    assert ssm.calls == 1
    ssm.now += 0.001
    assert reader.read() == FlagReading(rule=NOBODY, version=2)
    assert ssm.calls == 2


def test_an_answer_is_as_old_as_its_question() -> None:
    """A value that took two seconds to arrive is two seconds old when it does."""
    ssm = Ssm("true")

    class Slow(Ssm):
        def get(self, name: str) -> Parameter:
            answer = ssm.get(name)
            ssm.now += 2
            return answer

    reader = FlagReader(Slow(), NAME, monotonic=lambda: ssm.now)
    reader.read()
    ssm.write("false")
    ssm.now += CACHE_SECONDS - 2

    assert reader.read().rule == NOBODY


def test_a_malformed_value_is_off_at_once_and_the_last_good_one_is_forgotten() -> None:
    """R4: `flase` means off, now, and an outage right after does not bring `true` back."""
    ssm, alarms = Ssm("true"), list[FlagReading]()
    reader = reader_of(ssm, alarms)
    assert reader.read().rule == EVERYONE
    ssm.write("flase")
    ssm.now += CACHE_SECONDS

    off = reader.read()
    decision = decide(off, ME)

    assert (decision.enabled, decision.reason, decision.rule_version) == (False, Reason.ERROR, 2)
    assert off.problem is FlagProblem.MALFORMED
    assert "flase" in off.detail
    assert alarms == [off]
    ssm.up = False
    ssm.now += CACHE_SECONDS
    outage = reader.read()
    assert (outage.rule, outage.problem, outage.stale) == (None, FlagProblem.UNREADABLE, False)


@pytest.mark.parametrize("garbage", ["tru", "-5", "101", "", '{"enabled": true, "percentage": 101}', "x" * 5000])
def test_garbage_is_off(garbage: str) -> None:
    """R4, through the reader."""
    assert decide(reader_of(Ssm(garbage)).read(), ME).reason is Reason.ERROR


def test_a_missing_parameter_is_off_with_an_alarm() -> None:
    """Deleted is not unreadable: nobody is kept on by what was there before."""
    ssm, alarms = Ssm("true"), list[FlagReading]()
    reader = reader_of(ssm, alarms)
    reader.read()
    ssm.write(None)
    ssm.now += CACHE_SECONDS

    assert decide(reader.read(), ME).reason is Reason.ERROR
    assert [each.problem for each in alarms] == [FlagProblem.MISSING]


def test_an_unreadable_flag_keeps_its_last_good_value_for_300_seconds_from_when_it_was_read_then_is_off() -> None:
    """An outage of SSM is not an outage of ours for five minutes, and is off after that, to the second."""
    ssm, alarms = Ssm("true"), list[FlagReading]()
    reader = reader_of(ssm, alarms)
    reader.read()
    read_at = ssm.now
    ssm.up = False

    ssm.now = read_at + CACHE_SECONDS
    stale = decide(reader.read(), ME)
    assert (stale.enabled, stale.reason, stale.step, stale.rule_version) == (True, Reason.STALE, Reason.DEFAULT, 1)
    assert alarms[-1].problem is FlagProblem.UNREADABLE
    ssm.now = read_at + LAST_GOOD_SECONDS - 0.001
    assert decide(reader.read(), ME).enabled
    ssm.now = read_at + LAST_GOOD_SECONDS
    off = decide(reader.read(), ME)
    assert (off.enabled, off.reason, off.problem) == (False, Reason.ERROR, FlagProblem.UNREADABLE)


def test_an_outage_after_a_long_sleep_is_off_at_once() -> None:
    """A function that was frozen for an hour has no last good value young enough."""
    ssm = Ssm("true")
    reader = reader_of(ssm)
    reader.read()
    ssm.now += 3_600
    ssm.up = False

    assert decide(reader.read(), ME).reason is Reason.ERROR


def test_an_outage_from_the_start_is_off() -> None:
    """I28: a flag that was never read is off."""
    ssm = Ssm("true")
    ssm.up = False

    assert decide(reader_of(ssm).read(), ME).reason is Reason.ERROR


def test_a_dead_ssm_is_not_asked_at_every_decision_and_the_flag_recovers_when_it_is_back() -> None:
    """Two seconds of waiting at every flush would be an outage of our own."""
    ssm = Ssm("true")
    ssm.up = False
    reader = reader_of(ssm)
    for _ in range(5):
        reader.read()
    assert ssm.calls == 1

    ssm.up = True
    ssm.now += CACHE_SECONDS
    assert reader.read() == FlagReading(rule=EVERYONE, version=1)


def test_a_slow_old_answer_never_replaces_a_younger_one() -> None:
    """Two threads ask; the one that asked first is answered last, with the value from before the switch."""
    ssm = Ssm("true")
    asked, go_on = Event(), Event()

    class Held(Ssm):
        held = True

        def get(self, name: str) -> Parameter:
            answer = ssm.get(name)
            if self.held:
                Held.held = False
                asked.set()
                assert go_on.wait(10)
            return answer

    reader = FlagReader(Held(), NAME, monotonic=lambda: ssm.now)
    slow = Thread(target=reader.read)
    slow.start()
    assert asked.wait(10)
    ssm.write("false")
    ssm.now += 1
    assert reader.read().rule == NOBODY
    go_on.set()
    slow.join(10)

    assert reader.read().rule == NOBODY


def test_many_threads_may_share_a_reader() -> None:
    """Each gets a reading, whoever asked SSM."""
    ssm = Ssm("true")
    reader = reader_of(ssm)
    together = Barrier(8)
    seen: list[FlagReading] = []

    def ask() -> None:
        together.wait(10)
        seen.append(reader.read())

    threads = [Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert seen == [FlagReading(rule=EVERYONE, version=1)] * 8


def test_the_version_that_decides_is_told_without_asking() -> None:
    """None before the first reading, and once nothing decides any more; the last good one as long as that decides."""
    ssm = Ssm("true")
    reader = reader_of(ssm)
    assert (reader.version, ssm.calls) == (None, 0)
    reader.read()
    ssm.write("flase")
    assert reader.version == 1
    ssm.now += CACHE_SECONDS
    reader.read()
    assert (reader.version, ssm.calls) == (2, 2)
    ssm.write("true")
    ssm.now += CACHE_SECONDS
    reader.read()
    ssm.up = False
    ssm.now += LAST_GOOD_SECONDS - 1
    reader.read()
    assert reader.version == 3
    ssm.now += 1
    assert (reader.version, reader.read().off_for_everyone) == (None, True)
