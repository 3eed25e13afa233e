"""What a release asks of Prometheus, asked of a real one with the shipped rules and the real exporter."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any, cast

import pytest

from local.cloudwatch.log_folder import LogFolder
from local.cloudwatch.points import Points
from local.cloudwatch.server import CloudWatchServer
from local.monitoring import QUICK, Chain, missing
from local.monitoring_contract import ERRORS, STAGE_SECONDS, TICKS
from local.monitoring_judge import wait_for
from local.monitoring_test import BACK_DATE
from mono_pipeline.core.release_gate import HIGH_FAILURE_RATE, LATENCY_SLA
from monoctl.alert_states import AlertStates
from monoctl.environment import EnvironmentName
from monoctl.preflight import alert_lines
from monoctl.preflight.grounds import Grounds
from monoctl.preflight.line import State
from monoctl.report.alert_history import AlertHistory
from monoctl.report.model import Span
from monoctl.stage_latency import StageLatency
from tests.monitoring_programs import needs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("monitoring-chain"), needs(missing())]

BROKEN, WELL = "64779d900000000000ab0001", "64779d900000000000ab0002"
# Series of accounts have a point every five minutes, and the rules look at the five that ended five minutes ago: just
# one point is in sight, and leaves it at some second. One that would leave during the test is passed over for the next.
PERIOD, STAYS = 300, 120
ENTERS = 60 + STAYS  # seconds until the next one is in sight, and read


def in_sight() -> int:
    """When a line is written, in milliseconds, so that its point is in sight for the next two minutes, or soon."""
    now = time.time()
    newest = (now - PERIOD) // PERIOD * PERIOD
    chosen = newest if now - newest <= 2 * PERIOD - STAYS else newest + PERIOD
    return int((chosen + BACK_DATE) * 1000)


def fetch(account: str, seconds: float, *, at: int) -> str:
    """The line of a fetch."""
    return STAGE_SECONDS.line(at=at, value=seconds, account_id=account, stage="sync", outcome="ok")


def failure(account: str, *, at: int) -> str:
    """The line of a run that failed."""
    return ERRORS.line(at=at, value=1, account_id=account, stage="sync", reason="mono_server_error")


@contextmanager
def an_exporter() -> Iterator[str]:
    """Where the account exporter would answer: somebody who has nothing to tell, which is `up` all the same."""

    class Nothing(BaseHTTPRequestHandler):
        """No metric."""

        def do_GET(self) -> None:
            """Answer."""
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Nothing) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def chain(folder: Path, *lines: str) -> Iterator[Chain]:
    """The chain over these lines and a tick, dated back to where the rules look."""
    (folder / "told.log").write_text("".join(f"{line}\n" for line in (*lines, TICKS.line(at=_now(), value=1))))
    points = Points(back_date=BACK_DATE)
    LogFolder(folder, points).take()
    with (
        an_exporter() as accounts,
        CloudWatchServer(points) as cloudwatch,
        Chain(folder / "c", cloudwatch=cloudwatch.url, pace=QUICK, account_exporter=accounts) as running,
    ):
        yield running


def _now() -> int:
    return int(time.time() * 1000)


def grounds(prometheus: str) -> Grounds:
    """A pre-flight that knows where Prometheus is; its two lines about it need nothing else."""
    nothing = cast("Any", None)
    return Grounds(
        environment=EnvironmentName.LOCAL, ops=nothing, parameters=nothing, deployment=nothing, prometheus=prometheus
    )


def test_all_in_order_passes_and_no_alert_fires(tmp_path: Path) -> None:
    """Every rule is loaded and inactive, both exporters are up: a release may begin, and a canary be judged."""
    with chain(tmp_path, fetch(WELL, 0.4, at=in_sight())) as running:
        stages = StageLatency(running.prometheus)
        assert wait_for(lambda: stages.of_accounts([WELL]) == {"sync": 0.4}, seconds=ENTERS), stages.of_accounts([WELL])
        asked = grounds(running.prometheus)
        assert wait_for(lambda: alert_lines.rules(asked).state is State.PASS, seconds=30), alert_lines.rules(asked)
        states = AlertStates(running.prometheus)
        told = (states.fleet(), states.of_accounts([WELL]), alert_lines.exporter(asked))

    assert told[:2] == (frozenset(), frozenset())
    assert (told[2].state, told[2].says) == (State.PASS, f"up: {', '.join(alert_lines.EXPORTERS)}")


def test_whose_alert_it_is_is_told_by_the_accounts_own_series(tmp_path: Path) -> None:
    """One account fails and is slow: the three alerts are its own, not its neighbour's, and no release begins."""
    at = in_sight()
    lines = [fetch(WELL, 0.4, at=at), fetch(BROKEN, 3.0, at=at), *[failure(BROKEN, at=at)] * 5]
    with chain(tmp_path, *lines) as running:
        states = AlertStates(running.prometheus)
        both = frozenset({HIGH_FAILURE_RATE, LATENCY_SLA})
        assert wait_for(lambda: states.fleet() == both, seconds=ENTERS), (states.fleet(), states.problem)
        assert wait_for(lambda: states.of_accounts([BROKEN]) == both, seconds=30), states.of_accounts([BROKEN])
        neighbour, together = states.of_accounts([WELL]), states.of_accounts([WELL, BROKEN])
        stages = StageLatency(running.prometheus)
        seconds = (stages.of_accounts([WELL]), stages.of_accounts([BROKEN]), stages.of_all())
        line = alert_lines.rules(grounds(running.prometheus))
        until = datetime.now(UTC)
        history = AlertHistory(running.prometheus).firing(Span(since=until - timedelta(minutes=5), until=until))

    assert (neighbour, together) == (frozenset(), both)
    assert seconds[:2] == ({"sync": 0.4}, {"sync": 3.0})
    assert seconds[2] is not None
    assert seconds[2]["sync"] > 2
    assert line.state is State.FAIL
    assert all(f"{name} firing" in line.says for name in both)
    assert {*both, alert_lines.WATCHDOG} <= set(history)
