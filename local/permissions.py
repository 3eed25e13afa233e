"""What each role of the template and of the stacks beside it may do, to be compared with tests/golden/permissions.json.

`python -m local.permissions` prints it; a change of it is a change of the golden file, which a reviewer sees.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from local.template import ROOT, TEMPLATE, Template

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# As deployed: in a VPC, with IAM authentication at the database. Names are as short as they can be read.
DEPLOYED: Final = {
    "Environment": "prod",
    "SubnetIds": "subnet-1,subnet-2",
    "SecurityGroupIds": "sg-1",
    "DatabaseHost": "db.example",
    "DatabaseResourceId": "db-1",
    "AccessLogs": "true",
}
_VPC: Final = {"SubnetIds": DEPLOYED["SubnetIds"], "SecurityGroupId": "sg-1"}
_DATABASE: Final = {name: DEPLOYED[name] for name in ("DatabaseHost", "DatabaseResourceId")}
# The stacks beside the application, with everything that a parameter could leave out.
BESIDE: Final = {
    "network": {"NatInEachZone": "true"},
    "database": {**_VPC, "WithProxy": "true"},
    "domain": {"DomainName": "api.example.com", "HostedZoneId": "Z1"},
    "migrations": {"SubnetIds": DEPLOYED["SubnetIds"], "SecurityGroupIds": "sg-1", **_DATABASE},
    "exporter": {
        **_VPC,
        **_DATABASE,
        "VpcId": "vpc-1",
        "AccountExporterGroupId": "sg-2",
        "AccountExporterTag": "7",
    },
}

type Permissions = dict[str, list[dict[str, Any]]]


def stacks() -> dict[str, Template]:
    """The application and what is beside it, as production gets them, by their file."""
    beside = {
        f"infra/{name}.yaml": Template.expand(
            ROOT / "infra" / f"{name}.yaml", parameters={"Environment": DEPLOYED["Environment"], **parameters}
        )
        for name, parameters in BESIDE.items()
    }
    return {TEMPLATE.name: Template.expand(parameters=DEPLOYED), **beside}


def permissions(template: Template) -> Permissions:
    """By role: its own statements, those of our managed policies, and the names of AWS's."""
    ours = {
        logical_id: properties["PolicyDocument"]["Statement"]
        for logical_id, properties in template.resolved("AWS::IAM::ManagedPolicy")
    }
    return {logical_id: _of_role(role, ours) for logical_id, role in sorted(template.resolved("AWS::IAM::Role"))}


def _of_role(role: Mapping[str, Any], ours: Mapping[str, Any]) -> list[dict[str, Any]]:
    inline = [statement for policy in role.get("Policies", []) for statement in policy["PolicyDocument"]["Statement"]]
    managed = role.get("ManagedPolicyArns", [])
    shared = [statement for name in managed for statement in ours.get(name, [])]
    of_aws = [{"policy_of_aws": name.rsplit("/", 1)[-1]} for name in managed if name not in ours]
    trusted = [
        {"taken_on_by": statement["Principal"], **_condition(statement)}
        for statement in role["AssumeRolePolicyDocument"]["Statement"]
    ]
    return trusted + of_aws + [_statement(each) for each in (*inline, *shared)]


def _statement(statement: Mapping[str, Any]) -> dict[str, Any]:
    if statement["Effect"] != "Allow":
        raise ValueError(f"a role's statement that denies is not known here: {statement}")
    return {
        "actions": sorted(_listed(statement["Action"])),
        "resources": sorted(_listed(statement["Resource"])),
        **_condition(statement),
    }


def _condition(statement: Mapping[str, Any]) -> dict[str, Any]:
    return {"condition": statement["Condition"]} if "Condition" in statement else {}


def _listed(value: str | Iterable[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def main() -> None:
    """Print the permissions as the golden file has them."""
    print(json.dumps({name: permissions(stack) for name, stack in stacks().items()}, indent=1, sort_keys=True))


if __name__ == "__main__":
    main()
