"""The ops function: its answers, its errors, its crashes; each with what the operator must do."""

from __future__ import annotations

import io
import json
from typing import Any, cast

import pytest

from mono_pipeline.core.errors import PipelineError
from monoctl.errors import Defect, OpsRefused, Unanswered
from monoctl.exit_code import of_error
from monoctl.reach.ops import OpsFunction


class OneAnswer:
    """Lambda, which answers every invocation the same."""

    def __init__(self, payload: bytes, **fields: str) -> None:
        self._answer = {"StatusCode": 200, **fields}
        self._payload = payload
        self.requests: list[dict[str, Any]] = []

    def invoke(self, **request: Any) -> dict[str, Any]:
        """Answer."""
        self.requests.append(request)
        return {**self._answer, "Payload": io.BytesIO(self._payload)}


def ops(client: OneAnswer) -> OpsFunction:
    """Return the function behind this client."""
    return OpsFunction(lambda: cast("Any", client), "mono-pipeline-prod-ops")


def test_an_action_is_asked_of_the_live_alias() -> None:
    """Whatever is deployed but not live yet is not asked."""
    client = OneAnswer(b'{"accounts": [], "next": null}')

    assert ops(client).ask("accounts.list", limit=5) == {"accounts": [], "next": None}
    (request,) = client.requests
    assert (request["FunctionName"], request["Qualifier"]) == ("mono-pipeline-prod-ops", "live")
    assert json.loads(request["Payload"]) == {"action": "accounts.list", "limit": 5}


def test_an_error_of_the_pipeline_keeps_its_name_and_words() -> None:
    """As if it had been raised here."""
    payload = {"error": {"code": "AccountUnknown", "message": "No bank account with this id is known here."}}

    with pytest.raises(OpsRefused, match="No bank account") as refused:
        ops(OneAnswer(json.dumps(payload).encode())).ask("accounts.show")

    assert refused.value.code == "AccountUnknown"


@pytest.mark.parametrize(
    ("payload", "kind", "exit_code"),
    [
        ({"errorMessage": "2026-11-24T12:00:00Z 1f Task timed out after 300.00 seconds"}, Unanswered, 8),
        ({"errorMessage": "no password", "errorType": "ConfigurationError"}, OpsRefused, 7),
        ({"errorMessage": "'accounts'", "errorType": "KeyError", "stackTrace": []}, Defect, 1),
        ({"errorMessage": "No module named app", "errorType": "Runtime.ImportModuleError"}, Defect, 1),
        ({}, Defect, 1),
    ],
)
def test_a_failed_invocation_says_why(payload: dict[str, Any], kind: type[PipelineError], exit_code: int) -> None:
    """Out of time, an error of ours on the way up, or a crash."""
    client = OneAnswer(json.dumps(payload).encode(), FunctionError="Unhandled")

    with pytest.raises(PipelineError) as raised:
        ops(client).ask("accounts.import")

    assert type(raised.value) is kind
    assert of_error(raised.value) == exit_code
    assert "stackTrace" not in str(raised.value)


@pytest.mark.parametrize("payload", [b"", b"null", b"[]", b"<html>"])
def test_what_is_no_object_is_no_answer(payload: bytes) -> None:
    """Never an empty list of accounts."""
    with pytest.raises(Unanswered):
        ops(OneAnswer(payload)).ask("accounts.list")
