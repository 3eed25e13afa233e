"""The SQS and SSM behaviour that this project relies on, in both stand-ins: the embedded stack's and moto."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer

from local.aws import AwsStandIn, create_resources, sqs_client, ssm_client
from local.ports import LOOPBACK, free_port
from local.template import Template

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_ssm import SSMClient

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("aws-stand-ins")]

MINISTACK, MOTO = "ministack", "moto"


@pytest.fixture(scope="module", params=[MINISTACK, MOTO])
def endpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a stand-in answers."""
    port = free_port()
    if request.param == MINISTACK:
        stand_in = AwsStandIn.start(port=port, log=tmp_path_factory.mktemp("aws") / "aws.log")
        yield stand_in.url
        stand_in.stop()
    else:
        server = ThreadedMotoServer(ip_address=LOOPBACK, port=port, verbose=False)
        server.start()
        yield f"http://{LOOPBACK}:{port}"
        server.stop()


@pytest.fixture
def sqs(endpoint: str) -> SQSClient:
    """SQS of the stand-in."""
    return sqs_client(endpoint)


@pytest.fixture
def ssm(endpoint: str) -> SSMClient:
    """Parameter Store of the stand-in."""
    return ssm_client(endpoint)


@pytest.fixture
def queues(sqs: SQSClient) -> tuple[str, str]:
    """URLs of a queue with a visibility of one second and two receives, and of its dead-letter queue."""
    name = f"q-{uuid4().hex[:8]}"
    dead = sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 2})
    made = sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "1", "RedrivePolicy": redrive})
    return made["QueueUrl"], dead


@pytest.fixture
def name() -> str:
    """A parameter's name that nobody else uses."""
    return f"/mono-pipeline/test/{uuid4().hex}"


def receive(sqs: SQSClient, url: str, *, wait: int = 0, most: int = 10) -> list[Any]:
    """The messages that one receive gives, with their system attributes."""
    answer = sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=most, WaitTimeSeconds=wait, MessageSystemAttributeNames=["All"]
    )
    return list(answer.get("Messages", []))


def test_a_message_carries_what_a_lambda_record_needs(sqs: SQSClient, queues: tuple[str, str]) -> None:
    """Receive count, send time, customer as message group, attributes and digest."""
    url, _ = queues
    sqs.send_message(
        QueueUrl=url,
        MessageBody='{"a": 1}',
        MessageGroupId="customer",
        MessageAttributes={"kind": {"StringValue": "x", "DataType": "String"}},
    )
    answer = sqs.receive_message(
        QueueUrl=url, WaitTimeSeconds=2, MessageSystemAttributeNames=["All"], MessageAttributeNames=["All"]
    )
    (message,) = answer["Messages"]
    assert message["Body"] == '{"a": 1}'
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    assert message["Attributes"]["MessageGroupId"] == "customer"
    assert int(message["Attributes"]["SentTimestamp"]) > 1_700_000_000_000
    assert message["MessageAttributes"]["kind"]["StringValue"] == "x"
    assert {"MessageId", "ReceiptHandle", "MD5OfBody"} <= set(message)


def test_a_received_message_hides_and_comes_back_with_a_higher_count(sqs: SQSClient, queues: tuple[str, str]) -> None:
    """Invisible at once, visible after the visibility timeout (the long poll waits for it)."""
    url, _ = queues
    sent = sqs.send_message(QueueUrl=url, MessageBody="{}")["MessageId"]
    assert len(receive(sqs, url)) == 1
    assert receive(sqs, url) == []
    (again,) = receive(sqs, url, wait=5)
    assert (again["MessageId"], again["Attributes"]["ApproximateReceiveCount"]) == (sent, "2")


def test_visibility_can_be_given_back(sqs: SQSClient, queues: tuple[str, str]) -> None:
    """Zero makes a message visible at once; a long one keeps it hidden."""
    url, _ = queues
    sqs.send_message(QueueUrl=url, MessageBody="{}")
    (first,) = receive(sqs, url)
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"], VisibilityTimeout=0)
    (second,) = receive(sqs, url)
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=second["ReceiptHandle"], VisibilityTimeout=600)
    assert receive(sqs, url, wait=2) == []


def test_after_the_last_receive_a_message_moves_to_the_dead_letter_queue(
    sqs: SQSClient, queues: tuple[str, str]
) -> None:
    """Two receives that were not deleted; the third finds nothing, the dead-letter queue has the same message."""
    url, dead = queues
    sent = sqs.send_message(QueueUrl=url, MessageBody='{"lost": false}')["MessageId"]
    for _ in range(2):
        (message,) = receive(sqs, url)
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
    assert receive(sqs, url) == []
    (letter,) = receive(sqs, dead, wait=2)
    assert (letter["MessageId"], letter["Body"]) == (sent, '{"lost": false}')


def test_a_deleted_message_never_comes_back(sqs: SQSClient, queues: tuple[str, str]) -> None:
    """Neither to the queue nor to its dead-letter queue."""
    url, dead = queues
    sqs.send_message(QueueUrl=url, MessageBody="{}")
    (message,) = receive(sqs, url)
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    assert receive(sqs, url, wait=2) == []
    assert receive(sqs, dead) == []


def test_a_batch_tells_what_was_sent_entry_by_entry(
    sqs: SQSClient, queues: tuple[str, str], request: pytest.FixtureRequest
) -> None:
    """One entry is refused, the others are sent."""
    # Each stand-in refuses an entry alone for one reason only; AWS has both.
    bad: Any = {"Id": "bad", "MessageBody": "2", "DelaySeconds": 901}
    if MINISTACK in request.node.callspec.id:
        sqs.set_queue_attributes(QueueUrl=queues[0], Attributes={"MaximumMessageSize": "1024"})
        bad = {"Id": "bad", "MessageBody": "2" * 1025}
    answer = sqs.send_message_batch(
        QueueUrl=queues[0],
        Entries=[{"Id": "good", "MessageBody": "1"}, bad, {"Id": "fine", "MessageBody": "3"}],
    )
    assert {entry["Id"] for entry in answer["Successful"]} == {"good", "fine"}
    assert [(entry["Id"], entry["SenderFault"]) for entry in answer["Failed"]] == [("bad", True)]


def test_a_batch_tells_what_was_deleted_entry_by_entry(sqs: SQSClient, queues: tuple[str, str]) -> None:
    """A handle that is none fails alone."""
    url, _ = queues
    sqs.send_message(QueueUrl=url, MessageBody="1")
    (message,) = receive(sqs, url)
    answer = sqs.delete_message_batch(
        QueueUrl=url,
        Entries=[{"Id": "good", "ReceiptHandle": message["ReceiptHandle"]}, {"Id": "bad", "ReceiptHandle": "nonsense"}],
    )
    assert [entry["Id"] for entry in answer["Successful"]] == ["good"]
    assert [entry["Id"] for entry in answer["Failed"]] == ["bad"]
    assert receive(sqs, url, wait=2) == []


def test_a_secret_is_readable_only_decrypted(ssm: SSMClient, name: str) -> None:
    """A SecureString without decryption is not its value."""
    ssm.put_parameter(Name=name, Value="s3cret", Type="SecureString")
    sealed = ssm.get_parameter(Name=name)["Parameter"]
    opened = ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]
    assert sealed["Type"] == opened["Type"] == "SecureString"
    assert sealed["Value"] != "s3cret"
    assert opened["Value"] == "s3cret"


def test_each_write_is_a_version_with_its_own_description(ssm: SSMClient, name: str) -> None:
    """Who, when and why of the flag live in the description, which every version keeps."""
    versions = [
        ssm.put_parameter(Name=name, Value=value, Type="String", Description=f"why {value}", Overwrite=True)["Version"]
        for value in ("false", "true", "false")
    ]
    assert versions == [1, 2, 3]
    assert ssm.get_parameter(Name=name)["Parameter"]["Version"] == 3
    history = ssm.get_parameter_history(Name=name)["Parameters"]
    assert [(p["Version"], p["Value"], p["Description"]) for p in history] == [
        (1, "false", "why false"),
        (2, "true", "why true"),
        (3, "false", "why false"),
    ]
    assert all(p["LastModifiedDate"].tzinfo is not None for p in history)


def test_an_old_version_can_be_read_by_its_number(ssm: SSMClient, name: str) -> None:
    """`NAME:1` is what a restore reads."""
    for value in ("first", "second"):
        ssm.put_parameter(Name=name, Value=value, Type="String", Overwrite=True)
    assert ssm.get_parameter(Name=f"{name}:1")["Parameter"]["Value"] == "first"


def test_a_parameter_is_not_overwritten_unasked(ssm: SSMClient, name: str) -> None:
    """Without `Overwrite` the second write is refused."""
    ssm.put_parameter(Name=name, Value="1", Type="String")
    with pytest.raises(ClientError, match="ParameterAlreadyExists"):
        ssm.put_parameter(Name=name, Value="2", Type="String")


def test_missing_parameters_are_told_apart(ssm: SSMClient, name: str) -> None:
    """One alone is an error; among several it is listed as invalid."""
    with pytest.raises(ClientError, match="ParameterNotFound"):
        ssm.get_parameter(Name=name)
    ssm.put_parameter(Name=f"{name}-there", Value="1", Type="String")
    answer = ssm.get_parameters(Names=[name, f"{name}-there"], WithDecryption=True)
    assert [parameter["Name"] for parameter in answer["Parameters"]] == [f"{name}-there"]
    assert answer["InvalidParameters"] == [name]


@pytest.mark.parametrize("endpoint", [MINISTACK], indirect=True)  # its queue URLs are the template's
def test_the_templates_queues_redrive_in_the_embedded_stack(endpoint: str) -> None:
    """Created from the template: where they answer, their visibility, their dead-letter queue after five receives."""
    template = Template.expand(parameters={"Environment": "local"}, aws_endpoint=endpoint)
    create_resources(template, endpoint=endpoint)
    sqs = sqs_client(endpoint)
    for queue in template.queues:
        found = sqs.get_queue_attributes(QueueUrl=queue.url, AttributeNames=["All"])["Attributes"]
        assert found["QueueArn"] == queue.arn
        assert int(found["VisibilityTimeout"]) == queue.visibility
        assert int(found["MessageRetentionPeriod"]) == queue.retention
        assert json.loads(found.get("RedrivePolicy", "{}")).get("deadLetterTargetArn") == queue.dead_letter_arn
    flag = ssm_client(endpoint).get_parameter(Name="/mono-pipeline/local/MONO_TRANSACTIONS_ENABLED")["Parameter"]
    assert (flag["Value"], flag["Type"]) == ("false", "String")
