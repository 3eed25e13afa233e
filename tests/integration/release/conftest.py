"""SSM with the flag as the template creates it, and a town for releases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws

from tests.integration.release.town import FLAG, Town

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_ssm import SSMClient

    from tests.harness import Pipeline


@pytest.fixture
def ssm() -> Iterator[SSMClient]:
    """Moto's SSM; the flag is off for everyone."""
    with mock_aws():
        client = boto3.client(
            "ssm", region_name="eu-west-1", aws_access_key_id="testing", aws_secret_access_key="testing"
        )
        client.put_parameter(Name=FLAG, Value="false", Type="String", Description="born off")
        yield client


@pytest.fixture
def town(pipeline: Pipeline, ssm: SSMClient) -> Town:
    """An environment with no release yet."""
    return Town(pipeline, ssm)
