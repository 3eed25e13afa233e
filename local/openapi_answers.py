"""The schemas of the HTTP interface's answers."""

from __future__ import annotations

from typing import Any, Final

from mono_pipeline.core.verdict import VerdictKind, VerdictReason

type Json = dict[str, Any]

TEXT: Final[Json] = {"type": "string"}
COUNT: Final[Json] = {"type": "integer", "minimum": 0}
DAY: Final[Json] = {"type": ["string", "null"], "format": "date"}
INSTANT: Final[Json] = {"type": ["string", "null"], "format": "date-time"}
SYNC_STATUSES: Final = ("completed", "incomplete", "deferred", "accepted", "failed", "stopped", "running")


def closed(required: dict[str, Json], **optional: Json) -> Json:
    """An object of these members and no others."""
    return {
        "type": "object",
        "properties": {**required, **optional},
        "required": list(required),
        "additionalProperties": False,
    }


def named(schema: str) -> Json:
    """A reference to one of `SCHEMAS`."""
    return {"$ref": f"#/components/schemas/{schema}"}


# what API Gateway says by itself: no signature, no such route, too large
GATEWAY: Final[Json] = {"type": "object", "properties": {"message": TEXT}, "required": ["message"]}
_ERROR: Final[Json] = closed({"code": TEXT, "message": TEXT})
_OPEN: Final[Json] = {"operation": TEXT, "status": TEXT, "correlation_id": TEXT}

SCHEMAS: Final[dict[str, Json]] = {
    "Run": closed(
        {
            "run_id": {"type": "string", "format": "uuid"},
            "account_id": {"type": "string", "pattern": "^[0-9a-f]{24}$"},
            "status": TEXT,
            "verdict": closed(
                {
                    "kind": {"enum": [*VerdictKind, None]},
                    "reason": {"enum": [*VerdictReason, None]},
                    "first_bad_day": DAY,
                }
            ),
            "counts": closed(dict.fromkeys(("seen", "inserted", "updated", "unchanged", "quarantined"), COUNT)),
            "window": closed({"start": DAY, "end": DAY}),
            "started_at": INSTANT,
            "finished_at": INSTANT,
            "pages_read": COUNT,
            "mono_total": {"type": ["integer", "null"]},
            "error_code": {"type": ["string", "null"]},
        }
    ),
    "Sync": closed(
        {**_OPEN, "status": {"enum": list(SYNC_STATUSES)}},
        run=named("Run"),
        guidance={"type": "object", "description": "Which flag is off, and how to enable it for this account"},
        warnings={"type": "array", "items": {"enum": ["reauth_required"]}},
    ),
    "Paused": {
        "type": "object",
        "properties": {**_OPEN, "reason": TEXT, "run": named("Run"), "error": _ERROR},
        "required": list(_OPEN),
    },
    "Error": closed(
        {**_OPEN, "error": _ERROR},
        field={"type": "string", "description": "Which input is wrong"},
        run_id={"type": "string", "format": "uuid", "description": "The run that holds the account"},
        reason={"type": "string", "description": "Why the account is blocked"},
        run=named("Run"),
        warnings={"type": "array", "items": TEXT},
    ),
    "WebhookTaken": closed(
        {
            "operation": {"const": "mono_webhook"},
            "status": {"enum": ["accepted", "ignored"]},
            "correlation_id": TEXT,
        }
    ),
    "DeadLetters": {
        "type": "object",
        "properties": {
            **_OPEN,
            "dry_run": {"type": "boolean"},
            "action_id": {"type": "string", "format": "uuid"},
            "so_far": closed({"seen": COUNT, "expected": {"type": ["integer", "null"], "minimum": 0}}),
            "outcomes": {"type": "object"},
            "groups": {"type": "array", "items": {"type": "object"}},
            "letters": {"type": "array", "items": {"type": "object"}},
            "error": _ERROR,
        },
        "required": list(_OPEN),
    },
    "Health": closed({"version": TEXT}),
}
