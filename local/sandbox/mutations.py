"""Changes to the bank: what a customer, a bank or Mono does to the rows of one account."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

from local.sandbox.bank import Link, Stamp
from local.sandbox.clock import lagos_midnight
from local.sandbox.genesis import new_entries, new_link, stamped
from local.sandbox.ledger import BalanceMode, Entry
from local.sandbox.rows import Row, entry_fields, instant_of, reversal_of, row_documents, summary
from local.sandbox.world import World


class Mutations(World):
    """Operations on rows. Rows come back in their wire shape; `rerun_balances` as in `Ledger.post`."""

    def create_account(
        self,
        *,
        transactions: int = 100,
        seed: str | None = None,
        days: int = 180,
        stamp: Stamp | None = None,
        balances: BalanceMode = "consistent",
        rows: list[Row] | None = None,
        fields: dict[str, Any] | None = None,
    ) -> Row:
        """Open and link an account, ready and without a webhook (`link_account` sends one).

        Args:
            transactions: The length of its made-up history.
            seed: A seed of its own for ids and history.
            days: How far back the history goes.
            stamp: How the bank dates rows; None alternates.
            balances: How the bank supplies running balances.
            rows: Rows to book on top of the history, as for `add`.
            fields: Values over those of the account document, as `{"name": …}`, `{"bvn": None}`.

        Returns:
            `id`, `customer_id`, `bank_code`, `account_number`.
        """
        link = self._open(transactions=transactions, seed=seed, days=days, stamp=stamp, balances=balances)
        link.fields.update(fields or {})
        if rows:
            self.add(link.id, rows=rows)
        return summary(link)

    def create_accounts(self, count: int, *, transactions: int = 100, days: int = 180) -> list[Row]:
        """Open and link many accounts."""
        return [self.create_account(transactions=transactions, days=days) for _ in range(count)]

    def truth(self, account: str) -> Row:
        """All there is: `bank` has every row of the bank, oldest first, `copy` what Mono would serve; and balances."""
        link = self.links.get(account)
        if link is None and account in self.replays:
            captured = self.replays[account]
            balance = captured.account["account"]["balance"]
            return {"bank": captured.rows(), "copy": captured.rows(), "bank_balance": balance, "copy_balance": balance}
        link = self.link(account)
        bank, copy = link.bank_account.ledger, link.copy
        return {
            "bank": row_documents(link, bank.in_order()),
            "copy": row_documents(link, copy.in_order()),
            "bank_balance": bank.balance,
            "copy_balance": copy.balance,
        }

    def add(
        self,
        account: str,
        *,
        count: int = 1,
        instants: list[datetime] | None = None,
        rows: list[Row] | None = None,
        rerun_balances: bool = True,
    ) -> list[Row]:
        """Book new rows: `count` now, or one at each instant, or rows of which any field may be given."""
        link = self.link(account)
        now = self.clock.now().replace(microsecond=self.clock.now().microsecond // 1000 * 1000)
        given = rows or []
        moments = instants or [instant_of(row.get("date"), now) for row in given] or [now] * count
        made = new_entries(link.bank_account, moments)
        entries = [replace(entry, **entry_fields(given[place])) if given else entry for place, entry in enumerate(made)]
        return self._post(link, entries, rerun=rerun_balances)

    def late(self, account: str, *, count: int = 1, days_ago: int = 10, rerun_balances: bool = True) -> list[Row]:
        """Book rows dated `days_ago` days back, behind the newest ones (Mono contract 7.6)."""
        moment = self.clock.now().replace(microsecond=0) - timedelta(days=days_ago)
        return self.add(account, instants=[moment] * count, rerun_balances=rerun_balances)

    def amend(
        self,
        account: str,
        *,
        transaction: str | None = None,
        changes: Row | None = None,
        rerun_balances: bool = True,
    ) -> Row:
        """Change a row: any of its wire fields but the id; without `changes` its narration, without an id some row."""
        link = self.link(account)
        key = self._pick(link, transaction)
        entry = link.bank_account.ledger.entries[key]
        changed = changes or {"narration": f"{entry.narration} (AMENDED)"}
        link.bank_account.ledger = link.bank_account.ledger.amend(key, entry_fields(changed), rerun=rerun_balances)
        return row_documents(link, [link.bank_account.ledger.entries[key]])[0]

    def remove(
        self,
        account: str,
        *,
        transactions: list[str] | None = None,
        count: int = 1,
        rerun_balances: bool = True,
    ) -> list[Row]:
        """Take rows out of the bank's book: these, or some `count`."""
        link = self.link(account)
        ledger = link.bank_account.ledger
        chosen = transactions if transactions is not None else [None] * count
        keys: list[int] = []
        for transaction in chosen:
            keys.append(self._pick(link, transaction, besides=keys))
        gone = row_documents(link, [ledger.entries[key] for key in keys])
        link.bank_account.ledger = ledger.remove(keys, rerun=rerun_balances)
        return gone

    def twin(self, account: str, *, transaction: str | None = None, with_reversal: bool | None = None) -> list[Row]:
        """Book a second row of the same day, amount and balance (Mono contract 7.8); returns the old one and its twin.

        With a reversal booked between the two, equal balances are true ones and the chain holds; that is what happens,
        unless said otherwise, where the account's balances are consistent.
        """
        link = self.link(account)
        ledger = link.bank_account.ledger
        entry = ledger.entries[self._pick(link, transaction)]
        reverses = ledger.mode == "consistent" if with_reversal is None else with_reversal
        reversals = [reversal_of(entry, ledger.next_key)] if reverses else []
        behind = entry.key if entry.follows is None else entry.follows
        twin = replace(entry, key=ledger.next_key + len(reversals), follows=behind)
        self._post(link, [*reversals, twin], rerun=False)
        return row_documents(link, [entry, twin])

    def truncate(self, account: str, *, older_than: date) -> list[Row]:
        """Let the bank shorten its history to what is booked on or after a Lagos day; returns what is gone."""
        link = self.link(account)
        ledger, cut = link.bank_account.ledger, lagos_midnight(older_than)
        gone = row_documents(link, [entry for entry in ledger.in_order() if entry.date < cut])
        link.bank_account.ledger = ledger.truncate(cut)
        return gone

    def remint(self, account: str) -> None:
        """Give every row of the account a new id, as some fear of re-authorisation (Mono contract 7.4)."""
        self.link(account).remint()

    def reshuffle(self, account: str) -> None:
        """Serve the rows in another order from now on."""
        self.link(account).order_seed += 1

    def _open(
        self, *, transactions: int, seed: str | None, days: int, stamp: Stamp | None, balances: BalanceMode
    ) -> Link:
        return self.adopt(
            new_link(
                seed=seed or self.seed,
                number=self.next_number(),
                transactions=transactions,
                now=self.clock.now(),
                days=days,
                stamp=stamp,
                mode=balances,
            )
        )

    def _post(self, link: Link, entries: list[Entry], *, rerun: bool) -> list[Row]:
        entries = [replace(entry, date=stamped(link.bank_account, entry.date)) for entry in entries]
        link.bank_account.ledger = link.bank_account.ledger.post(entries, rerun=rerun)
        booked = link.bank_account.ledger.entries
        return row_documents(link, [booked[entry.key] for entry in entries])

    def _pick(self, link: Link, transaction: str | None, besides: Iterable[int] = ()) -> int:
        """The bank's key of the row, or of some row, always the same one for the same book."""
        if transaction is not None:
            return link.key_of(transaction)
        keys = sorted(link.bank_account.ledger.entries.keys() - set(besides))
        return Random(f"{link.bank_account.seed}:{len(keys)}").choice(keys)  # noqa: S311 (no secret)
