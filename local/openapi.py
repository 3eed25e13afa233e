"""The OpenAPI description of the whole HTTP interface, made from the template's routes and the code's own models.

`python -m local.openapi` writes `docs/openapi.json`; a test fails when the file is not what the code says.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from local import openapi_answers as answers
from local.template import Template
from mono_pipeline import __version__
from mono_pipeline.adapters.webhook_settings import SHORTEST_WEBHOOK_SECRET
from mono_pipeline.core.replay import Action
from mono_pipeline.http.dead_letter_call import DeadLetterBody
from mono_pipeline.http.sync_call import FLAG_VERSION, SyncBody
from mono_pipeline.http.webhook_call import LARGEST_BODY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.resources import Route

type Json = dict[str, Any]

DOCUMENT: Final = Path(__file__).resolve().parent.parent / "docs" / "openapi.json"
ACCOUNT_ID: Final[Json] = {
    "type": "string",
    "pattern": "^[0-9a-f]{24}$",
    "description": "Mono's id of the account",
    "example": "66c5b3d2f9e7a1b4c8d0e2f3",
}
_NUMBER: Final[Json] = {"type": "string", "pattern": "^[0-9]+$"}
_IAM: Final[list[Json]] = [{"iam": []}]
_SECURITY_SCHEMES: Final[Json] = {
    "iam": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "AWS Signature Version 4 of service execute-api",
        "x-amazon-apigateway-authtype": "awsSigv4",
    },
    "webhook": {
        "type": "apiKey",
        "in": "header",
        "name": "mono-webhook-secret",
        "description": f"The shared secret of Mono's dashboard, {SHORTEST_WEBHOOK_SECRET} characters at least",
    },
}


@dataclass(frozen=True, kw_only=True)
class Operation:
    """What is said of a route beyond its path: words, the body's schema, and the schema of each status."""

    id: str
    summary: str
    responses: Mapping[int, Json]
    body: Json | None = None
    examples: Mapping[str, Json] = field(default_factory=dict)
    parameters: tuple[Json, ...] = ()
    headers: Mapping[str, Json] = field(default_factory=dict)
    secured_by: str | None = None


def document() -> Json:
    """The description. Raises KeyError for a route of the template that nobody described."""
    paths: dict[str, Json] = {}
    for route in sorted(Template.expand().routes, key=lambda route: (route.path, route.method)):
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "mono-pipeline",
            "version": __version__,
            "description": "Bank transactions from Mono, synced on request. Made by `python -m local.openapi`.",
        },
        "paths": paths,
        "components": {"schemas": answers.SCHEMAS, "securitySchemes": _SECURITY_SCHEMES},
    }


def text() -> str:
    """The file's content."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


def main() -> int:
    """Write the file."""
    DOCUMENT.write_text(text(), encoding="utf-8")
    print(f"openapi: wrote {DOCUMENT}")
    return 0


def _operation(route: Route) -> Json:
    described = OPERATIONS[route.method, route.path]
    told: Json = {
        "operationId": described.id,
        "summary": described.summary,
        "security": [{described.secured_by: []}] if described.secured_by else [] if route.is_open else _IAM,
        "responses": {
            str(code): _response(code, schema, {} if schema is answers.GATEWAY else described.headers)
            for code, schema in described.responses.items()
        },
    }
    if not route.is_open:
        told["responses"]["403"] = _response(HTTPStatus.FORBIDDEN, answers.GATEWAY, {})
    if described.parameters:
        told["parameters"] = list(described.parameters)
    if described.body is not None:
        content: Json = {"schema": described.body}
        if described.examples:
            content["examples"] = {name: {"value": value} for name, value in described.examples.items()}
        told["requestBody"] = {"required": True, "content": {"application/json": content}}
    return told


def _response(code: int, schema: Json, headers: Mapping[str, Json]) -> Json:
    told: Json = {
        "description": HTTPStatus(code).phrase,
        "content": {"application/json": {"schema": schema}},
    }
    if code == HTTPStatus.SERVICE_UNAVAILABLE:
        headers = {"Retry-After": {"description": "Seconds to wait", "schema": _NUMBER}, **headers}
    if headers:
        told["headers"] = dict(headers)
    return told


def _sync_body() -> Json:
    schema = SyncBody.model_json_schema()
    schema["properties"]["account_id"] = ACCOUNT_ID
    schema["dependentRequired"] = {"start": ["end"], "end": ["start"]}
    return schema


def _dead_letter_body() -> Json:
    schema = DeadLetterBody.model_json_schema()
    schema["properties"]["action"] = {"type": "string", "enum": list(Action)}
    letters = schema.pop("$defs")["FilterBody"]
    letters["properties"]["account_id"] = {"anyOf": [ACCOUNT_ID, {"type": "null"}]}
    letters["properties"]["older_than"]["anyOf"][0] |= {"format": "duration", "example": "P1D"}
    schema["properties"]["filter"] = letters
    schema["properties"]["action_id"]["anyOf"][0]["format"] = "uuid"
    return schema


def _events() -> dict[str, Json]:
    """Samples of Mono's events (Mono contract 5.3); any JSON object is one, known or not."""
    account = ACCOUNT_ID["example"]
    return {
        "account_connected": {"event": "mono.events.account_connected", "data": {"id": account, "meta": {}}},
        "account_updated": {
            "event": "mono.events.account_updated",
            "event_id": "tDZCfxixom09P6eX2arBA3AmeiPyYalMk4WPd",
            "timestamp": "2026-01-27T21:00:38.856Z",
            "data": {"account": {"_id": account}, "meta": {"data_status": "AVAILABLE", "sync_status": "SUCCESSFUL"}},
        },
        "jobs": {
            "event": "mono.accounts.jobs.update",
            "data": {"account": account, "id": "681b431edb122e972b21fd4c", "status": "finished"},
        },
        "account_unlinked": {"event": "mono.events.account_unlinked", "data": {"account": {"id": account}}},
        "unheard_of": {"event": "mono.events.something_new", "data": {}},
    }


OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("POST", "/api/v1/banking/transactions/sync"): Operation(
        id="sync_banking_transactions",
        summary="Sync one account's transactions",
        body=_sync_body(),
        headers={
            FLAG_VERSION: {
                "description": "SSM's version of the flag that the function acts by, where it has read one",
                "schema": _NUMBER,
            }
        },
        responses={
            200: answers.named("Sync"),
            202: answers.named("Sync"),
            404: answers.named("Error"),
            409: answers.named("Error"),
            413: answers.GATEWAY,
            422: answers.named("Error"),
            500: answers.named("Error"),
            502: answers.named("Error"),
            503: answers.named("Paused"),
        },
    ),
    ("GET", "/api/v1/banking/transactions/sync/{run_id}"): Operation(
        id="show_run",
        summary="How a run stands",
        parameters=(
            {"name": "run_id", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}},
        ),
        responses={
            200: answers.named("Sync"),
            404: answers.named("Error"),
            422: answers.named("Error"),
            500: answers.named("Error"),
            503: answers.named("Error"),
        },
    ),
    ("POST", "/api/v1/webhooks/mono/integrations/mono/webhook"): Operation(
        id="mono_webhook",
        summary=f"Mono's events: a JSON object of {LARGEST_BODY} bytes at most",
        body={"type": "object"},
        examples=_events(),
        secured_by="webhook",
        responses={
            200: answers.named("WebhookTaken"),
            400: answers.named("Error"),
            401: answers.named("Error"),
            413: answers.named("Error"),
            503: answers.named("Error"),
        },
    ),
    ("POST", "/api/v1/ops/dead-letters"): Operation(
        id="dead_letters",
        summary="Inspect, replay or purge dead letters; changes nothing unless `dry_run` is false",
        body=_dead_letter_body(),
        responses={
            200: answers.named("DeadLetters"),
            409: answers.named("DeadLetters"),
            413: answers.GATEWAY,
            422: answers.named("Error"),
            500: answers.named("Error"),
            503: answers.named("Error"),
        },
    ),
    ("GET", "/health"): Operation(
        id="health",
        summary="The version, and nothing else",
        responses={200: answers.named("Health")},
    ),
}

if __name__ == "__main__":
    sys.exit(main())
