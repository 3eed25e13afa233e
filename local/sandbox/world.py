"""Everything a sandbox holds, and the few things that all of its parts do with it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.sandbox.bank import Link, hexadecimal
from local.sandbox.clock import Clock
from local.sandbox.faults import FaultRules
from local.sandbox.genesis import mint_link_id
from local.sandbox.journal import Journal
from local.sandbox.outbox import Outbox, Webhook
from local.sandbox.pages import Selections
from local.sandbox.switches import Switches
from local.sandbox.webhooks import Event, EventName, Shape, webhook_body

if TYPE_CHECKING:
    from datetime import datetime

    from local.sandbox.realtime import Job
    from local.sandbox.replay import Replay

DEFAULT_KEY = "test_sk_sandbox"


class UnknownAccount(LookupError):
    """No account of the sandbox has this id."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """A hosted link that was handed out; completing it is what the customer does in Mono's widget."""

    token: str
    scope: str
    customer: dict[str, Any]
    account: str | None
    reference: str | None
    created_at: datetime


class World(ABC):
    """The state of a sandbox: its bank, its clock, its habits, its faults, and what was asked of it."""

    def __init__(self, *, seed: str = "1", secret_key: str = DEFAULT_KEY, now: datetime | None = None) -> None:
        self.seed = seed
        self.secret_key = secret_key
        self.clock = Clock(now)
        self.switches = Switches()
        self.links: dict[str, Link] = {}
        self.replays: dict[str, Replay] = {}
        self.sessions: dict[str, Session] = {}
        self.codes: dict[str, tuple[str, datetime]] = {}
        self.jobs: dict[str, Job] = {}
        self.rules = FaultRules()
        self.journal = Journal()
        self.outbox = Outbox()
        self.selections = Selections()
        self.numbered = 0
        self.app = hexadecimal(24, seed, "app")
        self.business = hexadecimal(24, seed, "business")

    @abstractmethod
    def operate(self, operation: str, arguments: dict[str, Any]) -> Any:
        """Carry out an operation of the control API by its name."""

    def link(self, account: str) -> Link:
        """The account's link.

        Raises:
            UnknownAccount: There is none.
        """
        try:
            return self.links[account]
        except KeyError:
            raise UnknownAccount(account) from None

    def next_number(self) -> int:
        """The number of the next account."""
        self.numbered += 1
        return self.numbered - 1

    def adopt(self, link: Link) -> Link:
        """Let Mono know the link."""
        self.links[link.id] = link
        return link

    def mint_link_id(self) -> str:
        """An id for one more link."""
        return mint_link_id(self.seed, self.next_number())

    def announce(self, name: EventName, link: Link, *, shape: Shape = "current", job: Job | None = None) -> Webhook:
        """Publish a webhook about the link."""
        event = Event(
            name=name,
            link=link,
            at=self.clock.now(),
            number=len(self.outbox.webhooks),
            app=self.app,
            business=self.business,
            shape=shape,
            sync_status=job.sync_status if job else None,
            job_id=job.id if job else None,
            job_name=job.name if job else "jobs.accounts.sync_statement",
            job_status=job.status if job else "finished",
            has_new_data=bool(job and job.has_new_data),
        )
        return self.outbox.publish(webhook_body(event))

    def last_job(self, account: str) -> Job | None:
        """The account's last real-time job."""
        return next((job for job in reversed(self.jobs.values()) if job.account == account), None)

    def end_job(self, job: Job) -> None:
        """Let a job end: the copy moves or not, and two webhooks say so, the job's first (Mono contract 5.3)."""
        link = self.link(job.account)
        job.end(link)
        self.announce("jobs_update", link, job=job)
        self.announce("account_updated", link, job=job)

    def settle(self) -> None:
        """End the jobs whose time has come."""
        now = self.clock.now()
        for job in self.jobs.values():
            if job.status == "processing" and job.ends_at is not None and job.ends_at <= now:
                self.end_job(job)
