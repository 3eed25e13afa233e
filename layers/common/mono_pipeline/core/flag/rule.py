"""Who the flag is on for: a kill switch, two lists, a percentage, and the bucket that makes the percentage sticky."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final

from msgspec import Struct

from mono_pipeline.core.errors import InvalidInput

FLAG_NAME: Final = "MONO_TRANSACTIONS_ENABLED"
BUCKETS: Final = 10_000

_ACCOUNT_ID = re.compile(r"[0-9a-f]{24}", re.ASCII)


class FlagRule(Struct, frozen=True, kw_only=True):
    """One value of the flag. Raises InvalidInput, naming the key, for a value that no rule can have.

    Attributes:
        enabled: the kill switch; False is off for everyone, whatever the rest says.
        percentage: share of accounts in basis points, 0 to 10,000 (12.5 % is 1,250).
        allow: Mono account ids (24 hex digits) that are on whatever the percentage.
        deny: Mono account ids that are off whatever the rest says; an id in both lists is denied.
        salt: mixed into the bucket; another salt deals the accounts anew.
    """

    enabled: bool
    percentage: int = 0
    allow: frozenset[str] = frozenset()
    deny: frozenset[str] = frozenset()
    salt: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.percentage <= BUCKETS:
            raise InvalidInput("percentage", "must lie between 0 and 100")
        for name, ids in (("allow", self.allow), ("deny", self.deny)):
            for account_id in sorted(ids):
                check_account_id(account_id, field=name)
        try:
            self.salt.encode()
        except UnicodeEncodeError:
            raise InvalidInput("salt", "holds a lone surrogate, which has no bytes to hash") from None

    @property
    def off_for_everyone(self) -> bool:
        """Whether no account at all can be on, so that nobody needs to be looked up."""
        return not self.enabled or (self.percentage == 0 and not self.allow - self.deny)


EVERYONE: Final = FlagRule(enabled=True, percentage=BUCKETS)
NOBODY: Final = FlagRule(enabled=False)


def check_account_id(account_id: str, *, field: str = "account_id") -> str:
    """Return a Mono account id as it is; raise InvalidInput unless it is 24 hex digits in small letters.

    Capital letters are refused, not folded: an id that does not match byte by byte would be a deny that denies nobody.
    """
    if not _ACCOUNT_ID.fullmatch(account_id):
        raise InvalidInput(field, f"{account_id[:40]!r} is not a Mono account id (24 hex digits, small letters)")
    return account_id


def bucket(salt: str, account_id: str) -> int:
    """Return the account's bucket, 0 to 9,999; it is on when the percentage in basis points lies above it.

    The same answer in every process, machine and language (golden vectors: tests/unit/flag/bucket_vectors.json):
    SHA-256 over flag, salt and account, each as UTF-8 behind its length in four bytes, so that no two triples share
    their bytes; the digest as one big-endian integer, modulo 10,000.
    """
    parts = (part.encode() for part in (FLAG_NAME, salt, account_id))
    framed = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return int.from_bytes(sha256(framed).digest(), "big") % BUCKETS
