"""Makes customers, accounts and histories out of a seed: the same seed and clock give the same bank, at any size."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from typing import TYPE_CHECKING

from local.sandbox.bank import BankAccount, Customer, Institution, Link, Stamp, hexadecimal
from local.sandbox.clock import LAGOS, lagos_midnight
from local.sandbox.ledger import BalanceMode, Entry, Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator

# Codes as Mono sends them, CBN and NIP mixed (Mono contract 3).
INSTITUTIONS = tuple(
    Institution(id=hexadecimal(24, "institution", code), name=name, bank_code=code)
    for name, code in (
        ("Standard Chartered", "068"),
        ("Kuda Bank", "090267"),
        ("ALAT by WEMA", "035"),
        ("United Bank for Africa", "033"),
        ("Zenith Bank", "057"),
        ("GTBank", "058"),
    )
)
NARRATIONS = (
    "NIP/KUDA/SANDBOX CUSTOMER/TRANSFER {}",
    "POS/WEB PMT NO LOCATION/{}",
    "USSD/AIRTIME TOP UP/{}",
    "NIP CR/INVOICE SETTLEMENT/{}",
    "SMS ALERT CHARGE {}",
    "CARD SETTLEMENT/{}",
)
OPENING = 10_000_000
LARGEST_AMOUNT = 7_000_000
# The second of the captured account's id, so that made ids look like real ones.
EPOCH = 0x686265C6


def mint_link_id(seed: str, number: int) -> str:
    """The 24-digit id of the `number`th account of a sandbox; it depends on the seed alone, not on the clock."""
    return f"{EPOCH + number:08x}{hexadecimal(16, seed, 'link', number)}"


def new_customer(seed: str, number: int) -> Customer:
    """The `number`th customer."""
    return Customer(
        id=f"{EPOCH + number:08x}{hexadecimal(16, seed, 'customer', number)}",
        name=f"Sandbox Customer {number + 1}",
        email=f"customer-{number + 1}@example.com",
    )


def new_link(
    *, seed: str, number: int, transactions: int, now: datetime, days: int, stamp: Stamp | None, mode: BalanceMode
) -> Link:
    """A linked account with a history of `transactions` rows over the last `days` days.

    Args:
        seed: The sandbox's seed, or one for this account alone.
        number: Which account of the sandbox this is; decides its ids, its bank and, unless given, its stamp.
        transactions: The length of the history.
        now: The instant at which the history ends.
        days: How far back it goes.
        stamp: How the bank dates rows; None alternates between the two over the accounts.
        mode: How the bank supplies running balances.
    """
    customer = new_customer(seed, number)
    account = BankAccount(
        seed=f"{seed}:{number}",
        institution=INSTITUTIONS[number % len(INSTITUTIONS)],
        name=customer.name,
        account_number=f"{int(hexadecimal(12, seed, 'number', number), 16) % 10**10:010d}",
        bvn=f"{int(hexadecimal(12, seed, 'bvn', number), 16) % 10**11:011d}",
        type="SAVINGS_ACCOUNT",
        currency="NGN",
        stamp=stamp or ("midnight" if number % 2 == 0 else "instant"),
        ledger=Ledger(opening=OPENING, mode=mode),
    )
    instants = spread(transactions, now=now, days=days, seed=account.seed)
    account.ledger = account.ledger.post(new_entries(account, instants)).rerun_balances()
    return Link(id=mint_link_id(seed, number), customer=customer, bank_account=account, linked_at=now)


def spread(count: int, *, now: datetime, days: int, seed: str) -> list[datetime]:
    """`count` instants of the last `days` days, oldest first, in whole milliseconds."""
    random = Random(f"{seed}:instants")  # noqa: S311 (a made-up history, not a secret)
    span = days * 86_400_000
    end = now.replace(microsecond=0)
    return [
        end - timedelta(milliseconds=back)
        for back in sorted((random.randrange(span) for _ in range(count)), reverse=True)
    ]


def new_entries(account: BankAccount, instants: list[datetime]) -> Iterator[Entry]:
    """Entries of made-up amount and narration at `instants`, numbered on from the account's last one."""
    first = account.ledger.next_key
    running = account.ledger.balance
    for key, instant in enumerate(instants, start=first):
        random = Random(f"{account.seed}:{key}")  # noqa: S311 (a made-up history, not a secret)
        amount = random.randint(1_000, LARGEST_AMOUNT)
        debit = amount <= running and random.random() < 0.5  # noqa: PLR2004 (an even chance)
        running += -amount if debit else amount
        yield Entry(
            key=key,
            amount=amount,
            type="debit" if debit else "credit",
            narration=random.choice(NARRATIONS).format(key + 1),
            date=stamped(account, instant),
            currency=account.currency,
        )


def stamped(account: BankAccount, instant: datetime) -> datetime:
    """The instant as this bank writes it: itself, or midnight in Lagos of its day."""
    return instant if account.stamp == "instant" else lagos_midnight(instant.astimezone(LAGOS).date())
