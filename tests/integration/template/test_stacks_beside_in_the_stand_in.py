"""The stacks of infra/, deployed one after the other, each with what those before it put out; and what was not checked.

What moto leaves out is held by tests/unit/template/test_infra_stacks.py and test_exporter_stack.py, on what is written.
"""

from __future__ import annotations

import json
import re
from importlib import import_module
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, Final

import boto3
import pytest
from moto import mock_aws
from moto.cloudformation.parsing import get_model_map
from samtranslator.yaml_helper import yaml_parse

from local.sam import REGION
from local.template import ROOT, TEMPLATE, Template
from tests.integration.template.stand_in import STAND_IN_ARN, deployable, upload

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

pytestmark = pytest.mark.integration

ORDER: Final = ("network", "database", "domain", "migrations", "exporter")
NOT_CHECKED: Final = {
    "AWS::ApiGateway::DomainName",
    "AWS::CertificateManager::Certificate",
    "AWS::EC2::SecurityGroupEgress",
    "AWS::RDS::DBProxy",
    "AWS::RDS::DBProxyTargetGroup",
    "AWS::ServiceDiscovery::PrivateDnsNamespace",
    "AWS::ServiceDiscovery::Service",
}
# Of what it makes it leaves out: where a group of ours may connect to (it lets every one out), the subnets of a route
# table, what of the database test_rds_takes_every_property_of_the_database names, and how a task is run on Fargate.
UNKNOWN_ATTRIBUTES: Final = {"DbiResourceId", "MasterUserSecret.SecretArn"}
SERVICES: Final = ("acm", "awslambda", "ec2", "ecr", "ecs", "iam", "kms", "logs", "rds", "route53", "servicediscovery")
CIDR: Final = "10.60.0.0/20"


class Stacks:
    """Stacks by name: what is in each, what each put out, and the template that it was made of."""

    def __init__(self) -> None:
        self.ids: dict[str, dict[str, str]] = {}
        self.outputs: dict[str, dict[str, str]] = {}
        self.templates: dict[str, Template] = {}
        self._cloudformation = boto3.client("cloudformation", region_name=REGION)

    def create(self, name: str, parameters: Mapping[str, str]) -> None:
        """Deploy the file of that name to production."""
        given = {"Environment": "prod", **parameters}
        template = Template.expand(ROOT / "infra" / f"{name}.yaml", parameters=given)
        document = deployable(template, without=NOT_CHECKED, change=_as_moto_takes_it)
        listed = [{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()]
        self._cloudformation.create_stack(
            StackName=name, TemplateBody=json.dumps(document), Parameters=listed, Capabilities=["CAPABILITY_IAM"]
        )
        (told,) = self._cloudformation.describe_stacks(StackName=name)["Stacks"]
        assert told["StackStatus"] == "CREATE_COMPLETE", name
        listing = self._cloudformation.get_paginator("list_stack_resources").paginate(StackName=name)
        resources = [each for page in listing for each in page["StackResourceSummaries"]]
        self.ids[name] = {
            each["LogicalResourceId"]: each["PhysicalResourceId"] for each in resources if each["LogicalResourceId"]
        }
        self.outputs[name] = {each["OutputKey"]: each["OutputValue"] for each in told["Outputs"]}
        self.templates[name] = template


def _as_moto_takes_it(node: Any, gone: Collection[str]) -> Any:
    match node:
        case {"Fn::Select": [int(number), {"Fn::Cidr": [_, int(count), int(bits)]}]}:  # which it does not know
            return str(list(ip_network(CIDR).subnets(new_prefix=32 - bits))[:count][number])
        case {"Fn::GetAtt": [_, str(attribute)]} if attribute in UNKNOWN_ATTRIBUTES:
            return f"{attribute}-stand-in"
        case {"Ref": "Settings"}:  # it takes the name of a group alone, and tells none of one of ours
            return "default.postgres18"
        case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), *_]} if name in gone:
            return STAND_IN_ARN + name
    return node


@pytest.fixture(scope="module")
def stacks() -> Iterator[Stacks]:
    """All of them, as docs/deploy.md goes from one to the next."""
    with mock_aws(config={"iam": {"load_aws_managed_policies": True}, "lambda": {"use_docker": False}}):
        upload(("CommonLayer", "Migrate"))
        zones = boto3.client("route53").create_hosted_zone(Name="example.com", CallerReference="1")
        zone = zones["HostedZone"]["Id"].rsplit("/", 1)[-1]
        made = Stacks()
        made.create("network", {"NatInEachZone": "true"})
        network = made.outputs["network"]
        subnets = {"SubnetIds": network["SubnetIds"]}
        made.create("database", {**subnets, "SecurityGroupId": network["DatabaseGroupId"]})
        database = {name: made.outputs["database"][name] for name in ("DatabaseHost", "DatabaseResourceId")}
        made.create("domain", {"DomainName": "api.example.com", "HostedZoneId": zone})
        made.create("migrations", {**subnets, **database, "SecurityGroupIds": network["FunctionsGroupId"]})
        beside = {"SecurityGroupId": network["ExporterGroupId"], "AccountExporterTag": "7"}
        groups = {name: network[name] for name in ("VpcId", "AccountExporterGroupId")}
        made.create("exporter", {**subnets, **database, **beside, **groups})
        yield made


def test_what_the_stand_in_cannot_check_is_written_down() -> None:
    """A kind that moto learns, or a new one that it does not know, changes this list."""
    for service in SERVICES:
        import_module(f"moto.{service}.models")
    files = sorted((ROOT / "infra").glob("*.yaml"))
    assert {path.stem for path in files} == set(ORDER)
    kinds = {
        resource["Type"]
        for path in files
        for resource in yaml_parse(path.read_text())["Resources"].values()
        if not resource["Type"].startswith("AWS::Serverless::")
    }
    assert {kind for kind in kinds if kind not in get_model_map()} == NOT_CHECKED


def test_every_stack_is_made_and_nothing_of_it_is_left_out(stacks: Stacks) -> None:
    """Each resource whose kind moto knows."""
    assert tuple(stacks.ids) == ORDER
    for name, template in stacks.templates.items():
        known = {
            logical_id
            for logical_id, each in template.document["Resources"].items()
            if each["Type"] not in NOT_CHECKED
            and ("Condition" not in each or template.intrinsics.holds(each["Condition"]))
        }
        assert known == set(stacks.ids[name]), name


def test_what_one_stack_puts_out_another_takes(stacks: Stacks) -> None:
    """Each output that says whose parameter it is says it right."""
    files = {"application": TEMPLATE, **{name: ROOT / "infra" / f"{name}.yaml" for name in ORDER}}
    said = 0
    for name, template in stacks.templates.items():
        for output in template.document["Outputs"].values():
            found = re.match(r"Parameter (\w+) of the ([\w, ]+)\.$", output["Description"])
            for whose in re.findall(r"application|database|exporter", found[2]) if found else ():
                assert found
                assert found[1] in yaml_parse(files[whose].read_text())["Parameters"], (name, found[0])
                said += 1
    assert said >= 10


def test_private_subnets_lie_in_two_zones_and_only_public_ones_have_the_internet(stacks: Stacks) -> None:
    """Four fourths of the VPC; what goes out goes by the NAT gateway of its own zone."""
    ec2, ids = boto3.client("ec2", region_name=REGION), stacks.ids["network"]
    names = ("PublicA", "PublicB", "PrivateA", "PrivateB")
    told = {each["SubnetId"]: each for each in ec2.describe_subnets()["Subnets"]}
    subnets = [told[ids[name]] for name in names]
    assert [subnet["CidrBlock"] for subnet in subnets] == [str(each) for each in ip_network(CIDR).subnets(2)]
    assert subnets[0]["AvailabilityZone"] == subnets[2]["AvailabilityZone"] != subnets[1]["AvailabilityZone"]
    assert {subnet["VpcId"] for subnet in subnets} == {ids["Vpc"]}
    assert not [subnet for subnet in subnets[2:] if subnet["MapPublicIpOnLaunch"]]
    tables = {each["RouteTableId"]: each["Routes"] for each in ec2.describe_route_tables()["RouteTables"]}
    for name, way in (
        ("PublicRoutes", ("GatewayId", "InternetGateway")),
        ("PrivateRoutesOfA", ("NatGatewayId", "NatA")),
        ("PrivateRoutesOfB", ("NatGatewayId", "NatB")),
    ):
        (out,) = (route for route in tables[ids[name]] if route["DestinationCidrBlock"] == "0.0.0.0/0")
        assert out[way[0]] == ids[way[1]], name  # type: ignore[literal-required]
    gateways = {each["NatGatewayId"]: each["SubnetId"] for each in ec2.describe_nat_gateways()["NatGateways"]}
    assert (gateways[ids["NatA"]], gateways[ids["NatB"]]) == (ids["PublicA"], ids["PublicB"])


def test_the_database_s_port_is_open_to_four_groups(stacks: Stacks) -> None:
    """As EC2 tells of it: no address, no other port; and nobody is let in to the functions."""
    groups = boto3.client("ec2", region_name=REGION).describe_security_groups()["SecurityGroups"]
    lets_in = {each["GroupId"]: each["IpPermissions"] for each in groups}
    ids = stacks.ids["network"]
    (rule,) = lets_in[ids["DatabaseGroup"]]
    assert (rule["FromPort"], rule["ToPort"], rule["IpRanges"]) == (5432, 5432, [])
    let_in = {pair["GroupId"] for pair in rule["UserIdGroupPairs"]}
    assert let_in == {ids[f"{name}Group"] for name in ("Functions", "Reader", "AccountExporter", "Database")}
    assert lets_in[ids["FunctionsGroup"]] == lets_in[ids["ReaderGroup"]] == []
    (private,) = lets_in[ids["EndpointsGroup"]]
    assert [pair["GroupId"] for pair in private["UserIdGroupPairs"]] == [ids["FunctionsGroup"]]


def test_ssm_and_sqs_are_reached_inside_and_who_talked_is_written_down(stacks: Stacks) -> None:
    """Both endpoints in both zones; the flow log as its own role, into its own group."""
    ec2, ids = boto3.client("ec2", region_name=REGION), stacks.ids["network"]
    endpoints = ec2.describe_vpc_endpoints()["VpcEndpoints"]
    assert {each["ServiceName"].rsplit(".", 1)[-1] for each in endpoints} == {"ssm", "sqs"}
    for each in endpoints:
        assert set(each["SubnetIds"]) == {ids["PrivateA"], ids["PrivateB"]}
        assert each["PrivateDnsEnabled"]
    (log,) = ec2.describe_flow_logs()["FlowLogs"]
    assert (log["ResourceId"], log["TrafficType"]) == (ids["Vpc"], "ALL")
    assert log["LogGroupName"] == ids["FlowLogs"]
    assert log["DeliverLogsPermissionArn"].endswith(f"/{ids['FlowLogRole']}")


def settings_of_the_database() -> str:
    """The name of its group; the stand-in of CloudFormation tells none."""
    groups = boto3.client("rds", region_name=REGION).describe_db_parameter_groups()["DBParameterGroups"]
    (name,) = (each["DBParameterGroupName"] for each in groups if each["Description"] == "mono-pipeline prod")
    return str(name)


def test_the_database_is_there(stacks: Stacks) -> None:
    """As RDS tells of it: in the network's private subnets, encrypted with the stack's key."""
    rds, ids = boto3.client("rds", region_name=REGION), stacks.ids["database"]
    (told,) = rds.describe_db_instances()["DBInstances"]
    assert (told["MultiAZ"], told["PubliclyAccessible"], told["StorageEncrypted"]) == (True, False, True)
    assert told["KmsKeyId"].endswith(ids["Key"])
    assert told["BackupRetentionPeriod"] == 14
    subnets = {subnet["SubnetIdentifier"] for subnet in told["DBSubnetGroup"]["Subnets"]}
    assert subnets == set(stacks.outputs["network"]["SubnetIds"].split(","))
    assert told["Endpoint"]["Address"] == stacks.outputs["database"]["DatabaseHost"]
    kept = rds.describe_db_parameters(DBParameterGroupName=settings_of_the_database())["Parameters"]
    settings = {each["ParameterName"]: each["ParameterValue"] for each in kept}
    assert (settings["rds.force_ssl"], settings["max_connections"]) == ("1", "100")


def test_rds_takes_every_property_of_the_database(stacks: Stacks) -> None:
    """Through its own call, which knows what the stand-in of CloudFormation drops: IAM, protection, logs, groups."""
    rds, template = boto3.client("rds", region_name=REGION), stacks.templates["database"]
    (_, written), *_ = template.of_type("AWS::RDS::DBInstance")
    given = {key: value for key, value in written.items() if not isinstance(value, dict) and key != "VPCSecurityGroups"}
    for name in ("DBInstanceIdentifier", "DBInstanceClass"):
        given.pop(name, None)
    del given["ManageMasterUserPassword"]  # with it, moto would want its Secrets Manager
    group = stacks.outputs["network"]["DatabaseGroupId"]
    chosen: dict[str, Any] = {
        "DBInstanceIdentifier": "again",
        "DBInstanceClass": "db.t4g.medium",
        "AllocatedStorage": 50,
        "MasterUserPassword": "made-up-1",
        "VpcSecurityGroupIds": [group],
        "DBParameterGroupName": settings_of_the_database(),
        "MonitoringRoleArn": f"arn:aws:iam::123456789012:role/{stacks.ids['database']['MonitoringRole']}",
    }
    told = rds.create_db_instance(**given, **chosen)["DBInstance"]
    assert [each["VpcSecurityGroupId"] for each in told["VpcSecurityGroups"]] == [group]
    assert [each["DBParameterGroupName"] for each in told["DBParameterGroups"]] == [chosen["DBParameterGroupName"]]
    assert (told["IAMDatabaseAuthenticationEnabled"], told["DeletionProtection"]) == (True, True)
    assert told["CACertificateIdentifier"] == written["CACertificateIdentifier"]
    assert told["EnabledCloudwatchLogsExports"] == ["postgresql", "upgrade"]
    rds.modify_db_instance(DBInstanceIdentifier="again", DeletionProtection=False)
    rds.delete_db_instance(DBInstanceIdentifier="again", SkipFinalSnapshot=True)


def test_every_role_is_there_with_its_statements(stacks: Stacks) -> None:
    """Every action that is written is in the documents that IAM has."""
    iam, found = boto3.client("iam", region_name=REGION), 0
    for name, template in stacks.templates.items():
        for logical_id, role in template.of_type("AWS::IAM::Role"):
            for policy in role.get("Policies", []):
                told = iam.get_role_policy(RoleName=stacks.ids[name][logical_id], PolicyName=policy["PolicyName"])
                for statement in policy["PolicyDocument"]["Statement"]:
                    actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
                    assert all(action in str(told["PolicyDocument"]) for action in actions), (logical_id, policy)
                    found += 1
    assert found >= 8


def test_the_migrations_function_is_told_the_database_s_address(stacks: Stacks) -> None:
    """By the other stack's output; there is never a second one at once."""
    client, name = boto3.client("lambda", region_name=REGION), stacks.outputs["migrations"]["FunctionName"]
    told = client.get_function_configuration(FunctionName=name)
    assert (told["Handler"], told["Timeout"], told["Runtime"]) == ("migrate.handler", 900, "python3.13")
    assert told["Environment"]["Variables"]["DATABASE_HOST"] == stacks.outputs["database"]["DatabaseHost"]
    assert set(told["VpcConfig"]["SecurityGroupIds"]) == {stacks.outputs["network"]["FunctionsGroupId"]}
    assert client.get_function_concurrency(FunctionName=name)["ReservedConcurrentExecutions"] == 1


def test_both_exporters_run_once(stacks: Stacks) -> None:
    """The account exporter is the stack's own image, and is sent to the database by IAM."""
    ecs, cluster = boto3.client("ecs", region_name=REGION), stacks.ids["exporter"]["Cluster"]
    services = ecs.describe_services(cluster=cluster, services=["yace", "account-exporter"])["services"]
    assert {each["serviceName"]: each["desiredCount"] for each in services} == {"yace": 1, "account-exporter": 1}
    task = next(each["taskDefinition"] for each in services if each["serviceName"] == "account-exporter")
    (container,) = ecs.describe_task_definition(taskDefinition=task)["taskDefinition"]["containerDefinitions"]
    assert container["image"] == f"{stacks.outputs['exporter']['RepositoryUri']}:7"
    host = stacks.outputs["database"]["DatabaseHost"]
    assert container["command"][:3] == ["--database-url", f"postgresql://monitor@{host}:5432/mono_pipeline", "--iam"]
    assert container["readonlyRootFilesystem"]
    (repository,) = boto3.client("ecr", region_name=REGION).describe_repositories()["repositories"]
    assert repository["imageTagMutability"] == "IMMUTABLE"


def test_the_api_s_name_is_in_the_zone(stacks: Stacks) -> None:
    """An alias record; to what it leads the stand-in does not know."""
    route53 = boto3.client("route53", region_name=REGION)
    (zone,) = route53.list_hosted_zones()["HostedZones"]
    records = route53.list_resource_record_sets(HostedZoneId=zone["Id"])["ResourceRecordSets"]
    (record,) = (each for each in records if each["Type"] == "A")
    assert record["Name"].rstrip(".") == "api.example.com"
    assert record["AliasTarget"]["DNSName"]
    assert stacks.outputs["domain"]["WebhookUrl"].startswith("https://api.example.com/api/")
