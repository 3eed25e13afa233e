"""The embedded stack of this machine: the same roads, to the addresses in `.local/stack.json`."""

from __future__ import annotations

import getpass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from mono_pipeline.adapters.parameters import ParameterStore
from monoctl.logbook.log_files import LogFiles
from monoctl.reach.dead_letters import DeadLetterApi
from monoctl.reach.deployed import OPS_SECONDS
from monoctl.reach.deployment import EmbeddedDeployment
from monoctl.reach.gateway import api_client
from monoctl.reach.ops import OpsFunction
from monoctl.reach.sigv4 import SignedByCaller
from monoctl.reach.sync_api import SyncApi

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_ssm import SSMClient

    from monoctl.environment import StackRecord


class EmbeddedReach:
    """What `make up` started. IAM is not enforced there; requests are signed all the same, with made-up credentials."""

    def __init__(self, record: StackRecord) -> None:
        self._record = record
        self._session = boto3.Session(
            aws_access_key_id="local",
            aws_secret_access_key="local",  # noqa: S106 - the stand-in takes any
            region_name=record.aws_region,
        )

    @cached_property
    def api(self) -> SyncApi:
        """The HTTP API at the gateway."""
        return SyncApi(self._record.http, auth=self._signed)

    @cached_property
    def dead_letters(self) -> DeadLetterApi:
        """The dead letters, over the same API."""
        return DeadLetterApi(api_client(self._record.http, auth=self._signed))

    @cached_property
    def ops(self) -> OpsFunction:
        """The ops function, through the gateway's Invoke API."""
        return OpsFunction(self._lambda_client, "mono-pipeline-local-ops")

    @cached_property
    def deployment(self) -> EmbeddedDeployment:
        """Queues at the stand-in, the rest at the gateway."""
        config = Config(connect_timeout=2, read_timeout=10, retries={"total_max_attempts": 2})
        sqs = self._session.client("sqs", endpoint_url=self._record.aws_endpoint_url, config=config)
        return EmbeddedDeployment(sqs, http=self._record.http)

    @cached_property
    def ssm(self) -> SSMClient:
        """The stand-in's SSM."""
        config = Config(connect_timeout=2, read_timeout=10, retries={"total_max_attempts": 2})
        return self._session.client("ssm", endpoint_url=self._record.aws_endpoint_url, config=config)

    @cached_property
    def parameters(self) -> ParameterStore:
        """The stand-in's SSM as values."""
        return ParameterStore(lambda: self.ssm)

    @cached_property
    def logs(self) -> LogFiles:
        """The files that the functions log to."""
        return LogFiles(Path(self._record.logs))

    @property
    def prometheus(self) -> str | None:
        """The stack's own, where it runs."""
        return self._record.prometheus

    @cached_property
    def who(self) -> str:
        """The user of this machine."""
        try:
            return "-".join(getpass.getuser().split()) or "local"
        except OSError:  # no such user, as in some containers
            return "local"

    @property
    def _signed(self) -> SignedByCaller | None:
        credentials = self._session.get_credentials()
        return SignedByCaller(credentials, self._record.aws_region) if credentials else None

    def _lambda_client(self) -> LambdaClient:
        config = Config(connect_timeout=2, read_timeout=OPS_SECONDS, retries={"total_max_attempts": 1})
        return self._session.client("lambda", endpoint_url=self._record.lambda_endpoint_url, config=config)
