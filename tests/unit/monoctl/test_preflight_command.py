"""`monoctl preflight`: every line fails when what it looks at is wrong, and nothing but all of them in order is 0."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import httpx
import pytest
import yaml
from botocore.config import Config
from moto import mock_aws

from local.template import Template
from mono_pipeline.adapters.parameters import ParameterStore
from mono_pipeline.core.errors import DependencyUnavailable
from monoctl.environment import EnvironmentName
from monoctl.errors import Defect, OpsRefused
from monoctl.preflight.alert_lines import ALERTS, EXPORTERS, WATCHDOG
from monoctl.preflight.checks import CHECKS, exit_code, preflight
from monoctl.preflight.grounds import Grounds
from monoctl.preflight.line import Line, State
from monoctl.reach.deployment import FUNCTIONS, SCHEDULES, AwsDeployment, LiveVersion, ScheduleState
from tests.unit.monoctl.stand_ins import FakeClock, FakeReach, golden, monoctl, without_margins

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_ssm import SSMClient

APP = "60cc8f95ba1772018c5c8df1"
SECRET = "w" * 48
KEY = "live_sk_0123456789abcdef"
PROMETHEUS = "https://prometheus.example.com"
URL = "https://api.example.com/api/v1/webhooks/mono/integrations/mono/webhook"
DEAD_ARN = "arn:aws:sqs:eu-west-1:000000000000:mono-pipeline-prod-dead-letters"


@dataclass
class World:
    """Everything in order; a test makes one thing wrong."""

    ssm: SSMClient
    environment: EnvironmentName = EnvironmentName.PROD
    settings: dict[str, Any] = field(
        default_factory=lambda: {
            "environment": "prod",
            "mono_base_url": "https://api.withmono.com",
            "mono_app_id": APP,
            "database_sslmode": "verify-full",
            "realtime_monthly_cap_ngn": 0,
        }
    )
    flag: dict[str, Any] = field(
        default_factory=lambda: {
            "rule": "false",
            "off_for_everyone": True,
            "version": 3,
            "problem": None,
            "detail": "",
        }
    )
    mono: dict[str, Any] = field(default_factory=lambda: {"reached": True, "accounts": 12_408, "problem": None})
    database: dict[str, Any] = field(
        default_factory=lambda: {
            "role": "pipeline",
            "server": "18.1",
            "tls": True,
            "tls_version": "TLSv1.3",
            "sslmode": "verify-full",
        }
    )
    pending: list[str] = field(default_factory=list)
    arrives: bool = True
    refusal: Exception | None = None  # of the ops function, whatever it is asked
    without_secret: int = 401
    with_secret: tuple[int, dict[str, Any]] = (200, {"status": "accepted"})
    queues: dict[str, dict[str, str] | None] = field(default_factory=lambda: dict(QUEUES))
    tick: list[ScheduleState] = field(
        default_factory=lambda: [
            ScheduleState(name=f"mono-pipeline-prod-{name}", enabled=True, every="rate(5 minutes)")
            for name in SCHEDULES
        ]
    )
    live: list[LiveVersion] | None = field(
        default_factory=lambda: [LiveVersion(function=name, live="12", previous="11") for name in FUNCTIONS]
    )
    prometheus: str | None = PROMETHEUS
    alerts: dict[str, dict[str, str]] = field(
        default_factory=lambda: {
            name: {"name": name, "state": "firing" if name == WATCHDOG else "inactive", "health": "ok"}
            for name in ALERTS
        }
    )
    up: dict[str, str] = field(default_factory=lambda: dict.fromkeys(EXPORTERS, "1"))
    prometheus_status: int = 200
    confirmed: str | None = URL
    first_release: bool = False
    releases: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    sent: list[dict[str, Any]] = field(default_factory=list)
    clock: FakeClock = field(default_factory=FakeClock)

    api_url = "https://api.example.com"
    webhook_url = URL

    def queue(self, name: str) -> dict[str, str] | None:
        """SQS."""
        return self.queues[name]

    def schedules(self) -> list[ScheduleState]:
        """EventBridge Scheduler."""
        return self.tick

    def versions(self) -> list[LiveVersion] | None:
        """Lambda."""
        return self.live

    def ask(self, action: str, **arguments: Any) -> dict[str, Any]:
        """The ops function."""
        if action == "releases.list":
            return {"releases": self.releases}
        if action == "releases.begin":
            self.releases.insert(0, {"id": arguments["release_id"], "status": "open"})
            return {"release": self.releases[0]}
        if action == "releases.record":
            self.events.append(arguments)
            return {"event": arguments}
        if self.refusal is not None:
            raise self.refusal
        return {
            "preflight.settings": self.settings,
            "preflight.flag": self.flag,
            "preflight.mono": self.mono,
            "preflight.database": self.database,
            "preflight.arrival": {"arrived": self.arrives, "effect": "unknown_account", "seconds": 0.4},
            "migrations.pending": {"pending": self.pending},
        }[action]

    def answer(self, request: httpx.Request) -> httpx.Response:
        """The webhook's door, and Prometheus."""
        if str(request.url) == URL:
            secret = request.headers.get("mono-webhook-secret")
            if secret is None:
                return httpx.Response(self.without_secret)
            if secret != SECRET:
                return httpx.Response(401)
            self.sent.append(json.loads(request.content))
            return httpx.Response(self.with_secret[0], json=self.with_secret[1])
        assert str(request.url).startswith(PROMETHEUS)
        if request.url.path == "/api/v1/rules":
            data: dict[str, Any] = {"groups": [{"rules": list(self.alerts.values())}]}
        else:
            data = {"result": [{"metric": {"job": job}, "value": [0, value]} for job, value in self.up.items()]}
        return httpx.Response(self.prometheus_status, json={"status": "success", "data": data})

    def grounds(self) -> Grounds:
        """What the checks get."""
        return Grounds(
            environment=self.environment,
            ops=self,
            parameters=ParameterStore(lambda: self.ssm),
            deployment=self,  # type: ignore[arg-type]  # its two addresses are plain attributes
            prometheus=self.prometheus,
            confirmed_url=self.confirmed,
            first_release=self.first_release,
            monotonic=lambda: self.clock.seconds,
            pause=self.clock.pause,
            transport=httpx.MockTransport(self.answer),
        )

    def lines(self) -> dict[str, Line]:
        """The pre-flight, by the names of its lines."""
        return {line.name: line for line in preflight(self.grounds())}


def _work_queue(**changes: Any) -> dict[str, str]:
    redrive = {"deadLetterTargetArn": DEAD_ARN, "maxReceiveCount": 5, **changes}
    return {"QueueArn": "arn:work", "RedrivePolicy": json.dumps(redrive)}


def _dead_queue(state: str = "ApproximateNumberOfMessages", count: int = 0) -> dict[str, str]:
    return {"QueueArn": DEAD_ARN, state: str(count)}


QUEUES: dict[str, dict[str, str] | None] = {
    "daily": _work_queue(),
    "backfill": _work_queue(),
    "dead-letters": _dead_queue(),
}


def put(world: World, name: str, value: str, kind: str = "SecureString") -> None:
    """Write a parameter of prod anew."""
    where = f"/mono-pipeline/prod/{name}"
    if world.ssm.get_parameters(Names=[where])["Parameters"]:
        world.ssm.delete_parameter(Name=where)
    world.ssm.put_parameter(Name=where, Value=value, Type=kind)  # type: ignore[arg-type]  # a word of AWS's


@pytest.fixture
def world(ssm: SSMClient) -> World:
    """Prod, with everything in order."""
    made = World(ssm=ssm)
    put(made, "MONO_SECRET_KEY", KEY)
    put(made, "MONO_WEBHOOK_SECRET", SECRET)
    return made


def _set(**changes: Any) -> Callable[[World], None]:
    def change(world: World) -> None:
        for name, value in changes.items():
            setattr(world, name, {**getattr(world, name), **value} if isinstance(value, dict) else value)

    return change


def _alert(name: str, **changes: str) -> Callable[[World], None]:
    return lambda world: world.alerts[name].update(changes)


WRONG: list[tuple[str, str, Callable[[World], None], str]] = [
    (
        "key not set",
        "MONO_SECRET_KEY",
        lambda w: w.ssm.delete_parameter(Name="/mono-pipeline/prod/MONO_SECRET_KEY") and None,
        "is not set",
    ),
    ("test key in prod", "MONO_SECRET_KEY", lambda w: put(w, "MONO_SECRET_KEY", "test_sk_0123"), "is a test key"),
    ("key of another form", "MONO_SECRET_KEY", lambda w: put(w, "MONO_SECRET_KEY", "live_pk_0123"), "no secret key"),
    ("key in clear", "MONO_SECRET_KEY", lambda w: put(w, "MONO_SECRET_KEY", KEY, "String"), "in clear"),
    ("short webhook secret", "MONO_WEBHOOK_SECRET", lambda w: put(w, "MONO_WEBHOOK_SECRET", "w" * 31), "31 characters"),
    (
        "a setting out of form",
        "settings",
        _set(refusal=OpsRefused("ConfigurationError", "MONO_PAGE_LIMIT: is '0'")),
        "MONO_PAGE_LIMIT",
    ),
    ("another environment's functions", "settings", _set(settings={"environment": "dev"}), "run as dev"),
    ("no app", "MONO_APP_ID", _set(settings={"mono_app_id": None}), "is not set"),
    ("Mono refuses", "Mono", _set(mono={"reached": False, "problem": "MonoRefused: Mono answered 401"}), "401"),
    ("malformed flag", "flag", _set(flag={"problem": "malformed", "detail": "malformed: flase"}), "flase"),
    ("database in clear", "database", _set(database={"sslmode": "disable", "tls": False}), "sslmode disable"),
    ("pending migrations", "migrations", _set(pending=["0014_pre_x", "0015_pre_y"]), "2 pending, first 0014_pre_x"),
    ("no queue", "queues", _set(queues={"backfill": None}), "not there: backfill"),
    ("no redrive", "queues", _set(queues={"daily": {"QueueArn": "arn:work"}}), "daily has no redrive"),
    (
        "redrive elsewhere",
        "queues",
        _set(queues={"daily": _work_queue(deadLetterTargetArn="arn:x")}),
        "no redrive into",
    ),
    ("redrive too soon", "queues", _set(queues={"backfill": _work_queue(maxReceiveCount=1)}), "after 1 receives"),
    ("no tick", "schedules", _set(tick=[]), "not there"),
    (
        "tick disabled",
        "schedules",
        lambda w: w.tick.append(ScheduleState(name="x-tick", enabled=False, every="-")),
        "disabled: x-tick",
    ),
    ("door open to all", "webhook refuses", _set(without_secret=200), "200 without"),
    ("door without a secret", "webhook refuses", _set(without_secret=503), "503 without"),
    ("door shut to Mono", "webhook arrives", _set(with_secret=(401, {})), "401 with"),
    ("wake-up ignored", "webhook arrives", _set(with_secret=(200, {"status": "ignored"})), "200 with"),
    ("wake-up lost", "webhook arrives", _set(arrives=False), "not in the tables after 60 s"),
    ("another URL", "webhook URL", _set(confirmed="https://old.example.com/hook"), "not https://old"),
    (
        "rules not loaded",
        "alert rules",
        lambda w: w.alerts.pop("MonoDeadLetters") and None,
        "not loaded: MonoDeadLetters",
    ),
    ("rules not evaluated", "alert rules", _alert("MonoAccountStale", health="err"), "not evaluated: MonoAccountStale"),
    ("an alert fires", "alert rules", _alert("MonoPipelineHighFailureRate", state="firing"), "HighFailureRate firing"),
    ("an alert is pending", "alert rules", _alert("MonoPipelineLatencySLA", state="pending"), "LatencySLA pending"),
    ("the watchdog sleeps", "alert rules", _alert(WATCHDOG, state="inactive"), "does not fire"),
    ("an exporter is down", "exporters", _set(up={EXPORTERS[0]: "0"}), f"down: {EXPORTERS[0]}"),
    ("an exporter is not scraped", "exporters", lambda w: w.up.pop(EXPORTERS[1]) and None, f"down: {EXPORTERS[1]}"),
    ("dead letters", "dead letters", _set(queues={"dead-letters": _dead_queue(count=4)}), "4 wait"),
    (
        "dead letters being looked at",
        "dead letters",
        _set(queues={"dead-letters": _dead_queue("ApproximateNumberOfMessagesNotVisible", 2)}),
        "2 wait",
    ),
]
UNKNOWN: list[tuple[str, str, Callable[[World], None], str]] = [
    ("nobody has confirmed the URL", "webhook URL", _set(confirmed=None), URL),
    ("no Prometheus", "alert rules", _set(prometheus=None), "no Prometheus"),
    ("no Prometheus", "exporters", _set(prometheus=None), "no Prometheus"),
    ("Prometheus fails", "alert rules", _set(prometheus_status=503), "503"),
    ("no dead-letter queue", "dead letters", _set(queues={"dead-letters": None}), "no such queue"),
    (
        "the database is down",
        "migrations",
        _set(refusal=DependencyUnavailable("PostgreSQL does not answer")),
        "does not",
    ),
    ("the function crashes", "Mono", _set(refusal=Defect("the ops function failed")), "failed"),
    ("the first version", "rollback target", _set(live=[LiveVersion(function="ops", live="1", previous=None)]), "ops"),
]


def test_all_in_order_is_passed(world: World) -> None:
    """Then, and only then, the exit code is 0."""
    lines = world.lines()

    assert {name: line for name, line in lines.items() if line.state is not State.PASS} == {}
    assert exit_code(list(lines.values())) == 0
    assert not [line for line in lines.values() if line.fix]


@pytest.mark.parametrize(("name", "change", "says"), [each[1:] for each in WRONG], ids=[each[0] for each in WRONG])
def test_what_is_wrong_fails_its_line_and_says_how_to_put_it_right(
    world: World, name: str, change: Callable[[World], None], says: str
) -> None:
    """And the pre-flight with it, by 7."""
    change(world)

    lines = world.lines()

    assert lines[name].state is State.FAIL, lines[name]
    assert says in lines[name].says
    assert lines[name].fix
    assert exit_code(list(lines.values())) == 7


@pytest.mark.parametrize(("name", "change", "says"), [each[1:] for each in UNKNOWN], ids=[each[0] for each in UNKNOWN])
def test_what_cannot_be_looked_at_is_said_and_never_taken_for_passed(
    world: World, name: str, change: Callable[[World], None], says: str
) -> None:
    """8, unless something else has failed."""
    change(world)

    lines = world.lines()

    assert lines[name].state is State.CANNOT_TELL, lines[name]
    assert says in lines[name].says
    assert lines[name].fix
    assert exit_code(list(lines.values())) != 0


def test_every_line_is_forced_to_fail_or_to_be_unknown() -> None:
    """A line that nothing can turn red checks nothing."""
    assert {name for _, name, _, _ in WRONG + UNKNOWN} == set(CHECKS)


def test_the_alerts_are_those_of_the_shipped_rules() -> None:
    """One that is added there is looked for here."""
    shipped = yaml.safe_load((Path(__file__).parents[3] / "monitoring/prometheus/alerts.yml").read_text())
    assert set(ALERTS) == {rule["alert"] for group in shipped["groups"] for rule in group["rules"]}


def test_queues_schedules_and_functions_are_those_of_the_template() -> None:
    """A pre-flight of yesterday's stack would pass."""
    template = Template.expand()
    stack = template.stack_name
    assert {f"{stack}-{name}" for name in QUEUES} == {queue.name for queue in template.queues}
    assert {f"{stack}-{name}" for name in SCHEDULES} == {schedule.name for schedule in template.schedules}
    assert {f"{stack}-{name}" for name in FUNCTIONS} <= {function.name for function in template.functions.values()}


def test_on_aws_it_looks_at_sqs_and_the_scheduler_by_their_names() -> None:
    """What is there is read, what is not there is told apart from what is disabled."""
    with mock_aws():
        session = boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing", region_name="eu-west-1")
        sqs = session.client("sqs")
        sqs.create_queue(QueueName="mono-pipeline-prod-daily", Attributes={"VisibilityTimeout": "1800"})
        session.client("scheduler").create_schedule(
            Name="mono-pipeline-prod-tick",
            ScheduleExpression="rate(5 minutes)",
            State="DISABLED",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={
                "Arn": "arn:aws:lambda:eu-west-1:000000000000:function:x",
                "RoleArn": "arn:aws:iam::000000000000:role/x",
            },
        )
        deployment = AwsDeployment(session, "prod", Config())

        assert (deployment.queue("daily") or {})["VisibilityTimeout"] == "1800"
        assert deployment.queue("backfill") is None
        assert deployment.schedules() == [
            ScheduleState(name="mono-pipeline-prod-tick", enabled=False, every="rate(5 minutes)")
        ]


def test_the_version_to_go_back_to_is_the_published_one_before_the_live_one() -> None:
    """Whatever else was published since, or is `$LATEST`."""
    client = LambdaOfVersions(live="12", published=["$LATEST", "3", "11", "12", "13"])
    deployment = AwsDeployment(client, "prod", Config())  # type: ignore[arg-type]  # hands out itself

    versions = deployment.versions()

    assert versions is not None
    assert versions[0] == LiveVersion(function="mono-pipeline-prod-sync-api", live="12", previous="11")


@dataclass
class LambdaOfVersions:
    """Lambda with one history for every function; moto cannot page versions of an alias."""

    live: str
    published: list[str]

    def client(self, _service: str, **_options: Any) -> LambdaOfVersions:
        """As a session."""
        return self

    def get_alias(self, **_which: str) -> dict[str, str]:
        """The alias."""
        return {"FunctionVersion": self.live}

    def get_paginator(self, _operation: str) -> LambdaOfVersions:
        """Of the versions."""
        return self

    def paginate(self, **_which: str) -> list[dict[str, Any]]:
        """Two pages."""
        versions = [{"Version": each} for each in self.published]
        return [{"Versions": versions[:2]}, {"Versions": versions[2:]}]


def test_the_wake_up_is_of_an_account_that_nobody_has(world: World) -> None:
    """Its end changes nothing anywhere, and asks nothing of Mono; the app is ours, or it would be ignored."""
    world.lines()

    (event,) = world.sent
    assert event["event"] == "mono.events.account_unlinked"
    assert event["data"]["app"] == APP
    assert len(event["data"]["account"]["_id"]) == 24


def test_no_secret_is_said(world: World) -> None:
    """Neither in a line nor in its fix."""
    put(world, "MONO_WEBHOOK_SECRET", "short-secret-that-is-wrong")
    told = "".join(f"{line.says}{line.fix}" for line in world.lines().values())
    assert KEY not in told
    assert "short-secret" not in told


def test_on_this_machine_plain_text_is_said_and_is_right(world: World) -> None:
    """`disable` is no failure in the embedded stack, and it is not called verified."""
    for name, value in (("MONO_SECRET_KEY", "test_sk_0123"), ("MONO_WEBHOOK_SECRET", SECRET)):
        world.ssm.put_parameter(Name=f"/mono-pipeline/local/{name}", Value=value, Type="SecureString")
    world.environment = EnvironmentName.LOCAL
    world.database.update(sslmode="disable", tls=False, tls_version=None)

    line = world.lines()["database"]

    assert (line.state, "plain text" in line.says) == (State.PASS, True)


def test_a_first_release_goes_back_by_the_flag(world: World) -> None:
    """When somebody says that it is one."""
    world.live = [LiveVersion(function="ops", live="1", previous=None)]
    world.first_release = True
    assert world.lines()["rollback target"].state is State.PASS


@dataclass
class Reach(FakeReach):
    """An environment that has a deployment."""

    deployment: Any = None
    prometheus: str | None = PROMETHEUS


@pytest.fixture
def reach(world: World, monkeypatch: pytest.MonkeyPatch) -> Reach:
    """The same world behind the command line."""
    monkeypatch.setattr(Grounds, "http", lambda _self, _url: httpx.Client(transport=httpx.MockTransport(world.answer)))
    return Reach(ops=world, ssm=world.ssm, deployment=world)


def run(reach: Reach, *arguments: str, machine: bool = False) -> Any:
    """The command in prod."""
    options = ["--json"] if machine else []
    return monoctl(*options, "preflight", *arguments, reach=reach, environment="prod")


def test_the_table_is_read_on_80_columns(world: World, reach: Reach) -> None:
    """With what failed, how to put it right, and the exit code."""
    world.queues["dead-letters"] = _dead_queue(count=4)

    said = run(reach)

    assert (said.exit_code, without_margins(said.stdout)) == (7, golden("preflight"))
    assert max(len(line) for line in said.stdout.splitlines()) <= 80


def test_a_machine_confirms_the_url_and_gets_one_document(reach: Reach) -> None:
    """0 with everything in order."""
    said = run(reach, "--confirm-webhook-url", URL, machine=True)

    document = json.loads(said.stdout)
    assert (said.exit_code, document["passed"], document["recorded_in"]) == (0, True, None)
    assert [line["name"] for line in document["lines"]] == list(CHECKS)


def test_what_was_found_and_who_confirmed_is_recorded_in_the_open_release(world: World, reach: Reach) -> None:
    """The audit trail has both; a release that is closed is not written to."""
    world.releases = [{"id": "r1", "status": "open"}]
    run(reach, "--confirm-webhook-url", URL)

    assert [(each["kind"], each["release_id"], each["actor"]) for each in world.events] == [
        ("preflight.checked", "r1", "ada@example.com"),
        ("webhook.confirmed", "r1", "ada@example.com"),
    ]
    assert world.events[0]["detail"]["passed"] is True
    assert world.events[1]["detail"] == {"url": URL}

    world.releases = [{"id": "r1", "status": "promoted"}]
    run(reach, "--confirm-webhook-url", URL)
    assert len(world.events) == 2


def test_a_release_that_is_named_is_begun(world: World, reach: Reach) -> None:
    """The pre-flight may be the first thing that happens in it; an unconfirmed URL is not recorded as confirmed."""
    run(reach, "--release", "2026-11-24")

    assert [(each["kind"], each["release_id"]) for each in world.events] == [("preflight.checked", "2026-11-24")]
