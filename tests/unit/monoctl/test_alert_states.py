"""What Prometheus says of the three alerts; what it does not say is unknown, never inactive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from mono_pipeline.core.release_gate import HIGH_FAILURE_RATE, LATENCY_SLA, ZERO_TRANSACTIONS
from monoctl.alert_states import AlertStates
from tests.unit.monoctl.release_world import PROMETHEUS, rules
from tests.unit.monoctl.stand_ins import ACCOUNT

if TYPE_CHECKING:
    from collections.abc import Callable

OTHER = "64779d900000000000ab0002"


def states(answered: Callable[[httpx.Request], httpx.Response] | httpx.MockTransport) -> AlertStates:
    """Alerts of a Prometheus that answers so."""
    transport = answered if isinstance(answered, httpx.MockTransport) else httpx.MockTransport(answered)
    return AlertStates(PROMETHEUS, transport=transport)


def success(data: Any) -> httpx.Response:
    """What Prometheus wraps its answers in."""
    return httpx.Response(200, json={"status": "success", "data": data})


@pytest.mark.parametrize("firing", [[], [LATENCY_SLA], [HIGH_FAILURE_RATE, ZERO_TRANSACTIONS]])
def test_those_that_fire_are_told(firing: list[str]) -> None:
    """Pending ones do not fire yet."""
    found = states(rules(*firing))

    assert found.fleet() == frozenset(firing)
    assert found.problem is None


def refused(_request: httpx.Request) -> httpx.Response:
    """Nobody there."""
    raise httpx.ConnectError("refused")


UNTOLD = {
    "nobody answers": refused,
    "no JSON": lambda _: httpx.Response(200, text="<html>"),
    "an error": lambda _: httpx.Response(503, json={"status": "error", "error": "starting"}),
    "a rule that is not there": rules(without=LATENCY_SLA),
    "a rule that cannot be evaluated": rules(health="err"),
}


@pytest.mark.parametrize("what", UNTOLD)
def test_what_is_not_said_is_unknown(what: str) -> None:
    """Of all and of a few; with the reason."""
    found = states(UNTOLD[what])  # type: ignore[arg-type]

    assert found.fleet() is None
    assert found.of_accounts([ACCOUNT]) is None
    assert found.problem is not None
    assert found.problem.startswith("Prometheus does not tell: ")


def test_without_an_address_nothing_is_known() -> None:
    """And it says which option gives it."""
    found = AlertStates(None)

    assert found.fleet() is None
    assert found.of_accounts([ACCOUNT]) is None
    assert found.problem is not None
    assert "--prometheus" in found.problem


def test_of_a_few_accounts_their_own_series_tell() -> None:
    """An alert of all is put to the accounts' series, by the same expression; a p95 always is."""
    queries: list[str] = []

    def answered(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/v1/query":
            queries.append(request.url.params["query"])
            fires = "errors_total" in queries[-1] or queries[-1].startswith("count(")
            return success({"resultType": "vector", "result": [{"value": [0, "7"]}] if fires else []})
        return rules(HIGH_FAILURE_RATE, ZERO_TRANSACTIONS).handler(request)  # type: ignore[return-value]

    assert states(answered).of_accounts([ACCOUNT, OTHER]) == frozenset({HIGH_FAILURE_RATE})
    assert len(queries) == 4
    assert all(f'scope="account",account_id=~"{ACCOUNT}|{OTHER}"' in query for query in queries)


def test_a_slow_account_is_not_hidden_by_the_p95_of_all() -> None:
    """The fleet's alert is silent, the account's own p95 is beyond the SLA."""

    def answered(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/v1/query":
            return success({"resultType": "vector", "result": [{"value": [0, "3.1"]}]})
        return rules().handler(request)  # type: ignore[return-value]

    assert states(answered).of_accounts([ACCOUNT]) == frozenset({LATENCY_SLA})


def test_an_alert_of_all_without_series_of_the_accounts_is_unknown() -> None:
    """ACCOUNT_METRICS_MODE is off: whose doing it is cannot be told."""
    found = states(rules(HIGH_FAILURE_RATE))

    assert found.of_accounts([ACCOUNT]) is None
    assert found.problem is not None
    assert "no series of their own" in found.problem
