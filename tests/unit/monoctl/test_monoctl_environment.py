"""Which environment is meant: local only beside a stack that is up, every other one only by name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws

from mono_pipeline.core.errors import ConfigurationError, InvalidInput
from monoctl.environment import EnvironmentName, read_record, resolve
from monoctl.errors import StackDown
from monoctl.reach import DeployedReach, EmbeddedReach
from monoctl.reach.deployed import caller_name
from monoctl.session import connect
from tests.unit.monoctl.stand_ins import FakeReach, ScriptedOps, monoctl

if TYPE_CHECKING:
    from pathlib import Path

RECORD = {
    "http": "http://127.0.0.1:3000",
    "lambda_endpoint_url": "http://127.0.0.1:3000",
    "aws_endpoint_url": "http://127.0.0.1:4566",
    "aws_region": "eu-west-1",
    "logs": "/somewhere/.local/logs",
    "sandbox": None,
    "database_url": "not for monoctl",
}


def stack_up(folder: Path, text: str = json.dumps(RECORD)) -> Path:
    """Put a record where `make up` puts it."""
    (folder / ".local").mkdir()
    (folder / ".local" / "stack.json").write_text(text)
    return folder


def test_beside_a_stack_that_is_up_local_is_meant(tmp_path: Path) -> None:
    """Also from a folder below."""
    below = stack_up(tmp_path) / "docs" / "sql"
    below.mkdir(parents=True)

    assert resolve(None, tmp_path) is EnvironmentName.LOCAL
    assert resolve(None, below) is EnvironmentName.LOCAL


def test_the_one_that_is_named_goes_before_the_stack(tmp_path: Path) -> None:
    """Whoever says staging means staging."""
    assert resolve(EnvironmentName.STAGING, stack_up(tmp_path)) is EnvironmentName.STAGING


def test_without_a_stack_nothing_is_guessed(tmp_path: Path) -> None:
    """And the message says how to say it."""
    with pytest.raises(InvalidInput, match=r"local\|dev\|staging\|prod.*MONOCTL_ENV"):
        resolve(None, tmp_path)


def test_the_environment_variable_names_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`--env` on the command line goes before it; a name that is none is refused."""
    monkeypatch.chdir(tmp_path)
    gone: list[EnvironmentName] = []

    def environment_meant(*arguments: str, **variables: str) -> int:
        reach = FakeReach(ops=ScriptedOps(lambda *_: {"accounts": [], "next": None}))
        said = monoctl(
            *arguments, "accounts", "list", reach=reach, environment=None, variables=variables, went_to=gone.append
        )
        return said.exit_code

    assert environment_meant() == 2
    assert environment_meant("--env", "nowhere") == 2
    assert environment_meant(MONOCTL_ENV="nowhere") == 2
    assert gone == []

    assert environment_meant(MONOCTL_ENV="staging") == 0
    assert environment_meant("--env", "dev", MONOCTL_ENV="prod") == 0
    assert gone == [EnvironmentName.STAGING, EnvironmentName.DEV]


def test_help_and_version_work_anywhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without an environment, a stack or credentials."""
    monkeypatch.chdir(tmp_path)

    assert monoctl("--version", environment=None).stdout == "monoctl 0.1.0\n"
    assert monoctl("sync", "--help", environment=None).exit_code == 0


@pytest.mark.parametrize("text", ["", "[]", '{"http": 1}', "{}"])
def test_a_record_that_cannot_be_read_is_a_stack_that_is_down(tmp_path: Path, text: str) -> None:
    """The way out is `make down`, then `make up`."""
    with pytest.raises(StackDown, match="make up"):
        read_record(stack_up(tmp_path, text))


def test_without_a_record_the_stack_is_down(tmp_path: Path) -> None:
    """`--env local` says so instead of trying."""
    with pytest.raises(StackDown, match="make up"):
        read_record(tmp_path)


def test_the_embedded_stack_is_reached_where_its_record_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever AWS profile or endpoint the shell has."""
    monkeypatch.chdir(stack_up(tmp_path))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://elsewhere.example")

    reach = connect(EnvironmentName.LOCAL)

    assert isinstance(reach, EmbeddedReach)
    assert reach.ssm.meta.endpoint_url == RECORD["aws_endpoint_url"]
    assert reach.who
    assert " " not in reach.who


@pytest.mark.parametrize(
    ("arn", "name"),
    [
        ("arn:aws:sts::123456789012:assumed-role/Operator/ada@example.com", "Operator/ada@example.com"),
        ("arn:aws:iam::123456789012:user/ada", "ada"),
        ("arn:aws:iam::123456789012:user/ops/ada", "ops/ada"),
        ("arn:aws:iam::123456789012:root", "root"),
    ],
)
def test_the_caller_is_named_as_aws_sees_them(arn: str, name: str) -> None:
    """It goes into the flag's history, which takes no white space."""
    assert caller_name(arn) == name


def deployed(outputs: dict[str, dict[str, str]]) -> DeployedReach:
    """Return the road to a prod whose stack has these outputs, in moto."""
    session = boto3.Session(aws_access_key_id="t", aws_secret_access_key="t", region_name="eu-west-1")
    body = {"Resources": {"Q": {"Type": "AWS::SQS::Queue"}}, "Outputs": outputs}
    session.client("cloudformation").create_stack(StackName="mono-pipeline-prod", TemplateBody=json.dumps(body))
    return DeployedReach("prod", session)


@mock_aws
def test_a_deployed_api_is_found_by_its_stack_s_output() -> None:
    """No address is configured anywhere."""
    url = "https://abc.execute-api.eu-west-1.amazonaws.com/prod"

    reach = deployed({"ApiUrl": {"Value": url}})

    assert reach._api_url() == url
    assert reach.api is reach.api
    assert reach.who


@mock_aws
def test_a_stack_without_that_output_says_what_is_missing() -> None:
    """An older deployment."""
    with pytest.raises(ConfigurationError, match="ApiUrl"):
        deployed({"Other": {"Value": "x"}})._api_url()


@pytest.mark.parametrize(
    ("variables", "region"),
    [
        ({"AWS_REGION": "eu-west-1"}, "eu-west-1"),
        ({"AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-2"),
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-1"),
        ({"AWS_REGION": "", "AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-2"),
    ],
)
def test_the_region_is_the_aws_command_line_s(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], region: str
) -> None:
    """By the variable that the documentation names, which boto3 by itself does not read."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere/config")
    for name, text in variables.items():
        monkeypatch.setenv(name, text)

    assert DeployedReach("prod")._session.region_name == region
