"""The request budget that all workers share: a token bucket in one PostgreSQL row, and the provider's pause."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mono_pipeline.adapters.statements import statements

if TYPE_CHECKING:
    from mono_pipeline.adapters.postgres import Database

_SQL = statements("provider")
# Tokens are taken in blocks: one by one costs 0.4 ms a page. A worker holds ten at the most, or what all together may
# spend in a tenth of a second.
_BLOCK = 10
_BLOCK_SECONDS = 0.1
_BURST_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class Grant:
    """Tokens granted, or how long to wait; `paused` says why nobody may call at all."""

    tokens: int
    wait_seconds: float
    paused: str | None = None


class RateBudget:
    """Tokens for calls to Mono. No token, no call; no database, no token."""

    def __init__(self, database: Database, *, per_minute: int) -> None:
        self._database = database
        self._per_second = per_minute / 60
        self._block = max(_BLOCK, int(self._per_second * _BLOCK_SECONDS))
        self._in_hand = 0

    def take(self, wanted: int) -> Grant:
        """Tokens for at most `wanted` calls. Tokens left over from an earlier block are used first."""
        if self._in_hand == 0:
            row = self._database.rows(
                _SQL["take_tokens"],
                wanted=max(wanted, self._block),
                per_second=self._per_second,
                burst=max(1.0, self._per_second * _BURST_SECONDS),
            )[0]
            if row["granted"] == 0:
                return Grant(tokens=0, wait_seconds=float(row["wait_seconds"]), paused=row["pause_reason"])
            self._in_hand = row["granted"]
        granted = min(wanted, self._in_hand)
        self._in_hand -= granted
        return Grant(tokens=granted, wait_seconds=0.0)

    def give_back(self) -> None:
        """Return what was taken and not used, at the end of a run."""
        if self._in_hand:
            self._database.rows(_SQL["return_tokens"], unused=self._in_hand)
            self._in_hand = 0

    def pause(self, seconds: float, reason: str) -> None:
        """Nobody calls for `seconds`. What is in hand is not used either."""
        self._in_hand = 0
        self._database.rows(_SQL["pause_provider"], seconds=seconds, reason=reason)
