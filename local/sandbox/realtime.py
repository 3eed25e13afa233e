"""Real-time jobs: `x-realtime: true`, the five-minute rule, and what a job leaves behind (Mono contract 2.6)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from local.sandbox.bank import Link, SyncStatus

WINDOW = timedelta(minutes=5)
COST_NGN = 100

type JobStatus = Literal["processing", "finished", "failed"]


@dataclass(kw_only=True)
class Job:
    """One real-time session of one account; `cost_ngn` is charged only when it brings new data."""

    id: str
    account: str
    name: str
    started_at: datetime
    status: JobStatus = "processing"
    ends_at: datetime | None = None
    sync_status: SyncStatus | None = None
    has_new_data: bool = False

    @property
    def cost_ngn(self) -> int:
        """What Mono charges for it (Mono contract 1)."""
        return COST_NGN if self.has_new_data else 0

    def headers(self) -> dict[str, str]:
        """The response headers; `x-has-new-data` is sent only when true."""
        headers = {"x-job-id": self.id, "x-job-status": self.status}
        return {**headers, "x-has-new-data": "true"} if self.has_new_data else headers

    def document(self, *, app: str, business: str) -> dict[str, Any]:
        """`data` of `GET /v2/accounts/{id}/jobs/{jobId}`."""
        job = {"id": self.id, "status": self.status, "name": self.name, "account": self.account}
        return {**job, "business": business, "app": app}

    def is_recent(self, now: datetime) -> bool:
        """Whether its five minutes are not over."""
        return now < self.started_at + WINDOW

    def end(self, link: Link) -> None:
        """Bring the bank's rows into the stored copy, or find that the bank asks for the customer."""
        self.sync_status = link.sync_status or ("REAUTHORISATION_REQUIRED" if link.state == "dead" else "SUCCESSFUL")
        if self.sync_status == "SUCCESSFUL":
            self.status = "finished"
            self.has_new_data = link.refresh()
        else:
            self.status = "failed"
