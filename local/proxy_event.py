"""API Gateway's REST proxy integration as values: a request becomes an event, a result becomes an answer."""

from __future__ import annotations

import base64
import json
import re
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote
from uuid import uuid4

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from local.lambda_runtime import Outcome
    from local.resources import Route

_SEGMENT: Final = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, kw_only=True)
class Request:
    """An HTTP request: `raw_path` as on the wire, `headers` and `query` in order with repeats."""

    method: str
    raw_path: str
    headers: Sequence[tuple[str, str]]
    query: Sequence[tuple[str, str]]
    body: bytes
    source_ip: str


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An HTTP answer; a header may repeat."""

    status: int
    body: bytes
    headers: Sequence[tuple[str, str]] = field(default=(("content-type", "application/json"),))


def refusal(status: int, message: str, kind: str) -> Answer:
    """An answer of API Gateway itself, with its `x-amzn-ErrorType`."""
    return Answer(
        status=status,
        body=json.dumps({"message": message}).encode(),
        headers=(("content-type", "application/json"), ("x-amzn-ErrorType", kind)),
    )


# What API Gateway says for a path or method that it does not have: it hides behind authentication.
NO_ROUTE: Final = refusal(403, "Missing Authentication Token", "MissingAuthenticationTokenException")
TOO_LARGE: Final = refusal(413, "Request Too Long", "RequestTooLargeException")
BAD_INTEGRATION: Final = refusal(502, "Internal server error", "InternalServerErrorException")
TIMED_OUT: Final = refusal(504, "Endpoint request timed out", "InternalServerErrorException")


class Routes:
    """The API's routes, found by method and path; literal segments go before `{name}` ones."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._patterns = [
            (route.method, re.compile(_SEGMENT.sub(r"(?P<\1>[^/]+)", route.path)), route)
            for route in sorted(routes, key=lambda route: len(_SEGMENT.findall(route.path)))
        ]

    def match(self, method: str, raw_path: str) -> tuple[Route, dict[str, str]] | None:
        """The route and its path parameters (percent-decoded), None where there is none."""
        for route_method, pattern, route in self._patterns:
            found = pattern.fullmatch(raw_path)
            if found and route_method in (method, "ANY"):
                return route, {name: unquote(value) for name, value in found.groupdict().items()}
        return None


def proxy_event(request: Request, route: Route, path_parameters: Mapping[str, str], *, stage: str) -> dict[str, Any]:
    """The event that a function behind the REST API gets (payload format 1.0).

    The API has no binary media types, so a body always travels as text.
    """
    headers, query = _grouped(request.headers), _grouped(request.query)
    return {
        "resource": route.path,
        "path": unquote(request.raw_path),
        "httpMethod": request.method,
        "headers": _last(headers),
        "multiValueHeaders": headers or None,
        "queryStringParameters": _last(query),
        "multiValueQueryStringParameters": query or None,
        "pathParameters": dict(path_parameters) or None,
        "stageVariables": None,
        "requestContext": _context(request, route, stage=stage),
        "body": request.body.decode("utf-8", "replace") if request.body else None,
        "isBase64Encoded": False,
    }


def proxy_answer(outcome: Outcome) -> Answer:
    """What API Gateway makes of a function's outcome: its answer, or 502 where that is an error or not of the form."""
    if outcome.failed:
        return BAD_INTEGRATION
    result = outcome.json()
    if not isinstance(result, dict) or not _is_status(result.get("statusCode")):
        return BAD_INTEGRATION
    body = result.get("body") or ""
    if not isinstance(body, str):
        return BAD_INTEGRATION
    content = base64.b64decode(body) if result.get("isBase64Encoded") else body.encode()
    return Answer(status=int(result["statusCode"]), body=content, headers=tuple(_answer_headers(result)))


def _answer_headers(result: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    several = {name.lower(): values for name, values in (result.get("multiValueHeaders") or {}).items()}
    single = {name.lower(): [value] for name, value in (result.get("headers") or {}).items()}
    merged = {"content-type": ["application/json"], **single, **several}
    return ((name, str(value)) for name, values in merged.items() for value in values)


def _context(request: Request, route: Route, *, stage: str) -> dict[str, Any]:
    now = datetime.now(UTC)
    request_id = str(uuid4())
    agent = next((value for name, value in request.headers if name.lower() == "user-agent"), None)
    return {
        "accountId": "000000000000",
        "apiId": "local",
        "domainName": "local.execute-api.localhost",
        "extendedRequestId": request_id,
        "httpMethod": request.method,
        "identity": {"sourceIp": request.source_ip, "userAgent": agent, "userArn": None, "caller": None},
        "path": f"/{stage}{unquote(request.raw_path)}",
        "protocol": "HTTP/1.1",
        "requestId": request_id,
        "requestTime": now.strftime("%d/%b/%Y:%H:%M:%S +0000"),
        "requestTimeEpoch": int(now.timestamp() * 1000),
        "resourceId": "local",
        "resourcePath": route.path,
        "stage": stage,
    }


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    grouped: defaultdict[str, list[str]] = defaultdict(list)
    for name, value in pairs:
        grouped[name].append(value)
    return dict(grouped)


def _last(grouped: Mapping[str, Sequence[str]]) -> dict[str, str] | None:
    return {name: values[-1] for name, values in grouped.items()} or None


def _is_status(value: Any) -> bool:
    return str(value).isdigit() and 100 <= int(value) <= 599  # noqa: PLR2004 - HTTP's range
