"""SSM as values: what is read, how failures are told apart, how long a dead SSM may cost."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError
from botocore.stub import Stubber
from moto import mock_aws

from mono_pipeline.adapters.parameters import ParameterStore, parameter_name, ssm_client
from mono_pipeline.core.errors import ConfigurationError, ParametersUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_ssm import SSMClient

NAME = "/mono-pipeline/dev/MONO_SECRET_KEY"


def client() -> SSMClient:
    """Return a client that belongs to nobody's account."""
    return boto3.client("ssm", region_name="eu-west-1", aws_access_key_id="testing", aws_secret_access_key="testing")


@pytest.fixture
def stubbed() -> SSMClient:
    """A client for `stub`."""
    return client()


@pytest.fixture
def stub(stubbed: SSMClient) -> Iterator[Stubber]:
    """What `stubbed` answers, and nothing else."""
    with Stubber(stubbed) as stubber:
        yield stubber


@pytest.fixture
def store() -> Iterator[ParameterStore]:
    """A store over moto's SSM."""
    with mock_aws():
        yield ParameterStore(client)


def test_a_parameter_lives_under_its_environment() -> None:
    """The public place of every setting."""
    assert parameter_name("prod", "MONO_APP_ID") == "/mono-pipeline/prod/MONO_APP_ID"


def test_what_was_put_is_got_with_its_version_and_kind(store: ParameterStore) -> None:
    """A SecureString comes back in clear, and its version counts the writes."""
    assert store.put(NAME, "one", description="d", kind="SecureString") == 1
    assert store.put(NAME, "two", description="d") == 2

    found = store.get(NAME)

    assert (found.name, found.value, found.version, found.kind) == (NAME, "two", 2, "SecureString")


def test_a_value_is_never_in_a_repr(store: ParameterStore) -> None:
    """A parameter in a log line or a traceback shows no secret."""
    store.put(NAME, "live_sk_1", description="d", kind="SecureString")

    assert "live_sk_1" not in repr(store.get(NAME)) + repr(store.history(NAME)) + repr(store.get_many([NAME]))


def test_many_are_got_ten_a_call_and_missing_ones_are_left_out(store: ParameterStore) -> None:
    """GetParameters takes ten names; eleven are no reason to fail."""
    names = [f"/mono-pipeline/dev/N{number}" for number in range(11)]
    for name in names[1:]:
        store.put(name, name[-2:], description="", kind="String")

    found = store.get_many(names)

    assert sorted(found) == sorted(names[1:])
    assert found[names[10]].value == "10"


def test_ten_names_are_one_call(stub: Stubber, stubbed: SSMClient) -> None:
    """A cold start pays for one answer."""
    names = [f"/mono-pipeline/dev/N{number}" for number in range(10)]
    stub.add_response("get_parameters", {"Parameters": []}, {"Names": names, "WithDecryption": True})

    assert ParameterStore(lambda: stubbed).get_many(names) == {}
    stub.assert_no_pending_responses()


def test_the_history_is_whole_and_in_order(stub: Stubber, stubbed: SSMClient) -> None:
    """Every page is read, each version has its own description, and the order is that of the versions."""

    def version(number: int) -> dict[str, object]:
        return {
            "Name": NAME,
            "Type": "String",
            "Value": f"v{number}",
            "Version": number,
            "LastModifiedDate": datetime(2026, 11, number, tzinfo=UTC),
            "LastModifiedUser": "arn:aws:iam::1:user/x",
            "Description": f"d{number}",
        }

    stub.add_response("get_parameter_history", {"Parameters": [version(2), version(1)], "NextToken": "t"})
    stub.add_response("get_parameter_history", {"Parameters": [version(3)]})

    history = ParameterStore(lambda: stubbed).history(NAME)

    assert [(each.version, each.value, each.description) for each in history] == [
        (1, "v1", "d1"),
        (2, "v2", "d2"),
        (3, "v3", "d3"),
    ]
    assert history[0].changed_at == datetime(2026, 11, 1, tzinfo=UTC)


def test_a_missing_parameter_is_named_with_how_to_set_it(store: ParameterStore) -> None:
    """An operator reads what to do."""
    with pytest.raises(ConfigurationError, match=r"monoctl secrets set") as missing:
        store.get(NAME)

    assert missing.value.setting == NAME
    with pytest.raises(ConfigurationError):
        store.history(NAME)


def test_a_new_parameter_is_not_written_over_an_existing_one(store: ParameterStore) -> None:
    """`overwrite` False creates or fails."""
    store.put(NAME, "one", description="", kind="String")

    with pytest.raises(ConfigurationError, match="exists already"):
        store.put(NAME, "two", description="", kind="String", overwrite=False)
    assert store.get(NAME).value == "one"


@pytest.mark.parametrize(
    "code",
    ["ThrottlingException", "InternalServerError", "AccessDeniedException", "InvalidKeyId", "ValidationException"],
)
def test_every_refusal_of_ssm_is_parameters_unavailable_by_its_code_alone(
    stub: Stubber, stubbed: SSMClient, code: str
) -> None:
    """L13: throttled, down, no right to decrypt; AWS's own text may quote the value and stays out of ours."""
    stub.add_client_error("get_parameter", code, service_message="Value 'live_sk_1' at 'value' failed")

    with pytest.raises(ParametersUnavailable) as refused:
        ParameterStore(lambda: stubbed).get(NAME)

    assert code in str(refused.value)
    assert "live_sk_1" not in str(refused.value)


@pytest.mark.parametrize(
    "failure",
    [EndpointConnectionError(endpoint_url="http://x"), ReadTimeoutError(endpoint_url="http://x")],
    ids=lambda failure: type(failure).__name__,
)
@pytest.mark.parametrize("call", ["get", "get_many", "history"])
def test_an_ssm_that_does_not_answer_is_parameters_unavailable(failure: Exception, call: str) -> None:
    """Every way of reading tells it alike."""

    class Dead:
        """A client whose every call fails."""

        def __getattr__(self, name: str) -> object:
            raise failure

    store = ParameterStore(Dead)  # type: ignore[arg-type]  # only its failure matters
    argument = [NAME] if call == "get_many" else NAME

    with pytest.raises(ParametersUnavailable, match=type(failure).__name__):
        getattr(store, call)(argument)


def test_the_client_is_made_when_first_needed_and_once() -> None:
    """Importing and building cost nothing, and a warm function keeps its connection."""
    made: list[SSMClient] = []

    def connect() -> SSMClient:
        made.append(client())
        return made[-1]

    with mock_aws():
        store = ParameterStore(connect)
        assert made == []
        store.get_many([NAME])
        store.get_many([NAME])

    assert len(made) == 1


def test_a_dead_ssm_is_given_up_within_two_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """L13: two attempts of half a second and at most one second between them."""
    for name, value in (
        ("DEFAULT_REGION", "eu-west-1"),
        ("ACCESS_KEY_ID", "testing"),
        ("SECRET_ACCESS_KEY", "testing"),
    ):
        monkeypatch.setenv(f"AWS_{name}", value)

    config = vars(ssm_client().meta.config)["_user_provided_options"]

    assert config["retries"] == {"total_max_attempts": 2, "mode": "standard"}
    assert 2 * max(config["connect_timeout"], config["read_timeout"]) + 1 <= 2
