"""The answers of the sync API as values; a field that a newer server adds is kept in `document` alone."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True)


class RunVerdict(_Wire):
    """What a run says of the data; `kind` is None while it is under way."""

    kind: str | None = None
    reason: str | None = None
    first_bad_day: date | None = None


class RowCounts(_Wire):
    """What became of the rows: every row seen is exactly one of the other four."""

    seen: int
    inserted: int
    updated: int
    unchanged: int
    quarantined: int


class RunWindow(_Wire):
    """Booking dates, both included; both None where the run reads all there is."""

    start: date | None = None
    end: date | None = None


class RunReport(_Wire):
    """One run as the API shows it. `mono_total` is how many rows Mono says there are."""

    run_id: str
    account_id: str
    status: str
    verdict: RunVerdict
    counts: RowCounts
    window: RunWindow = RunWindow()
    started_at: datetime | None = None
    finished_at: datetime | None = None
    pages_read: int | None = None
    mono_total: int | None = None
    error_code: str | None = None


class Guidance(_Wire):
    """What a caller is told whose account the flag holds back."""

    flag: str
    parameter: str
    reason: str
    explanation: str
    enable: tuple[str, ...] = ()
    meanwhile: str = ""


class Problem(_Wire):
    """An error in the form of the public interface."""

    code: str
    message: str


class SyncAnswer(_Wire):
    """An answer of the API, whatever its HTTP status.

    Attributes:
        run_id: the run that holds the account, with `already_running` only.
        retry_after: seconds to stay away, where the API says so.
        flag_version: SSM's version of the flag that the API acted by; None where it does not say.
        document: the answer as it came.
    """

    status: str
    correlation_id: str = ""
    run: RunReport | None = None
    run_id: str | None = None
    guidance: Guidance | None = None
    warnings: tuple[str, ...] = ()
    reason: str | None = None
    error: Problem | None = None
    retry_after: int | None = None
    flag_version: int | None = None
    document: dict[str, Any] = Field(default_factory=dict, repr=False)

    @property
    def is_under_way(self) -> bool:
        """Whether the run has not ended."""
        return self.status in {"accepted", "running"}
