"""Whether what is stored of each row followed what the bank showed of it, in the bank's order.

A reading of the whole history puts any row right at the end, whatever a worker did to it in between. The versions that
it went through stay: a worker that writes what it had read long ago leaves one behind that turns back.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from uuid import UUID

    from mono_pipeline.adapters.postgres import Database
    from tests.chaos.bank import Contents

VERSIONS: Final = """
SELECT a.mono_account_id, v.mono_transaction_id, v.run_id, r.pass > 1 AS drifted, v.amount_minor, v.direction,
       v.narration, v.category, v.balance_after_minor, v.booking_date
  FROM transaction_versions v JOIN bank_accounts a ON a.id = v.account_id JOIN sync_runs r ON r.run_id = v.run_id
 ORDER BY a.mono_account_id, v.mono_transaction_id, v.version
"""


class Version(NamedTuple):
    """What a run stored of a row; one that `drifted` saw rows move from page to page, and read again."""

    run: UUID
    drifted: bool
    contents: Contents


def out_of_order(database: Database, shown: Mapping[tuple[str, str], Sequence[Contents]]) -> list[str]:
    """Every transaction with a version that the bank never showed, or had shown before the version ahead of it."""
    versions = [tuple(row.values()) for row in database.rows(VERSIONS)]
    return [
        f"{key} of {account}: {problem}"
        for (account, key), of_row in groupby(versions, key=lambda version: version[:2])
        if (problem := turns_back([Version(v[2], v[3], v[4:]) for v in of_row], shown.get((account, key), ())))
    ]


def turns_back(versions: Iterable[Version], shown: Sequence[Contents]) -> str | None:
    """What is wrong with the versions of one row; None where they follow `shown`.

    A run that drifted may turn back by itself: of two pages that were fetched together, each showed the row.
    """
    place, last = 0, None
    for version in versions:
        if last is not None and version.contents == last.contents:  # it disappeared, or came back as it was
            continue
        later = [at for at, each in enumerate(shown) if each == version.contents and at >= place]
        if later:
            place = later[0]
        elif version.contents not in shown:
            return f"the bank never showed {version.contents}, which run {version.run} stored"
        elif last is None or not (version.drifted and version.run == last.run):
            return f"run {version.run} stored {version.contents} again, after {last}"
        last = version
    return None
