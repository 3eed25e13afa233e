"""An environment on AWS, reached with the caller's own credentials and by the names that template.yaml gives."""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING, Final

import boto3
from botocore.config import Config
from botocore.exceptions import NoCredentialsError, NoRegionError

from mono_pipeline.adapters.parameters import ParameterStore
from mono_pipeline.core.errors import ConfigurationError
from monoctl.logbook.log_groups import LogGroups
from monoctl.reach.dead_letters import DeadLetterApi
from monoctl.reach.deployment import AwsDeployment
from monoctl.reach.gateway import api_client
from monoctl.reach.ops import OpsFunction
from monoctl.reach.sigv4 import SignedByCaller
from monoctl.reach.sync_api import SyncApi

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_ssm import SSMClient

API_OUTPUT: Final = "ApiUrl"  # of template.yaml
OPS_SECONDS: Final = 310.0  # a little more than the function's own timeout
_PATIENT: Final = Config(connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 3, "mode": "standard"})
# An invocation is never sent twice by botocore: the first one may have done its work.
_ONCE: Final = Config(connect_timeout=5, read_timeout=OPS_SECONDS, retries={"total_max_attempts": 1})


class DeployedReach:
    """dev, staging or prod."""

    def __init__(self, environment: str, session: boto3.Session | None = None) -> None:
        self._environment = environment
        # boto3 knows AWS_DEFAULT_REGION alone; the AWS command line lets AWS_REGION go before it, and so do we
        self._session = session or boto3.Session(region_name=os.environ.get("AWS_REGION") or None)

    @cached_property
    def api(self) -> SyncApi:
        """The HTTP API, at the address that the CloudFormation stack gives, signed."""
        return SyncApi(self._api_url(), auth=self._signed)

    @cached_property
    def dead_letters(self) -> DeadLetterApi:
        """The dead letters, over the same API."""
        return DeadLetterApi(api_client(self._api_url(), auth=self._signed))

    @cached_property
    def ops(self) -> OpsFunction:
        """The ops function."""
        return OpsFunction(self._lambda_client, f"{self._stack}-ops")

    @cached_property
    def deployment(self) -> AwsDeployment:
        """Queues, schedule, versions and addresses, as AWS tells."""
        return AwsDeployment(self._session, self._environment, _PATIENT)

    @cached_property
    def ssm(self) -> SSMClient:
        """SSM Parameter Store."""
        return self._session.client("ssm", config=_PATIENT)

    @cached_property
    def parameters(self) -> ParameterStore:
        """SSM Parameter Store as values."""
        return ParameterStore(lambda: self.ssm)

    @cached_property
    def logs(self) -> LogGroups:
        """The log groups of the functions."""
        return LogGroups(self._session.client("logs", config=_PATIENT), f"/aws/lambda/{self._stack}-")

    @property
    def prometheus(self) -> None:
        """Not ours to know: it is given with `--prometheus`."""
        return

    @cached_property
    def who(self) -> str:
        """Role and session name, or user name, of the caller as AWS sees them."""
        return caller_name(self._session.client("sts", config=_PATIENT).get_caller_identity()["Arn"])

    @property
    def _stack(self) -> str:
        return f"mono-pipeline-{self._environment}"

    def _lambda_client(self) -> LambdaClient:
        return self._session.client("lambda", config=_ONCE)

    @cached_property
    def _signed(self) -> SignedByCaller:
        credentials = self._session.get_credentials()
        if credentials is None:
            raise NoCredentialsError
        region = self._session.region_name
        if region is None:
            raise NoRegionError
        return SignedByCaller(credentials, region)

    def _api_url(self) -> str:
        described = self._session.client("cloudformation", config=_PATIENT).describe_stacks(StackName=self._stack)
        outputs = {each["OutputKey"]: each["OutputValue"] for each in described["Stacks"][0].get("Outputs", [])}
        if API_OUTPUT not in outputs:
            raise ConfigurationError(API_OUTPUT, f"stack {self._stack} has no such output: deploy template.yaml again")
        return outputs[API_OUTPUT]


def caller_name(arn: str) -> str:
    """Return the part of a caller's ARN that names a person: `Operator/ada@example.com`, `ada`, `root`."""
    resource = arn.split(":", 5)[-1]
    return resource.partition("/")[2] or resource
