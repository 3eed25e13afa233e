"""infra/exporter.yaml, expanded: YACE reads metrics alone, and the account exporter one view of the database alone."""

from __future__ import annotations

import re
from typing import Any, Final

import pytest
import yaml
from samtranslator.yaml_helper import yaml_parse

from local.exporter_image import SOURCE
from local.template import ROOT, Template

PATH: Final = ROOT / "infra" / "exporter.yaml"
NETWORK: Final = dict(yaml_parse((ROOT / "infra" / "network.yaml").read_text()))["Resources"]
MIGRATIONS: Final = "\n".join(path.read_text() for path in sorted((ROOT / "migrations").glob("*.sql")))
BESIDE: Final = {
    "Environment": "prod",
    "VpcId": "vpc-1",
    "SubnetIds": "subnet-1,subnet-2",
    "SecurityGroupId": "sg-yace",
    "AccountExporterGroupId": "sg-accounts",
}
DATABASE: Final = {"AccountExporterTag": "7", "DatabaseHost": "db.example", "DatabaseResourceId": "db-1"}


@pytest.fixture(scope="module")
def stack() -> Template:
    """With an image of the account exporter."""
    return Template.expand(PATH, parameters={**BESIDE, **DATABASE})


def properties(stack: Template, kind: str, name: str) -> dict[str, Any]:
    """As written, of a resource whose condition holds."""
    return dict(stack.of_type(kind))[name]


def statements(stack: Template, role: str) -> list[tuple[Any, Any]]:
    """(action, resource) of each statement of a role."""
    (policy,) = properties(stack, "AWS::IAM::Role", role)["Policies"]
    document = policy["PolicyDocument"]
    return [(each["Action"], stack.intrinsics.resolve(each["Resource"])) for each in document["Statement"]]


def test_without_an_image_there_is_its_repository_and_no_service() -> None:
    """The image is pushed into what the first deployment makes."""
    first = Template.expand(PATH, parameters=BESIDE)
    assert [name for name, _ in first.of_type("AWS::ECS::Service")] == ["Service"]
    assert [name for name, _ in first.of_type("AWS::IAM::Role")] == ["TaskRole", "StartRole"]
    repository = properties(first, "AWS::ECR::Repository", "Repository")
    assert repository["ImageTagMutability"] == "IMMUTABLE"
    assert repository["ImageScanningConfiguration"] == {"ScanOnPush": True}
    assert repository["EncryptionConfiguration"]["EncryptionType"] == "KMS"


def test_an_image_without_a_database_is_refused() -> None:
    """Before anything is made, by the rules of the stack."""
    (rule,) = yaml_parse(PATH.read_text())["Rules"].values()
    assert rule["RuleCondition"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "AccountExporterTag"}, ""]}]}
    needed = {each["Assert"]["Fn::Not"][0]["Fn::Equals"][0]["Ref"] for each in rule["Assertions"]}
    assert needed == {"DatabaseHost", "DatabaseResourceId"}


def test_the_account_exporter_may_log_in_as_monitor_and_do_nothing_else(stack: Template) -> None:
    """Which the migrations make, and let read one view."""
    assert statements(stack, "AccountsTaskRole") == [
        ("rds-db:connect", "arn:aws:rds-db:eu-west-1:000000000000:dbuser:db-1/monitor")
    ]
    assert re.findall(r"GRANT (SELECT ON \w+) TO monitor;", MIGRATIONS) == ["SELECT ON monitored_accounts"]


def test_yace_may_read_metrics_and_has_no_way_to_the_database(stack: Template) -> None:
    """It is somebody else's program."""
    assert statements(stack, "TaskRole") == [(["cloudwatch:ListMetrics", "cloudwatch:GetMetricData"], "*")]
    groups = {
        name: properties(stack, "AWS::ECS::Service", name)["NetworkConfiguration"]["AwsvpcConfiguration"]
        for name in ("Service", "AccountsService")
    }
    assert stack.intrinsics.resolve(groups["Service"]["SecurityGroups"]) == ["sg-yace"]
    assert stack.intrinsics.resolve(groups["AccountsService"]["SecurityGroups"]) == ["sg-accounts"]
    assert {each["AssignPublicIp"] for each in groups.values()} == {"DISABLED"}
    out = [each["Properties"] for each in NETWORK.values() if each["Type"] == "AWS::EC2::SecurityGroupEgress"]
    assert {rule["GroupId"]["Ref"] for rule in out if rule["ToPort"] == 5432} == {
        "FunctionsGroup",
        "AccountExporterGroup",
        "DatabaseGroup",
    }


@pytest.mark.parametrize("name", ["Task", "AccountsTask"])
def test_a_task_writes_nothing_and_is_nobody(name: str, stack: Template) -> None:
    """No file of its own, no root, no secret in its environment."""
    for container in properties(stack, "AWS::ECS::TaskDefinition", name)["ContainerDefinitions"]:
        assert container["ReadonlyRootFilesystem"] is True
        assert container.get("User") == "65534" or container["Name"] == "configuration"
        assert {each["Name"] for each in container.get("Environment", [])} <= {"AWS_REGION"}
    assert properties(stack, "AWS::ECS::Service", "AccountsService")["DesiredCount"] == 1


def test_the_account_exporter_logs_in_by_iam_and_listens_where_prometheus_is_let_in(stack: Template) -> None:
    """By the URL that it takes, without a password in it."""
    (container,) = properties(stack, "AWS::ECS::TaskDefinition", "AccountsTask")["ContainerDefinitions"]
    command = stack.intrinsics.resolve(container["Command"])
    assert command[:3] == ["--database-url", "postgresql://monitor@db.example:5432/mono_pipeline", "--iam"]
    (port,) = (mapping["ContainerPort"] for mapping in container["PortMappings"])
    (ingress,) = NETWORK["AccountExporterGroup"]["Properties"]["SecurityGroupIngress"]
    prometheus = yaml.safe_load((ROOT / "monitoring" / "prometheus" / "prometheus.yml").read_text())
    targets = [each["static_configs"][0]["targets"][0] for each in prometheus["scrape_configs"]]
    assert port == ingress["FromPort"] == ingress["ToPort"]
    assert f"account-exporter:{port}" in targets


def test_its_logs_are_let_in_by_the_key(stack: Template) -> None:
    """Each log group of the stack, and no other."""
    key = properties(stack, "AWS::KMS::Key", "Key")["KeyPolicy"]["Statement"]
    (logs,) = (each for each in key if "Service" in each["Principal"])
    let_in = stack.intrinsics.resolve(logs["Condition"])["ArnLike"]["kms:EncryptionContext:aws:logs:arn"]
    groups = {group["LogGroupName"] for _, group in stack.resolved("AWS::Logs::LogGroup")}
    assert {each.rsplit(":", 1)[-1] for each in let_in} == groups
    assert len(groups) == 2


def test_the_image_installs_what_is_locked() -> None:
    """The one library that the layer has not, at the lock's version and hashes."""
    text = (SOURCE / "requirements.txt").read_text()
    (name, version), *others = re.findall(r"^([a-z-]+)==(\S+)", text, re.MULTILINE)
    assert (name, others) == ("prometheus-client", [])
    lock = (ROOT / "uv.lock").read_text()
    locked = lock.partition(f'name = "{name}"\nversion = "{version}"\n')[2].partition("[[package]]")[0]
    assert locked
    assert set(re.findall(r"sha256:\w+", text)) == set(re.findall(r"sha256:\w+", locked))
