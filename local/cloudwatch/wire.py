"""The two protocols in which AWS SDKs speak to CloudWatch, and the two calls that the exporter makes besides.

Go's SDK speaks Smithy RPC v2 CBOR (`POST /service/…/operation/NAME`, instants as CBOR tag 1), boto3 AWS JSON 1.0
(`X-Amz-Target`, instants as numbers). STS and IAM are the query protocol: a form in, XML out.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

import cbor2

from local.cloudwatch.operations import Refusal, get_metric_data, list_metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from local.cloudwatch.points import Points

ACCOUNT: Final = "000000000000"  # the AWS account that does not exist
_OPERATIONS: Final[dict[str, Callable[[Points, dict[str, Any]], dict[str, Any]]]] = {
    "ListMetrics": list_metrics,
    "GetMetricData": get_metric_data,
}
_SERVICE: Final = "GraniteServiceVersion20100801"
_CBOR_PATH: Final = f"/service/{_SERVICE}/operation/"
_CBOR: Final = {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}
_JSON: Final = {"Content-Type": "application/x-amz-json-1.0"}
_IDENTITY: Final = (
    '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
    f"<Arn>arn:aws:iam::{ACCOUNT}:user/local</Arn><UserId>local</UserId><Account>{ACCOUNT}</Account>"
    "</GetCallerIdentityResult><ResponseMetadata><RequestId>local</RequestId></ResponseMetadata>"
    "</GetCallerIdentityResponse>"
)
_ALIASES: Final = (
    '<ListAccountAliasesResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><ListAccountAliasesResult>'
    "<IsTruncated>false</IsTruncated><AccountAliases/></ListAccountAliasesResult>"
    "<ResponseMetadata><RequestId>local</RequestId></ResponseMetadata></ListAccountAliasesResponse>"
)
_QUERIES: Final = {"GetCallerIdentity": _IDENTITY, "ListAccountAliases": _ALIASES}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An HTTP answer."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


def answer(points: Points, *, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
    """Answer one POST; 400 as AWS words it for what is wrong, 404 for an operation that is not here."""
    if path.startswith(_CBOR_PATH):
        return _cbor(points, path.removeprefix(_CBOR_PATH), body)
    if target := headers.get("X-Amz-Target"):
        return _json(points, target.removeprefix(f"{_SERVICE}."), body)
    action = parse_qs(body.decode(errors="replace")).get("Action", [""])[0]
    if action in _QUERIES:
        return Answer(status=200, body=_QUERIES[action].encode(), headers={"Content-Type": "text/xml"})
    return Answer(status=404, body=f"no operation at {path} {action}".encode())


def refusal(*, path: str, headers: Mapping[str, str]) -> Answer | None:
    """What a caller is told whose role may not ask CloudWatch; None for what is asked of others."""
    told = {"__type": "AccessDenied", "message": "not authorized to perform this operation"}
    if path.startswith(_CBOR_PATH):
        return Answer(status=400, body=cbor2.dumps(told), headers=_CBOR)
    if "X-Amz-Target" in headers:
        return Answer(status=400, body=json.dumps(told).encode(), headers=_JSON)
    return None


def _cbor(points: Points, operation: str, body: bytes) -> Answer:
    status, told = _carry_out(points, operation, cbor2.loads(body) if body else {})
    return Answer(status=status, body=cbor2.dumps(_with_instants(told, _tagged)), headers=_CBOR)


def _json(points: Points, operation: str, body: bytes) -> Answer:
    status, told = _carry_out(points, operation, json.loads(body or b"{}"))
    plain = json.dumps(_with_instants(told, datetime.timestamp))
    return Answer(status=status, body=plain.encode(), headers=_JSON)


def _carry_out(points: Points, operation: str, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    if operation not in _OPERATIONS:
        return 404, {"__type": "UnknownOperationException", "message": operation}
    try:
        return 200, _OPERATIONS[operation](points, request)
    except Refusal as refusal:
        return 400, {"__type": refusal.code, "message": str(refusal)}


def _with_instants(value: Any, write: Callable[[datetime], Any]) -> Any:
    if isinstance(value, datetime):
        return write(value)
    if isinstance(value, dict):
        return {name: _with_instants(inner, write) for name, inner in value.items()}
    if isinstance(value, list):
        return [_with_instants(inner, write) for inner in value]
    return value


def _tagged(instant: datetime) -> cbor2.CBORTag:
    return cbor2.CBORTag(1, instant.timestamp())
