"""Stands in for an environment: scripted answers of the API and of the ops function, moto's SSM, a clock that obeys."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from typer.testing import CliRunner

from mono_pipeline.adapters.parameters import ParameterStore
from monoctl.app import app
from monoctl.reach import SyncAnswer
from monoctl.session import Wiring

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import date

    from mypy_boto3_ssm import SSMClient

    from monoctl.environment import EnvironmentName
    from monoctl.logbook import LogSource

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ACCOUNT = "64779d900000000000ab0001"
RUN = "0d4b9a52-7a2b-4b0e-8a53-2f6d7f1f9c10"
_PLAIN = {"NO_COLOR": "1", "MONOCTL_ENV": None, "MONOCTL_DEBUG": None}
GOLDEN = Path(__file__).parent / "golden"


def run_document(status: str = "completed", kind: str | None = "verified", **fields: Any) -> dict[str, Any]:
    """Return a run as the API shows it."""
    document = {
        "run_id": RUN,
        "account_id": ACCOUNT,
        "status": status,
        "verdict": {"kind": kind, "reason": None, "first_bad_day": None},
        "counts": {"seen": 1278, "inserted": 1270, "updated": 3, "unchanged": 4, "quarantined": 1},
        "window": {"start": None, "end": None},
        "started_at": "2026-11-24T11:59:00+00:00",
        "finished_at": "2026-11-24T11:59:04.200000+00:00",
        "pages_read": 13,
        "mono_total": 1278,
        "error_code": None,
    }
    return {**document, **fields}


def answer_document(status: str, **fields: Any) -> dict[str, Any]:
    """Return an answer of the API."""
    return {"operation": "sync_banking_transactions", "status": status, "correlation_id": "c-1", **fields}


def answer(status: str, **fields: Any) -> SyncAnswer:
    """Return an answer as the client reads it."""
    document = answer_document(status, **fields)
    return SyncAnswer.model_validate({**document, "document": document})


def account_row(number: int = 1, **fields: Any) -> dict[str, Any]:
    """Return an account as the ops function lists it."""
    row = {
        "mono_account_id": f"64779d900000000000ab{number:04x}",
        "mono_customer_id": "64779d900000000000cc0001",
        "reference": "TP-1001",
        "bank_code": "058",
        "currency": "NGN",
        "balance_minor": 123_456_789,
        "link_status": "linked",
        "data_status": "AVAILABLE",
        "watermark": "2026-11-23",
        "last_success_at": "2026-11-24 09:00:00+00:00",
        "last_full_read_at": "2026-11-20 09:00:00+00:00",
        "fresh_as_of": "2026-11-24 10:00:00+00:00",
        "stale": False,
        "slo_hours": 26,
        "realtime": "never",
        "realtime_off_reason": None,
        "realtime_asked_at": None,
        "next_attempt_at": "2026-11-24 21:00:00+00:00",
        "failure_streak": 0,
        "dead_lettered_at": None,
        "dead_letter_error": None,
        "run_id": RUN,
        "status": "completed",
        "verdict": "verified",
        "verdict_reason": None,
        "error_code": None,
        "transactions": 1278,
    }
    return {**row, **fields}


class ScriptedApi:
    """Answers in the order of its script; a script's error is raised. Keeps what it was asked."""

    def __init__(self, *, asks: Iterable[SyncAnswer] = (), looks: Iterable[SyncAnswer | Exception] = ()) -> None:
        self._asks, self._looks = deque(asks), deque(looks)
        self.asked: list[tuple[str, date | None, date | None]] = []
        self.looked: list[str] = []

    def ask(self, account_id: str, *, start: date | None, end: date | None) -> SyncAnswer:
        """Answer a request for a sync."""
        self.asked.append((account_id, start, end))
        return self._asks.popleft()

    def run(self, run_id: str) -> SyncAnswer:
        """Answer a look at a run."""
        self.looked.append(run_id)
        found = self._looks.popleft()
        if isinstance(found, Exception):
            raise found
        return found


ENDLESS = 50  # invocations; no test needs so many, so a command that asks for more does not end


class ScriptedOps:
    """Answers each action with `answer(action, arguments)`, and keeps what it was asked."""

    def __init__(self, answer: Callable[[str, Mapping[str, Any]], dict[str, Any]]) -> None:
        self._answer = answer
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def ask(self, action: str, **arguments: Any) -> dict[str, Any]:
        """Answer."""
        self.asked.append((action, arguments))
        assert len(self.asked) < ENDLESS, "it asks without an end"
        return self._answer(action, arguments)


@dataclass
class FakeReach:
    """An environment of which a test has only what it needs."""

    api: Any = None
    ops: Any = None
    dead_letters: Any = None
    ssm: SSMClient | Any = None
    logs: LogSource | Any = None
    prometheus: str | None = None
    who: str = "ada@example.com"

    @property
    def parameters(self) -> ParameterStore:
        """As values."""
        return ParameterStore(lambda: self.ssm)


@dataclass
class FakeClock:
    """Time passes by pausing alone."""

    seconds: float = 0.0
    pauses: list[float] = field(default_factory=list)

    def pause(self, seconds: float) -> None:
        """Let time pass."""
        self.pauses.append(seconds)
        self.seconds += seconds


@dataclass(frozen=True)
class Said:
    """What a command said, and how it ended."""

    exit_code: int
    stdout: str
    stderr: str


def monoctl(
    *arguments: str,
    reach: FakeReach | None = None,
    clock: FakeClock | None = None,
    environment: str | None = "local",
    typed: str | None = None,
    columns: int = 80,
    variables: Mapping[str, str] | None = None,
    went_to: Callable[[EnvironmentName], object] = lambda _: None,
) -> Said:
    """Run monoctl on a terminal of this width; an error that it does not explain fails the test.

    `went_to` is told the environment when the command goes there.
    """
    ticking = clock or FakeClock()

    def connect(name: EnvironmentName) -> FakeReach:
        went_to(name)
        return reach or FakeReach()

    wiring = Wiring(
        connect=connect,
        now=lambda: NOON,
        monotonic=lambda: ticking.seconds,
        pause=ticking.pause,
    )
    where = ["--env", environment] if environment else []
    result = CliRunner().invoke(
        app,
        [*where, *arguments],
        obj=wiring,
        input=typed,
        env={**_PLAIN, "COLUMNS": str(columns), **(variables or {})},
        catch_exceptions=False,
    )
    return Said(exit_code=result.exit_code, stdout=result.stdout, stderr=result.stderr)


def golden(name: str) -> str:
    """Return a text that is to be seen, and that docs/monoctl.md shows."""
    return (GOLDEN / f"{name}.txt").read_text()


def without_margins(text: str) -> str:
    """Return a text without the blanks at its lines' ends, which nobody sees."""
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def connection_refused() -> httpx.ConnectError:
    """Return what httpx raises when nobody listens."""
    return httpx.ConnectError("refused", request=httpx.Request("POST", "http://127.0.0.1:3000/api"))
