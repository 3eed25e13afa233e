"""Whether what is stored of each row followed what the bank showed of it, in the bank's order.

A reading of the whole history puts any row right at the end, whatever a worker did to it in between. The versions that
it went through stay: a worker that writes what it had read long ago leaves one behind that turns back.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from uuid import UUID

    from mono_pipeline.adapters.postgres import Database
    from tests.chaos.bank import Contents

VERSIONS: Final = """
SELECT a.mono_account_id, v.mono_transaction_id, v.run_id, v.amount_minor, v.direction, v.narration, v.category,
       v.balance_after_minor, v.booking_date
  FROM transaction_versions v JOIN bank_accounts a ON a.id = v.account_id
 ORDER BY a.mono_account_id, v.mono_transaction_id, v.version
"""


def out_of_order(database: Database, shown: Mapping[tuple[str, str], Sequence[Contents]]) -> list[str]:
    """Every transaction with a version that the bank never showed, or had shown before the version ahead of it."""
    versions = [tuple(row.values()) for row in database.rows(VERSIONS)]
    return [
        f"{key} of {account}: {problem}"
        for (account, key), of_row in groupby(versions, key=lambda version: version[:2])
        if (problem := turns_back([(v[2], v[3:]) for v in of_row], shown.get((account, key), ())))
    ]


def turns_back(versions: Iterable[tuple[UUID, Contents]], shown: Sequence[Contents]) -> str | None:
    """What is wrong with the versions (run and contents) of one row; None where they follow `shown`.

    One run may turn back by itself: pages that are fetched together may show a row twice while the bank changes.
    """
    place, last_run, last = 0, None, None
    for run, contents in versions:
        if contents == last:  # it disappeared, or came back as it was
            continue
        later = [at for at, each in enumerate(shown) if each == contents and at >= place]
        if later:
            place = later[0]
        elif contents not in shown:
            return f"the bank never showed {contents}, which run {run} stored"
        elif run != last_run:
            return f"run {run} stored {contents} again, after {last}"
        last_run, last = run, contents
    return None
