"""The live smoke test's ends: each cause has its exit code, every end is an event, and no secret is in any."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from mono_pipeline.core.errors import DependencyUnavailable
from monoctl.errors import Unanswered
from tests.unit.monoctl.stand_ins import (
    ACCOUNT,
    FakeReach,
    ScriptedApi,
    ScriptedOps,
    answer,
    connection_refused,
    run_document,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from monoctl.reach import SyncAnswer

PATH = Path(__file__).parents[3] / "live_mono_staging_smoke_test.py"
KEY = "live_sk_that_nobody_may_see"
VERIFIED = {"kind": "verified", "reason": None, "first_bad_day": None}
MISMATCH = {"kind": "mismatch", "reason": "days_differ", "first_bad_day": "2026-01-01"}
SIDE = {"rows": 1278, "credits": 5, "debits": 3, "balance": 2}


@pytest.fixture
def smoke_module() -> ModuleType:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("smoke_script", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def ran(inserted: int = 0, *, total: int = 1278, **fields: Any) -> SyncAnswer:
    """A completed run that inserted so many rows."""
    counts = {"seen": 1278, "inserted": inserted, "updated": 0, "unchanged": 1278 - inserted, "quarantined": 0}
    return answer("completed", run=run_document(counts=counts, mono_total=total, **fields))


def unverifiable(reason: str) -> SyncAnswer:
    """A completed run that cannot say."""
    return ran(verdict={"kind": "unverifiable", "reason": reason, "first_bad_day": None})


@pytest.fixture
def smoke(
    smoke_module: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, list[dict[str, Any]]]]:
    """Runs it against answers; returns the exit code and the events."""

    def run(
        *asks: SyncAnswer | Exception, verdict: dict[str, Any] | None = None, stored: int = 1278, **environ: str
    ) -> tuple[int, list[dict[str, Any]]]:
        told = {"verdict": verdict or VERIFIED, "bank": SIDE, "stored": {**SIDE, "rows": stored}}
        ops = ScriptedOps(
            lambda action, _arguments: {"imported": [ACCOUNT]} if action == "accounts.import" else {"event": {}, **told}
        )
        api = ScriptedApi(asks=[each for each in asks if not isinstance(each, Exception)])
        for each in asks:
            if isinstance(each, Exception):
                monkeypatch.setattr(api, "ask", _raising(each))
        monkeypatch.setattr(smoke_module, "connect", lambda _name: FakeReach(api=api, ops=ops))
        variables = {"MONO_SMOKE_ACCOUNT": ACCOUNT, "MONO_SMOKE_ENV": "local", **environ}
        code = smoke_module.main(variables)
        out = capsys.readouterr().out
        assert KEY not in out
        run.asked = ops.asked  # type: ignore[attr-defined]  # what the last run asked of the ops function
        return int(code), [json.loads(line) for line in out.splitlines()]

    return run


def _raising(error: Exception) -> Callable[..., Any]:
    def ask(*_: Any, **__: Any) -> Any:
        raise error

    return ask


def test_all_as_promised_is_0_with_totals(smoke: Any) -> None:
    """The second run inserted nothing, and both sides are in the totals."""
    code, events = smoke(ran(1278), ran(0))

    assert code == 0
    assert [each["event"] for each in events] == [
        "smoke.started",
        "smoke.imported",
        "smoke.synced",
        "smoke.synced",
        "smoke.verified",
        "smoke.mono_not_asked",
        "smoke.totals",
    ]
    totals = events[-1]
    assert (totals["exit_code"], totals["first_run"]["inserted"], totals["last_run"]["inserted"]) == (0, 1278, 0)
    assert totals["mono"] == totals["stored"] == SIDE


CAUSES: list[tuple[str, int, tuple[SyncAnswer | Exception, ...], dict[str, Any]]] = [
    ("second run inserts", 1, (ran(1278), ran(3)), {}),
    ("flag off", 3, (answer("deferred"),), {}),
    ("incomplete", 4, (answer("incomplete", run=run_document("incomplete", "unverifiable")),), {}),
    ("unverifiable", 4, (unverifiable("drift"),), {}),
    ("mismatch of the run", 5, (ran(verdict=MISMATCH),), {}),
    ("mismatch live", 5, (ran(1278), ran(0)), {"verdict": MISMATCH}),
    ("blocked", 6, (answer("account_blocked", reason="unlinked"),), {}),
    ("paused", 7, (answer("paused", reason="rate_budget"),), {}),
    ("stack down", 7, (connection_refused(),), {}),
    ("database down", 7, (DependencyUnavailable("PostgreSQL does not answer"),), {}),
    ("no answer", 8, (Unanswered("the answer broke off"),), {}),
    ("books without an end", 8, (ran(9, total=1), ran(2, total=3), ran(4, total=7)), {}),
]


@pytest.mark.parametrize(("code", "asks", "more"), [each[1:] for each in CAUSES], ids=[each[0] for each in CAUSES])
def test_each_cause_has_its_exit_code(smoke: Any, code: int, asks: Any, more: dict[str, Any]) -> None:
    """With a sentence, and the totals all the same."""
    got, events = smoke(*asks, **more)

    (failure,) = [each for each in events if each["event"] == "smoke.failed"]
    assert (got, failure["exit_code"], events[-1]["exit_code"]) == (code, code, code)
    assert failure["why"]
    assert events[-1]["event"] == "smoke.totals"


@pytest.mark.parametrize(
    "wrong",
    [
        {"MONO_SMOKE_ACCOUNT": ""},
        {"MONO_SMOKE_ACCOUNT": "x"},
        {"MONO_SMOKE_ENV": "prod"},
        {"MONO_SMOKE_SECONDS": "soon"},
        {"MONO_SMOKE_SECONDS": "0"},
    ],
)
def test_a_variable_that_is_missing_or_wrong_is_2(smoke: Any, wrong: dict[str, str]) -> None:
    """Before anything is asked; and prod is no place for a smoke test."""
    code, events = smoke(**wrong)
    assert (code, [each["event"] for each in events]) == (2, ["smoke.failed"])


@pytest.mark.parametrize("reason", ["balance_missing", "balance_backwards"])
def test_a_bank_without_running_balances_is_no_failure(smoke: Any, reason: str) -> None:
    """Mono's sandbox has them backwards; the rows are compared all the same."""
    assert smoke(unverifiable(reason), unverifiable(reason))[0] == 0


def test_rows_that_the_bank_has_booked_meanwhile_are_read_once_more(smoke: Any) -> None:
    """Mono has more than before: that the second run inserted them is right."""
    assert smoke(ran(1278), ran(2, total=1280), ran(0, total=1280))[0] == 0


def test_a_secret_in_a_message_is_taken_out(smoke: Any) -> None:
    """Whatever an error repeats."""
    code, events = smoke(Unanswered(f"refused: {KEY}"), MONO_SECRET_KEY=KEY)
    assert (code, "***" in events[-2]["why"]) == (8, True)


def test_with_its_key_mono_is_asked_past_the_stack(
    smoke: Any, smoke_module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another number of rows there is a mismatch, whatever the stack says."""

    class Client(smoke_module.MonoClient):  # type: ignore[name-defined,misc]  # the script's own
        """Answers from memory."""

        def __init__(self, **options: Any) -> None:
            page = {
                "data": [],
                "status": "successful",
                "meta": {"total": 1279, "page": 1, "previous": None, "next": None},
            }
            transport = httpx.MockTransport(lambda request: _answered(request, page))
            super().__init__(**options, transport=transport)

    monkeypatch.setattr(smoke_module, "MonoClient", Client)
    code, events = smoke(ran(1278), ran(0), MONO_SECRET_KEY=KEY)
    assert (code, events[-1]["mono_total"]) == (5, 1279)
    assert smoke(ran(1278), ran(0), stored=1279, MONO_SECRET_KEY=KEY)[0] == 0


def _answered(request: httpx.Request, page: dict[str, Any]) -> httpx.Response:
    assert request.headers["mono-sec-key"] == KEY
    assert f"/v2/accounts/{ACCOUNT}/transactions" in str(request.url)
    body = httpx.ByteStream(json.dumps(page).encode())
    return httpx.Response(200, stream=body, headers={"content-type": "application/json"})


def test_the_outcome_is_recorded_in_the_release_that_is_named(smoke: Any) -> None:
    """A failure too: it is the audit trail."""
    smoke(answer("deferred"), MONO_SMOKE_RELEASE="r1")

    action, said = smoke.asked[-1]
    assert (action, said["release_id"], said["kind"], said["detail"]["exit_code"]) == (
        "releases.record",
        "r1",
        "smoke.tested",
        3,
    )


def test_its_help_names_every_variable_and_exit_code() -> None:
    """What is documented is what is read."""
    text = PATH.read_text()
    page = text.partition('"""')[2].partition('"""')[0]
    read = set(re.findall(r'"(MONO_[A-Z_]+)"', text))
    assert read
    assert {name for name in read if name not in page} == set()
    for code in range(9):
        assert f"{code} " in page.partition("Exit codes")[2]
