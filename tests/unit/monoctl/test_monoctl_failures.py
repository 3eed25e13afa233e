"""What goes wrong outside our code: one clear sentence with what to do, its exit code, no traceback."""

from __future__ import annotations

import json

import httpx
import pytest
import typer.main
from botocore import exceptions as aws

from mono_pipeline.core.errors import ParametersUnavailable
from monoctl.app import app
from monoctl.failure import Explained, explain
from tests.unit.monoctl.stand_ins import ACCOUNT, FakeReach, connection_refused, monoctl

REQUEST = httpx.Request("POST", "https://abc.execute-api.eu-west-1.amazonaws.com/prod/api")


def refusal(code: str, *, status: int = 400, said: str = "words of AWS") -> aws.ClientError:
    """Return AWS's refusal of an Invoke."""
    answer = {"Error": {"Code": code, "Message": said}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return aws.ClientError(answer, "Invoke")  # type: ignore[arg-type]  # only what botocore reads


@pytest.mark.parametrize(
    ("error", "exit_code", "words"),
    [
        (aws.NoCredentialsError(), 2, "aws sso login"),
        (aws.ProfileNotFound(profile="ops"), 2, "AWS_PROFILE"),
        (aws.UnauthorizedSSOTokenError(), 2, "aws sso login"),
        (aws.NoRegionError(), 2, "AWS_REGION"),
        (refusal("ExpiredTokenException"), 2, "not valid"),
        (refusal("AccessDeniedException", said="not authorized to perform lambda:InvokeFunction"), 2, "InvokeFunction"),
        (refusal("ResourceNotFoundException"), 2, "deployed in this Region"),
        (refusal("ValidationError"), 2, "deployed in this Region"),
        (refusal("TooManyRequestsException"), 7, "wait"),
        (refusal("ServiceException", status=500), 7, "AWS failed"),
        (refusal("SomethingNew"), 8, "SomethingNew"),
        (aws.EndpointConnectionError(endpoint_url="http://127.0.0.1:4566/"), 7, "make up"),
        (aws.EndpointConnectionError(endpoint_url="https://ssm.eu-west-1.amazonaws.com/"), 7, "network"),
        (aws.ConnectTimeoutError(endpoint_url="https://ssm.eu-west-1.amazonaws.com/"), 7, "network"),
        (aws.ReadTimeoutError(endpoint_url="https://lambda.eu-west-1.amazonaws.com/"), 8, "going on all the same"),
        (connection_refused(), 7, "make up"),
        (httpx.ConnectTimeout("", request=REQUEST), 7, "network"),
        (httpx.ReadTimeout("", request=REQUEST), 8, "going on all the same"),
        (httpx.RemoteProtocolError("", request=REQUEST), 8, "going on all the same"),
    ],
)
def test_an_error_has_a_sentence_and_a_code(error: Explained, exit_code: int, words: str) -> None:
    """What to do is in the sentence."""
    failure = explain(error)

    assert failure.exit_code == exit_code
    assert words in failure.sentence
    assert "\n" not in failure.sentence


def test_the_reason_of_aws_goes_before_ours() -> None:
    """Expired credentials are not an SSM that is down."""
    error = ParametersUnavailable("SSM GetParameter: ExpiredTokenException")
    error.__cause__ = refusal("ExpiredTokenException")
    unknown = ParametersUnavailable("SSM GetParameter: SomethingNew")
    unknown.__cause__ = refusal("SomethingNew")

    assert explain(error).exit_code == 2
    assert (explain(unknown).exit_code, explain(unknown).sentence) == (7, "SSM GetParameter: SomethingNew")


class Refusing:
    """An API behind a port where nobody listens."""

    def ask(self, *_: object, **__: object) -> None:
        """Fail."""
        raise connection_refused()


def test_a_command_ends_with_the_sentence_and_without_a_traceback() -> None:
    """On stderr; stdout is for results."""
    said = monoctl("sync", ACCOUNT, reach=FakeReach(api=Refusing()))

    assert (said.exit_code, said.stdout) == (7, "")
    assert "monoctl: nobody answers at http://127.0.0.1:3000" in said.stderr
    assert "Traceback" not in said.stderr


def test_machines_get_the_failure_as_their_one_document() -> None:
    """The sentence for people stands on stderr as always."""
    said = monoctl("--json", "sync", ACCOUNT, reach=FakeReach(api=Refusing()))

    document = json.loads(said.stdout)
    assert document["exit_code"] == said.exit_code == 7
    assert document["error"]["code"] == "ConnectError"
    assert document["error"]["message"] in said.stderr


def test_debugging_shows_where_an_error_came_from() -> None:
    """MONOCTL_DEBUG=1, and the sentence all the same."""
    said = monoctl("sync", ACCOUNT, reach=FakeReach(api=Refusing()), variables={"MONOCTL_DEBUG": "1"})

    assert said.exit_code == 7
    assert "Traceback" in said.stderr
    assert "nobody answers" in said.stderr


@pytest.mark.parametrize(
    ("line", "right"),
    [
        (("accounts", "list", "--json"), "monoctl --json accounts list"),
        (("accounts", "show", ACCOUNT, "--env", "local"), "monoctl --env … accounts show"),
    ],
)
def test_a_global_option_behind_its_command_is_told_where_it_stands(
    line: tuple[str, ...], right: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """As one would type it first; a slip of the pen is told as ever."""
    assert _refused(*line) == 2
    assert f"it stands before the command: {right}" in capsys.readouterr().err
    assert _refused("accounts", "list", "--jsn") == 2
    assert "stands before" not in capsys.readouterr().err


def _refused(*line: str) -> int:
    with pytest.raises(SystemExit) as ended:
        typer.main.get_command(app).main(["--env", "local", *line], prog_name="monoctl")
    return int(ended.value.code or 0)
