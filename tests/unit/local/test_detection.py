from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from local.cloudwatch.points import Points
from local.monitoring_contract import TICKS
from local.monitoring_detection import Fault, Place

if TYPE_CHECKING:
    from local.monitoring import Chain


@dataclass
class Alertmanager:
    """What has reached it so far."""

    alerts: set[str] = field(default_factory=set)

    def firing(self) -> set[str]:
        """As `Chain.firing`."""
        return set(self.alerts)


def place(alertmanager: Alertmanager, *faults: Fault, **changes: Any) -> Place:
    """A place where these faults happen."""
    return Place(chain=cast("Chain", alertmanager), points=Points(), faults=list(faults), **changes)


def test_an_alert_is_timed_from_its_fault_until_it_is_seen() -> None:
    """And what was there already before the fault has measured nothing."""
    manager = Alertmanager({"Early"})
    done: list[str] = []
    seen = place(
        manager,
        Fault(alerts=("Early", "Late"), do=lambda: done.append("first")),
        Fault(alerts=("Second",), after=10, do=lambda: done.append("second")),
    )

    seen.look(0)
    assert (done, seen.took, seen.waits) == (["first"], {"realtime-Early": None}, True)
    manager.alerts |= {"Late", "Second"}
    seen.look(5)
    took = seen.took["realtime-Late"]
    assert took is not None
    assert 0 <= took < 60
    assert "realtime-Second" not in seen.took
    manager.alerts -= {"Second"}
    seen.look(10)
    assert (done, seen.waits) == (["first", "second"], True)
    manager.alerts |= {"Second"}
    seen.look(15)
    assert set(seen.took) == {"realtime-Early", "realtime-Late", "realtime-Second"}
    assert not seen.waits


def test_a_fault_that_goes_on_is_told_twice_a_minute() -> None:
    """From the first look on."""
    seen = place(Alertmanager(), Fault(alerts=("Never",)), tells=lambda at: [TICKS.line(at=at, value=1)])
    for elapsed in (0, 5, 25, 30, 55, 61):
        seen.look(elapsed)
    (series,) = seen.points.series()
    assert len(seen.points.total(series)) == 3


def test_an_alert_that_always_fires_is_timed_from_when_its_chain_was_started() -> None:
    """It is there before anything goes wrong, and rightly."""
    seen = place(Alertmanager({"Watchdog"}), Fault(alerts=("Watchdog",), since=1.0))
    seen.look(0)
    took = seen.took["realtime-Watchdog"]
    assert took is not None
    assert took > 0
