"""A world for releases: a trail in memory, cohorts as a test says, an API that answers, Prometheus over a transport."""

from __future__ import annotations

import json
from collections import deque
from copy import replace
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
from msgspec.structs import asdict

from mono_pipeline.core.release_cohort import Cohort
from mono_pipeline.core.release_gate import REQUIRED_ALERTS
from monoctl.errors import OpsRefused
from tests.unit.monoctl.stand_ins import ACCOUNT, NOON, FakeClock, FakeReach, Said, answer, monoctl

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import date

    from mypy_boto3_ssm import SSMClient

    from monoctl.reach import SyncAnswer

LOCAL_FLAG = "/mono-pipeline/local/MONO_TRANSACTIONS_ENABLED"
WELL = Cohort(accounts=1, completed=5, fetches=5, p95_seconds=0.4, verified=5)
PROMETHEUS = "http://prometheus"
type Row = dict[str, Any]


class ReleaseOps:
    """The ops function's part: releases as they are kept, observations as they are scripted, runs that begin."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.releases: list[Row] = []
        self.events: list[Row] = []
        self.canary: Callable[[float], Cohort] = lambda _: WELL
        self.rest = Cohort()
        self.added = 7
        self.adds: list[int] = []  # by one step after the other; then `added`
        self.sample = [ACCOUNT]
        self.starts: Callable[[float], Row] = lambda _: {"started": 0, "last_started_seconds": None, "working": 0}
        self.shadows: dict[str, Row | OpsRefused] = {}
        self.more: Row = {}
        self.asked: list[tuple[str, Mapping[str, Any]]] = []
        self.down: set[str] = set()

    def ask(self, action: str, **arguments: Any) -> Row:
        """Answer as the function does."""
        self.asked.append((action, arguments))
        if action in self.down:
            raise OpsRefused("DatabaseUnavailable", "PostgreSQL is away")
        noun, _, verb = action.partition(".")
        if noun == "accounts":
            return {"account": {"mono_account_id": arguments["account_id"]}}
        answered: Row = getattr(self, f"_{verb}")(arguments)
        return answered

    def kinds(self) -> list[str]:
        """What happened, by its kinds."""
        return [event["kind"] for event in self.events]

    def detail(self, kind: str) -> Row:
        """Of the newest event of a kind."""
        found: Row = next(event["detail"] for event in reversed(self.events) if event["kind"] == kind)
        return found

    def _begin(self, given: Mapping[str, Any]) -> Row:
        begun = {
            "id": given["release_id"],
            "began_at": NOON.isoformat(),
            "actor": given["actor"],
            "version": given["version"],
            "reason": given["reason"],
            "status": "open",
        }
        self.releases.insert(0, begun)
        return {"release": begun}

    def _list(self, given: Mapping[str, Any]) -> Row:
        return {"releases": self.releases[: given["limit"]]}

    def _record(self, given: Mapping[str, Any]) -> Row:
        json.dumps(given["detail"])
        event = {
            "id": len(self.events) + 1,
            "at": NOON.isoformat(),
            "actor": given["actor"],
            "kind": given["kind"],
            "detail": given["detail"],
        }
        self.events.append(event)
        status = {"promotion.finished": "promoted", "rollback.finished": "rolled_back", "release.closed": "closed"}
        release = next(each for each in self.releases if each["id"] == given["release_id"])
        release["status"] = status.get(given["kind"], release["status"])
        return {"event": event}

    def _show(self, given: Mapping[str, Any]) -> Row:
        release = next(each for each in self.releases if each["id"] == given["release_id"])
        return {"release": release, "events": self.events, "next": None}

    def _observe(self, _given: Mapping[str, Any]) -> Row:
        return {
            "now": NOON.isoformat(),
            "canary": asdict(self.canary(self.clock.seconds)),
            "rest": asdict(self.rest),
            "rest_before": asdict(Cohort()),
            "accounts": [],
            **self.more,
        }

    def _shadow(self, given: Mapping[str, Any]) -> Row:
        found = self.shadows[given["account_id"]]
        if isinstance(found, OpsRefused):
            raise found
        return found

    def _cohort(self, given: Mapping[str, Any]) -> Row:
        return {"accounts": self.adds.pop(0) if self.adds else self.added, "sample": self.sample[: given["sample"]]}

    def _starts(self, given: Mapping[str, Any]) -> Row:
        if "since" not in given:
            return {"now": NOON.isoformat()}
        return {"now": NOON.isoformat(), "seconds": self.clock.seconds, "waiting": 0, **self.starts(self.clock.seconds)}


class EveryAsk:
    """An API that answers every sync: first as scripted, then that it is done."""

    def __init__(self, *first: str) -> None:
        self.first = deque(first)
        self.asked: list[str] = []

    def ask(self, account_id: str, *, start: date | None, end: date | None) -> SyncAnswer:
        """Answer a request for a sync."""
        assert (start, end) == (None, None)
        self.asked.append(account_id)
        return answer(self.first.popleft() if self.first else "completed")


@dataclass
class Letters:
    """The dead letters' part: so many, until they are purged."""

    messages: int = 0
    bodies: list[Row] = field(default_factory=list)

    def ask(self, body: Row) -> Row:
        """Answer an action that is done at once."""
        self.bodies.append(body)
        group = {"type": "mono.fetch.failed", "reason": "mono_server_error", "messages": self.messages, "accounts": 1}
        groups = [group] if self.messages else []
        if body["action"] == "purge":
            self.messages = 0
        return {"status": "completed", "groups": groups, "letters": [], "so_far": {}, "outcomes": {}, "dry_run": False}


class ReleaseWorld:
    """Runs monoctl in it."""

    def __init__(self, ssm: SSMClient) -> None:
        self.clock = FakeClock()
        self.ops = ReleaseOps(self.clock)
        self.api = EveryAsk()
        self.letters = Letters()
        self.ssm = ssm

    def run(self, *arguments: str, environment: str = "local", columns: int = 100) -> Said:
        """Run one command."""
        reach = FakeReach(api=self.api, ops=self.ops, dead_letters=self.letters, ssm=self.ssm)
        return monoctl(*arguments, reach=reach, clock=self.clock, environment=environment, columns=columns)

    @property
    def flag(self) -> str:
        """The flag's text."""
        return self.ssm.get_parameter(Name=LOCAL_FLAG)["Parameter"]["Value"]

    @flag.setter
    def flag(self, text: str) -> None:
        self.ssm.put_parameter(Name=LOCAL_FLAG, Value=text, Overwrite=True)


def rules(*firing: str, health: str = "ok", without: str = "") -> httpx.MockTransport:
    """A Prometheus in which these of the three alerts fire."""

    def answered(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/v1/query":
            return httpx.Response(200, json={"status": "success", "data": {"resultType": "vector", "result": []}})
        alerts = [
            {"name": name, "state": "firing" if name in firing else "inactive", "health": health}
            for name in REQUIRED_ALERTS
            if name != without
        ]
        return httpx.Response(200, json={"status": "success", "data": {"groups": [{"rules": alerts}]}})

    return httpx.MockTransport(answered)


def worse(cohort: Cohort = WELL, **changes: Any) -> Cohort:
    """A cohort with something wrong in it."""
    return replace(cohort, **changes)
