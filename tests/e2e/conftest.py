"""One embedded stack for all end-to-end tests: the built artifacts, a real PostgreSQL, the AWS stand-in, the sandbox.

Tests share the stack and its database, so each makes accounts of its own with `new_account`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import boto3
import httpx
import pytest

from local.aws import CREDENTIALS, sqs_client, ssm_client
from local.sam import REGION
from local.sandbox.client import SandboxClient
from local.stack import EmbeddedStack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_ssm import SSMClient

FLAG: Final = "/mono-pipeline/local/MONO_TRANSACTIONS_ENABLED"
_QUICK: Final = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
_HERE: Final = "tests/e2e/"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is in this folder `e2e`, and give it to one worker, so that there is one stack (`--dist loadgroup`)."""
    for item in items:
        if item.nodeid.startswith(_HERE):
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.xdist_group("embedded-stack"))


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStack]:
    """The stack, on ports of its own; failed messages come back after two seconds instead of half an hour."""
    with EmbeddedStack(
        tmp_path_factory.mktemp("stack"),
        postgres=_QUICK,
        visibility_seconds=2,
        variables={"MONO_RATE_LIMIT_PER_MINUTE": "60000", "LEASE_SECONDS": "6"},
        sandbox={"accounts": "0"},
    ) as running:
        yield running


@pytest.fixture
def http(stack: EmbeddedStack) -> Iterator[httpx.Client]:
    """The public API."""
    with httpx.Client(base_url=stack.record["http"], timeout=60, trust_env=False) as client:
        yield client


@pytest.fixture
def functions(stack: EmbeddedStack) -> LambdaClient:
    """Lambda's Invoke API."""
    return boto3.client(
        "lambda",
        endpoint_url=stack.record["lambda_endpoint_url"],
        region_name=REGION,
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
    )


@pytest.fixture
def sqs(stack: EmbeddedStack) -> SQSClient:
    """The stack's queues."""
    return sqs_client(stack.record["aws_endpoint_url"])


@pytest.fixture
def ssm(stack: EmbeddedStack) -> SSMClient:
    """The stack's parameters."""
    return ssm_client(stack.record["aws_endpoint_url"])


@pytest.fixture
def sandbox(stack: EmbeddedStack) -> Iterator[SandboxClient]:
    """The bank behind Mono, through the sandbox's control API; faults are gone after the test."""
    client = SandboxClient(stack.record["sandbox"])
    yield client
    client.clear_faults()
    client.close()


@pytest.fixture
def new_account(sandbox: SandboxClient) -> Callable[..., str]:
    """Opens an account in the sandbox (options: `Sandbox.create_account`) and returns Mono's id of it.

    No webhook is sent, so the pipeline has not heard of it yet.
    """

    def open_account(**options: Any) -> str:
        return str(sandbox.create_account(**options)["id"])

    return open_account


@pytest.fixture
def flag(ssm: SSMClient) -> Iterator[Callable[[str], None]]:
    """Writes the flag's text; it is off again after the test. Functions notice within the age of their cache."""

    def write(text: str) -> None:
        ssm.put_parameter(Name=FLAG, Value=text, Type="String", Description="a test", Overwrite=True)

    yield write
    write("false")
