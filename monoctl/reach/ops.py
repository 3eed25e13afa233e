"""The ops function, invoked by name: the road to what is in a private database."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from mono_pipeline.core import errors
from monoctl.errors import Defect, OpsRefused, Unanswered

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_lambda import LambdaClient

ALIAS: Final = "live"


class OpsFunction:
    """Asks `mono-pipeline-{env}-ops` on its live alias. `connect` makes the client when it is first needed."""

    def __init__(self, connect: Callable[[], LambdaClient], name: str) -> None:
        self._connect = connect
        self._name = name
        self._client: LambdaClient | None = None

    def ask(self, action: str, **arguments: Any) -> dict[str, Any]:
        """Return the answer to `{"action": action, ...}`.

        Raises OpsRefused with the pipeline's own error, Unanswered when the function ran out of time, Defect when it
        crashed, and botocore's errors where it could not be invoked.
        """
        self._client = self._client or self._connect()
        answer = self._client.invoke(
            FunctionName=self._name, Qualifier=ALIAS, Payload=json.dumps({"action": action, **arguments}).encode()
        )
        document = _document(answer["Payload"].read(), action)
        if "FunctionError" in answer:
            raise _crash(document, action)
        if isinstance(problem := document.get("error"), dict):
            raise OpsRefused(str(problem.get("code")), str(problem.get("message")))
        return document


def _document(payload: bytes, action: str) -> dict[str, Any]:
    try:
        document = json.loads(payload)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise Unanswered(f"the ops function's answer to {action} is no JSON object")
    return document


def _crash(document: dict[str, Any], action: str) -> OpsRefused | Unanswered | Defect:
    """Why an invocation failed, by what Lambda says of it; an error of ours that was raised is still that error."""
    kind, said = str(document.get("errorType", "")), str(document.get("errorMessage", ""))[:300]
    if "timed out" in said.lower():
        return Unanswered(f"the ops function ran out of time with {action}; it may have done a part of it")
    ours = getattr(errors, kind, None)
    if isinstance(ours, type) and issubclass(ours, errors.PipelineError):
        return OpsRefused(kind, said)
    return Defect(
        f"the ops function failed with {action} ({kind or 'no error type'}: {said}): see `monoctl logs --all`"
    )
