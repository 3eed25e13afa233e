"""The process that owns an embedded stack: starts its parts in order, serves the gateway, stops them all.

`python -m local.supervisor SETTINGS.json` runs until SIGTERM. Everything it starts dies with it, even by SIGKILL.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import logging
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psutil
import uvicorn

from local import child
from local.aws import CREDENTIALS, AwsStandIn, create_resources, queue_sender, sqs_client, ssm_client
from local.build import ARTIFACTS
from local.gateway import Gateway
from local.lambda_pool import LambdaService
from local.lambda_runtime import make_runtime_folder
from local.monitoring_up import NOWHERE, start_monitoring
from local.poller import Poller
from local.ports import LOOPBACK, answers, holder, is_free
from local.postgres import SUPERUSER, PostgresServer
from local.sam import REGION
from local.scheduler import Scheduler
from local.stack_settings import SANDBOX_APP, Refused, StackSettings
from local.template import ROOT, Template, parameters_by_variable
from monoctl.secret_writing import write_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.stack_settings import Ports

LOG: Final = logging.getLogger("local.supervisor")
WEBHOOK_PATH: Final = "/api/v1/webhooks/mono/integrations/mono/webhook"
_SANDBOX_SECONDS: Final = 20.0
_MIGRATION_SECONDS: Final = 60.0
_PARAMETERS: Final = parameters_by_variable()


class Supervisor:
    """Runs one stack."""

    def __init__(self, settings: StackSettings) -> None:
        self._settings = settings
        self._exit = ExitStack()
        self._aws_url = f"http://{LOOPBACK}:{settings.ports.aws}"
        self._sandbox_url = f"http://{LOOPBACK}:{settings.ports.sandbox}"
        self._mono_url = settings.mono_base_url or self._sandbox_url
        self._processes: dict[str, int] = {}
        self._monitoring = NOWHERE
        self._template = Template.expand(parameters=self._parameters(), aws_endpoint=self._aws_url)

    def start(self) -> None:
        """Start PostgreSQL, the AWS stand-in and the sandbox, and fill them.

        Raises:
            Refused: a port is taken.
            RuntimeError: a part did not come up.
        """
        _refuse_taken(self._settings)
        # What takes long to load is started first and waited for last.
        sandbox = self._spawn_sandbox() if self._settings.mono_base_url is None else None
        with _announced("PostgreSQL"):
            self._start_postgres()
        migrations = self._spawn_migrations()
        with _announced("AWS stand-in: queues, parameters, secrets"):
            self._start_aws()
        if sandbox is not None:
            with _announced("Mono sandbox"):
                self._wait_for_sandbox(sandbox)
        with _announced("migrations"):
            self._wait_for_migrations(migrations)
        if self._settings.monitoring:
            with _announced("monitoring, where it is installed"):
                self._monitoring = start_monitoring(
                    self._exit,
                    logs=self._settings.logs,
                    folder=self._settings.state_dir / "monitoring",
                    database_url=self._database_url,
                    processes=self._processes,
                )

    async def serve(self) -> None:
        """Serve the gateway, the pollers and the scheduler until SIGTERM or SIGINT."""
        functions = self._functions()
        scheduler = Scheduler(self._template, functions, every=self._settings.tick_seconds)
        gateway = Gateway(self._template, functions, tick=scheduler.tick, status=lambda: self._status(functions))
        server = uvicorn.Server(
            uvicorn.Config(
                gateway.app(),
                host=LOOPBACK,
                port=self._settings.ports.http,
                log_level="warning",
                access_log=False,
                proxy_headers=False,
                timeout_graceful_shutdown=2,
            )
        )
        works = (scheduler.run(), self._say_when_ready(server), *(poller.run() for poller in self._pollers(functions)))
        background = [asyncio.create_task(work) for work in works]
        for task in background:
            task.add_done_callback(functools.partial(_end_with, server))
        try:
            await server.serve()
        finally:
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
            await functions.stop()

    def stop(self) -> None:
        """Stop what `start` started, in the opposite order."""
        self._settings.record.unlink(missing_ok=True)
        self._exit.close()

    def _start_postgres(self) -> None:
        settings = self._settings
        server = PostgresServer.start(
            settings.state_dir / "postgres",
            port=settings.ports.postgres,
            settings=settings.postgres,
            log=settings.logs / "postgres.log",
        )
        self._exit.callback(server.stop)
        self._processes["postgres"] = server.pid
        server.ensure_database(self._database)

    def _start_aws(self) -> None:
        stand_in = AwsStandIn.start(port=self._settings.ports.aws, log=self._settings.logs / "aws.log")
        self._exit.callback(stand_in.stop)
        self._processes["aws"] = stand_in.pid
        create_resources(self._template, endpoint=self._aws_url, visibility=self._settings.visibility_seconds)
        write_secrets(
            ssm_client(self._aws_url),
            "local",
            self._settings.all_secrets(),
            description="made for the embedded stack",
        )

    def _spawn_sandbox(self) -> subprocess.Popen[bytes]:
        secrets = self._settings.all_secrets()
        options = {
            "port": str(self._settings.ports.sandbox),
            "secret-key": secrets["MONO_SECRET_KEY"],
            "webhook-url": f"http://{LOOPBACK}:{self._settings.ports.http}{WEBHOOK_PATH}",
            "webhook-secret": secrets["MONO_WEBHOOK_SECRET"],
            "app-id": self._app,
            **self._settings.sandbox,
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        process = child.spawn(
            [sys.executable, "-m", "local.sandbox", *arguments], log=self._settings.logs / "sandbox.log", cwd=ROOT
        )
        self._exit.callback(child.stop, process, signals=[signal.SIGTERM], patience=3.0)
        self._processes["sandbox"] = process.pid
        return process

    def _wait_for_sandbox(self, process: subprocess.Popen[bytes]) -> None:
        child.wait_until(
            lambda: answers(self._settings.ports.sandbox),
            child=process,
            what="the Mono sandbox",
            log=self._settings.logs / "sandbox.log",
            patience=_SANDBOX_SECONDS,
        )

    def _spawn_migrations(self) -> subprocess.Popen[bytes]:
        process = child.spawn(
            [sys.executable, "-m", "local.migrate", "--url", self._database_url],
            log=self._settings.logs / "migrate.log",
            cwd=ROOT,
        )
        self._exit.callback(child.stop, process, signals=[signal.SIGTERM])
        return process

    def _wait_for_migrations(self, process: subprocess.Popen[bytes]) -> None:
        if process.wait(_MIGRATION_SECONDS):
            raise RuntimeError(f"the migrations failed:\n{child.tail(self._settings.logs / 'migrate.log')}")

    def _functions(self) -> LambdaService:
        return LambdaService(
            self._template,
            build=ARTIFACTS,
            runtime=make_runtime_folder(self._settings.state_dir / "runtime"),
            logs=self._settings.logs,
            # the functions connect as their own role, which owns nothing; migrations are the owner's
            shared_environment={
                **CREDENTIALS,
                "AWS_ENDPOINT_URL": self._aws_url,
                "DATABASE_OWNER": SUPERUSER,
                **self._settings.platform,
            },
            concurrency=self._settings.concurrency,
            send_to_queue=queue_sender(self._template, endpoint=self._aws_url),
        )

    def _pollers(self, functions: LambdaService) -> Iterator[Poller]:
        queues = {queue.arn: queue for queue in self._template.queues}
        sqs = sqs_client(self._aws_url)
        for source in self._template.event_sources:
            yield Poller(source, queues[source.queue_arn], sqs=sqs, functions=functions, region=REGION)

    async def _say_when_ready(self, server: uvicorn.Server) -> None:
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
        _write(self._settings.record, self._record())
        print("stack: ready", flush=True)

    def _record(self) -> dict[str, Any]:
        secrets = self._settings.all_secrets()
        http = f"http://{LOOPBACK}:{self._settings.ports.http}"
        return {
            "http": http,
            "lambda_endpoint_url": http,
            "database_url": self._database_url,
            "aws_endpoint_url": self._aws_url,
            "aws_region": REGION,
            "sandbox": self._sandbox_url if self._settings.mono_base_url is None else None,
            "mono_base_url": self._mono_url,
            "mono_secret_key": secrets["MONO_SECRET_KEY"],
            "mono_webhook_secret": secrets["MONO_WEBHOOK_SECRET"],
            "mono_app_id": self._app,
            "logs": str(self._settings.logs),
            **self._monitoring,
            "processes": {
                name: {"pid": pid, "started": psutil.Process(pid).create_time()}
                for name, pid in {"supervisor": os.getpid(), **self._processes}.items()
            },
        }

    def _status(self, functions: LambdaService) -> dict[str, Any]:
        return {
            "processes": {"supervisor": os.getpid(), **self._processes},
            "schedules": [
                {
                    "name": each.name,
                    "enabled": True,
                    "every": f"{self._settings.tick_seconds or each.every.total_seconds():g} s",
                }
                for each in self._template.schedules
            ],
            "functions": {
                logical_id: [
                    {"emulator": environment.pid, "function": list(environment.function_pids)}
                    for environment in pool.environments
                ]
                for logical_id, pool in functions.pools.items()
            },
        }

    @property
    def _database(self) -> str:
        return self._template.functions["SyncApi"].environment["DATABASE_NAME"]

    @property
    def _database_url(self) -> str:
        return f"postgresql://{SUPERUSER}@{LOOPBACK}:{self._settings.ports.postgres}/{self._database}"

    @property
    def _app(self) -> str:
        return self._parameters()["MonoAppId"]

    def _parameters(self) -> dict[str, str]:
        return {
            "MonoAppId": SANDBOX_APP if self._settings.mono_base_url is None else "",
            **{_PARAMETERS[name]: value for name, value in self._settings.variables.items()},
            "Environment": "local",
            "DatabaseHost": LOOPBACK,
            "DatabasePort": str(self._settings.ports.postgres),
            "DatabaseSslMode": "disable",
            "MonoBaseUrl": self._mono_url,
        }


def _end_with(server: uvicorn.Server, task: asyncio.Task[None]) -> None:
    """A stack whose poller or scheduler died must not look alive."""
    if not task.cancelled() and (problem := task.exception()):
        LOG.error("a part of the stack failed; stopping", exc_info=problem)
        server.should_exit = True


def _refuse_taken(settings: StackSettings) -> None:
    ports: Ports = settings.ports
    wanted = {"the gateway": ports.http, "PostgreSQL": ports.postgres, "the AWS stand-in": ports.aws}
    if settings.mono_base_url is None:
        wanted["the Mono sandbox"] = ports.sandbox
    for part, port in wanted.items():
        if not is_free(port):
            raise Refused(f"{part} cannot listen on port {port}: held by {holder(port)}")


def _write(path: Path, record: dict[str, Any]) -> None:
    draft = path.with_suffix(".draft")
    with contextlib.suppress(FileNotFoundError):
        draft.unlink()
    draft.touch(mode=0o600)  # another Mono's key may be in it
    draft.write_text(json.dumps(record, indent=2) + "\n")
    draft.replace(path)


@contextmanager
def _announced(step: str) -> Iterator[None]:
    print(f"stack: {step} ... ", end="", flush=True)
    started = time.monotonic()
    yield
    print(f"{time.monotonic() - started:.1f} s", flush=True)


def main(argv: list[str]) -> int:
    """Run the stack that a settings file describes; 0 after an orderly stop."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    for noisy in ("httpx", "botocore", "samtranslator"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # until uvicorn takes the signals over
    supervisor = Supervisor(StackSettings.from_json(Path(argv[0]).read_text()))
    try:
        supervisor.start()
        asyncio.run(supervisor.serve())
    except (Refused, RuntimeError, subprocess.TimeoutExpired) as problem:
        print(f"\nstack: {problem}", flush=True)
        return 1
    except KeyboardInterrupt:
        pass
    finally:
        supervisor.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
