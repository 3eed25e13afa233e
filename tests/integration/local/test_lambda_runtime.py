"""Functions under AWS's own runtime client and emulator."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import time
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from local import lambda_runtime
from local.aws import sqs_client
from local.lambda_pool import FunctionUnknown
from local.ports import free_port
from local.scheduler import Scheduler

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from local.aws import AwsStandIn
    from local.lambda_pool import LambdaService
    from local.template import Template

    type Serve = Callable[..., LambdaService]

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("lambda-runtime")]

ECHO = """
    import json, os, sys, time

    def handler(event, context):
        if "touch" in event:
            open(event["touch"], "w").close()
        if "sleep" in event:
            time.sleep(event["sleep"])
        if "boom" in event:
            raise ValueError(event["boom"])
        if "exit" in event:
            os._exit(event["exit"])
        if "import" in event:
            return sorted(name for name in event["import"] if __import__("importlib.util").util.find_spec(name))
        return {"event": event, "pid": os.getpid(), "environment": dict(os.environ), "name": context.function_name,
                "remaining": context.get_remaining_time_in_millis()}
"""


def run[T](service: LambdaService, story: Callable[[], Awaitable[T]]) -> T:
    """Run a story in a loop of its own and stop the service in it."""

    async def told() -> T:
        try:
            return await story()
        finally:
            await service.stop()

    return asyncio.run(told())


def invoke(service: LambdaService, *events: Any) -> list[Any]:
    """The outcomes of events, one after the other."""

    async def story() -> list[Any]:
        return [await service.invoke("handler", json.dumps(event).encode()) for event in events]

    return run(service, story)


def test_a_function_runs_with_its_own_environment_and_nothing_of_ours(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Variables of the template and of the runtime are there, those of this process are not."""
    monkeypatch.setenv("LEAKED", "1")
    (outcome,) = invoke(serve(ECHO), {"a": 1})
    answer = outcome.json()
    assert (answer["event"], answer["name"]) == ({"a": 1}, "handler")
    assert answer["environment"]["QUEUE_URL"].endswith("-work")
    assert answer["environment"]["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "128"
    assert "LEAKED" not in answer["environment"]
    assert 1_000 < answer["remaining"] <= 2_000


@pytest.mark.parametrize("taken", ["invoke", "api"])
def test_a_port_that_somebody_took_meanwhile_costs_no_invocation(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, taken: str
) -> None:
    """A free port is free only until it is bound: the emulator is started again on others."""
    with socket.socket() as somebody:
        somebody.bind(("127.0.0.1", 0))  # bound and not listening: it answers nobody, and nobody else can bind it
        lost, real = somebody.getsockname()[1], [free_port() for _ in range(3)]
        handed_out = iter([lost, *real] if taken == "invoke" else [real[0], lost, *real[1:]])
        monkeypatch.setattr(lambda_runtime, "free_port", lambda: next(handed_out))
        (outcome,) = invoke(serve(ECHO), {"n": 1})

    assert outcome.json()["event"] == {"n": 1}


def test_a_function_can_import_the_runtimes_packages_and_no_others(serve: Serve) -> None:
    """What the artifact forgot to bring must be missing here too, as it would be in AWS."""
    installed_here = ["boto3", "botocore", "httpx", "pydantic", "pg8000", "pytest", "starlette"]
    (outcome,) = invoke(serve(ECHO), {"import": installed_here})
    assert outcome.json() == ["boto3", "botocore"]


def test_an_environment_is_warm_the_second_time(serve: Serve) -> None:
    """The same process serves one invocation after the other."""
    first, second = invoke(serve(ECHO), {}, {})
    assert first.json()["pid"] == second.json()["pid"]


def test_errors_time_outs_and_exits_are_failures_and_the_next_invocation_works(serve: Serve) -> None:
    """In Lambda's words, each followed by a success."""
    outcomes = invoke(serve(ECHO), {"boom": "no"}, {"n": 1}, {"sleep": 5}, {"n": 2}, {"exit": 3}, {"n": 3})
    assert [outcome.failed for outcome in outcomes] == [True, False, True, False, True, False]
    raised, _, late, _, gone, _ = (outcome.json() for outcome in outcomes)
    assert (raised["errorType"], raised["errorMessage"]) == ("ValueError", "no")
    assert (late["errorType"], late["errorMessage"]) == ("Sandbox.Timedout", "Task timed out after 2.00 seconds")
    assert gone["errorType"] == "Runtime.ExitError"


@pytest.mark.parametrize("victim", ["function", "emulator"])
def test_a_killed_process_fails_its_invocation_and_is_replaced(serve: Serve, victim: str, tmp_path: Path) -> None:
    """SIGKILL in the middle: that invocation fails, nothing of it runs on, the next one has a new process."""
    service = serve(ECHO)

    async def story() -> None:
        await service.invoke("handler", b"{}")
        (environment,) = service.pool("handler").environments
        (function,) = environment.function_pids
        process = psutil.Process(function)
        began = tmp_path / "began"
        event = json.dumps({"touch": str(began), "sleep": 1.9}).encode()
        call = asyncio.create_task(service.invoke("handler", event))
        await asyncio.to_thread(_until, began.exists)
        os.kill(function if victim == "function" else environment.pid, signal.SIGKILL)
        assert (await call).failed
        await asyncio.to_thread(psutil.wait_procs, [process], 5)
        assert not process.is_running()
        after = await service.invoke("handler", b"{}")
        assert not after.failed
        assert after.json()["pid"] != function

    run(service, story)


def test_a_function_killed_while_idle_costs_no_invocation(serve: Serve) -> None:
    """It is replaced before the next one is given to it."""
    service = serve(ECHO)

    async def story() -> None:
        await service.invoke("handler", b"{}")
        (environment,) = service.pool("handler").environments
        process = psutil.Process(environment.function_pids[0])
        process.kill()
        await asyncio.to_thread(psutil.wait_procs, [process], 5)
        assert not (await service.invoke("handler", b"{}")).failed

    run(service, story)


def test_invocations_run_at_the_same_time_up_to_the_limit(serve: Serve, tmp_path: Path) -> None:
    """Two wait for each other, which one environment could not do; a third process is never made."""
    service = serve(
        f"""
        import os, pathlib, time
        FOLDER = pathlib.Path({str(tmp_path)!r})

        def handler(event, context):
            (FOLDER / f"{{event['n']}}.here").touch()
            while len(list(FOLDER.glob("*.here"))) < 2:
                time.sleep(0.01)
            return os.getpid()
        """
    )

    async def story() -> set[int]:
        calls = (service.invoke("handler", json.dumps({"n": n}).encode()) for n in range(6))
        return {outcome.json() for outcome in await asyncio.gather(*calls)}

    assert len(run(service, story)) == 2


def test_an_asynchronous_failure_lands_in_the_failure_queue(
    serve: Serve, miniature: Template, stand_in: AwsStandIn
) -> None:
    """With what was asked and what went wrong, as Lambda's destinations say it."""
    service = serve(ECHO)
    sqs = sqs_client(stand_in.url)
    (dead,) = (queue for queue in miniature.queues if queue.name.endswith("dead"))

    async def story() -> Any:
        service.invoke_later("handler", b'{"boom": "lost?"}')
        return await asyncio.to_thread(sqs.receive_message, QueueUrl=dead.url, WaitTimeSeconds=10)

    (message,) = run(service, story)["Messages"]
    record = json.loads(message["Body"])
    assert record["requestPayload"] == {"boom": "lost?"}
    assert record["responsePayload"]["errorMessage"] == "lost?"


def test_a_function_is_known_by_name_alias_and_arn(serve: Serve) -> None:
    """And nobody else is."""
    service = serve(ECHO)
    names = ("handler", "handler:live", "Handler", "arn:aws:lambda:eu-west-1:000000000000:function:handler:live")
    assert len({service.pool(name) for name in names}) == 1
    with pytest.raises(FunctionUnknown):
        service.pool("nobody")
    asyncio.run(service.stop())


def test_the_schedule_sends_what_eventbridge_scheduler_sends(serve: Serve, miniature: Template) -> None:
    """On demand: the function's answer comes back."""
    service = serve(ECHO)
    (tick,) = run(service, Scheduler(miniature, service, every=None).tick)
    assert (tick["schedule"], tick["failed"]) == ("tick", False)
    event = tick["answer"]["event"]
    assert (event["source"], event["detail-type"], event["detail"]) == ("aws.scheduler", "Scheduled Event", "{}")
    assert event["resources"] == ["arn:aws:scheduler:eu-west-1:000000000000:schedule/default/tick"]


def test_the_schedule_comes_round_by_itself(serve: Serve, miniature: Template, tmp_path: Path) -> None:
    """Again and again, at the interval asked for."""
    service = serve(
        f"""
        import pathlib

        def handler(event, context):
            with pathlib.Path({str(tmp_path / "ticks")!r}).open("a") as ticks:
                ticks.write(event["id"] + "\\n")
        """
    )

    async def story() -> None:
        clock = asyncio.create_task(Scheduler(miniature, service, every=0.05).run())
        await asyncio.to_thread(_until, lambda: len(_lines(tmp_path / "ticks")) >= 3)
        clock.cancel()

    run(service, story)
    assert len(set(_lines(tmp_path / "ticks"))) >= 3


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def _until(true: Callable[[], bool], *, seconds: float = 10.0) -> None:
    """Return when it is true; fail after `seconds`."""
    give_up = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < give_up
        time.sleep(0.01)
