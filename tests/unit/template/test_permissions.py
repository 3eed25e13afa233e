"""Who may do what: the exact actions and resources of each role, and the rules behind them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest

from local.permissions import BESIDE, Permissions, permissions, stacks
from local.template import ROOT, Template

if TYPE_CHECKING:
    from collections.abc import Iterator

GOLDEN: Final = ROOT / "tests" / "golden" / "permissions.json"
# AWS's own policies say `*` where a resource cannot be named: log streams, traces, network interfaces in a VPC, what
# CodeDeploy moves (of functions, it may invoke only those named CodeDeployHook_).
POLICIES_OF_AWS: Final = {
    "AWSLambdaBasicExecutionRole",
    "AWSXrayWriteOnlyAccess",
    "AWSLambdaVPCAccessExecutionRole",
    "AWSCodeDeployRoleForLambda",
}
# Roles of nobody's function, with the service that takes each on.
SERVICES: Final = {
    "ScheduleRole": "scheduler",
    "CodeDeployServiceRole": "codedeploy",
    "AutomaticRollbackRole": "states",
    "AutomaticRollbackStartRole": "events",
}
ROLE: Final = "AWS::IAM::Role"
WORK: Final = {"mono-pipeline-prod-daily", "mono-pipeline-prod-backfill"}
DEAD: Final = "mono-pipeline-prod-dead-letters"


@pytest.fixture(scope="module")
def deployed_stacks() -> dict[str, Template]:
    """Every stack as it is deployed to production, by its file."""
    return stacks()


@pytest.fixture(scope="module")
def deployed(deployed_stacks: dict[str, Template]) -> Template:
    """The application's."""
    return deployed_stacks["template.yaml"]


@pytest.fixture(scope="module")
def allowed(deployed: Template) -> Permissions:
    """By role."""
    return permissions(deployed)


def pairs(allowed: Permissions, role: str, service: str) -> set[tuple[str, str]]:
    """(action, last part of the resource) of one service."""
    return {
        (action, resource.rsplit("/", 1)[-1].rsplit(":", 1)[-1])
        for statement in allowed[role]
        for action in statement.get("actions", [])
        if action.startswith(f"{service}:")
        for resource in statement["resources"]
    }


def statements(allowed: Permissions) -> Iterator[tuple[str, dict[str, Any]]]:
    """(role, statement) of all that name actions."""
    for role, entries in allowed.items():
        for entry in entries:
            if "actions" in entry:
                yield role, entry


@pytest.mark.parametrize("stack", ["template.yaml", *(f"infra/{name}.yaml" for name in BESIDE)])
def test_every_role_may_do_exactly_what_is_written_down(stack: str, deployed_stacks: dict[str, Template]) -> None:
    """Another action, resource or condition is seen by whoever reviews the golden file."""
    golden = json.loads(GOLDEN.read_text())
    ours = permissions(deployed_stacks[stack])
    assert ours == golden[stack], f"run: python -m local.permissions > {GOLDEN.relative_to(ROOT)}"
    written = {name for name, each in deployed_stacks[stack].document["Resources"].items() if each["Type"] == ROLE}
    assert set(ours) == written, "a parameter leaves a role out"


def test_no_stack_is_left_out(deployed_stacks: dict[str, Template]) -> None:
    """Each file that makes a stack is in the golden file."""
    files = {"template.yaml", *(f"infra/{path.name}" for path in (ROOT / "infra").glob("*.yaml"))}
    assert set(json.loads(GOLDEN.read_text())) == set(deployed_stacks) == files


def test_the_roles_beside_are_taken_on_by_one_service_for_this_account(deployed_stacks: dict[str, Template]) -> None:
    """No service on behalf of somebody else's account; Lambda takes on what is its function's."""
    for name in BESIDE:
        for role, entries in permissions(deployed_stacks[f"infra/{name}.yaml"]).items():
            (trust,) = (entry for entry in entries if "taken_on_by" in entry)
            if trust["taken_on_by"] != {"Service": ["lambda.amazonaws.com"]}:
                assert set(trust["taken_on_by"]) == {"Service"}, role
                assert trust["condition"] == {"StringEquals": {"aws:SourceAccount": "000000000000"}}, role


def test_every_function_has_a_role_of_its_own(deployed: Template) -> None:
    """What one may do, no other may by accident."""
    roles = [properties["Role"] for _, properties in deployed.resolved("AWS::Lambda::Function")]
    assert len(set(roles)) == len(roles) == len(deployed.functions)


def test_actions_and_resources_are_named(allowed: Permissions) -> None:
    """No `*` in any statement of ours, and of AWS's policies only the four that cannot name theirs."""
    for role, statement in statements(allowed):
        assert not [text for text in statement["actions"] + statement["resources"] if "*" in text], (role, statement)
    of_aws = {entry["policy_of_aws"] for entries in allowed.values() for entry in entries if "policy_of_aws" in entry}
    assert of_aws <= POLICIES_OF_AWS


def test_the_webhook_sends_to_one_queue_and_reads_its_secret(allowed: Permissions, deployed: Template) -> None:
    """With the key that both are encrypted with; and it is outside the VPC, with no way to the database."""
    names = ("MONO_WEBHOOK_SECRET", "MONO_WEBHOOK_SECRET_PREVIOUS", "MONO_APP_ID")
    assert pairs(allowed, "WebhookRole", "sqs") == {("sqs:SendMessage", "mono-pipeline-prod-daily")}
    assert {name for _, name in pairs(allowed, "WebhookRole", "ssm")} == set(names)
    assert {action for action, _ in pairs(allowed, "WebhookRole", "kms")} == {"kms:Decrypt", "kms:GenerateDataKey"}
    services = {
        action.split(":")[0]
        for role, each in statements(allowed)
        if role == "WebhookRole"
        for action in each["actions"]
    }
    assert services == {"sqs", "ssm", "kms"}
    assert "VpcConfig" not in dict(deployed.resolved("AWS::Lambda::Function"))["Webhook"]
    assert {"policy_of_aws": "AWSLambdaVPCAccessExecutionRole"} not in allowed["WebhookRole"]


def test_only_the_replay_takes_dead_letters_and_it_sends_to_the_work_queues(allowed: Permissions) -> None:
    """Nobody else can make one go away."""
    takers = {
        role
        for role, statement in statements(allowed)
        if "sqs:DeleteMessage" in statement["actions"] and any(name.endswith(DEAD) for name in statement["resources"])
    }
    assert takers == {"DlqReplayRole"}
    sends = {queue for action, queue in pairs(allowed, "DlqReplayRole", "sqs") if action == "sqs:SendMessage"}
    assert sends == WORK


def test_a_worker_takes_from_its_own_queue_alone(allowed: Permissions) -> None:
    """It may hand over, continue and give up; it reads no other queue."""
    for role, queue in (("SyncWorkerRole", "daily"), ("BackfillWorkerRole", "backfill")):
        reads = {name for action, name in pairs(allowed, role, "sqs") if action != "sqs:SendMessage"}
        assert reads == {f"mono-pipeline-prod-{queue}"}, role


def test_each_function_is_one_role_of_the_database(allowed: Permissions, deployed: Template) -> None:
    """The sync is `pipeline`; the ops function is `ops`, and the owner of the tables when it migrates them."""
    logins = {role: {user for _, user in pairs(allowed, role, "rds-db")} for role in allowed}
    for role in ("OpsRole", "PreTrafficHookRole"):
        assert logins[role] == {"ops", "pipeline_owner"}
    for role in ("SyncApiRole", "SyncScheduleRole", "SyncWorkerRole", "BackfillWorkerRole", "DlqReplayRole"):
        assert logins[role] == {"pipeline"}
    assert {role for role, users in logins.items() if not users} == {"WebhookRole", *SERVICES}
    assert deployed.functions["Ops"].environment["DATABASE_USER"] == "ops"
    assert deployed.functions["SyncWorker"].environment["DATABASE_USER"] == "pipeline"


def test_the_key_is_used_through_the_services_that_hold_what_it_encrypts(allowed: Permissions) -> None:
    """Nobody decrypts anything by themselves."""
    for role, statement in statements(allowed):
        if any(action.startswith("kms:") for action in statement["actions"]):
            via = statement["condition"]["StringEquals"]["kms:ViaService"]
            assert {each.split(".")[0] for each in ([via] if isinstance(via, str) else via)} <= {"sqs", "ssm"}, role


def test_a_role_is_taken_on_by_its_own_service_alone(allowed: Permissions) -> None:
    """Lambda takes on the functions' roles; other services their own, and ours only on behalf of this account."""
    for role, entries in allowed.items():
        service = SERVICES.get(role, "lambda")
        (trust,) = (entry for entry in entries if "taken_on_by" in entry)
        principals = trust["taken_on_by"]["Service"]
        assert (principals if isinstance(principals, str) else principals[0]) == f"{service}.amazonaws.com"
    for role in set(SERVICES) - {"CodeDeployServiceRole"}:  # which SAM makes
        (trust,) = (entry for entry in allowed[role] if "taken_on_by" in entry)
        assert trust["condition"] == {"StringEquals": {"aws:SourceAccount": "000000000000"}}
