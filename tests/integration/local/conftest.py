"""Small functions under the real runtime: a SAM template of a test's own, with an artifact written by hand."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import pytest

from local.aws import CREDENTIALS, AwsStandIn, create_resources, queue_sender
from local.lambda_pool import LambdaService
from local.lambda_runtime import make_runtime_folder
from local.ports import free_port
from local.template import Template

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MINIATURE = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  Environment: {Type: String, Default: local}
Globals:
  Function:
    Runtime: python3.13
    Timeout: 2
    MemorySize: 128
    AutoPublishAlias: live
    Environment: {Variables: {QUEUE_URL: !Ref Work}}
Resources:
  Handler:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: handler
      CodeUri: .
      Handler: app.handler
      EventInvokeConfig:
        MaximumRetryAttempts: 0
        DestinationConfig: {OnFailure: {Type: SQS, Destination: !GetAtt Dead.Arn}}
      Events:
        Work:
          Type: SQS
          Properties:
            Queue: !GetAtt Work.Arn
            BatchSize: 10
            FunctionResponseTypes: [ReportBatchItemFailures]
            ScalingConfig: {MaximumConcurrency: 2}
        Tick:
          Type: ScheduleV2
          Properties: {Name: tick, ScheduleExpression: rate(1 minute)}
        Anything:
          Type: Api
          Properties: {Path: "/echo/{name}", Method: POST}
  Work:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: work
      VisibilityTimeout: 1
      RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 2}
  Dead:
    Type: AWS::SQS::Queue
    Properties: {QueueName: dead}
"""


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsStandIn]:
    """The AWS stand-in, for the tests of a module."""
    started = AwsStandIn.start(port=free_port(), log=tmp_path_factory.mktemp("aws") / "aws.log")
    yield started
    started.stop()


@pytest.fixture
def miniature(stand_in: AwsStandIn, tmp_path: Path) -> Template:
    """A template of one function, its queue, dead-letter queue and schedule; the queues exist and are empty."""
    path = tmp_path / "template.yaml"
    name = tmp_path.name.replace("_", "-")
    path.write_text(MINIATURE.replace("QueueName: ", f"QueueName: {name}-"))
    template = Template.expand(path, aws_endpoint=stand_in.url)
    create_resources(template, endpoint=stand_in.url)
    return template


@pytest.fixture
def serve(miniature: Template, stand_in: AwsStandIn, tmp_path: Path) -> Callable[..., LambdaService]:
    """Makes a Lambda service of the miniature with this handler source; stop it in the loop that used it."""

    def make(source: str, *, concurrency: int = 2) -> LambdaService:
        artifact = tmp_path / "build" / "Handler"
        artifact.mkdir(parents=True, exist_ok=True)
        (artifact / "app.py").write_text(textwrap.dedent(source))
        return LambdaService(
            miniature,
            build=tmp_path / "build",
            runtime=make_runtime_folder(tmp_path / "runtime"),
            logs=tmp_path / "logs",
            shared_environment={**CREDENTIALS, "AWS_ENDPOINT_URL": stand_in.url},
            concurrency=concurrency,
            send_to_queue=queue_sender(miniature, endpoint=stand_in.url),
        )

    return make
