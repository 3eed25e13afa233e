"""The release rows of the fault matrix, R1 to R6: each by the name of its row."""
# ruff: noqa: N802 - a test carries the name of its row

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from local.sandbox.sandbox import Sandbox
from local.template import Template
from mono_pipeline.core.deadline import Deadline
from mono_pipeline.core.flag import bucket
from mono_pipeline.usecases.operations import Operations
from tests.earlier_code import before_the_newest_migration, check_out, its_tests_on_our_schema
from tests.harness import Pipeline

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration

RAMP = (0, 1, 10, 50, 100)
OLD_SYNC = """
import sys
sys.path[:0] = [sys.argv[1], sys.argv[1] + "/layers/common"]
from local.sandbox.sandbox import Sandbox
from mono_pipeline.adapters.postgres import DatabaseAddress
from tests.harness import Pipeline
import tests.harness
assert tests.harness.__file__.startswith(sys.argv[1])
address = DatabaseAddress(host="127.0.0.1", port=int(sys.argv[2]), database=sys.argv[3], user="postgres")
pipeline = Pipeline(address, Sandbox(seed="two versions"))
account = str(pipeline.sandbox.create_account(transactions=120)["id"])
pipeline.import_account(account)
row = pipeline.run_row(pipeline.sync(account))
print(account, row["verdict"], row["rows_inserted"], row["rows_updated"], row["rows_unchanged"])
pipeline.close()
"""


def begun(pipeline: Pipeline) -> set[str]:
    """The accounts of which a run has begun."""
    rows = pipeline.rows(
        """SELECT DISTINCT a.mono_account_id AS id FROM sync_runs r JOIN bank_accounts a ON a.id = r.account_id
           WHERE r.started_at IS NOT NULL"""
    )
    return {row["id"] for row in rows}


def round_of_work(pipeline: Pipeline, accounts: list[str]) -> None:
    """A tick at which every account is due, a webhook of each, and all messages that come of it; the bank books on."""
    for account in accounts:
        pipeline.sandbox.add(account, count=1)
    pipeline.rows("UPDATE bank_accounts SET next_attempt_at = pipeline_now() - interval '1 minute'")
    pipeline.tick()
    for account in accounts:
        pipeline.wake(account)
    pipeline.drain()


def test_R1_ramp_during_traffic(pipeline: Pipeline) -> None:
    """0 -> 1 -> 10 -> 50 -> 100 -> 0 %: each step only adds, off begins nothing, and in the end nothing is lost."""
    accounts = [pipeline.link(transactions=8, days=20) for _ in range(30)]
    seen: list[set[str]] = []
    for percentage in RAMP:
        pipeline.ssm.set(json.dumps({"enabled": True, "percentage": percentage, "salt": "R1"}))
        round_of_work(pipeline, accounts)
        seen.append(begun(pipeline))
        assert seen[-1] == {each for each in accounts if bucket("R1", each) < percentage * 100}
    assert all(earlier <= later for earlier, later in pairwise(seen))
    assert 0 < len(seen[2]) < len(seen[3]) < len(seen[4]) == len(accounts)
    count = "SELECT count(*) AS runs FROM sync_runs WHERE started_at IS NOT NULL"
    pipeline.ssm.set(json.dumps({"enabled": True, "percentage": 0, "salt": "R1"}))
    before = pipeline.rows(count)
    round_of_work(pipeline, accounts)
    assert pipeline.rows(count) == before

    pipeline.ssm.set("true")
    round_of_work(pipeline, accounts)

    for account in accounts:
        assert pipeline.stored(account) == pipeline.truth(account)


def test_R2_old_and_new_code_on_one_account(pipeline: Pipeline, tmp_path: Path) -> None:
    """Old, new, old: whoever comes second finds every row as it would write it, and writes none."""
    _, commit = before_the_newest_migration()
    check_out(commit, tmp_path)
    first = old_sync(pipeline, tmp_path)
    new = Pipeline(pipeline.address, Sandbox(seed="two versions"))
    account = str(new.sandbox.create_account(transactions=120)["id"])
    assert first == [account, "verified", "120", "0", "0"]

    second = new.run_row(new.sync(account))
    third = old_sync(pipeline, tmp_path)

    assert (second["verdict"], second["rows_inserted"], second["rows_updated"]) == ("verified", 0, 0)
    assert second["rows_unchanged"] > 0
    assert third[1:4] == ["verified", "0", "0"]
    assert new.stored(account) == new.truth(account)
    assert pipeline.rows("SELECT count(*) AS versions FROM bank_transaction_versions") == [{"versions": 0}]
    new.close()


# What a release lives by: the sync, the flag, the audit trail, links that come and go, accounts that are given up.
ITS_TESTS = (
    "tests/integration/test_sync.py",
    "tests/integration/engine/test_engine_flag.py",
    "tests/integration/release/test_release_log.py",
    "tests/integration/lifecycle/test_arrival_and_flag.py",
    "tests/integration/dead_letters/test_failure_streak.py",
)


def test_R3_code_rolled_back_after_a_migration(tmp_path: Path) -> None:
    """The code before the newest migration passes its own tests of a release's parts on the new schema."""
    _, commit = before_the_newest_migration()
    check_out(commit, tmp_path)

    ran = its_tests_on_our_schema(tmp_path, *ITS_TESTS)

    assert ran.returncode == 0, ran.stdout[-3000:]
    assert " passed" in ran.stdout
    assert "failed" not in ran.stdout


GARBAGE = {
    "a word": "tru",
    "below": '{"enabled": true, "percentage": -5}',
    "beyond": '{"enabled": true, "percentage": 101}',
    "nothing": "",
    "no switch": '{"percentage": 100}',
    "an unknown key": '{"enabled": true, "percent": 100}',
    "a huge list": json.dumps({"enabled": True, "percentage": 100, "allow": [f"{each:024x}" for each in range(200)]}),
}


@pytest.mark.parametrize("what", GARBAGE)
def test_R4_garbage_is_off(pipeline: Pipeline, what: str) -> None:
    """At once, with a good value before it: no run begins, Mono is not asked, and the alarm is told why."""
    account = pipeline.link(transactions=10)
    assert pipeline.ask(account).status in {"completed", "accepted"}
    pipeline.drain()
    runs = len(pipeline.runs(account))
    pipeline.sandbox.clear_requests()
    pipeline.ssm.set(GARBAGE[what])

    answered = pipeline.ask(account)
    pipeline.wake(account)
    pipeline.tick()
    pipeline.drain()

    assert (answered.status, len(pipeline.runs(account))) == ("deferred", runs)
    assert answered.guidance is not None
    assert answered.guidance.reason == "ERROR"
    assert pipeline.page_requests(account) == []


def test_R5_a_canary_s_alarm_turns_the_flag_off() -> None:
    """By the template alone: deployments go back by alarms that exist, and a rule leads from alarms to a `false`."""
    template = Template.expand(parameters={"Environment": "prod", "ShadowAccount": "64779d900000000000ab0001"})
    alarms = dict(template.resolved("AWS::CloudWatch::Alarm"))
    groups = dict(template.of_type("AWS::CodeDeploy::DeploymentGroup"))
    assert len(groups) == 3
    for group in groups.values():
        assert group["AlarmConfiguration"]["Enabled"] is True
        assert {each["Name"]["Ref"] for each in group["AlarmConfiguration"]["Alarms"]} < set(alarms)
        assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]
    (rule,) = [rule for _, rule in template.resolved("AWS::Events::Rule") if "CloudWatch Alarm" in json.dumps(rule)]
    ((machine_id, machine),) = template.resolved("AWS::StepFunctions::StateMachine")
    off = machine["Definition"]["States"]["TurnOff"]

    assert rule["EventPattern"]["detail"] == {"state": {"value": ["ALARM"]}}
    fires = {arn.rpartition(f"{template.stack_name}-")[2] for arn in rule["EventPattern"]["resources"]}
    assert {"MismatchAlarm", "WorkerErrorsAlarm"} < fires <= set(alarms)
    assert machine_id == "AutomaticRollbackMachine"
    assert [target["Arn"] for target in rule["Targets"]] == [
        template.arn("states", f"stateMachine:{machine['StateMachineName']}")
    ]
    assert off["Resource"].endswith("ssm:putParameter")
    assert (off["Parameters"]["Name"], off["Parameters"]["Value"]) == (
        "/mono-pipeline/prod/MONO_TRANSACTIONS_ENABLED",
        "false",
    )


def test_R6_a_shadow_read_counts_and_writes_nothing(pipeline: Pipeline) -> None:
    """What the canary's account would be told apart by is counted; no row of its is touched."""
    account = pipeline.link(transactions=60)
    pipeline.sync(account)
    newest = max(pipeline.sandbox.truth(account)["bank"], key=lambda row: row["date"])
    pipeline.sandbox.amend(account, transaction=newest["id"])
    pipeline.sandbox.add(account, count=2)
    stored, runs = pipeline.stored(account), len(pipeline.runs(account))

    event = {"action": "sync.shadow", "account_id": account}
    told: dict[str, Any] = Operations(pipeline.worker).perform(event, Deadline.after(30))

    assert told["status"] == "compared"
    assert (told["counts"]["inserted"], told["counts"]["updated"]) == (2, 1)
    assert pipeline.stored(account) == stored
    assert len(pipeline.runs(account)) == runs


def old_sync(pipeline: Pipeline, checkout: Path) -> list[str]:
    """A sync by the code of a checkout: account, verdict, rows inserted, updated, unchanged."""
    address = pipeline.address
    ran = subprocess.run(  # noqa: S603 - ours
        [sys.executable, "-c", OLD_SYNC, str(checkout), str(address.port), address.database],
        cwd=checkout,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    return ran.stdout.split()
