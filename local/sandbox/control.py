"""The control API under `/_sandbox`: JSON over HTTP to the sandbox's operations, for loopback clients only."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import to_jsonable_python

from local.sandbox.message import RequestParts, ResponseParts, json_response
from local.sandbox.world import UnknownAccount, World

PREFIX = "/_sandbox"


@dataclass(frozen=True, slots=True)
class Route:
    """One operation of the sandbox and where it lives; names in braces are arguments."""

    method: str
    path: str
    operation: str

    def found(self, request: RequestParts) -> dict[str, str] | None:
        """The arguments that the request's path names, if the request is for this operation."""
        pattern = re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", PREFIX + self.path)
        found = re.fullmatch(pattern, request.path) if request.method == self.method else None
        return None if found is None else found.groupdict()


ROUTES = tuple(
    Route(*words.split())
    for words in (
        "GET    /accounts                               accounts",
        "POST   /accounts                               create_account",
        "POST   /accounts/many                          create_accounts",
        "POST   /links                                  link_account",
        "GET    /accounts/{account}/truth               truth",
        "POST   /accounts/{account}/add                 add",
        "POST   /accounts/{account}/late                late",
        "POST   /accounts/{account}/amend               amend",
        "POST   /accounts/{account}/remove              remove",
        "POST   /accounts/{account}/twin                twin",
        "POST   /accounts/{account}/truncate            truncate",
        "POST   /accounts/{account}/remint              remint",
        "POST   /accounts/{account}/reshuffle           reshuffle",
        "POST   /accounts/{account}/relink              relink",
        "POST   /accounts/{account}/unlink              unlink",
        "POST   /accounts/{account}/reauthorise         reauthorise",
        "POST   /accounts/{account}/refresh             refresh",
        "POST   /accounts/{account}/code                issue_code",
        "POST   /accounts/{account}/link-state          set_link_state",
        "POST   /accounts/{account}/data-status         set_data_status",
        "POST   /accounts/{account}/sync-status         set_sync_status",
        "POST   /accounts/{account}/null-rows           set_null_rows",
        "GET    /accounts/{account}/jobs                job_list",
        "POST   /accounts/{account}/jobs/{job}/finish   finish_job",
        "GET    /sessions                               session_list",
        "POST   /sessions/{token}/complete              complete_session",
        "GET    /switches                               get_switches",
        "POST   /switches                               set_switches",
        "GET    /faults                                 list_faults",
        "POST   /faults                                 inject_faults",
        "DELETE /faults                                 clear_faults",
        "GET    /requests                               requests",
        "DELETE /requests                               clear_requests",
        "GET    /clock                                  get_clock",
        "POST   /clock                                  set_clock",
        "GET    /webhooks                               webhooks",
        "POST   /webhooks                               fire_webhook",
        "DELETE /webhooks                               clear_webhooks",
        "POST   /webhooks/target                        set_webhook_target",
        "POST   /webhooks/app                           set_app",
        "POST   /webhooks/release                       release_webhooks",
        "POST   /reset                                  reset",
    )
)


def is_control(request: RequestParts) -> bool:
    """Whether the request is for the control API and not for Mono."""
    return request.path.startswith(PREFIX + "/")


def control(world: World, request: RequestParts) -> ResponseParts:
    """Carry out one request: 200 with the operation's result, 404 unknown, 422 with what is wrong with an argument."""
    try:
        given = json.loads(request.body or b"{}")
    except ValueError as problem:
        return _refusal(422, str(problem))
    for route in ROUTES:
        named = route.found(request)
        if named is not None:
            return _carried_out(world, route, {**given, **named})
    return _refusal(404, f"no operation at {request.method} {request.path}")


def _carried_out(world: World, route: Route, arguments: dict[str, Any]) -> ResponseParts:
    try:
        return json_response(200, to_jsonable_python(world.operate(route.operation, arguments)))
    except (UnknownAccount, KeyError) as missing:
        return _refusal(404, f"unknown: {missing.args[0]}")
    except ValidationError as problem:
        return _refusal(422, str(problem))
    except (TypeError, ValueError, IndexError) as problem:
        return _refusal(422, f"{route.operation}: {problem}")


def _refusal(status: int, message: str) -> ResponseParts:
    return json_response(status, {"error": message})
