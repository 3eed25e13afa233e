"""The edges of the stack: what is encrypted, who may call, what is turned away, and what is never there."""

from __future__ import annotations

import json
import posixpath
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

import pytest
from samtranslator.yaml_helper import yaml_parse

from local.permissions import DEPLOYED
from local.template import ACCOUNT, ROOT, Template
from mono_pipeline.http.webhook_call import LARGEST_BODY

if TYPE_CHECKING:
    from collections.abc import Iterator

WEBHOOK_PATH: Final = "/api/v1/webhooks/mono/integrations/mono/webhook"


@pytest.fixture(scope="module")
def deployed() -> Template:
    """The template as it is deployed to production."""
    return Template.expand(parameters=DEPLOYED)


def firewall_rules(deployed: Template) -> dict[str, dict[str, Any]]:
    """The firewall's rules by name."""
    (_, acl), *_ = deployed.resolved("AWS::WAFv2::WebACL")
    return {rule["Name"]: rule for rule in acl["Rules"]}


def test_every_queue_is_encrypted_with_our_key(deployed: Template) -> None:
    """The dead letters too."""
    queues = [properties for _, properties in deployed.resolved("AWS::SQS::Queue")]
    assert len(queues) == 3
    assert {queue["KmsMasterKeyId"] for queue in queues} == {"DataKey"}


def test_every_log_group_is_encrypted_with_our_key_and_forgets(deployed: Template) -> None:
    """And the key lets the logs of this stack in, and no other's."""
    key_arn = deployed.intrinsics.resolve({"Fn::GetAtt": ["DataKey", "Arn"]})
    groups = [properties for _, properties in deployed.resolved("AWS::Logs::LogGroup")]
    assert {group["KmsKeyId"] for group in groups} == {key_arn}
    (_, key), *_ = deployed.resolved("AWS::KMS::Key")
    assert key["EnableKeyRotation"] is True
    (logs,) = (s for s in key["KeyPolicy"]["Statement"] if "Service" in s["Principal"])
    pattern = logs["Condition"]["ArnLike"]["kms:EncryptionContext:aws:logs:arn"]
    for group in groups:
        arn = f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:{group['LogGroupName']}"
        assert re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), arn), arn
    assert "mono-pipeline-prod" in pattern


def test_the_key_outlives_the_stack(deployed: Template) -> None:
    """With it would go every secret and every message that is still there."""
    assert deployed.document["Resources"]["DataKey"]["DeletionPolicy"] == "Retain"


def test_queues_are_reached_over_tls_and_allow_nobody_by_themselves(deployed: Template) -> None:
    """A queue's policy only denies; who may send is said by roles."""
    (_, policy), *_ = deployed.resolved("AWS::SQS::QueuePolicy")
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    assert set(statement["Resource"]) == {queue.arn for queue in deployed.queues}


def test_who_may_invoke_a_function_names_what_it_comes_from(deployed: Template) -> None:
    """Only API Gateway has a permission, each for one method and path of this API."""
    found = list(deployed.of_type("AWS::Lambda::Permission"))
    assert len(found) == len(deployed.routes)
    for logical_id, permission in found:
        assert permission["Principal"] == "apigateway.amazonaws.com", logical_id
        assert "SourceArn" in permission, logical_id
        assert "/*/*/*" not in json.dumps(permission["SourceArn"])


def test_there_is_no_door_beside_the_api(deployed: Template) -> None:
    """No function URL, no CORS, no second API."""
    kinds = [resource["Type"] for resource in deployed.document["Resources"].values()]
    assert "AWS::Lambda::Url" not in kinds
    assert kinds.count("AWS::ApiGateway::RestApi") == 1
    assert "AWS::ApiGatewayV2::Api" not in kinds
    assert "Access-Control" not in json.dumps(deployed.document)


def test_the_firewall_stands_before_the_stage(deployed: Template) -> None:
    """Unless a parameter says otherwise."""
    (_, association), *_ = deployed.resolved("AWS::WAFv2::WebACLAssociation")
    assert association["ResourceArn"].endswith("::/restapis/mono-pipeline-prod/stages/ApiStage")  # as local names go
    assert not list(Template.expand(parameters={"Firewall": "false"}).of_type("AWS::WAFv2::WebACL"))


def test_one_address_cannot_flood_the_webhook(deployed: Template) -> None:
    """A rate for each address, on the one route that asks for no signature; below what the stage lets through."""
    rate = firewall_rules(deployed)["webhook-rate"]["Statement"]["RateBasedStatement"]
    assert rate["AggregateKeyType"] == "IP"
    assert rate["ScopeDownStatement"]["ByteMatchStatement"]["SearchString"] == WEBHOOK_PATH
    (_, stage), *_ = deployed.resolved("AWS::ApiGateway::Stage")
    (limits,) = (s for s in stage["MethodSettings"] if s["ResourcePath"].endswith("~1webhook"))
    per_second = rate["Limit"] / rate["EvaluationWindowSec"]
    assert 10 <= per_second < limits["ThrottlingRateLimit"]


def counted(rule: dict[str, Any], path: str) -> bool:
    """Whether the firewall counts a request for a path, as it came over the wire."""
    (match,) = rule["ScopeDownStatement"].values()
    assert match["FieldToMatch"] == {"UriPath": {}}
    changes = {"NONE": str, "URL_DECODE": unquote, "NORMALIZE_PATH": posixpath.normpath}
    for each in sorted(match["TextTransformations"], key=lambda each: int(each["Priority"])):
        path = changes[each["Type"]](path)
    holds = {"ENDS_WITH": path.endswith, "CONTAINS": path.__contains__, "EXACTLY": path.__eq__}
    return bool(holds[match["PositionalConstraint"]](match["SearchString"]))


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        (WEBHOOK_PATH, True),
        (f"/prod{WEBHOOK_PATH}", True),  # the API's own address, with the stage
        (f"{WEBHOOK_PATH}/", True),
        (WEBHOOK_PATH.replace("webhook", "%77ebhook"), True),
        (WEBHOOK_PATH.replace("/mono/webhook", "//mono/./webhook"), True),
        (WEBHOOK_PATH.replace("/mono/webhook", "/mono/x/../webhook"), True),
        ("/health", False),
        ("/api/v1/banking/transactions/sync", False),
    ],
)
def test_no_other_spelling_of_the_path_gets_past_the_rate(deployed: Template, path: str, *, counts: bool) -> None:
    """The API may serve what is not written to the letter; the firewall sees what was sent."""
    rate = firewall_rules(deployed)["webhook-rate"]["Statement"]["RateBasedStatement"]
    assert counted(rate, path) is counts


def test_a_body_that_is_too_large_never_starts_a_function(deployed: Template) -> None:
    """The firewall's limit is the handler's own, and it inspects enough of a body to see that."""
    size = firewall_rules(deployed)["body-size"]["Statement"]["SizeConstraintStatement"]
    assert (size["ComparisonOperator"], size["Size"]) == ("GT", LARGEST_BODY)
    (_, acl), *_ = deployed.resolved("AWS::WAFv2::WebACL")
    inspected = acl["AssociationConfig"]["RequestBody"]["API_GATEWAY"]["DefaultSizeInspectionLimit"]
    assert int(inspected.removeprefix("KB_")) * 1024 > LARGEST_BODY
    assert size["FieldToMatch"]["Body"]["OversizeHandling"] == "MATCH"


def test_access_logs_hold_no_body_and_no_header(deployed: Template) -> None:
    """The webhook's secret is in a header."""
    (_, stage), *_ = deployed.resolved("AWS::ApiGateway::Stage")
    written = stage["AccessLogSetting"]["Format"]
    names = set(re.findall(r"\$context\.([A-Za-z.]+)", written))
    assert names
    assert not [name for name in names if re.search(r"header|body|authorizer|apiKey", name, re.IGNORECASE)]
    assert set(json.loads(written)) >= {"requestId", "caller", "status"}


def test_alarms_go_somewhere() -> None:
    """To the topic, when there is one; and what missing data mean is said."""
    topic = "arn:aws:sns:eu-west-1:1:alarms"
    told = Template.expand(parameters={**DEPLOYED, "AlarmTopicArn": topic})
    alarms = list(told.resolved("AWS::CloudWatch::Alarm"))
    assert alarms
    for logical_id, alarm in alarms:
        assert alarm.get("TreatMissingData") in {"notBreaching", "breaching"}, logical_id
        assert alarm.get("AlarmActions", [topic])[0] == topic, logical_id
    silence, dead = (dict(alarms)[name] for name in ("SilenceAlarm", "DeadLettersAlarm"))
    assert silence["AlarmActions"] == dead["AlarmActions"] == [topic]


def test_what_is_kept_is_looked_after_every_hour(deployed: Template) -> None:
    """The schedule sends the ops function what it knows."""
    (maintenance,) = (schedule for schedule in deployed.schedules if schedule.function == "Ops")
    assert json.loads(maintenance.payload or "{}") == {"action": "maintenance.run"}


def every_value(node: Any) -> Iterator[str]:
    """Every text in a document."""
    if isinstance(node, dict):
        for each in node.values():
            yield from every_value(each)
    elif isinstance(node, list):
        for each in node:
            yield from every_value(each)
    elif isinstance(node, str):
        yield node


def test_no_parameter_or_output_could_hold_a_secret(deployed: Template) -> None:
    """Secrets are SecureStrings, which CloudFormation cannot even create: nothing that looks like one is here."""
    looks_like_one = re.compile(r"(live|test|prod)_(sk|pk)_\w+|-----BEGIN|[A-Za-z0-9+/]{40,}={1,2}$")
    assert [text for text in every_value(deployed.document) if looks_like_one.search(text)] == []


def variables(node: Any) -> Iterator[str]:
    """The name of every environment variable of a function or a task in a document."""
    match node:
        case {"Environment": {"Variables": dict(given)}}:
            yield from given
        case {"Environment": list(given)}:
            yield from (each["Name"] for each in given)
    for each in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from variables(each)


def test_nobody_is_sent_through_a_proxy_or_told_whom_to_trust(deployed: Template) -> None:
    """What talks to Mono follows no such variable; AWS's own client would, and nothing that is deployed has one."""
    stacks = [deployed.document, *(yaml_parse(path.read_text()) for path in (ROOT / "infra").glob("*.yaml"))]
    names = {name for stack in stacks for name in variables(stack)}
    assert names > {"DATABASE_CA_FILE", "AWS_REGION"}
    assert not [name for name in names if re.search(r"PROXY|^SSL|CA_BUNDLE", name, re.IGNORECASE)]
