"""The flag as text in its SSM parameter: `true`, `false` or one JSON object."""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from mono_pipeline.core.errors import InvalidInput, MalformedFlag
from mono_pipeline.core.flag.rule import EVERYONE, FLAG_NAME, NOBODY, FlagRule

MAX_FLAG_BYTES: Final = 4096  # SSM Parameter Store: the limit of a standard parameter's value

_KEYS = ("enabled", "percentage", "allow", "deny", "salt")
_MAX_DECIMALS = 2
_PLAIN_NUMBER = re.compile(r"[0-9]{1,3}(\.[0-9]{1,2})?")


def parse_flag(text: str) -> FlagRule:
    """Return the rule that the text says; raise MalformedFlag with what is wrong.

    Nothing is guessed: someone who types `flase` in an incident means off, and malformed is off.
    """
    if _size(text) > MAX_FLAG_BYTES:
        raise MalformedFlag(f"{_size(text):,} bytes; at most {MAX_FLAG_BYTES:,}")
    match text.strip().lower():
        case "true":
            return EVERYONE
        case "false":
            return NOBODY
    return _rule(_object(text))


def render_flag(rule: FlagRule) -> str:
    """Return the rule's one canonical text, which parses to the same rule; raise InvalidInput beyond 4 KB."""
    if rule in (EVERYONE, NOBODY):
        return "true" if rule.enabled else "false"
    text = json.dumps(
        {
            "enabled": rule.enabled,
            "percentage": _percent(rule.percentage),
            "allow": sorted(rule.allow),
            "deny": sorted(rule.deny),
            "salt": rule.salt,
        }
    )
    if _size(text) > MAX_FLAG_BYTES:
        problem = f"{_size(text):,} bytes; SSM takes {MAX_FLAG_BYTES:,}: list fewer accounts, or use the percentage"
        raise InvalidInput(FLAG_NAME, problem)
    return text


def parse_percentage(text: str) -> int:
    """Return a percentage as a person writes it (`12.5`, `12.5%`) in basis points; raise InvalidInput."""
    plain = text.strip().removesuffix("%")
    if not _PLAIN_NUMBER.fullmatch(plain):
        raise InvalidInput("percentage", f"{text[:40]!r} is not a number from 0 to 100 with at most two decimals")
    return _basis_points(Decimal(plain))


def percentage_text(basis_points: int) -> str:
    """Return basis points for people: 1,250 is `12.5`."""
    return str(_percent(basis_points))


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _percent(basis_points: int) -> int | float:
    # An integer over 100 is the double nearest to it, and its shortest text has at most the two decimals.
    return basis_points / 100 if basis_points % 100 else basis_points // 100


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text, object_pairs_hook=_pairs, parse_float=_decimal, parse_constant=_constant)
    except (json.JSONDecodeError, RecursionError):
        raise MalformedFlag(f"{text.strip()[:40]!r} is neither true, nor false, nor a JSON object") from None
    if not isinstance(value, dict):
        raise MalformedFlag("JSON, but not an object: write true, false or an object")
    return value


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(key for key in found if sum(key == other for other, _ in pairs) > 1)
        raise MalformedFlag(f"key {twice[:40]!r} is there twice")
    return found


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise MalformedFlag(f"{text[:40]} is not a number that can be read") from None


def _constant(text: str) -> None:
    raise MalformedFlag(f"{text} is not a number")


def _rule(found: dict[str, Any]) -> FlagRule:
    unknown = sorted(set(found) - set(_KEYS))
    if unknown:
        raise MalformedFlag(f"unknown key {unknown[0][:40]!r}; the keys are {', '.join(_KEYS)}")
    if type(found.get("enabled")) is not bool:
        raise MalformedFlag("enabled: must be there, true or false")
    try:
        return FlagRule(
            enabled=found["enabled"],
            percentage=_basis_points(found.get("percentage", 0)),
            allow=_ids("allow", found.get("allow", [])),
            deny=_ids("deny", found.get("deny", [])),
            salt=_salt(found.get("salt", "")),
        )
    except InvalidInput as wrong:
        raise MalformedFlag(str(wrong)) from None


def _basis_points(number: object) -> int:
    # A boolean is an int to Python and never a percentage to a person.
    if type(number) is not int and not isinstance(number, Decimal):
        raise InvalidInput("percentage", "must be a number")
    if not 0 <= number <= 100:  # noqa: PLR2004 - a percentage
        raise InvalidInput("percentage", "must lie between 0 and 100")
    exponent = Decimal(number).as_tuple().exponent
    if not isinstance(exponent, int) or not -_MAX_DECIMALS <= exponent <= 0:
        raise InvalidInput("percentage", "must be written plainly, with at most two decimals")
    return int(number * 100)


def _ids(name: str, found: object) -> frozenset[str]:
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise InvalidInput(name, "must be a list of account ids")
    return frozenset(found)


def _salt(found: object) -> str:
    if not isinstance(found, str):
        raise InvalidInput("salt", "must be text")
    return found
