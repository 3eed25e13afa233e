from __future__ import annotations

import time
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, cast

import pytest

from local.cloudwatch.emf import observations
from local.cloudwatch.points import Points
from local.monitoring_contract import TICKS
from local.monitoring_judge import Proof, judge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.monitoring import Chain


@dataclass
class Told:
    """A chain that has stored two ticks, and whose rules are evaluated whenever somebody looks."""

    alerts: set[str]
    instants: Iterator[int] = field(default_factory=count)

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """What was emitted."""
        assert expression == f"sum_over_time({TICKS.full_name}[1h])"
        return [({"__name__": TICKS.full_name, "service": "mono-pipeline", "scope": "fleet"}, 2.0)]

    def firing(self) -> set[str]:
        """As `Chain.firing`."""
        return self.alerts

    def rules(self) -> list[dict[str, Any]]:
        """One rule that can be evaluated."""
        return [{"name": "r", "health": "ok", "lastEvaluation": next(self.instants)}]


@pytest.mark.parametrize(
    ("alerts", "must_not", "ok"),
    [
        (set(), None, True),
        ({"MonoSLOFastBurn"}, None, False),
        ({"MonoSLOFastBurn"}, {"MonoProviderDown"}, True),
        ({"MonoProviderDown"}, {"MonoProviderDown"}, False),
    ],
)
def test_in_a_healthy_run_no_alert_at_all_may_fire(alerts: set[str], must_not: set[str] | None, *, ok: bool) -> None:
    """Not only those that another scene brings about; the watchdog fires always."""
    points = Points()
    points.add(observations(TICKS.line(at=int(time.time() * 1000), value=2)))
    proof = Proof()

    judge(proof, "healthy", cast("Chain", Told({"MonoWatchdog", *alerts})), points, must=set(), must_not=must_not)

    assert {row.id: row.ok for row in proof.rows} == {
        "healthy-equal": True,
        "healthy-alerts": ok,
        "healthy-rules": True,
    }
