"""The reckoning: what is stored against what the bank has, row by row, and how each row that differs came to be."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from tests.harness import as_stored

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mono_pipeline.adapters.postgres import Database, Row

_RUNS_TOLD: Final = 12

STORED: Final = """
SELECT t.mono_transaction_id, t.amount_minor, t.direction, t.narration, t.category, t.balance_after_minor,
       t.booking_date
  FROM bank_transactions t JOIN bank_accounts a ON a.id = t.account_id
 WHERE a.mono_account_id = :account AND t.disappeared_at IS NULL
"""
VERSIONS: Final = """
SELECT v.version, v.booking_date, v.amount_minor, v.direction, v.narration, v.balance_after_minor, v.changed_at,
       v.run_id, v.disappeared_at
  FROM transaction_versions v JOIN bank_accounts a ON a.id = v.account_id
 WHERE a.mono_account_id = :account AND v.mono_transaction_id = :id ORDER BY v.version
"""
EVIDENCE: Final = """
SELECT e.first_missed_at, e.first_missed_by, e.fresh_then
  FROM removal_evidence e JOIN bank_accounts a ON a.id = e.account_id
 WHERE a.mono_account_id = :account AND e.mono_transaction_id = :id
"""
SUSPICIONS: Final = """
SELECT d.old_id, d.new_id, d.status, d.raised_at, d.raised_by, d.decided_by
  FROM duplicate_suspicions d JOIN bank_accounts a ON a.id = d.account_id
 WHERE a.mono_account_id = :account AND :id IN (d.old_id, d.new_id) ORDER BY d.id
"""
QUARANTINE: Final = """
SELECT q.reason, q.quarantined_at, q.closed_at
  FROM quarantined_transactions q JOIN bank_accounts a ON a.id = q.account_id
 WHERE a.mono_account_id = :account AND q.mono_transaction_id = :id ORDER BY q.id
"""
# Newest first; `covers` is whether the run answers for the row's day.
RUNS: Final = """
SELECT r.run_id, r.kind, r.status, r.verdict, r.verdict_reason, r.window_start, r.window_end, r.requested_by,
       r.started_at, r.finished_at, r.hops, r.pass, r.rows_seen, r.mono_total, r.error_code,
       :day::date BETWEEN coalesce(r.window_start, '-infinity') AND coalesce(r.window_end, 'infinity') AS covers
  FROM sync_runs r JOIN bank_accounts a ON a.id = r.account_id
 WHERE a.mono_account_id = :account ORDER BY coalesce(r.started_at, r.requested_at) DESC LIMIT :most
"""
ACCOUNT: Final = """
SELECT pipeline_now() AS now, watermark, last_full_read_at, deep_read_due_at, fresh_as_of, next_attempt_at,
       failure_streak, dead_lettered_at, link_status, fence
  FROM bank_accounts WHERE mono_account_id = :account
"""


class Kind(StrEnum):
    """How a row differs from the bank's."""

    LOST = "lost"  # the bank has it
    EXTRA = "extra"  # the bank has not
    OTHER = "other"  # both have it, with other contents


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A row that is not the bank's; `history` is what the tables know of it, a line each."""

    account: str
    transaction: str
    kind: Kind
    history: list[str] = field(default_factory=list)


def differences(database: Database, account: str, bank_rows: list[dict[str, Any]]) -> list[Difference]:
    """Every row of the account that is stored and not the bank's (its wire documents), or the bank's and not stored."""
    stored = {row.pop("mono_transaction_id"): tuple(row.values()) for row in database.rows(STORED, account=account)}
    truth = {row["id"]: as_stored(row) for row in bank_rows}
    return [
        Difference(
            account=account,
            transaction=key,
            kind=kind,
            history=list(_history(database, account, key, stored.get(key), truth.get(key))),
        )
        for key, kind in sorted(_kinds(stored, truth).items())
    ]


def _kinds(stored: Mapping[str, tuple[Any, ...]], truth: Mapping[str, tuple[Any, ...]]) -> dict[str, Kind]:
    lost, extra = truth.keys() - stored.keys(), stored.keys() - truth.keys()
    other = {key for key in stored.keys() & truth.keys() if stored[key] != truth[key]}
    return dict.fromkeys(lost, Kind.LOST) | dict.fromkeys(extra, Kind.EXTRA) | dict.fromkeys(other, Kind.OTHER)


def _history(
    database: Database, account: str, key: str, stored: tuple[Any, ...] | None, truth: tuple[Any, ...] | None
) -> Iterator[str]:
    yield f"stored: {stored}"
    yield f"bank: {truth}"
    day = (stored or truth or (None,))[-1]
    asked = {"account": account, "id": key}
    for what, statement, parameters in (
        ("version", VERSIONS, asked),
        ("removal pending", EVIDENCE, asked),
        ("suspicion", SUSPICIONS, asked),
        ("quarantine", QUARANTINE, asked),
        ("account", ACCOUNT, {"account": account}),
        ("run", RUNS, {"account": account, "day": day, "most": _RUNS_TOLD}),
    ):
        for row in database.rows(statement, **parameters):
            yield f"{what}: {told(row)}"


def told(row: Row) -> str:
    """A row in words, without what it does not say."""
    return ", ".join(f"{name} {value}" for name, value in row.items() if value is not None)
