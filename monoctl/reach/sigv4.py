"""Requests to API Gateway signed with the caller's AWS credentials (AWS Signature Version 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

if TYPE_CHECKING:
    from collections.abc import Generator

    from botocore.credentials import Credentials

SERVICE = "execute-api"


class SignedByCaller(httpx.Auth):
    """Signs method, URL, body and content type of each request; temporary credentials are refreshed when they age."""

    requires_request_body = True

    def __init__(self, credentials: Credentials, region: str) -> None:
        self._credentials = credentials
        self._region = region

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        """Add the signature's headers to a request that is about to leave."""
        # Only what nobody on the way may change is signed; httpx sends the same Host that botocore signs.
        headers = {name: request.headers[name] for name in ("Content-Type",) if name in request.headers}
        signed = AWSRequest(method=request.method, url=str(request.url), data=request.content, headers=headers)
        SigV4Auth(self._credentials.get_frozen_credentials(), SERVICE, self._region).add_auth(signed)
        request.headers.update(dict(signed.headers.items()))
        yield request
