"""New code comes by a tenth of the traffic, and an alarm turns the flag off: by the expanded template."""

from __future__ import annotations

import json
import operator
import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from local.template import Template
from mono_pipeline.adapters.parameters import ParameterStore
from mono_pipeline.adapters.telemetry import Telemetry
from mono_pipeline.core.run import RunStatus
from mono_pipeline.core.verdict import Verdict, VerdictKind, VerdictReason
from mono_pipeline.usecases.flag_editor import FlagEditor
from mono_pipeline.usecases.run_watch import RunWatch
from tests.told import Told, listening, run_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_ssm import SSMClient

SYNC_FUNCTIONS = ("SyncApi", "SyncWorker", "BackfillWorker")
FLAG = "/mono-pipeline/prod/MONO_TRANSACTIONS_ENABLED"
PERCENTAGE = '{"enabled": true, "percentage": 25, "allow": [], "deny": [], "salt": "s"}'
LONG = "a" * 255  # as long as an alarm's name may be
AT = "2026-11-24T09:15:03Z"


@pytest.fixture(scope="module")
def template() -> Template:
    """Prod."""
    return Template.expand(parameters={"Environment": "prod", "ShadowAccount": "64779d900000000000ab0001"})


def resources(template: Template, kind: str) -> dict[str, Any]:
    """The resources of a kind, resolved."""
    return dict(template.resolved(kind))


def deployment_groups(template: Template) -> dict[str, Any]:
    """CodeDeploy's groups by their function."""
    found = template.of_type("AWS::CodeDeploy::DeploymentGroup")
    return {logical_id.removesuffix("DeploymentGroup"): properties for logical_id, properties in found}


def test_the_sync_functions_move_by_a_tenth_for_fifteen_minutes(template: Template) -> None:
    """And by nothing else, unless an environment says so."""
    assert set(deployment_groups(template)) == set(SYNC_FUNCTIONS)
    for properties in deployment_groups(template).values():
        name = json.dumps(properties["DeploymentConfigName"])
        assert "Canary10Percent15Minutes" in name
    at_once = Template.expand(parameters={"DeploymentType": "AllAtOnce"})
    assert "AllAtOnce" in json.dumps(deployment_groups(at_once)["SyncApi"]["DeploymentConfigName"])


@pytest.mark.parametrize("function", SYNC_FUNCTIONS)
def test_a_deployment_goes_back_by_alarms_on_alias_and_version(template: Template, function: str) -> None:
    """On the alias the old code answers for nine in ten; the version is the new code alone. And a mismatch counts."""
    alarms = resources(template, "AWS::CloudWatch::Alarm")
    names = {each["Name"]["Ref"] for each in deployment_groups(template)[function]["AlarmConfiguration"]["Alarms"]}
    assert names == {f"{function}LiveErrorsAlarm", f"{function}VersionErrorsAlarm", "MismatchAlarm"}
    deployed = template.functions[function].name
    alias = {"FunctionName": deployed, "Resource": f"{deployed}:live"}
    assert _dimensions(alarms[f"{function}LiveErrorsAlarm"]) == alias
    assert _dimensions(alarms[f"{function}VersionErrorsAlarm"]) == {**alias, "ExecutedVersion": "1"}
    for name in names:
        assert alarms[name]["TreatMissingData"] == "notBreaching"


def takes(pattern: str, line: dict[str, Any]) -> bool:
    """Whether a filter takes a log line. Of CloudWatch Logs' pattern syntax, JSON terms that are all to be equal."""
    found = re.fullmatch(r"\{ (\(\$\.\w+ = [^()]+\)(?: && \(\$\.\w+ = [^()]+\))*) \}", pattern)
    assert found is not None, f"another syntax: {pattern}"
    terms = [term.strip("()$. ").split(" = ") for term in found[1].split(" && ")]
    return all(line.get(name) == json.loads(value) for name, value in terms)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[Told]:
    """What the functions write."""
    yield from listening(monkeypatch)


@pytest.mark.parametrize(
    ("verdict", "counted"),
    [
        (Verdict(kind=VerdictKind.MISMATCH, reason=VerdictReason.DAYS_DIFFER), 1),
        (Verdict(kind=VerdictKind.UNVERIFIABLE, reason=VerdictReason.QUARANTINED), 0),
        (Verdict(kind=VerdictKind.VERIFIED), 0),
        (None, 0),
    ],
    ids=["mismatch", "unverifiable", "verified", "none"],
)
def test_a_mismatch_is_counted_once_out_of_what_a_function_writes(
    template: Template, told: Told, verdict: Verdict | None, counted: int
) -> None:
    """Each line of a run that ended goes through the filter; another letter would be silence."""
    RunWatch(Telemetry()).ended(
        run_of(), RunStatus.COMPLETED if verdict else RunStatus.FAILED, verdict=verdict, waited=0.0
    )
    for function in SYNC_FUNCTIONS:
        pattern = resources(template, "AWS::Logs::MetricFilter")[f"{function}Mismatches"]["FilterPattern"]
        assert sum(takes(pattern, line) for line in told.lines) == counted


def test_the_mismatch_alarm_is_one_environment_s() -> None:
    """Staging's mismatch does not turn prod's flag off: the filters read and write what is the environment's alone."""
    seen: list[set[str]] = []
    for environment in ("prod", "staging"):
        template = Template.expand(parameters={"Environment": environment})
        alarm = resources(template, "AWS::CloudWatch::Alarm")["MismatchAlarm"]
        filters = resources(template, "AWS::Logs::MetricFilter")
        assert set(filters) == {f"{function}Mismatches" for function in SYNC_FUNCTIONS}
        read = {each["LogGroupName"] for each in filters.values()}
        deployed = resources(template, "AWS::Lambda::Function")
        assert read == {deployed[function]["LoggingConfig"]["LogGroup"] for function in SYNC_FUNCTIONS}
        for each in filters.values():
            (counts,) = each["MetricTransformations"]
            assert (counts["MetricNamespace"], counts["MetricName"]) == (alarm["Namespace"], alarm["MetricName"])
            assert (counts["MetricValue"], counts["DefaultValue"]) == ("1", 0)
        assert "Dimensions" not in alarm
        assert (alarm["Statistic"], alarm["Threshold"], alarm["ComparisonOperator"]) == (
            "Sum",
            0,
            "GreaterThanThreshold",
        )
        seen.append({alarm["Namespace"], *read})
    assert not seen[0] & seen[1]


def test_code_deploy_asks_the_hook_before_any_traffic(template: Template) -> None:
    """By a name that its role may invoke; the hook itself is deployed at once, or it would ask itself."""
    hook = resources(template, "AWS::Lambda::Function")["PreTrafficHook"]
    assert hook["FunctionName"].startswith("CodeDeployHook_")
    assert hook["Handler"] == "pre_traffic.handler"
    assert hook["Environment"]["Variables"]["SHADOW_ACCOUNT"] == "64779d900000000000ab0001"
    for function in SYNC_FUNCTIONS:
        policy = template.document["Resources"][f"{function}Aliaslive"]["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]
        assert policy["BeforeAllowTrafficHook"] == {"Ref": "PreTrafficHook"}


def test_the_hook_answers_for_these_deployments_alone(template: Template) -> None:
    """It may say yes or no to the groups of this stack and to nobody's else."""
    role = dict(template.of_type("AWS::IAM::Role"))["PreTrafficHookRole"]
    statements = [
        each
        for policy in role["Policies"]
        if "PolicyDocument" in policy
        for each in policy["PolicyDocument"]["Statement"]
    ]
    (answers,) = [each for each in statements if "codedeploy" in json.dumps(each["Action"])]
    assert answers["Action"] == "codedeploy:PutLifecycleEventHookExecutionStatus"
    named = json.dumps(answers["Resource"])
    assert "*" not in named
    for function in SYNC_FUNCTIONS:
        assert f"deploymentgroup:${{ServerlessDeploymentApplication}}/${{{function}DeploymentGroup}}" in named


def test_three_alarms_start_the_rollback_and_nothing_else_does(template: Template) -> None:
    """Errors, mismatch, many dead letters; when they begin, not when they end; and it can be turned off."""
    (rule,) = resources(template, "AWS::Events::Rule").values()
    alarm_arn = template.arn("cloudwatch", f"alarm:{template.stack_name}-")
    assert {arn.removeprefix(alarm_arn) for arn in rule["EventPattern"]["resources"]} == {
        "WorkerErrorsAlarm",
        "MismatchAlarm",
        "ManyDeadLettersAlarm",
    }
    assert rule["EventPattern"]["source"] == ["aws.cloudwatch"]
    assert rule["EventPattern"]["detail-type"] == ["CloudWatch Alarm State Change"]
    assert rule["EventPattern"]["detail"] == {"state": {"value": ["ALARM"]}}
    assert rule["State"] == "ENABLED"
    (target,) = rule["Targets"]
    assert target["Arn"] == template.arn("states", "stateMachine:mono-pipeline-prod-automatic-rollback")
    off = Template.expand(parameters={"AutomaticRollback": "false"})
    assert next(iter(resources(off, "AWS::Events::Rule").values()))["State"] == "DISABLED"


def fires(alarm: dict[str, Any], value: float) -> bool:
    """Whether a value of one period fires an alarm."""
    assert alarm["EvaluationPeriods"] == 1
    comparison = {"GreaterThanThreshold": operator.gt, "GreaterThanOrEqualToThreshold": operator.ge}
    return comparison[alarm["ComparisonOperator"]](value, float(alarm["Threshold"]))


def test_one_dead_letter_is_told_and_turns_nobody_off(template: Template) -> None:
    """One account that gives up is one bank's trouble: somebody hears of it, and the others go on."""
    alarms = resources(template, "AWS::CloudWatch::Alarm")
    one, many = alarms["DeadLettersAlarm"], alarms["ManyDeadLettersAlarm"]
    assert fires(one, 1)
    assert [letters for letters in range(8) if fires(many, letters)] == [5, 6, 7]
    strict = resources(
        Template.expand(parameters={"Environment": "prod", "RollbackDeadLetters": "1"}), "AWS::CloudWatch::Alarm"
    )["ManyDeadLettersAlarm"]
    assert (fires(strict, 0), fires(strict, 1)) == (False, True)
    assert _dimensions(one) == _dimensions(many)


def test_letters_that_wait_neither_turn_the_flag_off_nor_hide_those_that_come(template: Template) -> None:
    """Counted is what is sent in a quarter of an hour; a level would stay, and an alarm that stays starts nothing."""
    many = resources(template, "AWS::CloudWatch::Alarm")["ManyDeadLettersAlarm"]
    assert (many["Namespace"], many["MetricName"], many["Statistic"]) == ("AWS/SQS", "NumberOfMessagesSent", "Sum")
    assert many["Period"] == 900
    assert many["TreatMissingData"] == "notBreaching"


def test_what_rolls_back_may_read_and_write_the_flag_and_do_nothing_else(template: Template) -> None:
    """And what starts it may start it."""
    roles = resources(template, "AWS::IAM::Role")
    (policy,) = roles["AutomaticRollbackRole"]["Policies"]
    (flag,) = policy["PolicyDocument"]["Statement"]
    assert flag["Action"] == ["ssm:GetParameter", "ssm:PutParameter"]
    assert flag["Resource"] == template.arn("ssm", f"parameter{FLAG}")
    (policy,) = roles["AutomaticRollbackStartRole"]["Policies"]
    (start,) = policy["PolicyDocument"]["Statement"]
    machine = template.arn("states", "stateMachine:mono-pipeline-prod-automatic-rollback")
    assert (start["Action"], start["Resource"]) == ("states:StartExecution", machine)


def test_a_rollback_that_fails_is_an_alarm_of_its_own(template: Template) -> None:
    """Nobody looks at a state machine."""
    alarm = resources(template, "AWS::CloudWatch::Alarm")["AutomaticRollbackFailedAlarm"]
    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/States", "ExecutionsFailed")


def test_a_rollback_that_is_not_even_started_is_one_too() -> None:
    """EventBridge tries for an hour and drops the event: without this the flag would stay on in silence."""
    topic = "arn:aws:sns:eu-west-1:1:alarms"
    told = Template.expand(parameters={"Environment": "prod", "AlarmTopicArn": topic})
    (rule,) = resources(told, "AWS::Events::Rule").values()
    alarm = resources(told, "AWS::CloudWatch::Alarm")["AutomaticRollbackNotStartedAlarm"]
    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/Events", "FailedInvocations")
    assert _dimensions(alarm) == {"RuleName": rule["Name"]}
    assert (fires(alarm, 0), fires(alarm, 1)) == (False, True)
    assert alarm["AlarmActions"] == [topic]


@pytest.fixture
def aws() -> Iterator[boto3.Session]:
    """Moto, which executes state machines with their SDK calls."""
    with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
        yield boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing", region_name="eu-west-1")


def run(aws: boto3.Session, template: Template, *, alarm: str = "mono-pipeline-prod-MismatchAlarm") -> str:
    """Execute the shipped definition on an alarm's event; return how it ended."""
    (machine,) = resources(template, "AWS::StepFunctions::StateMachine").values()
    client = aws.client("stepfunctions")
    arn = client.create_state_machine(
        name="rollback",
        definition=json.dumps(machine["Definition"]),
        roleArn="arn:aws:iam::123456789012:role/rollback",
    )["stateMachineArn"]
    event = {
        "source": "aws.cloudwatch",
        "detail-type": "CloudWatch Alarm State Change",
        "time": AT,
        "detail": {"alarmName": alarm, "state": {"value": "ALARM", "reason": "r" * 1023}},
    }
    execution = client.start_execution(stateMachineArn=arn, input=json.dumps(event))["executionArn"]
    give_up = time.monotonic() + 30
    while (status := client.describe_execution(executionArn=execution)["status"]) == "RUNNING":
        assert time.monotonic() < give_up, "it does not end"
        time.sleep(0.05)
    return str(status)


def written(ssm: SSMClient) -> FlagEditor:
    """The flag as `monoctl flag` reads it."""
    return FlagEditor(ParameterStore(lambda: ssm), FLAG, now=lambda: datetime.now(UTC))


@pytest.mark.parametrize("value", ["true", PERCENTAGE, "flase"], ids=["on", "percentage", "malformed"])
def test_an_alarm_turns_the_flag_off_and_says_why(aws: boto3.Session, template: Template, value: str) -> None:
    """The shipped definition, executed: a new version with who and which alarm; the one before can be restored."""
    ssm = aws.client("ssm")
    ssm.put_parameter(Name=FLAG, Value=value, Type="String", Description="a rollout")

    assert run(aws, template) == "SUCCEEDED"

    flag = written(ssm).read_flag()
    assert (flag.version, flag.value) == (2, "false")
    assert (flag.who, flag.why) == ("automatic-rollback", "alarm mono-pipeline-prod-MismatchAlarm")
    assert [each.value for each in written(ssm).flag_history()] == [value, "false"]


def test_what_is_off_stays_as_it_is(aws: boto3.Session, template: Template) -> None:
    """Another alarm writes no version: the rule to go back to stays the one before the last."""
    ssm = aws.client("ssm")
    ssm.put_parameter(Name=FLAG, Value="false", Type="String", Description="an operator's")

    assert run(aws, template) == "SUCCEEDED"

    assert written(ssm).read_flag().version == 1


def test_the_longest_name_of_an_alarm_fits_into_the_note(aws: boto3.Session, template: Template) -> None:
    """SSM takes 1,024 characters; a note that is too long would leave the flag on."""
    ssm = aws.client("ssm")
    ssm.put_parameter(Name=FLAG, Value="true", Type="String")

    assert run(aws, template, alarm=LONG) == "SUCCEEDED"

    assert written(ssm).read_flag().why == f"alarm {LONG}"


def _dimensions(alarm: dict[str, Any]) -> dict[str, str]:
    return {each["Name"]: each["Value"] for each in alarm["Dimensions"]}
