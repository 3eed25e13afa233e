"""The scenarios: what had happened before, what the bank then changed, and what a worker does until it dies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from local.sandbox.effects.answers import Status
from local.sandbox.effects.contents import Rows
from local.sandbox.effects.detours import Drift
from local.sandbox.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.sandbox.sandbox import Sandbox

    type Change = Callable[[Sandbox, str], None]

HALF_A_DAY: Final = 14 * 3600
DAY: Final = 25 * 3600


def _nothing(_bank: Sandbox, _account: str) -> None:
    """The bank stays as it is."""


@dataclass(frozen=True, kw_only=True)
class Chapter:
    """A change of the bank, then time that passes, then what a worker does."""

    change: Change = _nothing
    passes: int = 60
    acts: tuple[str, ...] = ("tick", "drain")


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """`before` happened undisturbed; `now` is what is disturbed, at each of its calls in turn.

    `flags` are the flag's values at its first readings, `seconds` the time of an invocation. `equal` says that in the
    end the tables must hold exactly what the bank has; `may_differ` names parts of the end that depend on when a worker
    saw the account's own page.
    """

    name: str
    before: tuple[Chapter, ...] = ()
    now: Chapter
    rows: int = 23
    flags: tuple[str, ...] = ("true",)
    seconds: float = 60.0
    equal: bool = True
    may_differ: frozenset[str] = frozenset()


def _amend(bank: Sandbox, account: str) -> None:
    ids = [row["id"] for row in bank.truth(account)["bank"]]
    bank.amend(account, transaction=ids[-2], changes={"narration": "AMENDED"})
    bank.amend(account, transaction=ids[-4], changes={"amount": 4_321})
    bank.add(account, count=2)
    bank.late(account, days_ago=2)


def _remove(bank: Sandbox, account: str) -> None:
    ids = [row["id"] for row in bank.truth(account)["bank"]]
    bank.remove(account, transactions=[ids[-2], ids[-3]])


def _drift(bank: Sandbox, account: str) -> None:
    bank.inject(Fault(effect=Drift(operation="add"), account=account, path="*/transactions", page=3, times=1))


def _break(bank: Sandbox, account: str) -> None:
    broken = Rows(patched={1: {"amount": -5}, 3: {"type": "reversal"}})
    bank.inject(Fault(effect=broken, account=account, path="*/transactions", page=2, times=None))


def _refuse(bank: Sandbox, account: str) -> None:
    bank.inject(Fault(effect=Status(status=500), account=account, path="*/transactions", page=3, times=5))


def _pay(bank: Sandbox, account: str) -> None:
    bank.add(account, count=3)


_LOADED = Chapter()
SCENARIOS: Final = (
    Scenario(name="cold load", now=Chapter()),
    Scenario(name="nothing changed", before=(_LOADED,), now=Chapter(passes=HALF_A_DAY)),
    Scenario(name="amended, new and late rows", before=(_LOADED,), now=Chapter(change=_amend, passes=HALF_A_DAY)),
    Scenario(
        name="removed rows",
        before=(_LOADED, Chapter(change=_remove, passes=HALF_A_DAY)),
        now=Chapter(passes=DAY),
    ),
    Scenario(
        name="drift starts the window again",
        now=Chapter(change=_drift),
        # the balance was read before the bank changed, or after: `balance_ahead`, or `verified`
        may_differ=frozenset({"verdict", "accounts"}),
    ),
    Scenario(name="handed on from worker to worker", now=Chapter(), seconds=0.0),
    Scenario(
        name="wake-up during a run",
        before=(_LOADED,),
        now=Chapter(change=_amend, passes=HALF_A_DAY, acts=("tick", "interrupted")),
    ),
    Scenario(
        name="flag off in mid-run",
        now=Chapter(),
        # the tick reads the flag, then the worker as it begins and after each flush
        flags=("true", "true", "true", "false"),
    ),
    Scenario(name="quarantined rows", now=Chapter(change=_break), equal=False),
    Scenario(name="Mono fails", now=Chapter(change=_refuse)),
    Scenario(
        name="the API is asked",
        before=(_LOADED,),
        now=Chapter(change=_pay, passes=HALF_A_DAY, acts=("ask", "drain")),
    ),
)
