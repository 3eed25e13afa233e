"""The bank of a soak: it changes while it is read, and remembers everything that it has shown of each row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

from local.sandbox.server import SandboxServer
from tests.harness import as_stored

if TYPE_CHECKING:
    from collections.abc import Iterable

type Contents = tuple[Any, ...]  # a row in the form of `Pipeline.stored`

HISTORY: Final = 45  # rows of an account at first
LATENCY_MS: Final = 30  # so that much of a sync is between two commits, as it is with a real bank


class ChangingBank:
    """Accounts that get new rows, late ones and amended ones, and now and then lose one. A context manager.

    `shown` has, for each account and transaction, its contents in the order in which the bank showed them.
    """

    def __init__(self, *, seed: str, accounts: int) -> None:
        self._server = SandboxServer(accounts=accounts, transactions=HISTORY, seed=seed, latency_ms=LATENCY_MS)
        self.shown: dict[tuple[str, str], list[Contents]] = {}
        self.removed: set[tuple[str, str]] = set()

    def __enter__(self) -> Self:
        self._server.start()
        self.accounts = [str(each["id"]) for each in self._server.control.accounts()]
        for account in self.accounts:
            self._remember(account)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    @property
    def url(self) -> str:
        """Where it answers as Mono."""
        return self._server.url

    def rows(self, account: str) -> list[dict[str, Any]]:
        """All that the bank has of an account now, as wire documents."""
        return list(self._server.control.truth(account)["bank"])

    def change(self, choice: int) -> None:
        """Mostly new rows; some late, some amended, now and then one that goes."""
        account, bank = self.accounts[choice % len(self.accounts)], self._server.control
        kind = choice // len(self.accounts) % 20
        if kind < 11:
            bank.add(account, count=1 + kind % 3)
        elif kind < 14:
            bank.late(account, count=1, days_ago=2 + kind % 3)
        elif kind < 17:
            bank.amend(account)
        elif kind < 19:
            self._remove(account, choice)
        else:
            bank.reshuffle(account)
        self._remember(account)

    def amend_newest(self, account: str) -> None:
        """Change the row that every reading of the account shows."""
        newest = max(self.rows(account), key=lambda row: (row["date"], row["id"]))
        self._server.control.amend(account, transaction=newest["id"])
        self._remember(account)

    def _remove(self, account: str, choice: int) -> None:
        """Never a row of the oldest day: that the bank shortened its history, and no removal (`history_truncated`).

        Nor the newest id, which this bank would give to its next row.
        """
        rows = self.rows(account)
        oldest, newest_id = min(as_stored(row)[-1] for row in rows), max(row["id"] for row in rows)
        candidates = [row["id"] for row in rows if as_stored(row)[-1] > oldest and row["id"] != newest_id]
        gone = candidates[choice // (20 * len(self.accounts)) % len(candidates)]
        self._server.control.remove(account, transactions=[gone])
        self.removed.add((account, gone))

    def _remember(self, account: str) -> None:
        for key, contents in _stored(self.rows(account)):
            shown = self.shown.setdefault((account, key), [])
            if not shown or shown[-1] != contents:
                shown.append(contents)


def _stored(rows: Iterable[dict[str, Any]]) -> list[tuple[str, Contents]]:
    return [(row["id"], as_stored(row)) for row in rows]
