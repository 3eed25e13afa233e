"""SSM as the template leaves it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_ssm import SSMClient


@pytest.fixture
def ssm() -> Iterator[SSMClient]:
    """Moto's SSM with the flag of every environment as template.yaml creates it: a String, `false`."""
    with mock_aws():
        client = boto3.client(
            "ssm", region_name="eu-west-1", aws_access_key_id="testing", aws_secret_access_key="testing"
        )
        for environment in ("local", "prod"):
            client.put_parameter(
                Name=f"/mono-pipeline/{environment}/MONO_TRANSACTIONS_ENABLED",
                Value="false",
                Type="String",
                Description="born off",
            )
        yield client
