"""docs/openapi.json is what the code says, and says all of it."""

from __future__ import annotations

from typing import Any

import pytest

from local import openapi
from local.template import Template
from mono_pipeline.core.webhook_outcome import WebhookConclusion, WebhookReason
from mono_pipeline.http import sync_call, webhook_call


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The description as the code makes it."""
    return openapi.document()


def statuses(document: dict[str, Any], path: str, method: str = "post") -> set[int]:
    """The status codes that are described."""
    return {int(code) for code in document["paths"][path][method]["responses"]}


def test_the_committed_description_is_the_code_s() -> None:
    """`python -m local.openapi` writes it again after a change."""
    assert openapi.DOCUMENT.read_text(encoding="utf-8") == openapi.text()


def test_every_route_of_the_template_is_described_and_no_other(document: dict[str, Any]) -> None:
    """And what is open there is open here."""
    routes = {(route.method, route.path): route.is_open for route in Template.expand().routes}
    described = {
        (method.upper(), path): operation["security"] != [{"iam": []}]
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    assert described == routes
    assert set(openapi.OPERATIONS) == set(routes)


def test_every_status_that_the_code_can_answer_is_described(document: dict[str, Any]) -> None:
    """Taken from the tables by which the answers are made."""
    sync = statuses(document, "/api/v1/banking/transactions/sync")
    assert set(sync_call._STATUS_CODES.values()) | {code for _, code, _ in sync_call._ERRORS} <= sync
    answered = {webhook_call.answer(WebhookConclusion(reason=reason), "")["statusCode"] for reason in WebhookReason}
    assert answered == statuses(document, "/api/v1/webhooks/mono/integrations/mono/webhook")
