"""One Lambda execution environment: a built artifact under AWS's runtime client and runtime interface emulator (RIE).

The emulator ships in the aws-sam-cli wheel. It takes one invocation at a time and marks neither errors nor time-outs
in its HTTP answer, so both are told from the body, where AWS's real service would send a header.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import platform
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
import psutil

from local import child
from local.ports import LOOPBACK, free_port

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping

    from local.resources import Function

# What /var/runtime holds in AWS: the client and the SDK. Everything else must come from the artifact or its layers.
RUNTIME_PACKAGES: Final = (
    "awslambdaric",
    "runtime_client",
    "simplejson",
    "snapshot_restore_py",
    "boto3",
    "botocore",
    "s3transfer",
    "jmespath",
    "dateutil",
    "six",
    "urllib3",
)
_BOOT: Final = Path(__file__).with_name("runtime_boot.py")
_INVOKE: Final = "/2015-03-31/functions/function/invocations"
_ERROR_KEYS: Final = {"errorMessage", "errorType", "requestId", "stackTrace", "cause"}
_GRACE_SECONDS: Final = 15.0  # the emulator ends an invocation by itself; this is for an emulator that hangs
_PORT_ATTEMPTS: Final = 5
_PORT_TAKEN: Final = b"address already in use"
_READY_SECONDS: Final = 10.0


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What an invocation gave: the handler's JSON, or with `failed` the error object as AWS words it."""

    payload: bytes
    failed: bool = False

    def json(self) -> Any:
        """The payload, parsed."""
        return json.loads(self.payload)


def emulator() -> Path:
    """The runtime interface emulator for this machine."""
    spec = importlib.util.find_spec("samcli")
    if spec is None or spec.origin is None:
        raise RuntimeError("aws-sam-cli is not installed; `make setup` installs it")
    machine = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"
    return Path(spec.origin).parent / "local" / "rapid" / f"aws-lambda-rie-{machine}"


def make_runtime_folder(folder: Path) -> Path:
    """A stand-in for /var/runtime: links to the runtime's own packages and to nothing else."""
    folder.mkdir(parents=True, exist_ok=True)
    for package in RUNTIME_PACKAGES:
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            raise RuntimeError(f"{package} is not installed; `make setup` installs it")
        source = Path(spec.origin)
        source = source.parent if source.name == "__init__.py" else source
        link = folder / source.name
        link.unlink(missing_ok=True)
        link.symlink_to(source)
    return folder


def function_environment(
    function: Function, *, build: Path, runtime: Path, shared: Mapping[str, str]
) -> dict[str, str]:
    """The whole environment of a function's process: nothing is inherited from ours.

    Args:
        function: which one.
        build: the folder of the artifacts.
        runtime: from `make_runtime_folder`.
        shared: what the platform adds (credentials, endpoints); goes before the function's own variables.
    """
    task = build / function.artifact
    path = [str(task), *(str(build / layer / "python") for layer in function.layers), str(runtime)]
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PYTHONPATH": ":".join(path),
        "PYTHONDONTWRITEBYTECODE": "1",  # /var/task and /opt are read-only
        "LAMBDA_TASK_ROOT": str(task),
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_TIMEOUT": str(function.timeout),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
        **function.environment,
        **shared,
    }


def _size(log: Path) -> int:
    """How much of a log there is, in bytes."""
    return log.stat().st_size if log.exists() else 0


def _since(log: Path, position: int) -> bytes:
    """What was written to a log after a position."""
    with log.open("rb") as lines:
        lines.seek(position)
        return lines.read()


class ExecutionEnvironment:
    """A running emulator with its function; made by `launch`, good for one invocation at a time."""

    def __init__(self, process: subprocess.Popen[bytes], *, function: Function, url: str) -> None:
        self._process = process
        self._function = function
        self._url = url
        self._loaded = False

    @classmethod
    async def launch(cls, function: Function, *, environment: Mapping[str, str], log: Path) -> ExecutionEnvironment:
        """Start the emulator; the function itself is loaded by its first invocation.

        A free port can be somebody else's by the time the emulator binds it: then it is started again on other ports.

        Raises:
            RuntimeError: it ended at once; the end of its log is in the message.
            TimeoutError: it does not listen.
        """
        for _ in range(_PORT_ATTEMPTS):
            written = _size(log)
            launched = await cls._start(function, environment=environment, log=log)
            if launched.is_alive:
                return launched
            if _PORT_TAKEN not in _since(log, written):
                break
        raise RuntimeError(f"{function.logical_id} did not start:\n{child.tail(log)}")

    @classmethod
    async def _start(cls, function: Function, *, environment: Mapping[str, str], log: Path) -> ExecutionEnvironment:
        """One attempt; what it returns has ended, or answers."""
        invoke_port, api_port = free_port(), free_port()
        process = child.spawn(
            [
                emulator(),
                "--runtime-interface-emulator-address",
                f"{LOOPBACK}:{invoke_port}",
                "--runtime-api-address",
                f"{LOOPBACK}:{api_port}",
                # The interpreter without its site-packages: a package missing from the artifact is missing here too.
                _interpreter(),
                "-S",
                "-P",
                _BOOT,
                function.handler,
            ],
            log=log,
            env=environment,
            cwd=Path(environment["LAMBDA_TASK_ROOT"]),
        )
        launched = cls(process, function=function, url=f"http://{LOOPBACK}:{invoke_port}{_INVOKE}")
        try:
            async with asyncio.timeout(_READY_SECONDS):
                # both, for it may hold one and die of the other; its own, for a stranger's port answers too
                while launched.is_alive and not {invoke_port, api_port} <= launched._listens_on():  # noqa: ASYNC110 - the emulator tells nobody
                    await asyncio.sleep(0.01)
        except BaseException:
            launched.stop()
            raise
        return launched

    @property
    def is_alive(self) -> bool:
        """Whether the emulator runs."""
        return self._process.poll() is None

    def _listens_on(self) -> set[int]:
        """The TCP ports on which the emulator itself listens now."""
        try:
            connections = psutil.Process(self._process.pid).net_connections("tcp")
        except psutil.Error:
            return set()  # it has ended, which `is_alive` tells
        return {connection.laddr.port for connection in connections if connection.status == psutil.CONN_LISTEN}

    @property
    def is_usable(self) -> bool:
        """Whether the next invocation can be given to it: the function was not killed while it waited."""
        return self.is_alive and (not self._loaded or bool(self.function_pids))

    @property
    def pid(self) -> int:
        """The emulator's process id."""
        return self._process.pid

    @property
    def function_pids(self) -> tuple[int, ...]:
        """Process ids of the function itself: one when it is loaded, none before its first invocation."""
        threads = Path(f"/proc/{self.pid}/task").glob("*/children")  # psutil would read all of /proc
        return tuple(int(pid) for children in threads for pid in children.read_text().split())

    async def invoke(self, payload: bytes, *, http: httpx.AsyncClient) -> Outcome:
        """Invoke the function with a JSON payload; a failure is an outcome, not an exception."""
        self._loaded = True
        try:
            answer = await http.post(self._url, content=payload, timeout=self._function.timeout + _GRACE_SECONDS)
        except httpx.TimeoutException:
            self.stop()
            return _failure("Sandbox.Timedout", f"Task timed out after {self._function.timeout}.00 seconds")
        except httpx.TransportError:
            self.stop()
            return _failure("Runtime.ExitError", "Runtime exited without providing a reason")
        return outcome_of(answer.content, status=answer.status_code)

    def stop(self) -> None:
        """Kill the emulator and its function, as AWS freezes and drops an environment without a word."""
        child.stop(self._process, signals=[signal.SIGKILL])


def outcome_of(body: bytes, *, status: int) -> Outcome:
    """Tell a result from an error and a time-out in an answer of the emulator."""
    if body.startswith(b"Task timed out after "):
        return _failure("Sandbox.Timedout", body.decode())
    if status != httpx.codes.OK:
        return Outcome(payload=body, failed=True)
    return Outcome(payload=body, failed=_is_error(body))


def _is_error(body: bytes) -> bool:
    if b'"errorType"' not in body:
        return False
    answer = json.loads(body)
    return isinstance(answer, dict) and {"errorType", "errorMessage"} <= set(answer) <= _ERROR_KEYS


def _failure(kind: str, message: str) -> Outcome:
    return Outcome(payload=json.dumps({"errorType": kind, "errorMessage": message}).encode(), failed=True)


def _interpreter() -> Path:
    return Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
