"""How long a change of the flag takes until the functions act by it, measured from outside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from monoctl.failure import EXPLAINED, explain

if TYPE_CHECKING:
    from collections.abc import Callable

    from monoctl.reach import CallsSync
    from monoctl.session import Wiring

PROMISED_SECONDS: Final = 15.0  # from a change of the flag to the last decision by the old value
PATIENCE_SECONDS: Final = 30.0  # twice what is promised; then it is not seen, and said so
# No account of Mono's: whatever the flag says, nothing is synced and Mono is not called (deferred, or 404).
UNKNOWN_ACCOUNT: Final = "0" * 24
IN_A_ROW: Final = 3  # answers: several instances take turns, and each has a cache of its own
_ASK_AGAIN: Final = 0.5


@dataclass(frozen=True, kw_only=True)
class Propagation:
    """When a change was in force.

    Attributes:
        seconds: from the edit to the first of three answers in a row by its version or a later one; None where that
            was not seen.
        problem: why not.
    """

    seconds: float | None
    problem: str | None = None

    @property
    def is_late(self) -> bool:
        """Whether it took longer than is promised."""
        return self.seconds is not None and self.seconds > PROMISED_SECONDS


class PropagationWatch:
    """Asks the API by which version of the flag it acts, until it is the one that was written."""

    def __init__(self, api: Callable[[], CallsSync], wiring: Wiring) -> None:
        """`api` is built when it is first asked: a change needs none."""
        self._api = api
        self._wiring = wiring

    def measure(self, version: int, *, began: float, say: Callable[[str], None]) -> Propagation:
        """Follow the change that became `version`; it was sent at `began`, by the wiring's clock. Never raises."""
        try:
            return self._follow(version, began, say)
        except EXPLAINED as error:
            return Propagation(seconds=None, problem=explain(error).sentence)

    def _follow(self, version: int, began: float, say: Callable[[str], None]) -> Propagation:
        last: int | None = None
        silent = new = 0
        first_new = 0.0
        while self._age(began) < PATIENCE_SECONDS:
            last = self._api().ask(UNKNOWN_ACCOUNT, start=None, end=None).flag_version
            age = self._age(began)
            is_new = last is not None and last >= version
            silent, new = (silent + 1 if last is None else 0), (new + 1 if is_new else 0)
            first_new = age if new == 1 else first_new
            if new == IN_A_ROW:
                return Propagation(seconds=round(first_new, 2))
            if silent == IN_A_ROW:
                return Propagation(seconds=None, problem="the API does not say by which version of the flag it acts")
            say(f"{age:.0f} s: the API acts by {'no version' if last is None else f'version {last}'} of the flag")
            self._wiring.pause(_ASK_AGAIN)
        acts_by = "none" if last is None else str(last)
        return Propagation(
            seconds=None, problem=f"after {PATIENCE_SECONDS:.0f} s the API acts by version {acts_by}, not by {version}"
        )

    def _age(self, began: float) -> float:
        return self._wiring.monotonic() - began
