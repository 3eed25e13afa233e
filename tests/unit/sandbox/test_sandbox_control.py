"""The control API is the sandbox's methods over HTTP, no more and no less."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING

import pytest

from local.sandbox.control import ROUTES
from local.sandbox.sandbox import Sandbox

if TYPE_CHECKING:
    import httpx

PYTHON_ONLY = {"operate", "respond", "inject"}


def operations() -> dict[str, inspect.Signature]:
    """The public methods of the sandbox that are not the world's plumbing."""
    owners = [owner for owner in Sandbox.__mro__ if owner.__name__ in {"Sandbox", "Lifecycle", "Mutations"}]
    return {
        name: inspect.signature(method)
        for owner in owners
        for name, method in vars(owner).items()
        if inspect.isfunction(method) and not name.startswith("_")
    }


def test_every_operation_has_one_route() -> None:
    """What a test in process can do, a test over HTTP can do."""
    assert sorted(route.operation for route in ROUTES) == sorted(operations().keys() - PYTHON_ONLY)


def test_what_a_path_names_is_an_argument_of_its_operation() -> None:
    """No route can call its operation wrongly."""
    for route in ROUTES:
        named = re.findall(r"{(\w+)}", route.path)
        assert set(named) <= operations()[route.operation].parameters.keys(), route


def test_an_operation_over_http_is_the_method(sandbox: Sandbox, mono: httpx.Client) -> None:
    """Arguments are checked and converted, results are JSON."""
    account = mono.post("/_sandbox/accounts", json={"transactions": 7, "balances": "null"}).json()["id"]
    assert mono.get(f"/_sandbox/accounts/{account}/truth").json() == sandbox.truth(account)
    added = mono.post(f"/_sandbox/accounts/{account}/add", json={"instants": ["2026-09-01T10:00:00Z"]}).json()
    assert added[0] in sandbox.truth(account)["bank"]
    gone = mono.post(f"/_sandbox/accounts/{account}/truncate", json={"older_than": "2026-09-01"}).json()
    assert gone
    assert mono.post("/_sandbox/switches", json={"end": "exclusive"}).json()["end"] == "exclusive"
    assert mono.post("/_sandbox/clock", json={"advance_days": 2}).json()["today"] == "2026-10-02"


def test_faults_are_injected_as_json(mono: httpx.Client) -> None:
    """As a program in another language would."""
    fault = {"effect": {"kind": "rate_limited", "retry_after": "9"}, "path": "/v2/accounts"}
    assert mono.post("/_sandbox/faults", json={"faults": [fault]}).status_code == 200
    assert mono.get("/v2/accounts").headers["retry-after"] == "9"
    assert mono.get("/_sandbox/faults").json()[0]["struck"] == 1


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/_sandbox/nothing", {}, 404),
        ("/_sandbox/accounts/000000000000000000000000/add", {}, 404),
        ("/_sandbox/switches", {"end": "sometimes"}, 422),
        ("/_sandbox/switches", {"unknown": 1}, 422),
        ("/_sandbox/accounts", {"transactions": "many"}, 422),
        ("/_sandbox/faults", {"faults": [{"effect": {"kind": "none"}}]}, 422),
    ],
)
def test_a_bad_operation_is_refused(mono: httpx.Client, path: str, body: dict[str, object], status: int) -> None:
    """A typo in a test is an error and not a sandbox that silently does nothing."""
    answer = mono.post(path, json=body)
    assert (answer.status_code, list(answer.json())) == (status, ["error"])


def test_control_calls_are_not_among_monos_requests(sandbox: Sandbox, mono: httpx.Client) -> None:
    """Counting calls counts Mono's alone."""
    mono.get("/_sandbox/clock")
    mono.get("/v2/accounts")
    assert [asked["path"] for asked in mono.get("/_sandbox/requests").json()] == ["/v2/accounts"]
    mono.delete("/_sandbox/requests")
    assert sandbox.requests() == []


def test_a_reset_begins_again(sandbox: Sandbox) -> None:
    """One server can serve many tests."""
    sandbox.reset(accounts=2, transactions=5)
    first = sandbox.accounts()
    sandbox.add(first[0]["id"])
    sandbox.set_switches(total="unfiltered")
    sandbox.reset()
    assert sandbox.accounts() == first
    assert sandbox.get_switches().total == "filtered"
