"""Accounts as `GET /v2/accounts/{id}` and `GET /v2/accounts` give them (Mono contract 3 and 4).

The BVN that both answers carry is never kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from mono_pipeline.core.discreet import Discreet
from mono_pipeline.core.errors import MonoUnintelligible
from mono_pipeline.core.wire.envelope import open_envelope, read_meta, refuse_flaws
from mono_pipeline.core.wire.refusal import Refusal
from mono_pipeline.core.wire.shape import Shape, shaped

if TYPE_CHECKING:
    from mono_pipeline.core.wire.document import Json


class ListedAccount(Discreet, frozen=True, kw_only=True):
    """An account of the list. `balance_minor` is in minor units of `currency`; `data_status` is upper case."""

    hidden = frozenset({"name", "account_number"})

    id: str
    name: str | None
    account_number: str | None
    currency: str | None
    balance_minor: int | None
    bank_code: str | None
    institution: str | None
    customer_id: str | None
    data_status: str | None


class AccountSnapshot(ListedAccount, frozen=True, kw_only=True):
    """An account by itself, with what Mono has of it (`retrieved_data`) and the platform's own reference (`ref`).

    `data_status` is sticky and says nothing about freshness (Mono contract 3).
    """

    retrieved_data: tuple[str, ...]
    ref: str | None

    @property
    def transactions_ready(self) -> bool:
        """Whether an empty page means "no transactions"; else it means "not yet" (Mono contract 2.5)."""
        return self.data_status == "AVAILABLE" or "transactions" in self.retrieved_data

    @property
    def still_processing(self) -> bool:
        """Whether Mono is still collecting: rows that it shows already may be a part of the history."""
        return self.data_status == "PROCESSING"

    def vouches_for(self, rows: int) -> bool:
        """Whether a reading of `rows` rows that ended before this was asked is all there was to read.

        Mono shows nothing while it fetches, and may have begun to since it was asked before the reading: an empty one
        (`rows` 0) needs a snapshot from behind it too.
        """
        return not self.still_processing and (rows > 0 or self.transactions_ready)


class AccountListPage(Struct, frozen=True, kw_only=True):
    """One page of the account list; `pages` is None where Mono does not say how many there are."""

    accounts: tuple[ListedAccount, ...]
    pages: int | None
    total: int
    has_next: bool


class _Institution(Shape, frozen=True):
    name: str | None = None
    bank_code: str | None = None


class _Customer(Shape, frozen=True):
    id: str | None = None


class _Account(Shape, frozen=True):
    id: Annotated[str, Meta(pattern=r"\A[0-9a-f]{24}\Z")]
    name: str | None = None
    account_number: str | None = None
    currency: Annotated[str, Meta(pattern=r"\A[A-Z]{3}\Z")] | None = None
    balance: Annotated[int, Meta(gt=-(2**63), le=2**63 - 1)] | None = None
    institution: _Institution | None = None
    customer: _Customer | None = None  # inside the account in the list, beside it in the snapshot
    status: str | None = None  # what the list calls data_status


class _SnapshotMeta(Shape, frozen=True):
    data_status: str | None = None
    retrieved_data: list[str] | None = None
    ref: str | None = None


class _Snapshot(Shape, frozen=True):
    account: _Account
    customer: _Customer | None = None
    meta: _SnapshotMeta | None = None


def parse_account(body: bytes, account_id: str) -> AccountSnapshot:
    """The account that was asked for.

    Raises:
        MonoUnintelligible: the answer is refused; `wrong_account` when it is another one.
    """
    snapshot = _validated(_Snapshot, open_envelope(body).payload)
    if snapshot.account.id != account_id:
        raise MonoUnintelligible(Refusal.WRONG_ACCOUNT)
    account, meta = snapshot.account, snapshot.meta or _SnapshotMeta()
    institution = account.institution or _Institution()
    return AccountSnapshot(
        id=account.id,
        name=account.name,
        account_number=account.account_number,
        currency=account.currency,
        balance_minor=account.balance,
        bank_code=institution.bank_code,
        institution=institution.name,
        customer_id=(snapshot.customer or _Customer()).id,
        data_status=_upper(meta.data_status),
        retrieved_data=tuple(meta.retrieved_data or ()),
        ref=meta.ref,
    )


def parse_account_list(body: bytes) -> AccountListPage:
    """One page of the account list.

    Raises:
        MonoUnintelligible: the answer is refused, also when only one account in it is broken: an import that leaves
            accounts out in silence would look complete.
    """
    envelope = open_envelope(body)
    if not isinstance(envelope.payload, list):
        raise MonoUnintelligible(Refusal.NOT_AN_ENVELOPE)
    meta = read_meta(envelope.meta)
    return AccountListPage(
        accounts=tuple(_listed(_validated(_Account, entry)) for entry in envelope.payload),
        pages=meta.pages,
        total=meta.total,
        has_next=bool(meta.next),
    )


def _listed(account: _Account) -> ListedAccount:
    institution = account.institution or _Institution()
    return ListedAccount(
        id=account.id,
        name=account.name,
        account_number=account.account_number,
        currency=account.currency,
        balance_minor=account.balance,
        bank_code=institution.bank_code,
        institution=institution.name,
        customer_id=(account.customer or _Customer()).id,
        data_status=_upper(account.status),
    )


def _validated[T: Shape](shape: type[T], part: Json) -> T:
    refuse_flaws(part)
    return shaped(shape, part, otherwise=Refusal.BAD_ACCOUNT)


def _upper(status: str | None) -> str | None:
    return None if status is None else status.upper()
