"""What a group of accounts did in a window of time: the numbers that a release is judged by."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Final

from msgspec import Struct, field

from mono_pipeline.core.run import RunKind, RunStatus
from mono_pipeline.core.verdict import VerdictKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

SLA_SECONDS: Final = 2.0  # the fetch of an incremental run, at its 95th percentile
_PERCENTILE: Final = 0.95


class EndedRun(Struct, frozen=True, kw_only=True):
    """One run that ended in the window. `seconds` is how long Mono's answers were waited for."""

    account_id: str
    kind: RunKind
    status: RunStatus
    verdict: VerdictKind | None = None
    error_code: str | None = None
    seconds: float | None = None
    rows_seen: int = 0


class Cohort(Struct, frozen=True, kw_only=True):
    """A group of accounts in a window.

    Attributes:
        accounts: how many of them had a run that ended.
        completed, incomplete, failed, stopped: runs that ended so.
        errors: failed runs by their reason.
        fetches: incremental runs that ended with a verdict: those that the SLA is about.
        p95_seconds: of their fetches, the nearest rank; None where there is none.
        slow: fetches beyond the SLA.
        zero_runs: complete runs that read no row.
        verified, unverifiable, mismatches: verdicts.
        suspicions: duplicate suspicions raised in the window.
    """

    accounts: int = 0
    completed: int = 0
    incomplete: int = 0
    failed: int = 0
    stopped: int = 0
    errors: Mapping[str, int] = field(default_factory=dict)
    fetches: int = 0
    p95_seconds: float | None = None
    slow: int = 0
    zero_runs: int = 0
    verified: int = 0
    unverifiable: int = 0
    mismatches: int = 0
    suspicions: int = 0

    @property
    def judged_runs(self) -> int:
        """Runs that ended by themselves; one that the flag stopped says nothing of the release."""
        return self.completed + self.incomplete + self.failed

    @property
    def error_ratio(self) -> float:
        """Failed runs among those that ended by themselves, 0 to 1."""
        return self.failed / self.judged_runs if self.judged_runs else 0.0


def cohort_of(runs: Sequence[EndedRun], *, suspicions: int) -> Cohort:
    """Return what a group's runs come to."""
    fetches = [
        run.seconds
        for run in runs
        if run.kind is RunKind.INCREMENTAL and run.verdict is not None and run.seconds is not None
    ]
    complete = [run for run in runs if run.status is RunStatus.COMPLETED]
    failed = [run for run in runs if run.status is RunStatus.FAILED]
    return Cohort(
        accounts=len({run.account_id for run in runs}),
        completed=len(complete),
        incomplete=sum(run.status is RunStatus.INCOMPLETE for run in runs),
        failed=len(failed),
        stopped=sum(run.status is RunStatus.STOPPED for run in runs),
        errors=_counted(run.error_code or "unknown" for run in failed),
        fetches=len(fetches),
        p95_seconds=percentile(fetches),
        slow=sum(seconds > SLA_SECONDS for seconds in fetches),
        zero_runs=sum(run.rows_seen == 0 for run in complete),
        verified=sum(run.verdict is VerdictKind.VERIFIED for run in runs),
        unverifiable=sum(run.verdict is VerdictKind.UNVERIFIABLE for run in runs),
        mismatches=sum(run.verdict is VerdictKind.MISMATCH for run in runs),
        suspicions=suspicions,
    )


def percentile(seconds: Sequence[float]) -> float | None:
    """Return the 95th percentile by the nearest rank, as CloudWatch has it; None of nothing."""
    if not seconds:
        return None
    return sorted(seconds)[ceil(len(seconds) * _PERCENTILE) - 1]


def _counted(words: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for word in words:
        counts[word] = counts.get(word, 0) + 1
    return dict(sorted(counts.items()))
