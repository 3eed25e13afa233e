"""Who gets in at the one door to the internet, by which proof, and what proves nothing."""

from __future__ import annotations

import ast
import base64
import gzip
import hashlib
import hmac
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mono_pipeline.adapters.queue import read_webhook_received
from tests.webhook_door import (
    ACCOUNT,
    BODY,
    HMAC,
    OLD_SECRET,
    SECRET,
    TOLD,
    WITH_SECRET,
    Door,
    http_event,
    refused,
    rest_event,
    signature,
)

if TYPE_CHECKING:
    from collections.abc import Callable


ROOT = Path(__file__).parents[2]


SOURCES = ("core/webhook.py", "core/webhook_signature.py", "usecases/webhook_delivery.py", "http/webhook_call.py")


@pytest.mark.parametrize("secret", [SECRET, OLD_SECRET])
@pytest.mark.parametrize("form", [rest_event, http_event])
def test_W01_right_secret(
    rotating: Door, seen: Callable[[str], None], secret: str, form: Callable[..., dict[str, Any]]
) -> None:
    """The current secret and the one before it, in both forms of an event: on the queue, then 200."""
    answer = rotating.call(form(BODY, {"Mono-Webhook-Secret": secret}))

    assert answer.status == 200
    assert [read_webhook_received(body).account_id for body in rotating.queue.bodies] == [ACCOUNT]
    seen("200, 1 message")


WRONG = {
    "missing": {},
    "empty": {"mono-webhook-secret": ""},
    "wrong": {"mono-webhook-secret": "x" * len(SECRET)},
    "a part": {"mono-webhook-secret": SECRET[:-1]},
    "the end": {"mono-webhook-secret": SECRET[1:]},
    "with more": {"mono-webhook-secret": SECRET + "x"},
    "upper case": {"mono-webhook-secret": SECRET.upper()},
    "a space after": {"mono-webhook-secret": SECRET + " "},
    "a space before": {"mono-webhook-secret": " " + SECRET},
    "1 MB": {"mono-webhook-secret": SECRET * 25_000},
    "not ASCII": {"mono-webhook-secret": SECRET + "é"},
    "look-alike": {"mono-webhook-secret": SECRET.replace("a", "\u0430")},
    "surrogate": {"mono-webhook-secret": "\ud800"},
    "NUL": {"mono-webhook-secret": SECRET + "\0"},
    "percent-encoded": {"mono-webhook-secret": SECRET.replace("-", "%2D")},
    "base64": {"mono-webhook-secret": base64.b64encode(SECRET.encode()).decode()},
    "its digest": {"mono-webhook-secret": hashlib.sha256(SECRET.encode()).hexdigest()},
    "both secrets": {"mono-webhook-secret": f"{SECRET},{OLD_SECRET}"},
    "quoted": {"mono-webhook-secret": f'"{SECRET}"'},
    "a bearer token": {"authorization": f"Bearer {SECRET}"},
    "another header": {"x-mono-webhook-secret": SECRET, "mono-sec-key": SECRET},
}


@pytest.mark.parametrize("presented", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("form", [rest_event, http_event])
def test_W02_wrong_secret(
    rotating: Door,
    seen: Callable[[str], None],
    presented: dict[str, str],
    form: Callable[..., dict[str, Any]],
) -> None:
    """One answer for all of them, and nothing is done."""
    assert refused(rotating.call(form(BODY, presented)))
    assert (rotating.queue.connections, rotating.ssm.calls) == (0, 1)
    seen("401 in the same words, 0 messages")


@pytest.mark.parametrize(
    "name", ["mono-webhook-secret", "MONO-WEBHOOK-SECRET", "Mono-Webhook-Secret", "mOnO-wEbHoOk-sEcReT"]
)
def test_W03_header_in_any_case(door: Door, seen: Callable[[str], None], name: str) -> None:
    """HTTP's header names have no case."""
    assert door.call(rest_event(BODY, {name: SECRET})).status == 200
    assert door.call(rest_event(BODY, {name: SECRET}, multiValueHeaders=None)).status == 200
    seen("200 in any case")


@pytest.mark.parametrize(
    "event",
    [
        rest_event(BODY, {}, multiValueHeaders={"mono-webhook-secret": ["wrong", SECRET]}),
        rest_event(BODY, {}, multiValueHeaders={"mono-webhook-secret": [SECRET, SECRET]}),
        rest_event(
            BODY, WITH_SECRET, multiValueHeaders={"mono-webhook-secret": [SECRET], "Mono-Webhook-Secret": ["x"]}
        ),
        rest_event(BODY, {"mono-webhook-secret": SECRET, "MONO-WEBHOOK-SECRET": SECRET}, multiValueHeaders=None),
        http_event(BODY, {"mono-webhook-secret": f"wrong,{SECRET}"}),
        http_event(BODY, {"mono-webhook-secret": f"{SECRET},{SECRET}"}),
    ],
    ids=["one right", "both right", "two spellings", "two spellings, no list", "joined", "joined, both right"],
)
def test_W03_header_twice(door: Door, seen: Callable[[str], None], event: dict[str, Any]) -> None:
    """Two values are a proxy's disagreement about which one counts: neither does."""
    assert refused(door.call(event))
    seen("twice: 401")


@pytest.mark.parametrize(
    "changes",
    [
        {"queryStringParameters": WITH_SECRET, "multiValueQueryStringParameters": {"mono-webhook-secret": [SECRET]}},
        {"rawQueryString": f"mono-webhook-secret={SECRET}"},
        {"body": json.dumps({**TOLD, "mono-webhook-secret": SECRET, "secret": SECRET})},
        {"pathParameters": WITH_SECRET, "stageVariables": WITH_SECRET},
        {"cookies": [f"mono-webhook-secret={SECRET}"]},
        {"requestContext": {"requestId": SECRET, "authorizer": WITH_SECRET}},
    ],
    ids=["query", "raw query", "body", "path", "cookie", "context"],
)
def test_W04_secret_elsewhere(door: Door, seen: Callable[[str], None], changes: dict[str, Any]) -> None:
    """A secret in a URL stands in every log on its way; only the header counts."""
    assert refused(door.call({**rest_event(BODY, {}), **changes}))
    seen("401")


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "10.0.0.1", "Forwarded": "for=127.0.0.1"},
        {"X-Forwarded-Host": "api.withmono.com", "Host": "localhost", "Origin": "https://api.withmono.com"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json; charset=utf-7"},
        {"Content-Encoding": "gzip"},
        {"X-HTTP-Method-Override": "GET", "User-Agent": "Mono"},
        {"Content-Length": "0", "Transfer-Encoding": "chunked"},
    ],
    ids=lambda headers: next(iter(headers)),
)
def test_W14_headers_prove_nothing(door: Door, seen: Callable[[str], None], headers: dict[str, str]) -> None:
    """Neither do they open the door, nor do they shut it."""
    assert refused(door.call(rest_event(BODY, headers)))
    assert refused(door.call(rest_event(BODY, {**headers, "mono-webhook-secret": "x" * 40})))
    assert door.call(rest_event(BODY, {**headers, **WITH_SECRET})).status == 200
    seen("no effect")


def test_W14_compressed_body(door: Door, seen: Callable[[str], None]) -> None:
    """It is not unpacked: a bomb of one kilobyte costs one kilobyte."""
    bomb = base64.b64encode(gzip.compress(b"x" * 10_000_000)).decode()
    headers = {"Content-Encoding": "gzip", **WITH_SECRET}

    assert door.call(rest_event(bomb, headers, isBase64Encoded=True)).status == 400
    seen("gzip: 400, not unpacked")


@pytest.mark.parametrize("environ", [{}, HMAC], ids=["plain", "signed"])
def test_W16_timing(monkeypatch: pytest.MonkeyPatch, seen: Callable[[str], None], environ: dict[str, str]) -> None:
    """Every decision compares two digests of 32 bytes for each active secret, whatever the one before said."""
    door = Door(monkeypatch, **environ)
    door.ssm.secrets["MONO_WEBHOOK_SECRET_PREVIOUS"] = OLD_SECRET
    compared: list[tuple[int, int]] = []
    real = hmac.compare_digest

    def spy(left: bytes, right: bytes) -> bool:
        compared.append((len(left), len(right)))
        return real(left, right)

    monkeypatch.setattr(hmac, "compare_digest", spy)
    presented = [SECRET, OLD_SECRET, "x", "é" * 99]
    if environ:
        presented = [signature(BODY, at=door.now, secret=secret) for secret in (SECRET, OLD_SECRET, "x")]
    header = "mono-signature" if environ else "mono-webhook-secret"
    for text in presented:
        compared.clear()
        door.call(rest_event(BODY, {header: text}))
        assert compared == [(32, 32)] * 2, text
    seen("two comparisons of 32 bytes, always")


def test_W16_timing_with_nothing_to_compare(
    door: Door, seen: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call without a secret, or with two, takes the same road."""
    compared: list[int] = []

    def spy(left: bytes, right: bytes) -> bool:
        compared.append(len(left))
        return left == right

    monkeypatch.setattr(hmac, "compare_digest", spy)

    door.call(rest_event(BODY, {}))
    door.call(rest_event(BODY, {}, multiValueHeaders={"mono-webhook-secret": [SECRET, SECRET]}))
    assert compared == [32, 32]
    seen("also with nothing presented")


@pytest.mark.parametrize("source", SOURCES)
def test_W16_no_other_comparison(seen: Callable[[str], None], source: str) -> None:
    """No `==`, `!=`, `in` or early exit over anything named for a secret, signature, token or digest."""
    tree = ast.parse((ROOT / "layers/common/mono_pipeline" / source).read_text())
    secretive = ("secret", "digest", "token", "signature", "given", "presented")
    for node in ast.walk(tree):
        if not isinstance(node, ast.Compare):
            continue
        for side in (node.left, *node.comparators):
            words = {n.id for n in ast.walk(side) if isinstance(n, ast.Name)}
            words |= {n.attr for n in ast.walk(side) if isinstance(n, ast.Attribute)}
            counted = isinstance(side, ast.Call) and isinstance(side.func, ast.Name) and side.func.id == "len"
            assert counted or not any(word.lower().startswith(secretive) for word in words), ast.unparse(node)
    seen("no other comparison in the sources")
