"""What template.yaml must keep true, checked on the expanded template."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import pytest
from samtranslator.yaml_helper import yaml_parse

from local.stack_settings import OWN_VARIABLES, VARIABLES
from local.template import TEMPLATE, Template, parameters_by_variable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

OPEN_ROUTES: Final = {("POST", "/api/v1/webhooks/mono/integrations/mono/webhook"), ("GET", "/health")}
ROUTES: Final = OPEN_ROUTES | {
    ("POST", "/api/v1/banking/transactions/sync"),
    ("GET", "/api/v1/banking/transactions/sync/{run_id}"),
    ("POST", "/api/v1/ops/dead-letters"),
}
MAX_CONNECTIONS: Final = 100  # PostgreSQL's default
DATABASE_FUNCTIONS: Final = {
    "SyncApi",
    "SyncSchedule",
    "SyncWorker",
    "BackfillWorker",
    "Ops",
    "DlqReplay",
    "PreTrafficHook",
}
IN_VPC: Final = {"SubnetIds": "subnet-1,subnet-2", "SecurityGroupIds": "sg-1", "DatabaseResourceId": "db-1"}


@pytest.fixture(scope="module")
def template() -> Template:
    """The template with its defaults, as deployed outside a VPC."""
    return Template.expand()


@pytest.fixture(scope="module")
def in_vpc() -> Template:
    """The template in a VPC with IAM authentication at the database."""
    return Template.expand(parameters=IN_VPC)


@pytest.fixture(scope="module")
def source() -> dict[str, Any]:
    """The template as written."""
    return dict(yaml_parse(TEMPLATE.read_text()))


def of_kind(source: Mapping[str, Any], kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(logical id, properties) of the resources of a kind, as written."""
    for logical_id, resource in source["Resources"].items():
        if resource["Type"] == kind:
            yield logical_id, resource["Properties"]


def role_statements(template: Template, function: str) -> list[dict[str, Any]]:
    """Every statement of the policies that this repository gives a function's role."""
    managed = {
        logical_id: properties["PolicyDocument"]["Statement"]
        for logical_id, properties in template.resolved("AWS::IAM::ManagedPolicy")
    }
    role = dict(template.resolved("AWS::IAM::Role"))[f"{function}Role"]
    inline = [s for policy in role.get("Policies", []) for s in policy["PolicyDocument"]["Statement"]]
    return inline + [s for arn in role["ManagedPolicyArns"] for s in managed.get(arn, [])]


def actions(statement: Mapping[str, Any]) -> list[str]:
    """A statement's actions as a list."""
    given = statement["Action"]
    return [given] if isinstance(given, str) else list(given)


def resources(statement: Mapping[str, Any]) -> list[str]:
    """A statement's resources as a list."""
    given = statement["Resource"]
    return [given] if isinstance(given, str) else list(given)


def test_the_api_has_exactly_the_public_routes(template: Template) -> None:
    """Others rely on these paths."""
    assert {(route.method, route.path) for route in template.routes} == ROUTES


def test_only_the_webhook_and_health_are_open(template: Template) -> None:
    """Everything else needs IAM."""
    assert {(route.method, route.path) for route in template.routes if route.is_open} == OPEN_ROUTES


def test_iam_callers_need_no_lambda_permission(template: Template) -> None:
    """`InvokeRole: NONE`: with SAM's default the caller's own credentials would invoke the function."""
    for _, api in template.of_type("AWS::ApiGateway::RestApi"):
        for methods in api["Body"]["paths"].values():
            for operation in methods.values():
                assert "credentials" not in operation["x-amazon-apigateway-integration"]


def test_the_api_has_one_stage(template: Template) -> None:
    """SAM would add one called "Stage", open to the same callers and without our throttling."""
    assert [stage["StageName"] for _, stage in template.resolved("AWS::ApiGateway::Stage")] == ["dev"]
    assert not [True for _, deployment in template.of_type("AWS::ApiGateway::Deployment") if "StageName" in deployment]


def test_every_route_is_throttled(template: Template) -> None:
    """The catch-all has both limits, and each route named by itself exists."""
    (_, stage), *_ = template.resolved("AWS::ApiGateway::Stage")
    settings = {(s["HttpMethod"], s["ResourcePath"]): s for s in stage["MethodSettings"]}
    assert ("*", "/*") in settings
    for (method, path), limits in settings.items():
        assert limits["ThrottlingRateLimit"] > 0
        assert limits["ThrottlingBurstLimit"] > 0
        if path != "/*":
            assert (method, path.replace("~1", "/").replace("//", "/", 1)) in ROUTES


def test_a_change_in_the_layer_alone_reaches_the_alias(source: Mapping[str, Any]) -> None:
    """Only the pair publishes a new version: a property of every function and one of the layer."""
    assert source["Globals"]["Function"]["AutoPublishAlias"] == "live"
    for logical_id, function in of_kind(source, "AWS::Serverless::Function"):
        assert function.get("AutoPublishAliasAllProperties") is True, logical_id
    for logical_id, layer in of_kind(source, "AWS::Serverless::LayerVersion"):
        assert layer.get("PublishLambdaVersion") is True, logical_id


def test_the_version_moves_with_the_layer(tmp_path: Any) -> None:
    """The pair does what it is there for: another layer gives every function another version."""

    def versions(text: str) -> set[str]:
        path = tmp_path / "template.yaml"
        path.write_text(text)
        return {logical_id for logical_id, _ in Template.expand(path).of_type("AWS::Lambda::Version")}

    before = TEMPLATE.read_text()
    after = before.replace("  CommonLayer:\n", "  OtherLayer:\n").replace("!Ref CommonLayer", "!Ref OtherLayer")
    assert not versions(before) & versions(after)


def test_everything_that_invokes_calls_the_alias(template: Template) -> None:
    """API, queues and schedule all name `live`, so that a canary shifts all of them."""
    for _, mapping in template.resolved("AWS::Lambda::EventSourceMapping"):
        assert mapping["FunctionName"].endswith(":live")
    for _, schedule in template.resolved("AWS::Scheduler::Schedule"):
        assert schedule["Target"]["Arn"].endswith(":live")
    for _, api in template.of_type("AWS::ApiGateway::RestApi"):
        for methods in api["Body"]["paths"].values():
            for operation in methods.values():
                uri = template.intrinsics.resolve(operation["x-amazon-apigateway-integration"]["uri"])
                assert uri.endswith(":live/invocations")


def test_visibility_is_six_times_the_timeout(template: Template) -> None:
    """Else a message that is being worked on comes back."""
    queues = {queue.arn: queue for queue in template.queues}
    for source in template.event_sources:
        assert queues[source.queue_arn].visibility >= 6 * template.functions[source.function].timeout


def test_queues_report_item_failures_one_message_at_a_time(template: Template) -> None:
    """And each has a concurrency of its own, which reserved concurrency would not give without losing messages."""
    assert {source.function for source in template.event_sources} == {"SyncWorker", "BackfillWorker"}
    for source in template.event_sources:
        assert source.reports_item_failures
        assert source.batch_size == 1
        assert source.concurrency is not None
        assert template.functions[source.function].reserved_concurrency is None


def test_a_queue_with_a_consumer_has_a_dead_letter_queue_that_keeps_longer(template: Template) -> None:
    """Five receives, then a queue whose messages, which keep their first date, do not expire at once."""
    queues = {queue.arn: queue for queue in template.queues}
    for source in template.event_sources:
        queue = queues[source.queue_arn]
        assert queue.max_receive_count == 5
        assert queue.dead_letter_arn is not None
        assert queues[queue.dead_letter_arn].retention > queue.retention
        assert queues[queue.dead_letter_arn].retention == 14 * 86_400


def test_the_dead_letter_queue_is_nobodys_event_source(template: Template) -> None:
    """Replay on its own would be a loop."""
    dead = {queue.dead_letter_arn for queue in template.queues}
    assert not dead & {source.queue_arn for source in template.event_sources}


def test_the_dead_letter_queue_takes_from_its_sources_only(template: Template) -> None:
    """The allow policy names exactly the queues that redrive into it (by name, as a circle cannot be written)."""
    (dead,) = [dict(p) for _, p in template.resolved("AWS::SQS::Queue") if "RedriveAllowPolicy" in p]
    sources = {queue.arn for queue in template.queues if queue.dead_letter_arn}
    assert set(dead["RedriveAllowPolicy"]["sourceQueueArns"]) == sources


def test_queues_are_encrypted_and_closed_to_plain_text(template: Template) -> None:
    """Every one of them."""
    (_, policy), *_ = template.resolved("AWS::SQS::QueuePolicy")
    (denied,) = policy["PolicyDocument"]["Statement"]
    assert (denied["Effect"], denied["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    assert set(denied["Resource"]) == {queue.arn for queue in template.queues}
    assert set(policy["Queues"]) == {queue.url for queue in template.queues}
    assert all(queue.attributes["KmsMasterKeyId"] == "DataKey" for queue in template.queues)


def test_no_iam_action_has_a_wildcard(in_vpc: Template) -> None:
    """Least privilege: actions are named, and so are resources."""
    for function in in_vpc.functions:
        for statement in role_statements(in_vpc, function):
            assert statement["Effect"] == "Allow"
            assert not [action for action in actions(statement) if "*" in action], (function, statement)
            assert not [resource for resource in resources(statement) if "*" in resource], (function, statement)


def test_the_webhook_can_send_and_read_its_own_settings_and_nothing_else(in_vpc: Template) -> None:
    """What the world can call has no way to the database, to Mono's key or to the flag."""
    allowed = {
        (action, resource.rsplit("/", 1)[-1].rsplit(":", 1)[-1])
        for statement in role_statements(in_vpc, "Webhook")
        for action in actions(statement)
        for resource in resources(statement)
    }
    names = ("MONO_WEBHOOK_SECRET", "MONO_WEBHOOK_SECRET_PREVIOUS", "MONO_APP_ID")
    reads = {(action, name) for action in ("ssm:GetParameter", "ssm:GetParameters") for name in names}
    key = {(action, "DataKey") for action in ("kms:Decrypt", "kms:GenerateDataKey")}
    assert allowed == reads | key | {("sqs:SendMessage", "mono-pipeline-dev-daily")}


def test_only_the_webhook_reads_the_webhook_secret(in_vpc: Template) -> None:
    """And every other function's list of parameters is by name."""
    for function in set(in_vpc.functions) - {"Webhook"}:
        for statement in role_statements(in_vpc, function):
            assert not [resource for resource in resources(statement) if "MONO_WEBHOOK_SECRET" in resource], function


def test_functions_of_the_database_and_no_others_are_in_the_vpc(in_vpc: Template, template: Template) -> None:
    """With subnets given; without, none is."""

    def inside(expanded: Template) -> set[str]:
        return {logical_id for logical_id, p in expanded.resolved("AWS::Lambda::Function") if "VpcConfig" in p}

    assert inside(in_vpc) == DATABASE_FUNCTIONS
    assert inside(template) == set()


def test_database_connections_stay_within_eighty_percent(template: Template) -> None:
    """One connection per concurrent invocation of what uses the database."""
    concurrency = {source.function: source.concurrency for source in template.event_sources}
    most = [template.functions[name].reserved_concurrency or concurrency[name] or 0 for name in DATABASE_FUNCTIONS]
    assert all(most)
    assert sum(most) <= 0.8 * MAX_CONNECTIONS


def test_every_asynchronous_path_has_a_failure_destination(template: Template) -> None:
    """The schedule's own dead-letter queue, and for what is invoked without anyone waiting, an on-failure queue."""
    known = {queue.arn for queue in template.queues}
    for schedule in template.schedules:
        assert schedule.dead_letter_arn in known
        assert template.functions[schedule.function].on_failure in known
    behind_a_queue_or_route = {s.function for s in template.event_sources} | {r.function for r in template.routes}
    for function in set(template.functions) - behind_a_queue_or_route:
        assert template.functions[function].on_failure in known, function


def test_what_fails_for_good_ends_in_one_queue_that_gives_nothing_up(template: Template) -> None:
    """Redrive, failure destinations and the schedule name one queue; it has no redrive, so looking does no harm."""
    (dead,) = (queue for queue in template.queues if queue.logical_id == "DeadLetterQueue")
    ends = {queue.dead_letter_arn for queue in template.queues if queue is not dead}
    ends |= {schedule.dead_letter_arn for schedule in template.schedules}
    ends |= {function.on_failure for function in template.functions.values() if function.on_failure}
    assert ends == {dead.arn}
    assert (dead.max_receive_count, dead.dead_letter_arn) == (None, None)
    assert dead.retention == 14 * 86_400


def test_no_event_source_filters_or_gives_up_by_itself(template: Template) -> None:
    """A filter discards what it does not match, and a record age or retry limit drops what it is tired of."""
    for _, mapping in template.resolved("AWS::Lambda::EventSourceMapping"):
        assert not {"FilterCriteria", "MaximumRetryAttempts", "MaximumRecordAgeInSeconds"} & set(mapping)
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_the_schedule_itself_may_write_its_dead_letters(template: Template) -> None:
    """The role that EventBridge Scheduler takes on: without the permission the failure is dropped silently."""
    roles = {
        template.intrinsics.resolve({"Fn::GetAtt": [logical_id, "Arn"]}): properties
        for logical_id, properties in template.resolved("AWS::IAM::Role")
    }
    schedules = list(template.resolved("AWS::Scheduler::Schedule"))
    assert schedules
    for _, schedule in schedules:
        target = schedule["Target"]
        statements = [
            statement
            for policy in roles[target["RoleArn"]]["Policies"]
            for statement in policy["PolicyDocument"]["Statement"]
        ]
        sends = [statement for statement in statements if "sqs:SendMessage" in actions(statement)]
        assert target["DeadLetterConfig"]["Arn"] in [each for statement in sends for each in resources(statement)]


def test_failure_queues_may_be_written_by_those_who_fail(template: Template) -> None:
    """A destination without the permission loses the failure silently."""
    for function in template.functions.values():
        if function.on_failure is not None:
            sends = [s for s in role_statements(template, function.logical_id) if "sqs:SendMessage" in actions(s)]
            assert function.on_failure in [resource for statement in sends for resource in resources(statement)]


def test_every_function_logs_to_a_group_that_forgets(template: Template) -> None:
    """A log group of its own with a retention, which Lambda's own would not have."""
    groups = {p["LogGroupName"]: p for _, p in template.resolved("AWS::Logs::LogGroup")}
    assert all(int(group["RetentionInDays"]) > 0 for group in groups.values())
    used = [p["LoggingConfig"]["LogGroup"] for _, p in template.resolved("AWS::Lambda::Function")]
    assert len(set(used)) == len(template.functions)
    assert set(used) <= set(groups)


def test_no_secret_is_in_a_functions_environment(template: Template) -> None:
    """Neither by name nor as a parameter of the template."""
    telling = re.compile(r"SECRET|PASSWORD|TOKEN|_KEY$", re.IGNORECASE)
    for function in template.functions.values():
        assert not [name for name in function.environment if telling.search(name)]
    assert not [name for name in template.document["Parameters"] if telling.search(name)]


def test_every_function_knows_its_queues_and_settings(template: Template) -> None:
    """The names that the code reads."""
    urls = {queue.logical_id: queue.url for queue in template.queues}
    for function in template.functions.values():
        environment = function.environment
        assert environment["QUEUE_URL"] == urls["DailyQueue"]
        assert environment["BACKFILL_QUEUE_URL"] == urls["BackfillQueue"]
        assert environment["DEAD_LETTER_QUEUE_URL"] == urls["DeadLetterQueue"]
        assert environment["POWERTOOLS_SERVICE_NAME"] == "mono-pipeline"
        assert environment["POWERTOOLS_METRICS_NAMESPACE"] == "TaxPoynt"
        assert environment["DATABASE_SSLMODE"] == "verify-full"


def test_every_variable_from_a_parameter_may_be_given_to_the_embedded_stack() -> None:
    """The list in the stack's settings is the template's."""
    assert {*VARIABLES, *OWN_VARIABLES} == set(parameters_by_variable())


def test_the_flag_is_born_off_as_a_plain_string(template: Template) -> None:
    """A new environment syncs nothing until somebody says so."""
    (flag,) = template.parameters
    assert (flag.name, flag.kind, flag.value) == ("/mono-pipeline/dev/MONO_TRANSACTIONS_ENABLED", "String", "false")


def test_functions_run_python_313_on_the_processor_asked_for(template: Template) -> None:
    """arm64 by default, x86_64 for a developer's machine."""
    for given, expected in (({}, "arm64"), ({"Architecture": "x86_64"}, "x86_64")):
        expanded = Template.expand(parameters=given) if given else template
        for _, function in expanded.resolved("AWS::Lambda::Function"):
            assert (function["Runtime"], function["Architectures"]) == ("python3.13", [expected])
            assert function["TracingConfig"] == {"Mode": "Active"}


def test_names_of_two_environments_never_meet(template: Template) -> None:
    """Every name that AWS keeps unique in an account and Region holds the environment."""
    other = Template.expand(parameters={"Environment": "staging"})

    def names(expanded: Template) -> set[str]:
        keys = ("FunctionName", "QueueName", "LogGroupName", "LayerName")
        found = {p[k] for r in expanded.document["Resources"] for p in [expanded.naming(r)] for k in keys if k in p}
        return found | {schedule.name for schedule in expanded.schedules} | {p.name for p in expanded.parameters}

    assert len(names(template)) == len(names(other)) > 15
    assert not names(template) & names(other)


def test_an_unknown_parameter_is_refused() -> None:
    """A typing error must not deploy the default."""
    with pytest.raises(ValueError, match="no parameter Enviroment"):
        Template.expand(parameters={"Enviroment": "prod"})
