"""The request budget that all workers share, and who may call Mono at all: one PostgreSQL row, a statement a question.

A token bucket, the pause that a 429 asks for, and a circuit that opens while Mono serves nobody. Over any minute, the
calls that start are at most `per_minute`; once a pause is committed, none starts `TOKEN_SECONDS` later.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from mono_pipeline.adapters.statements import statements

if TYPE_CHECKING:
    from collections.abc import Callable

    from mono_pipeline.adapters.postgres import Database

# A token is good for a call that starts so soon after it was asked for; later it is handed in for another one, so that
# nobody calls for long on what was granted before a pause. A page takes Mono longer than that, so it costs nothing.
TOKEN_SECONDS: Final = 0.05
OPEN_SECONDS: Final = 60.0  # an open circuit is probed once a minute
PROBE_SECONDS: Final = 30.0  # a probe that says nothing for so long has died with its worker
# So many accounts in a row, with no success of anybody's in between, are not the accounts' own trouble.
FAILURES_THAT_OPEN: Final = 3

_SQL = statements("provider")
_MINUTE = 60.0
_BURST_SHARE = 0.03  # of a minute's budget: what may be asked for at once after a quiet time
_SMALLEST_BURST = 2.0
_RESERVE_SHARE = 0.2  # of the burst: for daily work alone
_BARELY_LESS = 0.9999


class Grant(Struct, frozen=True, kw_only=True):
    """Tokens granted, or how long to wait; `paused` says why nobody may call at all."""

    tokens: int
    wait_seconds: float
    paused: str | None = None


class Bucket(Struct, frozen=True, kw_only=True):
    """The size of the bucket in tokens, and its refill in tokens a second.

    In a minute, and in the `TOKEN_SECONDS` that a token may be old, no more than floor(burst + refill) are granted:
    the budget, whatever was saved up before. In the long run that is at least 0.95 of it from 40 a minute on.
    """

    burst: float
    per_second: float
    reserve: float

    @classmethod
    def of(cls, per_minute: int) -> Bucket:
        """The bucket of a budget of `per_minute` (1 or more) calls."""
        burst = min(float(per_minute), max(_SMALLEST_BURST, per_minute * _BURST_SHARE))
        return cls(
            burst=burst,
            per_second=_BARELY_LESS * (per_minute + 1 - burst) / (_MINUTE + TOKEN_SECONDS),
            reserve=min(_RESERVE_SHARE * burst, burst - 1),
        )


class RateBudget:
    """Tokens for calls to Mono. No token, no call; no database, no token.

    `probing` says that the circuit is open and this worker's next call is its probe: it has to come to
    `answered` or `open_circuit`, and to the latter when the worker gives back without either.
    """

    def __init__(self, database: Database, *, per_minute: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._bucket = Bucket.of(per_minute)
        # one by one costs 0.4 ms a page, which is much where many are allowed
        self._block = max(1, int(self._bucket.per_second * TOKEN_SECONDS))
        self._monotonic = monotonic
        self._in_hand = 0
        self._asked_at = 0.0
        self._others_fail = False
        self.probing = False

    def take(self, wanted: int, *, background: bool = False) -> Grant:
        """Tokens for at most `wanted` calls that start now. Those left over from a block just taken are used first.

        `background` leaves the reserve to daily work.
        """
        if self._in_hand == 0 or self._monotonic() - self._asked_at > TOKEN_SECONDS:
            refused = self._exchange(wanted, background=background)
            if refused is not None:
                return refused
        granted = min(wanted, self._in_hand)
        self._in_hand -= granted
        return Grant(tokens=granted, wait_seconds=0.0)

    def give_back(self) -> None:
        """Return what was taken and not used, at the end of a run. A probe that came to nothing has failed."""
        if self.probing:
            self.open_circuit(self.open_reason() or "probe")
        if self._in_hand:
            self._database.rows(_SQL["return_tokens"], unused=self._in_hand)
            self._in_hand = 0

    def pause(self, seconds: float, reason: str) -> None:
        """Nobody calls for `seconds`. What is in hand is not used either."""
        self._in_hand = 0
        self._database.rows(_SQL["pause_provider"], seconds=seconds, reason=reason)

    def answered(self) -> None:
        """Mono serves: a probe closes the circuit, and failures of others were their own."""
        if self.probing:
            self.probing = False
            self._database.rows(_SQL["close_circuit"])
        elif self._others_fail:
            self._database.rows(_SQL["forget_failures"])
        self._others_fail = False

    def failed(self, account_id: int, reason: str) -> bool:
        """A run of this account found Mono down, after all its attempts. True when that opens the circuit."""
        failing = self._database.rows(_SQL["note_failure"], account_id=account_id)[0]["failing"]
        self._others_fail = True
        if failing < FAILURES_THAT_OPEN:
            return False
        self.open_circuit(reason)
        return True

    def open_circuit(self, reason: str) -> None:
        """Mono serves nobody: a minute of silence, then one probe at a time."""
        self.probing = False
        self._in_hand = 0
        self._database.rows(_SQL["open_circuit"], seconds=OPEN_SECONDS, reason=reason)

    def open_reason(self) -> str | None:
        """Why the circuit is open; None while it is closed."""
        row = self._database.row(_SQL["circuit"])
        return None if row is None else str(row["open_reason"])

    def _exchange(self, wanted: int, *, background: bool) -> Grant | None:
        """A new block for what is left of the old one; or why there is none."""
        unused, self._in_hand = self._in_hand, 0
        self._asked_at = self._monotonic()  # before it is asked: the pause is looked at later than this
        row = self._database.rows(
            _SQL["take_tokens"],
            wanted=max(wanted, self._block),
            unused=unused,
            per_second=self._bucket.per_second,
            burst=self._bucket.burst,
            reserve=self._bucket.reserve if background else 0.0,
            probing=self.probing,
            probe_seconds=PROBE_SECONDS,
        )[0]
        self._in_hand = row["granted"]
        self._others_fail = row["failing"]
        self.probing = self.probing or row["probe"]
        if self._in_hand:
            return None
        return Grant(tokens=0, wait_seconds=float(row["wait_seconds"]), paused=row["shut_reason"])
