"""The API's client: our answers are values, what is not ours is an error, every request is signed."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import date
from typing import TYPE_CHECKING

import httpx
import pytest
from botocore.credentials import Credentials

from mono_pipeline.core.errors import DependencyUnavailable, PipelineError
from monoctl.errors import Defect, NotAllowed, Unanswered
from monoctl.reach.sigv4 import SignedByCaller
from monoctl.reach.sync_api import SyncApi
from tests.unit.monoctl.stand_ins import ACCOUNT, RUN, answer_document, run_document

if TYPE_CHECKING:
    from collections.abc import Callable

    from monoctl.reach import SyncAnswer

BASE = "https://abc123.execute-api.eu-west-1.amazonaws.com/prod"


def client(respond: Callable[[httpx.Request], httpx.Response], *, auth: httpx.Auth | None = None) -> SyncApi:
    """Return a client whose requests end in `respond`."""
    return SyncApi(BASE, auth=auth, transport=httpx.MockTransport(respond))


def told(response: httpx.Response) -> SyncAnswer:
    """Return what the client makes of an answer."""
    return client(lambda _: response).ask(ACCOUNT, start=None, end=None)


def test_a_request_names_the_account_and_the_days_below_the_stage() -> None:
    """ISO days, and only when both are given."""
    seen: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=answer_document("completed", run=run_document()))

    api = client(respond)
    api.ask(ACCOUNT, start=None, end=None)
    api.ask(ACCOUNT, start=date(2026, 10, 1), end=date(2026, 10, 31))
    api.run(RUN)

    assert [(each.method, each.url.path) for each in seen] == [
        ("POST", "/prod/api/v1/banking/transactions/sync"),
        ("POST", "/prod/api/v1/banking/transactions/sync"),
        ("GET", f"/prod/api/v1/banking/transactions/sync/{RUN}"),
    ]
    assert json.loads(seen[0].content) == {"account_id": ACCOUNT}
    assert json.loads(seen[1].content) == {"account_id": ACCOUNT, "start": "2026-10-01", "end": "2026-10-31"}


@pytest.mark.parametrize("code", [200, 202, 404, 409, 422, 502, 503])
def test_an_answer_of_ours_is_a_value_whatever_its_http_status(code: int) -> None:
    """Its own `status` says what happened; Retry-After comes with it."""
    document = answer_document("paused", reason="mono_rate_limited", run=run_document("running", None))

    found = told(httpx.Response(code, json=document, headers={"Retry-After": "60"}))

    assert (found.status, found.reason, found.retry_after) == ("paused", "mono_rate_limited", 60)
    assert found.run is not None
    assert found.run.counts.seen == 1278
    assert found.document == document


@pytest.mark.parametrize("wait", ["", "soon", "-1", "²"])
def test_a_wait_that_cannot_be_read_is_no_wait(wait: str) -> None:
    """Dates and nonsense alike."""
    response = httpx.Response(503, json=answer_document("unavailable"), headers=[(b"Retry-After", wait.encode())])

    assert told(response).retry_after is None


def test_the_version_of_the_flag_comes_in_a_header() -> None:
    """An older server has none; what is no number is none either."""
    document = answer_document("unknown_account")

    assert told(httpx.Response(404, json=document, headers={"Flag-Version": "12"})).flag_version == 12
    for headers in ({}, {"Flag-Version": "newest"}):
        assert told(httpx.Response(404, json=document, headers=headers)).flag_version is None


def test_a_field_of_a_newer_server_is_kept_for_machines() -> None:
    """An older monoctl does not fail on it."""
    assert told(httpx.Response(200, json=answer_document("accepted", colour="blue"))).document["colour"] == "blue"


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (httpx.Response(403, json={"message": "Missing Authentication Token"}), NotAllowed),
        (httpx.Response(403, json={"Message": "User: … is not authorized"}), NotAllowed),
        (httpx.Response(401, json={"message": "Unauthorized"}), NotAllowed),
        (httpx.Response(429, json={"message": "Too Many Requests"}), DependencyUnavailable),
        (httpx.Response(504, json={"message": "Endpoint request timed out"}), Unanswered),
        (httpx.Response(502, json={"message": "Internal server error"}), Defect),
        (httpx.Response(500, json={"message": None}), Defect),
        (httpx.Response(200, html="<h1>captive portal</h1>"), Unanswered),
        (httpx.Response(200, json=["completed"]), Unanswered),
        (httpx.Response(302, headers={"Location": "https://elsewhere.example"}), Unanswered),
        (httpx.Response(200, json=answer_document("completed", run={"run_id": RUN})), Unanswered),
    ],
)
def test_what_is_not_our_answer_is_never_taken_for_one(response: httpx.Response, error: type[PipelineError]) -> None:
    """API Gateway's words, a proxy's page, half a run."""
    with pytest.raises(PipelineError) as raised:
        told(response)

    assert type(raised.value) is error


def signature(request: httpx.Request, secret: str) -> str:
    """Return the Signature Version 4 of a request, from the standard's text and not from botocore."""
    signed = ["content-type", "host", "x-amz-date", "x-amz-security-token"]
    headers = "".join(f"{name}:{request.headers[name]}\n" for name in signed)
    body = hashlib.sha256(request.content).hexdigest()
    canonical = f"{request.method}\n{request.url.raw_path.decode()}\n\n{headers}\n{';'.join(signed)}\n{body}"
    stamp = request.headers["x-amz-date"]
    scope = f"{stamp[:8]}/eu-west-1/execute-api/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.new(key, text.encode(), "sha256").hexdigest()


def test_a_request_leaves_with_the_signature_that_api_gateway_computes() -> None:
    """Over the host, the path with its stage, the body and the session token, as they leave."""
    seen: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=answer_document("accepted"))

    auth = SignedByCaller(Credentials("AKIA", "secret", "token"), "eu-west-1")
    client(respond, auth=auth).ask(ACCOUNT, start=None, end=None)

    authorization = seen[0].headers["Authorization"]
    assert authorization.startswith("AWS4-HMAC-SHA256 Credential=AKIA/")
    assert authorization.endswith(f"Signature={signature(seen[0], 'secret')}")
