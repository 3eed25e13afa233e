"""What Mono sends, from bytes to values: validated rows, rejected rows, accounts, jobs; or the whole answer refused."""

from mono_pipeline.core.wire.accounts import (
    AccountListPage,
    AccountSnapshot,
    ListedAccount,
    parse_account,
    parse_account_list,
)
from mono_pipeline.core.wire.jobs import JobState, JobStatus, RealtimeJob, parse_job, realtime_job
from mono_pipeline.core.wire.quarantine import RejectedRow, RejectionReason
from mono_pipeline.core.wire.reauthorisation import parse_reauthorisation
from mono_pipeline.core.wire.refusal import REFUSALS, Refusal
from mono_pipeline.core.wire.transaction_page import TransactionPage
from mono_pipeline.core.wire.transactions import parse_transactions

__all__ = [
    "REFUSALS",
    "AccountListPage",
    "AccountSnapshot",
    "JobState",
    "JobStatus",
    "ListedAccount",
    "RealtimeJob",
    "Refusal",
    "RejectedRow",
    "RejectionReason",
    "TransactionPage",
    "parse_account",
    "parse_account_list",
    "parse_job",
    "parse_reauthorisation",
    "parse_transactions",
    "realtime_job",
]
