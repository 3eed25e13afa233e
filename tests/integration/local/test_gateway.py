"""The gateway: the template's routes, Lambda's Invoke API, the stack's controls; over a function in its own process."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from local.gateway import Gateway
from local.scheduler import Scheduler

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from local.lambda_pool import LambdaService
    from local.template import Template

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("lambda-runtime")]

ECHO = """
    import json

    def handler(event, context):
        if event.get("body") == "boom":
            raise ValueError("boom")
        if event.get("body") == "malformed":
            return "not a response"
        return {"statusCode": 201, "headers": {"x-answer": "yes"}, "body": json.dumps(event)}
"""
INVOKE = "/2015-03-31/functions/{}/invocations"


@pytest.fixture
def ask(serve: Callable[..., LambdaService], miniature: Template) -> Callable[..., httpx.Response]:
    """Sends one request to a gateway over the miniature and returns the answer."""

    def send(method: str, url: str, **options: Any) -> httpx.Response:
        async def story() -> httpx.Response:
            service = serve(ECHO)
            tick: Callable[[], Awaitable[list[dict[str, Any]]]] = Scheduler(miniature, service, every=None).tick
            gateway = Gateway(miniature, service, tick=tick, status=lambda: {"up": True})
            transport = httpx.ASGITransport(gateway.app())
            try:
                async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
                    return await client.request(method, url, **options)
            finally:
                await service.stop()

        return asyncio.run(story())

    return send


def test_a_route_reaches_its_function_and_comes_back(ask: Callable[..., httpx.Response]) -> None:
    """Status, headers and body are the function's; the event is a REST proxy event."""
    answer = ask("POST", "/echo/a%2Fb?q=1&q=2", content=b'{"k": 1}', headers={"X-Given": "v"})
    assert (answer.status_code, answer.headers["x-answer"]) == (201, "yes")
    event = answer.json()
    assert (event["resource"], event["pathParameters"]) == ("/echo/{name}", {"name": "a/b"})
    assert event["multiValueQueryStringParameters"] == {"q": ["1", "2"]}
    assert (event["headers"]["x-given"], event["body"]) == ("v", '{"k": 1}')
    assert event["headers"]["X-Forwarded-Proto"] == "http"


@pytest.mark.parametrize(("method", "path"), [("GET", "/echo/a"), ("POST", "/"), ("POST", "/echo"), ("DELETE", "/x")])
def test_what_the_api_does_not_have_is_403_as_at_aws(
    ask: Callable[..., httpx.Response], method: str, path: str
) -> None:
    """Not 404 and not 405: API Gateway hides what it has."""
    answer = ask(method, path)
    assert (answer.status_code, answer.json()) == (403, {"message": "Missing Authentication Token"})
    assert answer.headers["x-amzn-errortype"] == "MissingAuthenticationTokenException"


@pytest.mark.parametrize("body", ["boom", "malformed"])
def test_a_function_that_fails_is_a_bad_gateway(ask: Callable[..., httpx.Response], body: str) -> None:
    """The caller learns nothing of the inside."""
    answer = ask("POST", "/echo/a", content=body)
    assert (answer.status_code, answer.json()) == (502, {"message": "Internal server error"})


def test_a_body_that_is_too_long_never_reaches_the_function(ask: Callable[..., httpx.Response]) -> None:
    """Seven megabytes do not fit into an invocation, eleven not into the API."""
    assert ask("POST", "/echo/a", content=b"x" * 7_000_000).status_code == 413
    assert ask("POST", "/echo/a", content=b"x" * 11_000_000).status_code == 413


def test_the_invoke_api_answers_like_lambda(ask: Callable[..., httpx.Response]) -> None:
    """The payload and no error header; 404 with Lambda's error type for a stranger."""
    answer = ask("POST", INVOKE.format("handler"), content=b'{"body": "hello"}')
    assert (answer.status_code, answer.headers.get("x-amz-function-error")) == (200, None)
    assert json.loads(answer.json()["body"]) == {"body": "hello"}
    stranger = ask("POST", INVOKE.format("nobody"), content=b"{}")
    assert (stranger.status_code, stranger.headers["x-amzn-errortype"]) == (404, "ResourceNotFoundException")


def test_the_invoke_api_marks_a_functions_error(ask: Callable[..., httpx.Response]) -> None:
    """200 with the error object and `X-Amz-Function-Error`, which boto3 shows as `FunctionError`."""
    answer = ask("POST", INVOKE.format("handler:live"), content=b'{"body": "boom"}')
    assert (answer.status_code, answer.headers["x-amz-function-error"]) == (200, "Unhandled")
    assert answer.json()["errorType"] == "ValueError"


@pytest.mark.parametrize(("kind", "status"), [("Event", 202), ("DryRun", 204)])
def test_the_invoke_api_does_not_wait_when_asked_not_to(
    ask: Callable[..., httpx.Response], kind: str, status: int
) -> None:
    """An empty answer at once."""
    answer = ask("POST", INVOKE.format("handler"), content=b"{}", headers={"X-Amz-Invocation-Type": kind})
    assert (answer.status_code, answer.content) == (status, b"")


def test_the_invoke_api_takes_json_only(ask: Callable[..., httpx.Response]) -> None:
    """Anything else is the caller's fault."""
    answer = ask("POST", INVOKE.format("handler"), content=b"{")
    assert (answer.status_code, answer.headers["x-amzn-errortype"]) == (400, "InvalidRequestContentException")


def test_a_tick_can_be_asked_for(ask: Callable[..., httpx.Response]) -> None:
    """It runs every schedule and tells what came of it."""
    (tick,) = ask("POST", "/_stack/tick").json()
    assert (tick["schedule"], tick["failed"]) == ("tick", False)
