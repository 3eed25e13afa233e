"""The API when nobody is let in. Last of the tests that share the stack: functions keep "off" for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.e2e.test_main_job import SYNC, until

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from local.sandbox.client import SandboxClient


def test_with_the_flag_off_a_sync_is_deferred_with_guidance(
    http: httpx.Client, sandbox: SandboxClient, flag: Callable[[str], None]
) -> None:
    """The caller learns what the flag is, where it is set and how to turn it on; Mono is not called."""
    flag("false")
    asked = {"account_id": "0" * 24}
    until(lambda: http.post(SYNC, json=asked).json()["status"] == "deferred", seconds=20)  # other tests had it on
    sandbox.clear_requests()

    answer = http.post(SYNC, json=asked)

    body = answer.json()
    assert (answer.status_code, body["operation"], body["status"]) == (200, "sync_banking_transactions", "deferred")
    assert body["guidance"]["parameter"] == "/mono-pipeline/local/MONO_TRANSACTIONS_ENABLED"
    assert "flag set --allow" in body["guidance"]["enable"][0]
    assert sandbox.requests() == []
