"""The bank's own book of one account: its entries, their running balances and what may happen to them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

type Direction = Literal["credit", "debit"]
type BalanceMode = Literal["consistent", "backwards", "null", "absent"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One booking; `amount` and `balance` are minor units, `key` is the bank's posting number.

    `follows` is the key of the entry of the same instant behind which it stands in the book, if not at its own key.
    """

    key: int
    amount: int
    type: Direction
    narration: str
    date: datetime
    currency: str = "NGN"
    balance: int | None = None
    category: str | None = None
    metadata: Mapping[str, str] | None = None
    follows: int | None = None

    @property
    def signed(self) -> int:
        """What the booking does to the account's balance."""
        return self.amount if self.type == "credit" else -self.amount

    @property
    def position(self) -> tuple[datetime, int, int]:
        """Where it stands in the book."""
        return (self.date, self.key if self.follows is None else self.follows, self.key)


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """An immutable state of the book; every change makes a new one, so a stored copy is simply an older ledger.

    Balance modes: `consistent` runs forward from `opening` and ends at the account's balance; `backwards` ran into the
    past when the history was made, as in Mono's real sandbox (Mono contract 7.9), and is never worked out again;
    `null` and `absent` supply none.
    """

    opening: int
    mode: BalanceMode = "consistent"
    entries: Mapping[int, Entry] = field(default_factory=dict)

    @cached_property
    def balance(self) -> int:
        """The account's balance in minor units."""
        return self.opening + sum(entry.signed for entry in self.entries.values())

    @property
    def next_key(self) -> int:
        """The posting number of the next entry."""
        return max(self.entries, default=-1) + 1

    def in_order(self) -> list[Entry]:
        """All entries, oldest first."""
        return sorted(self.entries.values(), key=lambda entry: entry.position)

    def post(self, entries: Iterable[Entry], *, rerun: bool = True) -> Ledger:
        """Book more entries.

        Args:
            entries: What to book.
            rerun: Whether the bank works consistent running balances out again, so that the chain holds; else a
                new entry without a balance gets the account's balance at its posting, and the others stay.
        """
        balance, booked = self.balance, dict(self.entries)
        for entry in entries:
            balance += entry.signed
            known = entry.balance is not None or not self._supplies_balances
            booked[entry.key] = entry if known else replace(entry, balance=self._posted(entry, balance))
        return self._with(booked, rerun=rerun)

    def amend(self, key: int, changes: Mapping[str, Any], *, rerun: bool = True) -> Ledger:
        """Change fields of one entry."""
        return self._with({**self.entries, key: replace(self.entries[key], **changes)}, rerun=rerun)

    def remove(self, keys: Iterable[int], *, rerun: bool = True) -> Ledger:
        """Take entries out of the book as if they had never been."""
        gone = set(keys)
        return self._with({key: entry for key, entry in self.entries.items() if key not in gone}, rerun=rerun)

    def truncate(self, older_than: datetime) -> Ledger:
        """Shorten the history: what is older goes into the opening balance, nothing else changes."""
        old = [entry for entry in self.entries.values() if entry.date < older_than]
        kept = {key: entry for key, entry in self.entries.items() if entry.date >= older_than}
        return replace(self, opening=self.opening + sum(entry.signed for entry in old), entries=kept)

    def rerun_balances(self) -> Ledger:
        """Every running balance worked out again; entries that do not change stay the same objects."""
        if not self._supplies_balances:
            return self
        running = _forward if self.mode == "consistent" else _backward
        entries = dict(self.entries)
        for entry, balance in running(self):
            if entry.balance != balance:
                entries[entry.key] = replace(entry, balance=balance)
        return replace(self, entries=entries)

    def _posted(self, entry: Entry, balance: int) -> int:
        """What an entry says when it is booked and the account's balance is then `balance`."""
        return balance if self.mode == "consistent" else balance + entry.signed

    @property
    def _supplies_balances(self) -> bool:
        return self.mode in {"consistent", "backwards"}

    def _with(self, entries: Mapping[int, Entry], *, rerun: bool) -> Ledger:
        changed = replace(self, entries=entries)
        return changed.rerun_balances() if rerun and self.mode == "consistent" else changed


def _forward(ledger: Ledger) -> Iterable[tuple[Entry, int]]:
    balance = ledger.opening
    for entry in ledger.in_order():
        balance += entry.signed
        yield entry, balance


def _backward(ledger: Ledger) -> Iterable[tuple[Entry, int]]:
    balance = ledger.balance
    for entry in reversed(ledger.in_order()):
        balance += entry.signed
        yield entry, balance
