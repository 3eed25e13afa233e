"""The stacks beside the application: a database that nobody reaches who should not, a network with two ways out."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import pytest
from samtranslator.yaml_helper import yaml_parse

from local.deploy import BUNDLE_URL
from local.monthly_cost import load, markdown, months
from local.template import ROOT, TEMPLATE, Template

STACKS: Final = {path.stem: dict(yaml_parse(path.read_text())) for path in sorted((ROOT / "infra").glob("*.yaml"))}
ACTIONS_WITHOUT_RESOURCES: Final = {"cloudwatch:ListMetrics", "cloudwatch:GetMetricData", "ecr:GetAuthorizationToken"}
GUIDE: Final = (ROOT / "docs" / "deploy.md").read_text()
# Connections that are not the functions' of template.yaml: the migrations' one, and the account exporter's.
OTHERS: Final = 2


def of_kind(stack: str, kind: str) -> dict[str, dict[str, Any]]:
    """Properties of the resources of one kind, by logical id."""
    resources = STACKS[stack]["Resources"].items()
    return {name: resource["Properties"] for name, resource in resources if resource["Type"] == kind}


def test_there_is_a_stack_for_each_thing() -> None:
    """And a step of the guide for each."""
    assert set(STACKS) == {"database", "domain", "exporter", "migrations", "network"}
    for name in set(STACKS) - {"migrations"}:
        assert f"--stack-name mono-pipeline-dev-{name} --template-file infra/{name}.yaml" in GUIDE


def test_the_database_is_private_encrypted_and_kept() -> None:
    """Each property by its name, so that a changed default of AWS's changes nothing."""
    (database,) = of_kind("database", "AWS::RDS::DBInstance").values()
    wanted = {
        "PubliclyAccessible": False,
        "StorageEncrypted": True,
        "EnableIAMDatabaseAuthentication": True,
        "ManageMasterUserPassword": True,
        "DeletionProtection": True,
        "AutoMinorVersionUpgrade": True,
        "CopyTagsToSnapshot": True,
        "EnableCloudwatchLogsExports": ["postgresql", "upgrade"],
    }
    assert {name: database[name] for name in wanted} == wanted
    assert "MasterUserPassword" not in database
    parameters = STACKS["database"]["Parameters"]
    assert (parameters["BackupDays"]["MinValue"], parameters["InTwoZones"]["Default"]) == (7, "true")
    assert STACKS["database"]["Resources"]["Database"]["DeletionPolicy"] == "Snapshot"


def test_the_database_takes_tls_alone_and_logs_no_values() -> None:
    """A statement's parameters are bank data."""
    (group,) = of_kind("database", "AWS::RDS::DBParameterGroup").values()
    settings = group["Parameters"]
    assert settings["rds.force_ssl"] == "1"
    assert (settings["log_parameter_max_length"], settings["log_parameter_max_length_on_error"]) == ("0", "0")
    (proxy,) = of_kind("database", "AWS::RDS::DBProxy").values()
    assert proxy["RequireTLS"] is True


def test_what_the_database_logs_is_forgotten() -> None:
    """RDS itself would make log groups that keep everything; they are there before it, and its key lets the logs in."""
    (database,) = of_kind("database", "AWS::RDS::DBInstance").values()
    groups = of_kind("database", "AWS::Logs::LogGroup")
    folder = f"/aws/rds/instance/{database['DBInstanceIdentifier']['Fn::Sub']}/"
    assert {group["LogGroupName"]["Fn::Sub"]: group["RetentionInDays"] for group in groups.values()} == {
        folder + kind: 90 for kind in database["EnableCloudwatchLogsExports"]
    }
    assert set(STACKS["database"]["Resources"]["Database"]["DependsOn"]) == set(groups)
    statements = of_kind("database", "AWS::KMS::Key")["Key"]["KeyPolicy"]["Statement"]
    (logs,) = (each for each in statements if "Service" in each["Principal"])
    assert logs["Condition"]["ArnLike"]["kms:EncryptionContext:aws:logs:arn"]["Fn::Sub"].endswith(f":{folder}*")


def test_functions_reach_https_and_the_database_and_nobody_reaches_them() -> None:
    """What is told to call another address gets nowhere but over TLS, whatever it resolves to."""
    groups = of_kind("network", "AWS::EC2::SecurityGroup")
    assert "SecurityGroupIngress" not in groups["FunctionsGroup"]
    assert {rule["ToPort"] for rule in groups["FunctionsGroup"]["SecurityGroupEgress"]} == {443}
    more = [
        r
        for r in of_kind("network", "AWS::EC2::SecurityGroupEgress").values()
        if r["GroupId"] == {"Ref": "FunctionsGroup"}
    ]
    assert [(rule["FromPort"], rule["ToPort"]) for rule in more] == [(5432, 5432)]
    assert "CidrIp" not in more[0]


def test_the_database_lets_in_four_groups_and_no_address() -> None:
    """Functions, readers, the account exporter, and itself for the proxy."""
    assert "SecurityGroupIngress" not in of_kind("network", "AWS::EC2::SecurityGroup")["DatabaseGroup"]
    rules = of_kind("network", "AWS::EC2::SecurityGroupIngress").values()
    assert {rule["SourceSecurityGroupId"]["Ref"] for rule in rules} == {
        "FunctionsGroup",
        "ReaderGroup",
        "AccountExporterGroup",
        "DatabaseGroup",
    }
    assert not [rule for rule in rules if "CidrIp" in rule]


@pytest.mark.parametrize("stack", STACKS)
def test_roles_name_what_they_may_do(stack: str) -> None:
    """`*` only for the actions of CloudWatch and ECR that know no resources."""
    documents = [
        policy["PolicyDocument"]
        for role in of_kind(stack, "AWS::IAM::Role").values()
        for policy in role.get("Policies", [])
    ]
    for statement in [each for document in documents for each in document["Statement"]]:
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        assert not [action for action in actions if "*" in action]
        if statement["Resource"] == "*":
            assert set(actions) <= ACTIONS_WITHOUT_RESOURCES


@pytest.mark.parametrize("stack", STACKS)
def test_every_log_group_is_encrypted_and_forgets(stack: str) -> None:
    """As the application's."""
    for name, group in of_kind(stack, "AWS::Logs::LogGroup").items():
        assert group["RetentionInDays"] > 0, name
        assert "KmsKeyId" in group, name


def test_the_proxy_lets_in_every_role_of_the_database() -> None:
    """With a proxy it is the address that everybody is given: a role that is missing here could not log in at all."""
    (statement,) = of_kind("database", "AWS::IAM::Role")["ProxyRole"]["Policies"][0]["PolicyDocument"]["Statement"]
    let_in = {resource["Fn::Sub"].rsplit("/", 1)[-1] for resource in statement["Resource"]}
    migrations = "".join(path.read_text() for path in (ROOT / "migrations").glob("*.sql"))
    granted = re.findall(r"GRANT rds_iam TO ([\w, ]+);", migrations)
    assert let_in == {"pipeline_owner", *(role for each in granted for role in each.split(", "))}


def test_the_migrations_log_in_as_the_owner_and_do_nothing_else() -> None:
    """One connection, one role of the database, no secret, no queue."""
    (function,) = of_kind("migrations", "AWS::Serverless::Function").values()
    (statement,) = function["Policies"][0]["Statement"]
    assert statement["Action"] == "rds-db:connect"
    assert json.dumps(statement["Resource"]).endswith('dbuser:${DatabaseResourceId}/${DatabaseOwner}"}')
    assert function["ReservedConcurrentExecutions"] == 1
    assert set(function["Environment"]["Variables"]) == {
        "DATABASE_HOST",
        "DATABASE_PORT",
        "DATABASE_NAME",
        "DATABASE_OWNER",
        "DATABASE_CA_FILE",
    }


def test_all_connections_together_stay_within_eighty_percent() -> None:
    """One for each concurrent execution of what uses the database, of what the database's own stack allows."""
    most = STACKS["database"]["Parameters"]["MaxConnections"]["Default"]
    template = Template.expand()
    in_use = OTHERS
    limits = {source.function: source.concurrency for source in template.event_sources}
    for name, function in template.functions.items():
        if name != "Webhook":
            limit = function.reserved_concurrency or limits.get(name)
            assert limit, name
            in_use += limit
    assert in_use <= 0.8 * most


def test_the_guide_says_how_many_functions_an_account_must_let_run() -> None:
    """A new account has ten, and a deployment that reserves more than there are fails half-way."""
    template = Template.expand()
    migrations = of_kind("migrations", "AWS::Serverless::Function")["Migrate"]["ReservedConcurrentExecutions"]
    reserved = migrations + sum(function.reserved_concurrency or 0 for function in template.functions.values())
    assert f"the application reserves {reserved}, and AWS keeps 100\n   unreserved" in GUIDE
    assert f"with fewer than {reserved + 100}" in GUIDE


def test_the_guide_s_shell_reaches_what_its_step_asks() -> None:
    """Over HTTPS the master's password and the authorities, and the database; a reader's group has no HTTPS."""
    (step,) = re.findall(r"\n5\. .*?\n6\. ", GUIDE, re.DOTALL)
    (output,) = re.findall(r"a private subnet and `(\w+)` of step 3", step)
    group = STACKS["network"]["Outputs"][output]["Value"]["Ref"]
    inline = of_kind("network", "AWS::EC2::SecurityGroup")[group].get("SecurityGroupEgress", [])
    beside = of_kind("network", "AWS::EC2::SecurityGroupEgress").values()
    assert {443, 5432} <= {
        rule["ToPort"] for rule in [*inline, *(each for each in beside if each["GroupId"] == {"Ref": group})]
    }
    assert "sslmode=verify-full" in step
    assert "sslmode=require" not in GUIDE
    assert BUNDLE_URL in step


def test_the_webhook_s_url_has_no_stage_in_it() -> None:
    """The domain's stack and the application's say the same one."""
    path = "https://${DomainName}/api/v1/webhooks/mono/integrations/mono/webhook"
    assert STACKS["domain"]["Outputs"]["WebhookUrl"]["Value"] == {"Fn::Sub": path}
    application = yaml_parse(TEMPLATE.read_text())
    assert {"Fn::Sub": path} in application["Outputs"]["WebhookUrl"]["Value"]["Fn::If"]
    assert "BasePath" not in application["Resources"]["ApiDomainMapping"]["Properties"]


def test_the_guide_s_costs_are_the_price_table_s() -> None:
    """By the dated prices and what the templates have, and not by hand."""
    assert markdown(months(load())) in GUIDE, "run: python -m local.monthly_cost"


def test_the_guide_s_databases_are_those_that_are_paid_for() -> None:
    """The class that it names for so many accounts."""
    for size in load()["size"]:
        named = re.search(rf"`(db\.\w+\.{size['instance']})`", GUIDE)
        assert named, size
        assert named[1] in (ROOT / "docs" / "costs.toml").read_text()


def test_what_costs_the_same_in_every_region_is_one_price() -> None:
    """Two price tables, of two Regions and for two questions: requests and seconds have one price in both."""
    here, there = load()["price"], json.loads((ROOT / "bench" / "scale" / "prices.json").read_text())["prices"]
    assert here["lambda_gb_second_arm"] == there["lambda_gb_second_arm64"]["price"]
    for ours, theirs in (
        ("lambda_million_requests", "lambda_request"),
        ("sqs_million_requests", "sqs_request"),
        ("api_million_requests", "api_gateway_rest_request"),
    ):
        assert here[ours] == pytest.approx(1_000_000 * there[theirs]["price"]), ours
    assert here["metric_month"] == there["custom_metric_month"]["price"]
