"""Releases to be reported: their trails, and what the ops function and Prometheus tell of their time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from math import sin
from typing import TYPE_CHECKING, Any

import boto3
import httpx
import pytest
from moto import mock_aws

from mono_pipeline.core.errors import DatabaseUnavailable
from mono_pipeline.core.release_gate import LATENCY_SLA
from monoctl.preflight.alert_lines import WATCHDOG
from tests.unit.monoctl.stand_ins import FakeReach, Said, monoctl

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mypy_boto3_ssm import SSMClient

    type Row = dict[str, Any]

BEGAN = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
WHO = "ada@example.com"
CANARY = ("64779d900000000000ab0001", "64779d900000000000ab0002")
OTHERS = tuple(f"64779d900000000000ab{number:04x}" for number in range(3, 15))
HOSTILE = """<script>document.title='owned'</script><img src=x onerror="alert(1)"> "'&amp; ]]> </style></svg>"""
_ENDS = ("verified", "unverifiable", "mismatches", "failed", "stopped")


def minutes(number: float) -> datetime:
    """So long after the release began."""
    return BEGAN + timedelta(minutes=number)


@dataclass
class Trail:
    """A release and its events, as `releases.show` shows them."""

    reason: str = "launch: the first accounts of November"
    status: str = "open"
    events: list[Row] = field(default_factory=list)
    flag_version: int = 3
    flag: str = "false"

    def add(self, minute: float, kind: str, *, who: str = WHO, **detail: Any) -> None:
        """Something happened."""
        at = minutes(minute).isoformat()
        self.events.append({"id": len(self.events) + 1, "at": at, "actor": who, "kind": kind, "detail": detail})

    def flag_to(self, minute: float, value: str, *, why: str, seconds: float | None = None) -> None:
        """The flag was changed."""
        before = {"version": self.flag_version, "value": self.flag}
        self.flag_version, self.flag = self.flag_version + 1, value
        after = {"version": self.flag_version, "value": value}
        more = {} if seconds is None else {"propagation_seconds": seconds}
        self.add(minute, "flag.changed", before=before, after=after, why=why, **more)

    def gate(self, minute: float, stage: str, decision: str, reason: str, sentence: str, **judged: Any) -> None:
        """A window was judged."""
        alerts = {"canary": [], "fleet": judged.pop("firing", []), "fleet_before": [], "waived": False, "problem": None}
        cohort = {"accounts": 2, "completed": 12, "failed": 0, "p95_seconds": 0.61, "mismatches": 0, "suspicions": 0}
        self.add(
            minute,
            "gate.judged",
            stage=stage,
            decision=decision,
            reason=reason,
            sentence=sentence,
            open_seconds=900.0,
            canary={**cohort, **judged},
            rest={},
            alerts=alerts,
        )

    @property
    def release(self) -> Row:
        """The release itself."""
        return {
            "id": "20261124-090000",
            "began_at": BEGAN.isoformat(),
            "actor": WHO,
            "version": "1.4.0",
            "reason": self.reason,
            "status": self.status,
        }


def rule(percentage: float, *allowed: str) -> str:
    """A text of the flag."""
    names = ", ".join(f'"{each}"' for each in allowed)
    return f'{{"enabled": true, "percentage": {percentage}, "allow": [{names}]}}'


def promoted() -> Trail:
    """From nobody to everybody, with all that a careful operator does."""
    trail = Trail(status="promoted")
    lines = [{"name": name, "state": "pass", "says": "well", "fix": ""} for name in ("flag", "database", "queues")]
    trail.add(0.1, "preflight.checked", passed=True, lines=lines)
    url = "https://api.example.com/api/v1/webhooks/mono/integrations/mono/webhook"
    trail.add(0.1, "webhook.confirmed", url=url)
    trail.add(1, "shadow.compared", account_id=CANARY[0], verdict={"kind": "verified", "reason": None})
    trail.add(4, "smoke.tested", exit_code=0)
    trail.flag_to(5, rule(0, *CANARY), why="launch", seconds=3.4)
    trail.add(5, "canary.started", accounts=list(CANARY), minutes=15.0, every_minutes=3.0, without_alerts=None)
    trail.gate(20, "canary", "promote", "healthy", "12 complete runs of 2 accounts, p95 0.6 s, none failed")
    trail.add(22, "promotion.started", steps=[100, 500, 2500, 5000, 10000], minutes=15.0, reason="launch")
    at = 22.0
    for share, accounts, p95 in ((1, 1, 0.5), (5, 3, 0.7), (25, 4, 0.8), (50, 3, 1.1), (100, 4, 1.4)):
        trail.flag_to(at, rule(share, *CANARY), why=f"20261124-090000: {share} % (launch)")
        trail.add(at, "promotion.step", percentage=share * 100, accounts=accounts, before="", after="")
        at += 15
        trail.gate(
            at, f"{share} %", "promote", "healthy", f"{accounts * 5} complete runs, p95 {p95} s", p95_seconds=p95
        )
    trail.add(at, "promotion.finished", percentage=10000)
    trail.gate(at + 60, "watch", "promote", "healthy", "1,204 complete runs, p95 1.3 s, 2 failed", firing=[LATENCY_SLA])
    trail.add(at + 62, "data.verified", live=True, exit_code=0, verdicts={"verified": 14})
    trail.add(
        at + 65, "release.signed_off", who="bola@example.com", item="totals spot-checked", note="12 accounts, June"
    )
    return trail


def rolled_back() -> Trail:
    """A canary whose bank is slow, by people who write what breaks pages."""
    trail = Trail(status="rolled_back", reason=HOSTILE)
    trail.add(0.2, "preflight.checked", passed=False, lines=[{"name": HOSTILE, "state": "fail", "says": "", "fix": ""}])
    trail.flag_to(1, rule(0, CANARY[0]), why=HOSTILE, seconds=5.2)
    trail.add(1, "canary.started", accounts=[CANARY[0]], minutes=15.0, without_alerts=HOSTILE)
    trail.gate(
        7,
        HOSTILE,
        "roll_back",
        "latency",
        f"p95 of 6 fetches is 6.4 s, the SLA is 2 s {HOSTILE}",
        p95_seconds=6.4,
        failed=1,
        firing=[HOSTILE],
    )
    trail.flag_to(7.1, rule(0), why=f"rolled back (latency): {HOSTILE}")
    trail.add(7.1, "canary.stopped", accounts=[CANARY[0]], reason=HOSTILE)
    trail.add(
        7.2, "rollback.finished", scope="canary", reason="latency", sentence=f"p95 of 6 fetches is 6.4 s {HOSTILE}"
    )
    trail.add(9, "release.signed_off", item=HOSTILE, note=HOSTILE)
    return trail


class FiguresOps:
    """The ops function of an environment whose release is reported. `slow` makes its canary slow, and two runs fail."""

    def __init__(self, trail: Trail, *, slow: bool = False, away: frozenset[str] = frozenset()) -> None:
        self.trail = trail
        self.slow = slow
        self.away = away
        self.asked: list[tuple[str, Mapping[str, Any]]] = []

    def ask(self, action: str, **arguments: Any) -> Row:
        """Answer as the function does."""
        self.asked.append((action, arguments))
        if action in self.away:
            raise DatabaseUnavailable("PostgreSQL is away")
        answer: Row = getattr(self, f"_{action.partition('.')[2]}")(arguments)
        return answer

    def _list(self, _given: Mapping[str, Any]) -> Row:
        return {"releases": [self.trail.release]}

    def _show(self, _given: Mapping[str, Any]) -> Row:
        return {"release": self.trail.release, "events": self.trail.events, "next": None}

    def _starts(self, _given: Mapping[str, Any]) -> Row:
        return {"now": minutes(240).isoformat()}

    def _timeline(self, given: Mapping[str, Any]) -> Row:
        slots, errors, failed = [], [], 0
        for number, at in enumerate(_slots(given)):
            p95 = 0.55 + 0.12 * sin(number) + (5.5 if self.slow and number > 2 else 0.0)
            slots.append(_slot(at, canary=True, runs=2, p95=round(p95, 3)))
            if number % 9:
                slots.append(_slot(at, canary=False, runs=3 + number % 5, p95=round(0.9 + 0.35 * sin(number / 3), 3)))
            reasons = (
                {3: "mono_timeout", 4: "mono_server_error"}
                if self.slow
                else {31: "mono_server_error", 32: "mono_timeout"}
            )
            if reason := reasons.get(number):
                slots[-1]["failed"] = 1
                errors.append({"slot": at, "reason": reason, "failed": 1})
                failed += 1
        runs = sum(slot["completed"] + slot["failed"] for slot in slots)
        whole = {**_slot("", canary=True, runs=runs - failed, p95=6.4 if self.slow else 1.21), "failed": failed}
        whole |= {"accounts": 14, "slow": 4 * self.slow, "unverifiable": 1}
        return {"slots": slots, "errors": errors, "whole": whole}

    def _verdicts(self, given: Mapping[str, Any]) -> Row:
        slots = _slots(given)
        accounts = []
        for number, account in enumerate((*CANARY, *OTHERS)):
            cells = [
                {"slot": at, **dict.fromkeys(_ENDS, 0), "verified": 1 + (place + number) % 3}
                for place, at in enumerate(slots)
                if place >= number
            ]
            if number == 4 and cells:
                cells[0] |= {"failed": 1, "verified": 0}
            if number == 0 and len(cells) > 1:
                cells[1]["unverifiable"] = 1
            if self.slow and number == 0:
                cells[-1]["mismatches"] = 1
            counts = {name: sum(cell[name] for cell in cells) for name in _ENDS}
            why = HOSTILE if self.slow and number == 0 else "not_ready" if number == 0 else None
            row = {"account_id": account, "canary": account in CANARY, "runs": sum(counts.values()), "why": why}
            accounts.append({**row, **counts, "slots": cells})
        return {"found": 1_214, "accounts": accounts}

    def _letters(self, _given: Mapping[str, Any]) -> Row:
        account = {
            "account_id": OTHERS[3],
            "at": minutes(30).isoformat(),
            "failure_streak": 5,
            "reason": HOSTILE if self.slow else "mono_server_error",
            "run_id": None,
        }
        archived = {"type": "mono.fetch.failed", "reason": "mono_timeout", "archived_as": "purged"}
        action = {
            "action_id": "a",
            "action": "purge",
            "asked_by": WHO,
            "at": minutes(40).isoformat(),
            "finished_at": minutes(40).isoformat(),
            "refused": None,
            "seen": 2,
            "outcomes": {"purged": 2},
        }
        return {
            "found": 1,
            "accounts": [account],
            "archived": [{**archived, "messages": 2, "accounts": 2}],
            "actions": [action],
        }


def _slots(given: Mapping[str, Any]) -> list[str]:
    since, until = datetime.fromisoformat(given["since"]), datetime.fromisoformat(given["until"])
    count = int((until - since).total_seconds() // given["slot_seconds"]) + 1
    return [(since + timedelta(seconds=given["slot_seconds"] * number)).isoformat() for number in range(count)]


def _slot(at: str, *, canary: bool, runs: int, p95: float) -> Row:
    counts = dict.fromkeys(("incomplete", "failed", "stopped", "slow", "zero_runs", "unverifiable", "mismatches"), 0)
    ended = dict.fromkeys(("completed", "fetches", "verified"), runs)
    return {"slot": at, "canary": canary, "accounts": 2, "p95_seconds": p95, **counts, **ended}


class Queue:
    """The deployment's part: so many dead letters."""

    def queue(self, _name: str) -> Mapping[str, str]:
        """As SQS counts."""
        return {"ApproximateNumberOfMessages": "3"}


def alert_samples(
    firing: Mapping[str, tuple[float, float]], *, gap: tuple[float, float] = (0, 0)
) -> httpx.MockTransport:
    """A Prometheus that keeps when alerts fired, in minutes, and that was away in the gap."""

    def answer(request: httpx.Request) -> httpx.Response:
        start, end, step = (float(request.url.params[name]) for name in ("start", "end", "step"))
        every = [start + step * number for number in range(int((end - start) // step) + 1)]
        away = [minutes(each).timestamp() for each in gap]
        seen = [at for at in every if not away[0] <= at < away[1]]
        result = [{"metric": {"alertname": WATCHDOG}, "values": [[at, "1"] for at in seen]}]
        for name, (first, last) in firing.items():
            at_work = [at for at in seen if minutes(first).timestamp() <= at <= minutes(last).timestamp()]
            result.append({"metric": {"alertname": name}, "values": [[at, "1"] for at in at_work]})
        return httpx.Response(200, json={"status": "success", "data": {"resultType": "matrix", "result": result}})

    return httpx.MockTransport(answer)


def report(ops: FiguresOps, ssm: SSMClient | Any, *arguments: str) -> Said:
    """Run `monoctl report` where ops and SSM answer so."""
    reach = FakeReach(ops=ops, ssm=ssm)
    reach.deployment = Queue()  # type: ignore[attr-defined]
    return monoctl(*arguments, reach=reach, environment="prod", columns=120)


def sample_pages(folder: Path) -> dict[str, Path]:
    """Write two reports: of a release that went well, with Prometheus beside it, and of one that was rolled back."""
    transport = alert_samples({LATENCY_SLA: (130, 142), "MonoDeadLetters": (31, 40)}, gap=(60, 75))
    client = partial(httpx.Client, base_url="http://prometheus", transport=transport)
    good, bad = folder / "promoted.html", folder / "rolled_back.html"
    with mock_aws(), pytest.MonkeyPatch.context() as patched:
        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        ssm = boto3.client("ssm", region_name="eu-west-1", **keys)
        patched.setattr("monoctl.prometheus.httpx.Client", lambda **_: client())
        told = ("report", "--prometheus", "http://prometheus", "--output", str(good))
        assert report(FiguresOps(promoted()), ssm, *told).exit_code == 0
        assert report(FiguresOps(rolled_back(), slow=True), ssm, "report", "--output", str(bad)).exit_code == 0
    return {path.stem: path for path in (good, bad)}
