"""A function as it is shipped, in a process of its own: what `sam build` made, and nothing of ours."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from local.aws import CREDENTIALS, create_resources
from local.build import build
from local.lambda_runtime import function_environment, make_runtime_folder
from local.template import Template

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mono_pipeline.adapters.postgres import DatabaseAddress

# One invocation, told on standard input, with five minutes to go. What it answers is the last line of standard output.
INVOKE: Final = """
import json, sys
{before}
import {module} as function
class Context:
    aws_request_id = "r-artifact"
    function_name = "artifact"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:eu-west-1:000000000000:function:artifact"
    def get_remaining_time_in_millis(self):
        return 300_000
event = json.load(sys.stdin)
{between}
answer = function.handler(event, Context())
print()
print(json.dumps(answer), flush=True)
"""


class Artifact:
    """One function of the template, beside the AWS stand-in at `endpoint` and a database."""

    def __init__(
        self,
        logical_id: str,
        folder: Path,
        *,
        endpoint: str,
        address: DatabaseAddress | None = None,
        mono_base_url: str = "http://127.0.0.1:1",
        **variables: str,
    ) -> None:
        """`variables` go before the template's own; without `address` there is no database."""
        parameters = {
            "Environment": "local",
            "DatabaseHost": "127.0.0.1",
            "DatabasePort": str(address.port if address else 1),
            "DatabaseName": address.database if address else "nowhere",
            "DatabaseUser": "postgres",
            "DatabaseSslMode": "disable",
            "MonoBaseUrl": mono_base_url,
        }
        self.template = Template.expand(parameters=parameters, aws_endpoint=endpoint)
        function = self.template.functions[logical_id]
        self._module = function.handler.partition(".")[0]
        shared = {**CREDENTIALS, "AWS_ENDPOINT_URL": endpoint, "DATABASE_PASSWORD": "made-up", **variables}
        self.environment = function_environment(
            function, build=build(), runtime=make_runtime_folder(folder / "runtime"), shared=shared
        )

    def queue_url(self, end: str) -> str:
        """A queue of the template by the end of its name."""
        return next(queue.url for queue in self.template.queues if queue.name.endswith(end))

    def create_resources(self, endpoint: str) -> None:
        """Make the template's queues and parameters."""
        create_resources(self.template, endpoint=endpoint)

    def start(self, *, before: str = "", between: str = "") -> subprocess.Popen[str]:
        """A process that waits for its event. `before` runs before the function is loaded, `between` after it."""
        interpreter = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
        program = INVOKE.format(module=self._module, before=before, between=between)
        return subprocess.Popen(  # noqa: S603 - our own interpreter
            [interpreter, "-S", "-c", program],
            cwd=self.environment["LAMBDA_TASK_ROOT"],
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def invoke(self, event: dict[str, Any], *, before: str = "", between: str = "") -> Ended:
        """Invoke once, with an environment of its own."""
        process = self.start(before=before, between=between)
        said, complained = process.communicate(json.dumps(event), timeout=120)
        return Ended(process.returncode, said, complained)


class Ended:
    """How an invocation ended: its answer, or None where the process died or raised."""

    def __init__(self, code: int, said: str, complained: str) -> None:
        self.code = code
        self.complained = complained
        lines = said.splitlines()
        self.answer: Any = json.loads(lines[-1]) if code == 0 else None
        self.lines = lines

    def failed(self, message_ids: Iterable[str]) -> bool:
        """Whether SQS gets these messages back: the invocation failed, or names them."""
        if self.answer is None:
            return True
        named = {item["itemIdentifier"] for item in self.answer["batchItemFailures"]}
        return set(message_ids) <= named
