"""Signed webhooks, where the operator asks for them."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest

from mono_pipeline.adapters.queue import read_webhook_received
from tests.webhook_door import BODY, HMAC, OLD_SECRET, SECRET, TOLD, WITH_SECRET, Door, refused, rest_event, signature

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def signed(monkeypatch: pytest.MonkeyPatch) -> Door:
    """A door that wants signatures, in the middle of a rotation."""
    made = Door(monkeypatch, **HMAC)
    made.ssm.secrets["MONO_WEBHOOK_SECRET_PREVIOUS"] = OLD_SECRET
    return made


@pytest.mark.parametrize("drift", [0, 299, -299, 300, -300])
@pytest.mark.parametrize("secret", [SECRET, OLD_SECRET])
def test_W15_signed(signed: Door, seen: Callable[[str], None], secret: str, drift: int) -> None:
    """By either secret, five minutes early or late; among other signatures and schemes; in base64 over its bytes."""
    good = signature(BODY, at=signed.now + drift, secret=secret)
    others = f"v0={'0' * 64},v1={'0' * 64},v2=x"

    assert signed.call(rest_event(BODY, {"Mono-Signature": good})).status == 200
    assert signed.call(rest_event(BODY, {"mono-signature": f"{good},{others}"})).status == 200
    encoded = base64.b64encode(BODY.encode()).decode()
    assert signed.call(rest_event(encoded, {"mono-signature": good}, isBase64Encoded=True)).status == 200
    seen("200 by either secret within 300 s, among other signatures")


def test_W15_not_signed(signed: Door, seen: Callable[[str], None]) -> None:
    """The plain secret does not help; nor does a signature of another body, moment, scheme, secret or form."""
    now = signed.now
    good = signature(BODY, at=now)
    digest = good.partition("v1=")[2]
    re_serialised = json.dumps(TOLD, separators=(",", ":"))
    bad = {
        "none": {},
        "plain secret": WITH_SECRET,
        "tampered": {"mono-signature": signature(BODY + " ", at=now)},
        "re-serialised": {"mono-signature": signature(re_serialised, at=now)},
        "old": {"mono-signature": signature(BODY, at=now - 301)},
        "of the future": {"mono-signature": signature(BODY, at=now + 301)},
        "another moment": {"mono-signature": f"t={now - 1:.0f},v1={digest}"},
        "other scheme": {"mono-signature": signature(BODY, at=now, scheme="v0")},
        "no scheme": {"mono-signature": f"t={now:.0f},{digest}"},
        "no moment": {"mono-signature": f"v1={digest}"},
        "two moments": {"mono-signature": f"t={now:.0f},{good}"},
        "moment of words": {"mono-signature": f"t=now,v1={digest}"},
        "moment of other digits": {"mono-signature": f"t=\u0661\u0668,v1={digest}"},
        "endless moment": {"mono-signature": f"t={'9' * 9999},v1={digest}"},
        "upper case": {"mono-signature": good.upper()},
        "by nobody's secret": {"mono-signature": signature(BODY, at=now, secret="x" * 40)},
        "by the empty secret": {"mono-signature": signature(BODY, at=now, secret="")},
        "empty": {"mono-signature": ""},
        "many": {"mono-signature": f"t={now:.0f}," + f"v1={'0' * 64}," * 10_000 + f"v1={digest}"},
        "not ASCII": {"mono-signature": f"t={now:.0f},v1=é"},
    }
    for name, headers in bad.items():
        assert refused(signed.call(rest_event(BODY, headers))), name
    twice = rest_event(BODY, {}, multiValueHeaders={"mono-signature": [good, good]})
    assert refused(signed.call(twice))
    assert signed.queue.connections == 0
    seen(f"401 for {len(bad) + 1} others")


def test_W15_signature_without_being_asked_for(door: Door, seen: Callable[[str], None]) -> None:
    """Who sends cannot choose the scheme: a good signature is nothing where the plain secret is configured."""
    assert refused(door.call(rest_event(BODY, {"mono-signature": signature(BODY, at=door.now)})))
    seen("never chosen by the caller")


def test_W15_replayed(signed: Door, seen: Callable[[str], None]) -> None:
    """Within its five minutes a replay is one more delivery of the same event: both messages carry one key."""
    event = rest_event(BODY, {"mono-signature": signature(BODY, at=signed.now)})
    assert [signed.call(event).status for _ in range(2)] == [200, 200]
    keys = {read_webhook_received(body).event.event_key for body in signed.queue.bodies}
    signed.now += 301
    assert refused(signed.call(event))
    assert len(keys) == 1
    seen("a replay has the key of the first, and is stale after 300 s")
