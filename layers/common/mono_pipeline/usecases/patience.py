"""How long one invocation may wait: at most so many attempts at a call, and so many seconds of sleep in all."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_ATTEMPTS = 5
MAX_SLEEP_SECONDS = 10.0
_FIRST_DELAY_SECONDS = 0.2
_LONGEST_DELAY_SECONDS = 3.0


class Patience:
    """The sleep an invocation may still spend. Waiting longer is the queue's work, not a Lambda's."""

    def __init__(
        self,
        *,
        seconds: float = MAX_SLEEP_SECONDS,
        sleep: Callable[[float], None] = time.sleep,
        jitter: random.Random | None = None,
    ) -> None:
        self._left = seconds
        self._sleep = sleep
        self._jitter = jitter or random.Random()  # noqa: S311 - spreads retries; nothing is kept secret by it

    @property
    def is_short(self) -> bool:
        """Whether so much was slept that a run which begins now would give up sooner than others."""
        return self._left < MAX_SLEEP_SECONDS / 2

    def backoff(self, attempt: int) -> bool:
        """Sleep before attempt number `attempt + 1` (exponential, with jitter); False when patience is at its end."""
        if attempt >= MAX_ATTEMPTS:
            return False
        longest = min(_LONGEST_DELAY_SECONDS, _FIRST_DELAY_SECONDS * 2 ** (attempt - 1))
        return self.wait(self._jitter.uniform(longest / 2, longest))

    def wait(self, seconds: float) -> bool:
        """Sleep exactly `seconds`; False, without sleeping, when that is more than is left."""
        if seconds > self._left:
            return False
        self._left -= seconds
        self._sleep(seconds)
        return True
