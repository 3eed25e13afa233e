"""JSON read without loss: no number is rounded, no repeated key forgotten, and what PostgreSQL cannot store is found.

Python's own reading is too lax for money: it rounds, takes `NaN`, makes `1e400` infinite, keeps the last of two equal
keys and refuses a whole page for one integer of 5,000 digits. Here every number that is not a plain integer of at most
20 characters stays text, and an object with a repeated key stays a list of pairs, so that one bad row can be told from
a bad page.
"""

from __future__ import annotations

import json
import re
from enum import StrEnum
from math import isinf

from msgspec import Struct

from mono_pipeline.core.errors import MonoUnintelligible
from mono_pipeline.core.wire.refusal import Refusal

MAX_DEPTH = 64  # PostgreSQL reads JSON recursively: a few thousand levels end in "stack depth limit exceeded"
MAX_VALUES = 250_000  # 5,000 rows of 50 values each; 8 MiB of "[[[],[[]," would be hundreds of MB as objects

_PLAIN_INTEGER = 20  # characters: every integer up to 2^63 and its sign
# PostgreSQL's numeric ends at 131,072 digits before and 16,383 after the point, zero included: 0e-99999 fails.
_MAX_NUMBER = 1_000  # characters
_MAX_EXPONENT = 3  # digits
_JSON_NUMBER = re.compile(r"(-?[0-9]+(?:\.[0-9]+)?)(?:[eE][+-]?([0-9]+))?")
_quote = json.JSONEncoder(ensure_ascii=True).encode
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")  # PostgreSQL: 22021 and 22P05 for the whole statement

type Json = bool | int | str | Number | Repeated | list[Json] | dict[str, Json] | None


class Number(Struct, frozen=True):
    """A number as it was spelled: fractions, exponents, long integers, and the `NaN` that JSON does not have."""

    text: str


class Repeated(Struct, frozen=True):
    """An object that has a key twice, with all its pairs in order."""

    pairs: tuple[tuple[str, Json], ...]


class Flaw(StrEnum):
    """Why a value cannot be stored as it is."""

    BAD_TEXT = "bad_text"  # a NUL or half a surrogate pair
    DUPLICATE_KEY = "duplicate_key"
    NOT_A_NUMBER = "not_a_number"  # NaN, Infinity, -Infinity
    NUMBER_TOO_LARGE = "number_too_large"  # outside what a double or 1,000 characters can hold
    TOO_DEEP = "too_deep"


def read_document(body: bytes) -> Json:
    """The value that `body` spells.

    Raises:
        MonoUnintelligible: `not_json`, or `too_large` for more values than any page has. The cause is not attached,
            because it quotes the answer.
    """
    refuse_excess(body)
    try:
        document: Json = _DECODER.decode(body.decode())
    except (ValueError, RecursionError):
        raise MonoUnintelligible(Refusal.NOT_JSON) from None
    return document


def refuse_excess(body: bytes) -> None:
    """Do nothing unless `body` has more values than any page.

    Raises:
        MonoUnintelligible: `too_large`.
    """
    if len(body) > MAX_VALUES and sum(body.count(mark) for mark in (b",", b"[", b"{")) > MAX_VALUES:
        raise MonoUnintelligible(Refusal.TOO_LARGE)


def find_flaw(value: Json, depth: int = 0) -> Flaw | None:
    """The first reason why `value` cannot be stored without loss, or None."""
    if isinstance(value, str):
        return Flaw.BAD_TEXT if _UNSTORABLE.search(value) else None
    if isinstance(value, (list, dict)):
        return _first_flaw(value, depth)
    if isinstance(value, Number):
        return _number_flaw(value.text)
    return Flaw.DUPLICATE_KEY if isinstance(value, Repeated) else None


def spell(value: Json, depth: int = 0) -> str:
    """`value` as ASCII JSON text, numbers as they came; it never fails.

    What JSON cannot say becomes a string: `"NaN"`, and a note in place of what lies deeper than 64 levels.
    """
    if isinstance(value, str):
        return _quote(value)
    if isinstance(value, Number):
        return value.text if _JSON_NUMBER.fullmatch(value.text) else _quote(value.text)
    if not isinstance(value, (list, dict, Repeated)):
        return json.dumps(value)
    if depth == MAX_DEPTH:
        return _quote(f"(deeper than {MAX_DEPTH} levels)")
    if isinstance(value, list):
        return f"[{','.join([spell(part, depth + 1) for part in value])}]"
    pairs = value.items() if isinstance(value, dict) else value.pairs
    return "{" + ",".join([f"{_quote(key)}:{spell(part, depth + 1)}" for key, part in pairs]) + "}"


def _first_flaw(container: list[Json] | dict[str, Json], depth: int) -> Flaw | None:
    if depth == MAX_DEPTH:
        return Flaw.TOO_DEEP
    for part in container if isinstance(container, list) else (*container, *container.values()):
        flaw = find_flaw(part, depth + 1)
        if flaw is not None:
            return flaw
    return None


def _number_flaw(text: str) -> Flaw | None:
    number = _JSON_NUMBER.fullmatch(text)
    if number is None:
        return Flaw.NOT_A_NUMBER
    mantissa, exponent = number.groups(default="")
    if len(text) > _MAX_NUMBER or len(exponent) > _MAX_EXPONENT:
        return Flaw.NUMBER_TOO_LARGE
    underflows = float(text) == 0.0 and mantissa.strip("-0.") != ""
    return Flaw.NUMBER_TOO_LARGE if underflows or isinf(float(text)) else None


def _members(pairs: list[tuple[str, Json]]) -> dict[str, Json] | Repeated:
    members = dict(pairs)
    return members if len(members) == len(pairs) else Repeated(tuple(pairs))


def _integer(text: str) -> int | Number:
    return int(text) if len(text) <= _PLAIN_INTEGER else Number(text)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_members, parse_int=_integer, parse_float=Number, parse_constant=Number, strict=True
)
