"""The pure model: customers, bank accounts, and Mono's links to them with their stored copies."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from datetime import datetime

    from local.sandbox.ledger import Entry, Ledger

type Stamp = Literal["instant", "midnight"]
type LinkState = Literal["live", "cached", "dead", "unlinked"]
type SyncStatus = Literal["SUCCESSFUL", "FAILED", "REAUTHORISATION_REQUIRED"]


def hexadecimal(length: int, *parts: object) -> str:
    """`length` (at most 64) hexadecimal digits that depend on `parts` alone."""
    return hashlib.sha256(":".join(map(str, parts)).encode()).hexdigest()[:length]


@dataclass(frozen=True, kw_only=True, slots=True)
class Institution:
    """A bank as Mono names it."""

    id: str
    name: str
    bank_code: str
    type: str = "PERSONAL_BANKING"


@dataclass(frozen=True, kw_only=True, slots=True)
class Customer:
    """Mono's customer record of an account's owner."""

    id: str
    name: str
    email: str


@dataclass(kw_only=True)
class BankAccount:
    """An account at its bank: the truth, whether Mono knows it or not.

    `stamp` says how the bank dates rows: `midnight` in Lagos (`T23:00:00.000Z`) or with the instant.
    """

    seed: str
    institution: Institution
    name: str
    account_number: str
    bvn: str
    type: str
    currency: str
    stamp: Stamp
    ledger: Ledger


@dataclass(kw_only=True)
class Link:
    """A Mono account: one connection to a bank account, with Mono's ids and Mono's stored copy.

    States: `live` (the copy follows the bank at once), `cached` (it moves with a real-time job or a
    re-authorisation), `dead` (it moves with a re-authorisation alone, and reads still answer 200), `unlinked`.
    """

    id: str
    customer: Customer
    bank_account: BankAccount
    linked_at: datetime
    state: LinkState = "live"
    data_status: str = "AVAILABLE"
    retrieved_data: tuple[str, ...] = ("identity", "balance", "transactions")
    reference: str | None = None
    auth_method: str = "internet_banking"
    data_is_null: bool = False
    sync_status: SyncStatus | None = None
    id_seed: str = ""
    reminted: int = 0
    order_seed: int = 0
    fields: dict[str, Any] = field(default_factory=dict)
    _stored: Ledger | None = None
    _ids: dict[int, str] = field(default_factory=dict)
    _encoded: dict[int, tuple[Entry, bytes]] = field(default_factory=dict)

    @property
    def copy(self) -> Ledger:
        """Mono's stored copy, which is all that Mono ever serves (Mono contract 2.5)."""
        return self.bank_account.ledger if self._stored is None else self._stored

    def refresh(self) -> bool:
        """Fetch from the bank; says whether anything was new."""
        changed = self.copy != self.bank_account.ledger
        if self._stored is not None:
            self._stored = self.bank_account.ledger
        return changed

    def become(self, state: LinkState) -> None:
        """Enter `state`: a link that becomes `live` catches up, any other keeps the copy it has."""
        self._stored = None if state == "live" else self.copy
        self.state = state

    def transaction_id(self, key: int) -> str:
        """Mono's id of the bank's entry `key`: a 24-digit ObjectId, minted once (Mono contract 2.2, 7.4)."""
        if key not in self._ids:
            seed = self.id_seed or self.id
            prefix = seed[:8] + hexadecimal(10, seed, self.reminted)
            start = int(hexadecimal(5, seed), 16)
            self._ids[key] = f"{prefix}{(start + key) % 0x1000000:06x}"
        return self._ids[key]

    def key_of(self, transaction_id: str) -> int:
        """The bank's entry that has this id; KeyError when none has."""
        for key in self.bank_account.ledger.entries.keys() | self.copy.entries.keys():
            if self.transaction_id(key) == transaction_id:
                return key
        raise KeyError(transaction_id)

    def remint(self) -> None:
        """Give every row a new id."""
        self.reminted += 1
        self._ids.clear()
        self._encoded.clear()

    def successor(self, *, link_id: str, linked_at: datetime, same_ids: bool) -> Link:
        """A new link to the same bank account, which keeps the transaction ids or mints new ones."""
        return replace(
            self,
            id=link_id,
            linked_at=linked_at,
            state="live",
            reference=None,
            sync_status=None,
            id_seed=(self.id_seed or self.id) if same_ids else link_id,
            reminted=self.reminted if same_ids else 0,
            _stored=None,
            _ids=dict(self._ids) if same_ids else {},
            _encoded={},
        )

    def encoded(self, entry: Entry, encode: Any) -> bytes:
        """The row's bytes, encoded once for as long as the entry stays the same."""
        held = self._encoded.get(entry.key)
        if held is None or held[0] is not entry:
            held = (entry, encode(self.transaction_id(entry.key), entry))
            self._encoded[entry.key] = held
        return held[1]
