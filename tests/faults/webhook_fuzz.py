"""Calls of the webhook's door that nobody would think of, from a seed; each knows whether it has the secret."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tests.webhook_door import BODY, OLD_SECRET, SECRET, TOLD, http_event, rest_event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random

HEADER: Final = "mono-webhook-secret"
_ALPHABET: Final = "aZ09-_ \t\r\n\0\"'\\,;=%é\u0430\u202e\ud800\U0001f600{}[]"
_NAMES: Final = ("x-mono-webhook-secret", "mono_webhook_secret", "mono-webhook-secret ", "authorization", "")
_VALUES: Final[tuple[Any, ...]] = (
    None,
    True,
    0,
    -1,
    1e308,
    "",
    [],
    {},
    "9" * 5000,
    ["x"] * 50,
    {"_id": None},
    "\ud800",
)


@dataclass(frozen=True, kw_only=True)
class FuzzedCall:
    """An event of API Gateway's, and whether exactly one right secret is where it belongs."""

    event: dict[str, Any]
    has_secret: bool


def calls(random: Random, number: int) -> Iterator[FuzzedCall]:
    """So many of them; about one in four has the secret."""
    for _ in range(number):
        yield _call(random)


def _call(random: Random) -> FuzzedCall:
    values = random.choice((_none, _right, _mangled, _several))(random)
    name = "".join(random.choice((c.upper(), c)) for c in HEADER)
    body, flag = _body(random)
    noise = {random.choice(_NAMES): SECRET, "content-type": _text(random), "x-forwarded-for": _text(random)}
    form = random.choice((_rest, _rest_without_lists, _http))
    event = form(random, name, values, noise, body)
    event["isBase64Encoded"] = flag
    for key in random.sample(sorted(event), k=random.choice((0, 0, 0, 1, 2))):
        if key not in ("headers", "multiValueHeaders", "body", "isBase64Encoded"):
            event[key] = random.choice((None, {}))
    return FuzzedCall(event=event, has_secret=values in ([SECRET], [OLD_SECRET]))


def _none(_: Random) -> list[str]:
    return []


def _right(random: Random) -> list[str]:
    return [random.choice((SECRET, OLD_SECRET))]


def _mangled(random: Random) -> list[str]:
    secret = random.choice((SECRET, OLD_SECRET))
    place = random.randrange(len(secret))
    other = random.choice(_ALPHABET.replace(secret[place], ""))
    manglings: tuple[str, ...] = (
        secret[:place],
        secret[:place] + other + secret[place + 1 :],
        secret[:place] + other + secret[place:],
        secret.swapcase(),
        secret * 2,
        SECRET + OLD_SECRET,
        base64.b64encode(secret.encode()).decode(),
        secret[::-1],
        _text(random),
    )
    return [random.choice(manglings)]


def _several(random: Random) -> list[str]:
    return [random.choice((SECRET, OLD_SECRET, _text(random))) for _ in range(random.choice((2, 2, 3)))]


def _text(random: Random) -> str:
    return "".join(random.choice(_ALPHABET) for _ in range(random.choice((0, 1, 5, 40, 300))))


def _rest(random: Random, name: str, values: list[str], noise: dict[str, str], body: Any) -> dict[str, Any]:
    lists = {**{key: [text] for key, text in noise.items()}, **({name: values} if values else {})}
    if len(values) > 1 and random.random() < 0.5:  # one spelling each
        lists = {**lists, name: values[:1], name.swapcase(): values[1:]}
    last = {key: texts[-1] for key, texts in lists.items()}
    return rest_event(body, last, multiValueHeaders=lists)


def _rest_without_lists(_: Random, name: str, values: list[str], noise: dict[str, str], body: Any) -> dict[str, Any]:
    joined = {name: ", ".join(values)} if values else {}
    return rest_event(body, {**noise, **joined}, multiValueHeaders=None)


def _http(_: Random, name: str, values: list[str], noise: dict[str, str], body: Any) -> dict[str, Any]:
    joined = {name: ",".join(values)} if values else {}
    return http_event(body, {**noise, **joined})


def _body(random: Random) -> tuple[Any, Any]:
    """A body and its base64 flag."""
    makers: tuple[Callable[[Random], Any], ...] = (_event, _event, _broken, _nested, _large, _nothing)
    body = random.choice(makers)(random)
    if isinstance(body, str) and random.random() < 0.25:
        return base64.b64encode(body.encode("utf-8", "surrogatepass")).decode(), True
    return body, random.choice((False, False, False, True, None, "true", 1))


def _event(random: Random) -> str:
    told: dict[str, Any] = {**TOLD, "event": random.choice((TOLD["event"], "mono.events.x", *_VALUES))}
    told["data"] = random.choice(({**TOLD["data"], random.choice(("app", "meta", "id")): _value(random)}, *_VALUES))
    return json.dumps({**told, random.choice(("event_id", "timestamp", "data", "x")): _value(random)})


def _value(random: Random) -> Any:
    return random.choice((*_VALUES, {"sync_status": random.choice(_VALUES)}, {"retrieved_data": [[], {}, "balance"]}))


def _broken(random: Random) -> str:
    place = random.randrange(len(BODY))
    return BODY[:place] + _text(random) + BODY[place + random.choice((0, 1, 9)) :]


def _nested(random: Random) -> str:
    return random.choice(("[", '{"data":', '{"account":[')) * random.choice((10, 1_000, 5_000))


def _large(random: Random) -> str:
    return random.choice((" ", "x", "é")) * random.choice((10_239, 20_479, 20_480, 20_481, 27_308, 27_309, 60_000))


def _nothing(random: Random) -> Any:
    return random.choice((None, "", "null", "{}", "[]", "0", {}, 7, _text(random)))
