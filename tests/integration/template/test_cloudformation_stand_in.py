"""The expanded template, deployed into a stand-in of CloudFormation; and what the stand-in could not check."""

from __future__ import annotations

import json
import re
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import boto3
import pytest
from moto import mock_aws
from moto.cloudformation.parsing import get_model_map

from local.permissions import DEPLOYED
from local.sam import REGION
from local.template import Template
from tests.integration.template.stand_in import STAND_IN_ARN, deployable, upload

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

pytestmark = pytest.mark.integration

STACK: Final = "mono-pipeline-prod"
# What moto 5.2 makes nothing of: their promises are held by tests on the expanded template alone.
NOT_CHECKED: Final = {
    "AWS::ApiGateway::BasePathMapping",
    "AWS::ApiGateway::Stage",
    "AWS::CloudWatch::Alarm",
    "AWS::CodeDeploy::Application",
    "AWS::CodeDeploy::DeploymentGroup",
    "AWS::Lambda::Alias",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Logs::MetricFilter",
    "AWS::SQS::QueuePolicy",
    "AWS::Scheduler::Schedule",
    "AWS::WAFv2::WebACL",
    "AWS::WAFv2::WebACLAssociation",
}
# It deploys an API before the API has its methods, and then refuses to.
TOO_EARLY: Final = {"AWS::ApiGateway::Deployment"}
# Resources that it makes and whose ARN it does not tell.
WITHOUT_ARN: Final = {"AutomaticRollbackMachine"}
SERVICES: Final = (
    "apigateway",
    "awslambda",
    "cloudwatch",
    "events",
    "iam",
    "kms",
    "logs",
    "sqs",
    "ssm",
    "stepfunctions",
)


@pytest.fixture(scope="module")
def template() -> Template:
    """As production gets it."""
    return Template.expand(parameters=DEPLOYED)


@pytest.fixture(scope="module")
def stack(template: Template) -> Iterator[dict[str, str]]:
    """Physical ids of the stack's resources by logical id."""
    managed = {"iam": {"load_aws_managed_policies": True}, "lambda": {"use_docker": False}}
    with mock_aws(config=managed):
        upload({*template.functions, "CommonLayer"})
        cloudformation = boto3.client("cloudformation", region_name=REGION)
        document = deployable(template, without=NOT_CHECKED | TOO_EARLY, change=_with_texts)
        del document["Outputs"]
        parameters = [{"ParameterKey": name, "ParameterValue": value} for name, value in DEPLOYED.items()]
        cloudformation.create_stack(
            StackName=STACK, TemplateBody=json.dumps(document), Parameters=parameters, Capabilities=["CAPABILITY_IAM"]
        )
        assert cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE"
        found = cloudformation.get_paginator("list_stack_resources").paginate(StackName=STACK)
        yield {
            each["LogicalResourceId"]: each.get("PhysicalResourceId", "")
            for page in found
            for each in page["StackResourceSummaries"]
        }


def _with_texts(node: Any, gone: Collection[str]) -> Any:
    """A text in the place of what refers to a kind of NOT_CHECKED."""
    match node:
        case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), *_]} if name in gone or name in WITHOUT_ARN:
            return _instead(name)
        case {"Fn::Sub": str(text)}:
            return {"Fn::Sub": re.sub(r"\$\{(\w+)(\.\w+)?\}", lambda m: m[1] if m[1] in gone else m[0], text)}
    return node


def _instead(name: str) -> Any:
    """The function itself for its alias, else a text that looks like an ARN."""
    if name.endswith("Aliaslive"):
        return {"Ref": name.removesuffix("Aliaslive")}
    return STAND_IN_ARN + name


def test_what_the_stand_in_cannot_check_is_written_down(template: Template) -> None:
    """A kind that moto learns, or a new one that it does not know, changes this list."""
    for service in SERVICES:  # moto knows of a kind once its service is loaded
        import_module(f"moto.{service}.models")
    kinds = {resource["Type"] for resource in template.document["Resources"].values()}
    assert {kind for kind in kinds if kind not in get_model_map()} == NOT_CHECKED


def test_queues_are_there_with_their_redrive_and_key(stack: dict[str, str], template: Template) -> None:
    """As SQS tells of them."""
    sqs = boto3.client("sqs", region_name=REGION)
    for queue in template.queues:
        told = sqs.get_queue_attributes(QueueUrl=stack[queue.logical_id], AttributeNames=["All"])["Attributes"]
        assert int(told["VisibilityTimeout"]) == queue.visibility
        assert told["KmsMasterKeyId"]
        if queue.dead_letter_arn:
            redrive = json.loads(told["RedrivePolicy"])
            assert redrive["deadLetterTargetArn"].endswith(":mono-pipeline-prod-dead-letters")
            assert int(redrive["maxReceiveCount"]) == queue.max_receive_count


def test_the_flag_is_there_and_off(stack: dict[str, str]) -> None:
    """Born off."""
    assert stack["TransactionsFlag"]
    told = boto3.client("ssm", region_name=REGION).get_parameter(Name="/mono-pipeline/prod/MONO_TRANSACTIONS_ENABLED")
    assert told["Parameter"]["Value"] == "false"


def test_every_role_is_there_with_its_statements(stack: dict[str, str], template: Template) -> None:
    """Every action of the template's is in the documents that IAM has."""
    iam = boto3.client("iam", region_name=REGION)
    for logical_id, role in template.resolved("AWS::IAM::Role"):
        for policy in role.get("Policies", []):
            told = iam.get_role_policy(RoleName=stack[logical_id], PolicyName=policy["PolicyName"])
            for statement in policy["PolicyDocument"]["Statement"]:
                actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
                assert all(action in str(told["PolicyDocument"]) for action in actions), (logical_id, policy)


def test_log_groups_are_there(stack: dict[str, str], template: Template) -> None:
    """By their names."""
    logs = boto3.client("logs", region_name=REGION).describe_log_groups()["logGroups"]
    wanted = {properties["LogGroupName"] for _, properties in template.resolved("AWS::Logs::LogGroup")}
    assert stack["WebhookLogs"]
    assert wanted <= {group["logGroupName"] for group in logs}


@pytest.mark.usefixtures("stack")
def test_cloudwatch_takes_every_alarm(template: Template) -> None:
    """Not through the stand-in of CloudFormation, which knows none, but through CloudWatch's own call."""
    client = boto3.client("cloudwatch", region_name=REGION)
    alarms = list(template.resolved("AWS::CloudWatch::Alarm"))
    for logical_id, properties in alarms:
        # a parameter is a string until CloudFormation gives it the property's type
        client.put_metric_alarm(AlarmName=logical_id, **{**properties, "Threshold": float(properties["Threshold"])})
    assert len(client.describe_alarms()["MetricAlarms"]) == len(alarms) > 5


def test_every_function_is_there(stack: dict[str, str], template: Template) -> None:
    """As Lambda tells of it."""
    client = boto3.client("lambda", region_name=REGION)
    for function in template.functions.values():
        told = client.get_function_configuration(FunctionName=stack[function.logical_id])
        assert (told["Handler"], told["Timeout"], told["Runtime"]) == (function.handler, function.timeout, "python3.13")


def test_the_api_is_there_and_its_routes_are_not_checked(stack: dict[str, str]) -> None:
    """The stand-in reads no OpenAPI body: that every route is there is held by the expanded template alone."""
    client = boto3.client("apigateway", region_name=REGION)
    assert {each["path"] for each in client.get_resources(restApiId=stack["Api"], limit=500)["items"]} == {"/"}
