"""API Gateway's REST proxy integration, as values."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local.lambda_runtime import Outcome
from local.proxy_event import BAD_INTEGRATION, Request, Routes, proxy_answer, proxy_event
from local.resources import Route

SYNC = Route(method="POST", path="/api/sync", function="SyncApi", is_open=False)
RUN = Route(method="GET", path="/api/sync/{run_id}", function="SyncApi", is_open=False)
NEWEST = Route(method="GET", path="/api/sync/newest", function="SyncApi", is_open=False)
ROUTES = Routes([RUN, SYNC, NEWEST])


def request(**fields: Any) -> Request:
    """A request of which the test says what matters."""
    usual: dict[str, Any] = {
        "method": "POST",
        "raw_path": "/api/sync",
        "headers": [],
        "query": [],
        "body": b"",
        "source_ip": "127.0.0.1",
    }
    return Request(**{**usual, **fields})


@pytest.mark.parametrize(
    ("method", "path", "route", "parameters"),
    [
        ("POST", "/api/sync", SYNC, {}),
        ("GET", "/api/sync/abc", RUN, {"run_id": "abc"}),
        ("GET", "/api/sync/a%2Fb", RUN, {"run_id": "a/b"}),
        ("GET", "/api/sync/newest", NEWEST, {}),
    ],
)
def test_a_route_is_found_by_method_and_path(method: str, path: str, route: Route, parameters: dict[str, str]) -> None:
    """An encoded slash stays within its segment, and a literal segment goes before a named one."""
    assert ROUTES.match(method, path) == (route, parameters)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/sync"), ("POST", "/api/sync/"), ("GET", "/api/sync/a/b"), ("GET", "/api/sync/"), ("GET", "/")],
)
def test_what_is_no_route_is_not_found(method: str, path: str) -> None:
    """Neither another method nor more or fewer segments."""
    assert ROUTES.match(method, path) is None


def test_the_event_has_the_request_once_and_with_repeats() -> None:
    """Single values are the last ones, as API Gateway does it."""
    given = request(headers=[("x-a", "1"), ("x-a", "2")], query=[("q", "1"), ("q", "2")], body='{"k": "ß"}'.encode())
    event = proxy_event(given, SYNC, {}, stage="local")
    assert event["headers"] == {"x-a": "2"}
    assert event["multiValueHeaders"] == {"x-a": ["1", "2"]}
    assert event["queryStringParameters"] == {"q": "2"}
    assert event["multiValueQueryStringParameters"] == {"q": ["1", "2"]}
    assert (event["body"], event["isBase64Encoded"]) == ('{"k": "ß"}', False)
    assert event["requestContext"]["stage"] == "local"
    assert event["requestContext"]["path"] == "/local/api/sync"
    assert event["requestContext"]["identity"]["sourceIp"] == "127.0.0.1"


def test_what_a_request_lacks_is_null_in_the_event() -> None:
    """Not an empty object: functions that iterate over it must be tested with what AWS sends."""
    event = proxy_event(request(), SYNC, {}, stage="local")
    absent = ("headers", "queryStringParameters", "multiValueQueryStringParameters", "pathParameters", "body")
    assert [event[name] for name in absent] == [None] * len(absent)


def test_bytes_that_are_no_text_reach_the_function_as_text() -> None:
    """The API has no binary media types."""
    assert proxy_event(request(body=b"\xff{"), SYNC, {}, stage="local")["body"] == "\ufffd{"


def test_an_answer_keeps_status_body_and_all_headers() -> None:
    """Multi-value headers go before single ones of the same name."""
    result = {
        "statusCode": 202,
        "headers": {"Retry-After": 5, "Set-Cookie": "no"},
        "multiValueHeaders": {"set-cookie": ["a", "b"]},
        "body": '{"ok": true}',
    }
    answer = proxy_answer(Outcome(payload=json.dumps(result).encode()))
    assert (answer.status, answer.body) == (202, b'{"ok": true}')
    assert ("retry-after", "5") in answer.headers
    assert [value for name, value in answer.headers if name == "set-cookie"] == ["a", "b"]


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(payload=b'{"errorType": "ValueError", "errorMessage": "x"}', failed=True),
        Outcome(payload=b"null"),
        Outcome(payload=b'"text"'),
        Outcome(payload=b'{"body": "no status"}'),
        Outcome(payload=b'{"statusCode": 42}'),
        Outcome(payload=b'{"statusCode": 200, "body": {"not": "text"}}'),
    ],
)
def test_a_failed_or_malformed_result_is_a_bad_gateway(outcome: Outcome) -> None:
    """API Gateway's words for it are "Internal server error", with 502."""
    assert proxy_answer(outcome) == BAD_INTEGRATION
    assert BAD_INTEGRATION.status == 502
