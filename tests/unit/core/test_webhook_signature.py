"""Signed webhooks, decided: `mono-signature: t=<seconds>,v1=<HMAC-SHA256 of "t.body">`."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from mono_pipeline.core.secret import Secret
from mono_pipeline.core.webhook import WebhookCall
from mono_pipeline.core.webhook_outcome import WebhookReason
from mono_pipeline.core.webhook_signature import TOLERANCE_SECONDS, signature_refusal

OURS, OLD = Secret("the one of today, made up here"), Secret("the one before it, made up here")
BODY = b'{"event": "mono.events.account_updated"}'
NOW = 1_800_000_000


def digest(*, moment: str = str(NOW), body: bytes = BODY, secret: Secret = OURS) -> str:
    """What Mono would write, in hexadecimal digits."""
    return hmac.new(secret.reveal().encode(), moment.encode() + b"." + body, hashlib.sha256).hexdigest()


def judged(*headers: str, now: float = NOW, secrets: tuple[Secret, ...] = (OURS, OLD)) -> WebhookReason | None:
    """What becomes of a call with these values of the header."""
    call = WebhookCall(secrets=(), signatures=headers, body=BODY, body_problem=None, correlation_id="c")
    return signature_refusal(call, secrets, now=now)


GOOD = f"t={NOW},v1={digest()}"
NOBODYS = "0" * 64


@pytest.mark.parametrize(
    "header",
    [
        GOOD,
        f"t={NOW},v1={digest(secret=OLD)}",
        f"v1={digest()},t={NOW}",
        f" t={NOW} , v1={digest()} ",
        f"t={NOW},v1={NOBODYS},v1={digest()}",
        f"t={NOW},v1={digest()},v1={NOBODYS}",
        f"t={NOW},v0={NOBODYS},v1={digest()},later=x",
        f"t={NOW}," + f"v1={NOBODYS}," * 7 + f"v1={digest()}",
        f"{GOOD}," + "v0=x," * 20,
    ],
    ids=["ours", "the old one", "turned", "spaces", "second", "first", "other schemes", "eighth", "before many"],
)
def test_a_signature_by_any_secret_lets_in(header: str) -> None:
    """Whichever of them, in whatever place of the header."""
    assert judged(header) is None


@pytest.mark.parametrize("headers", [(), (GOOD, GOOD)])
def test_without_exactly_one_header_there_is_no_signature(headers: tuple[str, ...]) -> None:
    """Two are not one to choose from."""
    assert judged(*headers) is WebhookReason.NO_SIGNATURE


@pytest.mark.parametrize(
    "header",
    [
        "",
        f"v1={digest()}",
        f"t={NOW}",
        f"t={NOW},v1=",
        f"t={NOW},{digest()}",
        f"t={NOW},v0={digest()}",
        f"t={NOW},v1={digest().upper()}",
        f"t={NOW},v1={digest()[:-2]}",
        f"t={NOW},v1={digest()}00",
        f"t={NOW},v1={digest(body=BODY + b' ')}",
        f"t={NOW},v1={digest(secret=Secret('nobody at all, made up here too'))}",
        f"t={NOW},v1={digest(secret=Secret(''))}",
        f"t={NOW},v1={digest(moment=str(NOW - 1))}",
        f"t={NOW},t={NOW},v1={digest()}",
        f"t=1=2,t={NOW},v1={digest()}",
        f"t=+{NOW},v1={digest(moment=f'+{NOW}')}",
        f"t=,v1={digest(moment='')}",
        f"t=1{NOW}000,v1={digest(moment=f'1{NOW}000')}",
        f"t=\u0661,v1={digest(moment=chr(0x661))}",
        f"t={NOW}," + f"v1={NOBODYS}," * 9 + f"v1={digest()}",
    ],
    ids=[
        "empty", "no moment", "no digest", "empty digest", "no scheme", "other scheme", "upper case", "short", "long",
        "another body", "nobody's secret", "empty secret", "other moment", "two moments", "one broken", "with a sign",
        "empty moment", "moment of 14 digits", "other digits", "behind nine others",
    ],
)  # fmt: skip
def test_anything_else_is_no_signature_of_it(header: str) -> None:
    """Neither what is not of the form, nor what is of another body, moment or secret."""
    assert judged(header) is WebhookReason.WRONG_SIGNATURE


@pytest.mark.parametrize(
    ("drift", "told"),
    [
        (0, None),
        (TOLERANCE_SECONDS, None),
        (-TOLERANCE_SECONDS, None),
        (TOLERANCE_SECONDS + 0.5, WebhookReason.STALE_SIGNATURE),
        (-TOLERANCE_SECONDS - 0.5, WebhookReason.STALE_SIGNATURE),
    ],
)
def test_five_minutes_either_way(drift: float, told: WebhookReason | None) -> None:
    """A clock ahead proves no more than one behind."""
    assert TOLERANCE_SECONDS == 300
    assert judged(GOOD, now=NOW + drift) is told


def test_who_has_no_secret_learns_nothing_of_clocks() -> None:
    """A wrong signature is wrong, however old; without secrets none is right."""
    assert judged(f"t=1,v1={NOBODYS}") is WebhookReason.WRONG_SIGNATURE
    assert judged(GOOD, secrets=()) is WebhookReason.WRONG_SIGNATURE


def test_the_longest_moment_has_twelve_digits() -> None:
    """The year 33658, and no number without end."""
    moment = "9" * 12
    assert judged(f"t={moment},v1={digest(moment=moment)}", now=int(moment)) is None


def test_every_secret_is_tried_on_every_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time tells neither which was right nor how many came before it."""
    compared: list[tuple[bytes, bytes]] = []

    def compare(left: bytes, right: bytes) -> bool:
        compared.append((left, right))
        return left == right

    monkeypatch.setattr(hmac, "compare_digest", compare)
    assert judged(f"t={NOW},v1={digest()},v1={NOBODYS}") is None

    given = [bytes.fromhex(digest()), bytes.fromhex(NOBODYS)]
    right = [bytes.fromhex(digest(secret=secret)) for secret in (OURS, OLD)]
    assert compared == [(one, other) for other in right for one in given]
