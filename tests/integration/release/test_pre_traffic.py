"""What CodeDeploy is told before new code gets traffic, and what a pre-flight asks the functions."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from local.sandbox.effects.answers import Status
from local.sandbox.faults import Fault
from mono_pipeline.core.deadline import Deadline
from mono_pipeline.usecases.operations import Operations
from mono_pipeline.usecases.pre_traffic import PreTraffic

if TYPE_CHECKING:
    from types import ModuleType

    from tests.harness import Pipeline

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[3]


def problem(pipeline: Pipeline, account: str = "", pending: tuple[str, ...] = ()) -> str | None:
    """What speaks against new code."""
    return PreTraffic(pipeline.worker).problem(pending=pending, account_id=account, deadline=Deadline.after(60))


def synced(pipeline: Pipeline) -> str:
    """An account with its history, all of which is read again."""
    account = pipeline.link(transactions=40)
    pipeline.sync(account)
    pipeline.rows("UPDATE bank_accounts SET watermark = NULL")
    return account


def test_nothing_speaks_against_code_that_reads_what_is_stored(pipeline: Pipeline) -> None:
    """The flag may be off: that is what a release begins with."""
    pipeline.ssm.set("false")
    account = synced(pipeline)
    pipeline.sandbox.add(account, count=2)

    assert problem(pipeline, account) is None
    assert "mono.release.shadow" in pipeline.witness.names()


def test_code_that_would_change_stored_money_gets_no_traffic(pipeline: Pipeline) -> None:
    """Named by the account and the first day."""
    account = synced(pipeline)
    pipeline.rows(
        """UPDATE bank_transactions SET amount_minor = amount_minor + 1
           WHERE id IN (SELECT min(id) FROM bank_transactions)"""
    )

    told = problem(pipeline, account)

    assert told is not None
    assert f"would change stored rows of {account}" in told


def test_a_flag_out_of_order_is_a_no(pipeline: Pipeline) -> None:
    """Malformed is off, and somebody should know before anything moves."""
    pipeline.ssm.set("flase")
    assert "malformed" in (problem(pipeline) or "")


def test_a_schema_that_is_behind_is_a_no(pipeline: Pipeline) -> None:
    """What comes after the code may be missing, what comes before it may not."""
    assert problem(pipeline, pending=("0099_post_drop",)) is None
    assert "0098_pre_add" in (problem(pipeline, pending=("0098_pre_add", "0099_post_drop")) or "")


class Hook:
    """The hook as Lambda runs it."""

    def __init__(self, module: ModuleType, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
        self.told: list[dict[str, str]] = []
        self.module = module
        self.monkeypatch = monkeypatch
        here = SimpleNamespace(observer=pipeline.witness, collaborators=pipeline.worker, owner_address=pipeline.address)
        monkeypatch.setattr(module, "environment", lambda: here)
        monkeypatch.setattr(module, "aws_client", self._client)
        monkeypatch.setattr(module, "MIGRATIONS", ROOT / "migrations")

    def _client(self, service: str, **_: Any) -> Any:
        assert service == "codedeploy"
        return SimpleNamespace(put_lifecycle_event_hook_execution_status=lambda **said: self.told.append(said))

    def __call__(self, *, account: str = "") -> str:
        """Ask for a deployment; return what CodeDeploy was told."""
        self.monkeypatch.setenv("SHADOW_ACCOUNT", account)
        context = SimpleNamespace(aws_request_id="r-1", get_remaining_time_in_millis=lambda: 60_000)
        event = {"DeploymentId": "d-1", "LifecycleEventHookExecutionId": "x-1"}
        try:
            self.module.handler(event, context)
        finally:
            (said,) = self.told
            assert (said["deploymentId"], said["lifecycleEventHookExecutionId"]) == ("d-1", "x-1")
        return said["status"]


@pytest.fixture
def hook(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> Hook:
    """The function's own module, with this pipeline and a CodeDeploy that listens."""
    spec = importlib.util.spec_from_file_location("pre_traffic_hook", ROOT / "functions/ops/pre_traffic.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return Hook(module, pipeline, monkeypatch)


def test_the_hook_says_yes(hook: Hook, pipeline: Pipeline) -> None:
    """With the schema that this code brings, read from the database."""
    assert hook(account=synced(pipeline)) == "Succeeded"


def test_the_hook_says_no_when_mono_cannot_be_read(hook: Hook, pipeline: Pipeline) -> None:
    """What cannot be looked at does not pass; the reason is in the log."""
    account = synced(pipeline)
    pipeline.sandbox.inject(Fault(effect=Status(status=500), path="*", times=None))

    assert hook(account=account) == "Failed"
    (told,) = [fields for name, fields in pipeline.witness.events if name == "mono.release.pre_traffic"]
    assert "Mono" in told["problem"]


def test_the_hook_says_no_when_the_schema_is_behind(hook: Hook, pipeline: Pipeline) -> None:
    """Found by itself: nobody hands it a list."""
    pipeline.rows("UPDATE alembic_version SET version_num = '0001'")
    assert hook() == "Failed"


def test_the_hook_says_no_when_it_breaks_itself(hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    """CodeDeploy would wait an hour for an answer that never comes; the error is Lambda's to report all the same."""

    def broken(_deadline: Deadline) -> str:
        raise LookupError("a defect")

    monkeypatch.setattr(hook.module, "_problem", broken)
    with pytest.raises(LookupError):
        hook()
    assert hook.told[0]["status"] == "Failed"


def ask(pipeline: Pipeline, action: str, **arguments: Any) -> dict[str, Any]:
    """An answer of the ops function, as JSON carries it."""
    answer = Operations(pipeline.worker).perform({"action": action, **arguments}, Deadline.after(60))
    return dict(json.loads(json.dumps(answer)))


def test_the_functions_tell_what_they_see(pipeline: Pipeline) -> None:
    """The flag by its own rules, the database by PostgreSQL's word, Mono by its answer; and no secret."""
    pipeline.link(transactions=1)
    pipeline.ssm.set('{"enabled": true, "percentage": 5}')

    flag, database = ask(pipeline, "preflight.flag"), ask(pipeline, "preflight.database")

    assert (flag["problem"], flag["off_for_everyone"], "5" in flag["rule"]) == (None, False, True)
    assert (database["sslmode"], database["tls"], database["role"]) == ("disable", False, "postgres")
    assert ask(pipeline, "preflight.mono") == {"reached": True, "accounts": 1, "problem": None}
    told = json.dumps([ask(pipeline, f"preflight.{what}") for what in ("settings", "flag", "database", "mono")])
    assert pipeline.sandbox.secret_key not in told


def test_a_mono_that_refuses_the_key_is_told_and_not_raised(pipeline: Pipeline) -> None:
    """It is a line of the pre-flight."""
    pipeline.sandbox.inject(Fault(effect=Status(status=401), path="*", times=None))

    told = ask(pipeline, "preflight.mono")

    assert (told["reached"], "401" in told["problem"]) == (False, True)


def test_an_event_has_arrived_when_a_worker_has_written_it_down(pipeline: Pipeline) -> None:
    """By its id, and not before; what is no id is refused."""
    assert ask(pipeline, "preflight.arrival", event_id="preflight-0123456789ab")["arrived"] is False
    pipeline.rows(
        """INSERT INTO webhook_inbox (event_key, kind, mono_account_id, received_at, effect, correlation_id)
           VALUES ('event:preflight-0123456789ab', 'unlinked', 'feed00000000000000000001', pipeline_now(),
                   'unknown_account', 'c')"""
    )

    told = ask(pipeline, "preflight.arrival", event_id="preflight-0123456789ab")

    assert (told["arrived"], told["effect"]) == (True, "unknown_account")
    assert ask(pipeline, "preflight.arrival", event_id="' OR true")["error"]["code"] == "InvalidInput"
