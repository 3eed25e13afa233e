"""The event source mapping: queue to function and back, with real processes on both sides."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from local.aws import sqs_client
from local.poller import Poller
from local.sam import REGION

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from local.aws import AwsStandIn
    from local.lambda_pool import LambdaService
    from local.resources import Queue
    from local.template import Template

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("lambda-runtime")]

WORKER = """
    import json, pathlib
    SEEN = pathlib.Path({seen!r})

    def handler(event, context):
        failures = []
        for record in event["Records"]:
            with SEEN.open("a") as seen:
                count = record["attributes"]["ApproximateReceiveCount"]
                seen.write(json.dumps([record["body"], int(count), record["eventSourceARN"]]) + "\\n")
            if record["body"] == "crash":
                raise RuntimeError("the whole batch")
            if record["body"] == "bad":
                failures.append({{"itemIdentifier": record["messageId"]}})
        return {{"batchItemFailures": failures}}
"""


def queue(template: Template, name: str) -> Queue:
    """A queue of the miniature by the end of its name."""
    return next(queue for queue in template.queues if queue.name.endswith(name))


def work_off(
    template: Template, service: LambdaService, stand_in: AwsStandIn, bodies: list[str], *, dead: int
) -> list[Any]:
    """Send messages, poll until as many dead letters are there as expected, and return these."""
    sqs = sqs_client(stand_in.url)
    (source,) = template.event_sources
    work, letters = queue(template, "-work"), queue(template, "-dead")
    for body in bodies:
        sqs.send_message(QueueUrl=work.url, MessageBody=body)

    async def story() -> list[Any]:
        poller = Poller(source, work, sqs=sqs, functions=service, region=REGION)
        polling = asyncio.create_task(poller.run())
        found: list[Any] = []
        async with asyncio.timeout(30):
            while len(found) < dead or _left(sqs, work):
                answer = await asyncio.to_thread(sqs.receive_message, QueueUrl=letters.url, WaitTimeSeconds=1)
                found += answer.get("Messages", [])
        polling.cancel()
        await service.stop()
        return found

    return asyncio.run(story())


def _left(sqs: Any, work: Queue) -> int:
    counted = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = sqs.get_queue_attributes(QueueUrl=work.url, AttributeNames=counted)["Attributes"]
    return sum(int(number) for number in attributes.values())


def seen(path: Path) -> list[tuple[str, int]]:
    """(body, receive count) of every record that the function got."""
    return sorted((body, count) for body, count, _ in map(json.loads, path.read_text().splitlines()))


def test_what_fails_comes_back_and_dies_and_what_succeeds_is_gone(
    miniature: Template, serve: Callable[..., LambdaService], stand_in: AwsStandIn, tmp_path: Path
) -> None:
    """An item failure is delivered twice (the queue's own limit) and is a dead letter; its neighbours are done once."""
    path = tmp_path / "seen"
    service = serve(WORKER.format(seen=str(path)))
    letters = work_off(miniature, service, stand_in, ["good", "bad", "fine"], dead=1)
    assert [letter["Body"] for letter in letters] == ["bad"]
    assert seen(path) == [("bad", 1), ("bad", 2), ("fine", 1), ("good", 1)]


def test_an_exception_sends_the_whole_batch_back(
    miniature: Template, serve: Callable[..., LambdaService], stand_in: AwsStandIn, tmp_path: Path
) -> None:
    """It is tried as often as the queue allows, with a receive count that rises."""
    path = tmp_path / "seen"
    service = serve(WORKER.format(seen=str(path)))
    letters = work_off(miniature, service, stand_in, ["crash"], dead=1)
    assert [letter["Body"] for letter in letters] == ["crash"]
    assert seen(path) == [("crash", 1), ("crash", 2)]


def test_batches_run_beside_each_other_but_no_more_than_allowed(
    miniature: Template, serve: Callable[..., LambdaService], stand_in: AwsStandIn, tmp_path: Path
) -> None:
    """Thirty messages, two environments: the function's own count of how many run at once never passes two."""
    service = serve(
        f"""
        import os, pathlib, time
        FOLDER = pathlib.Path({str(tmp_path)!r})

        def handler(event, context):
            mine = FOLDER / f"{{os.getpid()}}.running"
            mine.touch()
            time.sleep(0.05)
            with (FOLDER / "most").open("a") as most:
                most.write(f"{{len(list(FOLDER.glob('*.running')))}} {{len(event['Records'])}}\\n")
            mine.unlink()
            return {{"batchItemFailures": []}}
        """
    )
    work_off(miniature, service, stand_in, [str(number) for number in range(30)], dead=0)
    counted = [tuple(map(int, line.split())) for line in (tmp_path / "most").read_text().splitlines()]
    assert max(running for running, _ in counted) <= 2
    assert sum(records for _, records in counted) == 30
