"""What every fault row ends with: the fault is over, ticks come, and the tables are the bank."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mono_pipeline.core.run import RunKind, RunStatus
from mono_pipeline.core.verdict import VERIFIED
from tests.invariants import WRITTEN, broken

if TYPE_CHECKING:
    from mono_pipeline.core.run import Account
    from mono_pipeline.usecases.account_sync import RunEnd
    from tests.harness import Pipeline

MOST_TICKS = 2
_AFTER_EVERY_WAIT = 660  # a lease is over by then, and an open run has been quiet for long enough to be woken again


@dataclass(frozen=True, kw_only=True)
class Recovery:
    """How many ticks it took, and how many rows are stored."""

    ticks: int
    rows: int


def recover(pipeline: Pipeline, account: str) -> Recovery:
    """End the sandbox's faults, let ticks come until the account's newest run is complete and verified, and check all.

    Checks: at most two ticks, the invariants, the live rows are the bank's (I1), and a full reading of the unchanged
    bank writes nothing (I9).
    """
    pipeline.sandbox.clear_faults()
    ticks = 0
    while not _verified(pipeline, account):
        ticks += 1
        assert ticks <= MOST_TICKS, [
            (run["kind"], run["status"], run["verdict_reason"], run["error_code"]) for run in pipeline.runs(account)
        ]
        tick(pipeline, account)
    equal_to_the_bank(pipeline, account)
    return Recovery(ticks=ticks, rows=len(pipeline.stored(account)))


def tick(pipeline: Pipeline, account: str) -> None:
    """Let time pass until the account is due and every lease is over; then a tick, and all that it woke."""
    pipeline.let_pass(seconds=int(max(0.0, pipeline.seconds_to_next_attempt(account))) + _AFTER_EVERY_WAIT)
    pipeline.tick()
    serve(pipeline)


def serve(pipeline: Pipeline) -> None:
    """Deliver every message that is waiting, and those that they cause."""
    while messages := pipeline.daily.drain() + pipeline.backfill.drain():
        for message in messages:
            pipeline.wake(message.account_id, message=message)


def sound(pipeline: Pipeline) -> None:
    """Assert that no invariant is broken."""
    assert broken(pipeline.worker.database) == []


def equal_to_the_bank(pipeline: Pipeline, account: str) -> None:
    """Assert the invariants, equality with the bank, and that reading it all once more writes nothing."""
    sound(pipeline)
    assert pipeline.stored(account) == pipeline.truth(account)
    before = pipeline.rows(WRITTEN)
    again = pipeline.sync(account, kind=RunKind.FULL)
    assert (again.status, again.verdict) == (RunStatus.COMPLETED, VERIFIED)
    assert pipeline.rows(WRITTEN) == before
    sound(pipeline)


def account_of(pipeline: Pipeline, account: str) -> Account:
    """The account as the engine knows it."""
    return pipeline.worker.accounts.find(account)


def told(end: RunEnd) -> str:
    """How a run ended, in a word or two."""
    if end.status is RunStatus.FAILED:
        return f"failed {end.error_code}"
    if end.paused is not None:
        return f"paused {end.paused.reason}"
    if end.verdict is None:
        return str(end.status)
    return str(end.verdict.kind) + (f" {end.verdict.reason}" if end.verdict.reason else "")


def counts(pipeline: Pipeline) -> dict[str, Any]:
    """Rows, versions and quarantined rows in the tables."""
    return pipeline.rows(
        """SELECT (SELECT count(*) FROM bank_transactions) AS rows,
                  (SELECT count(*) FROM bank_transaction_versions) AS versions,
                  (SELECT count(*) FROM quarantined_transactions WHERE closed_at IS NULL) AS quarantined"""
    )[0]


def negative_durations(pipeline: Pipeline) -> int:
    """Runs that ended before they began, and versions that were superseded before they were in force."""
    row = pipeline.rows(
        """SELECT (SELECT count(*) FROM sync_runs WHERE finished_at < started_at)
                + (SELECT count(*) FROM bank_transaction_versions WHERE superseded_at < changed_at) AS negative"""
    )[0]
    return int(row["negative"])


def _verified(pipeline: Pipeline, account: str) -> bool:
    runs = pipeline.runs(account)
    return bool(runs) and all(run["status"] != "running" for run in runs) and runs[-1]["verdict"] == "verified"
