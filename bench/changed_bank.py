"""A bank whose books change after a first load: one late, one amended, one removed and one new row in each account."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from local.sandbox.server import SandboxServer

if TYPE_CHECKING:
    from collections.abc import Mapping

ACCOUNTS = 5
TRANSACTIONS = 2_000
SEED = "evidence"
# Behind every overlap that anybody uses, as such rows are: banks correct themselves after weeks (Mono contract 7.6).
LATE_DAYS, AMENDED_DAYS, REMOVED_DAYS = 20, 30, 40

type Rows = Mapping[str, tuple[int, str]]  # by transaction id: minor units, direction


@dataclass(frozen=True, kw_only=True)
class Changed:
    """Ids of the rows that changed, one of each kind an account."""

    late: frozenset[str]
    amended: frozenset[str]
    removed: frozenset[str]
    new: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What tables hold, against the bank: counts of changes that are seen, of `ACCOUNTS` each."""

    rows: int
    same_rows: bool
    same_sum: bool
    late: int
    amended: int
    removed: int
    new: int

    @property
    def right(self) -> bool:
        """Whether the tables are the bank's, row by row."""
        return self.same_rows and self.same_sum


class ChangedBank:
    """The Mono sandbox over HTTP; the same bank for everybody, because its seed and its first instant are the same."""

    def __init__(self, server: SandboxServer) -> None:
        self._mono = server.control
        self.accounts: list[str] = sorted(account["id"] for account in self._mono.accounts())

    @staticmethod
    def server(now: datetime) -> SandboxServer:
        """A server of the bank as it is before anything changes, its clock standing at `now`."""
        return SandboxServer(seed=SEED, accounts=ACCOUNTS, transactions=TRANSACTIONS, now=now.isoformat())

    def let_pass(self, hours: int) -> None:
        """Move the bank's clock."""
        self._mono.set_clock(advance_seconds=hours * 3600)

    def change(self) -> Changed:
        """Change every account's book; running balances follow, as a bank's do."""
        late, amended, removed, new = set[str](), set[str](), set[str](), set[str]()
        for account in self.accounts:
            row = self._row_of(account, days_ago=AMENDED_DAYS)
            self._mono.amend(account, transaction=row["id"], changes={"amount": row["amount"] + 50_000})
            amended.add(row["id"])
            gone = self._row_of(account, days_ago=REMOVED_DAYS)["id"]
            self._mono.remove(account, transactions=[gone])
            removed.add(gone)
            late.add(self._mono.late(account, days_ago=LATE_DAYS)[0]["id"])
            new.add(self._mono.add(account)[0]["id"])
        return Changed(late=frozenset(late), amended=frozenset(amended), removed=frozenset(removed), new=frozenset(new))

    def lose_an_account(self) -> None:
        """Mono has not got one account's data for a while: its transactions are an empty list, with status 200."""
        account = self.accounts[0]
        self._mono.set_data_status(account, data_status="PROCESSING", retrieved_data=[], announce=False)

    def truth(self) -> dict[str, tuple[int, str]]:
        """What the bank says, all accounts together."""
        return {
            row["id"]: (row["amount"], row["type"])
            for account in self.accounts
            for row in self._mono.truth(account)["bank"]
        }

    def _row_of(self, account: str, *, days_ago: int) -> dict[str, Any]:
        """The row nearest to a day."""
        about = datetime.fromisoformat(self._mono.get_clock()["now"]).astimezone(UTC) - timedelta(days=days_ago)
        rows: list[dict[str, Any]] = self._mono.truth(account)["bank"]
        return min(rows, key=lambda row: abs(datetime.fromisoformat(row["date"]) - about))


def compare(stored: Rows, truth: Rows, changed: Changed) -> Comparison:
    """Hold tables against the bank."""

    def as_at_the_bank(ids: frozenset[str]) -> int:
        return sum(stored.get(key) == truth.get(key) for key in ids)

    return Comparison(
        rows=len(stored),
        same_rows=dict(stored) == dict(truth),
        same_sum=_sum(stored) == _sum(truth),
        late=as_at_the_bank(changed.late),
        amended=as_at_the_bank(changed.amended),
        removed=as_at_the_bank(changed.removed),
        new=as_at_the_bank(changed.new),
    )


def _sum(rows: Rows) -> int:
    """Credits less debits."""
    return sum(amount if direction == "credit" else -amount for amount, direction in rows.values())
