"""The client of Mono's API: one attempt a call, every URL built here, every answer a value or an error of the tree.

MonoError
├── MonoUnreachable        httpx could not connect, read or write, or the deadline passed
│   └── MonoUntrusted      the TLS certificate is not Mono's. No ConfigurationError: no setting of ours helps, and it
│                          ends by itself when the certificate is renewed
├── MonoServerError        5xx
├── MonoRateLimited        429, with `Retry-After` read
├── MonoRefused            401, 402, 403
├── MonoNotFound           404, 410
├── MonoRejected           any other 4xx, and 3xx: a redirect is never followed
└── MonoUnintelligible     200 or 201 without a usable JSON answer, and every other status

Retrying, budgets and pauses belong to the caller.
"""

from __future__ import annotations

import logging
import ssl
import time
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import httpx
from msgspec import Struct

from mono_pipeline.adapters.mono_answer import read_body, refuse_status
from mono_pipeline.adapters.mono_transport import DeadlineTransport, ending_by
from mono_pipeline.core.errors import MonoUnreachable, MonoUntrusted
from mono_pipeline.core.identity import parse_account_id, parse_job_id
from mono_pipeline.core.mono_address import MONO_BASE_URL, mono_address
from mono_pipeline.core.wire import (
    AccountListPage,
    AccountSnapshot,
    JobStatus,
    RealtimeJob,
    TransactionPage,
    parse_account,
    parse_account_list,
    parse_job,
    parse_reauthorisation,
    parse_transactions,
    realtime_job,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import date

    from mono_pipeline.core.booking import DateWindow
    from mono_pipeline.core.deadline import Deadline
    from mono_pipeline.core.secret import Secret

# Mono's guide and every working client write the first, its API reference the second (Mono contract 2.6).
_REALTIME = {"x-realtime": "true", "x-real-time": "true"}


class _Answer(Struct, frozen=True, kw_only=True):
    headers: Mapping[str, str]
    body: bytes


class MonoClient:
    """Asks Mono with one secret key. May be shared by threads; connections are kept alive.

    Every method takes the `deadline` of its single attempt, which ends in `answer_seconds` at the latest, and raises
    `MonoError`; `InvalidInput` for an id that may not stand in a URL.
    """

    def __init__(
        self,
        *,
        base_url: str,
        secret_key: Secret,
        environment: str,
        transport: httpx.BaseTransport | None = None,
        answer_seconds: float = 20.0,
        connect_seconds: float = 5.0,
        connections: int = 16,
    ) -> None:
        """`transport` stands in for the network.

        Raises:
            ConfigurationError: the key must not be sent to `base_url` from this environment.
        """
        self._base_url = mono_address(base_url, environment=environment)
        self._answer_seconds = answer_seconds
        self._connect_seconds = connect_seconds
        self._headers = {
            "mono-sec-key": secret_key.reveal(),
            "accept": "application/json",
            "accept-encoding": "gzip",
            "user-agent": "mono-pipeline",
        }
        # Not behind an `httpx.Client`: redirects, cookies and proxies are what must not happen here, and it would cost
        # nearly as much as the exchange itself.
        self._transport = transport or DeadlineTransport(
            tls=_trust_for(self._base_url), connections=connections, internet_only=self._base_url == MONO_BASE_URL
        )
        for name in ("httpx", "httpcore"):  # a line for each request, with the account in its URL
            logging.getLogger(name).setLevel(logging.WARNING)

    def __repr__(self) -> str:
        return f"MonoClient({self._base_url})"

    def close(self) -> None:
        """Close the connections; the client cannot be used after it."""
        self._transport.close()

    def account(self, account_id: str, *, deadline: Deadline) -> AccountSnapshot:
        """The account by itself: what Mono has of it, and its balance (Mono contract 3)."""
        answer = self._ask("GET", _account_path(account_id), deadline=deadline)
        return parse_account(answer.body, account_id)

    def accounts(self, *, page: int, deadline: Deadline) -> AccountListPage:
        """Page `page` (from 1) of all accounts of the key; also the probe for whether Mono serves us at all."""
        return parse_account_list(self._ask("GET", "", params={"page": str(page)}, deadline=deadline).body)

    def transactions(
        self,
        account_id: str,
        *,
        window: DateWindow | None,
        page: int,
        limit: int,
        deadline: Deadline,
        today: date,
        parsed: Callable[[float], None] | None = None,
    ) -> TransactionPage:
        """Page `page` (from 1) of Mono's stored copy, asking for `limit` rows of the days of `window`, or of all.

        The server may cap `limit`, and rows come in no order (Mono contract 2.1 and 2.3). `today` is a Lagos date.
        `parsed` is told how many seconds it took to read the answer's rows, whether or not they could be read.
        """
        answer = self._transactions(account_id, window=window, page=page, limit=limit, deadline=deadline)
        began = time.monotonic()
        try:
            return parse_transactions(answer.body, account_id=account_id, page=page, today=today)
        finally:
            if parsed is not None:
                parsed(time.monotonic() - began)

    def start_realtime(self, account_id: str, *, deadline: Deadline) -> RealtimeJob | None:
        """Let Mono go to the bank, and return the job of it that the headers name. It costs money: never on a retry.

        The rows are what was stored before the job, or null: whoever wants what it brings reads again afterwards,
        without the header (Mono contract 2.6). Ends by `deadline` alone, for Mono may take 30 s.
        """
        params = {"page": "1", "limit": "1"}
        path = f"{_account_path(account_id)}/transactions"
        answer = self._ask("GET", path, params=params, headers=_REALTIME, deadline=deadline, patient=True)
        return realtime_job(answer.headers)

    def job(self, account_id: str, job_id: str, *, deadline: Deadline) -> JobStatus:
        """How a real-time job stands (Mono contract 2.6)."""
        path = f"{_account_path(account_id)}/jobs/{parse_job_id(job_id)}"
        answer = self._ask("GET", path, deadline=deadline)
        return parse_job(answer.body, account_id=account_id, job_id=job_id)

    def reauthorisation_url(self, account_id: str, *, ref: str, redirect_url: str | None, deadline: Deadline) -> str:
        """A fresh link for the account's owner to sign in again; the account keeps its id (Mono contract 4).

        Without `redirect_url` the owner ends on Mono's own page.
        """
        asked = {"scope": "reauth", "account": parse_account_id(account_id), "meta": {"ref": ref}}
        if redirect_url is not None:
            asked["redirect_url"] = redirect_url
        answer = self._ask("POST", "/initiate", content=asked, deadline=deadline)
        return parse_reauthorisation(answer.body, account_id)

    def _transactions(
        self,
        account_id: str,
        *,
        window: DateWindow | None,
        page: int,
        limit: int,
        deadline: Deadline,
    ) -> _Answer:
        params = {"page": str(page), "limit": str(limit)} | (window.mono_params() if window else {})
        return self._ask("GET", f"{_account_path(account_id)}/transactions", params=params, deadline=deadline)

    def _ask(
        self,
        method: str,
        path: str,
        *,
        deadline: Deadline,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        content: Mapping[str, object] | None = None,
        patient: bool = False,
    ) -> _Answer:
        until = deadline if patient else deadline.within(self._answer_seconds)
        left = until.remaining()
        if not left:
            raise MonoUnreachable("no time was left to ask Mono")
        query = f"?{urlencode(params)}" if params else ""
        request = httpx.Request(
            method,
            f"{self._base_url}/v2/accounts{path}{query}",
            headers={**self._headers, **(headers or {})},
            json=content,
            extensions={"timeout": httpx.Timeout(left, connect=min(left, self._connect_seconds)).as_dict()},
        )
        try:
            with ending_by(until), closing(self._transport.handle_request(request)) as response:
                refuse_status(response)
                return _Answer(headers=response.headers, body=read_body(response, until))
        except httpx.HTTPError as error:
            raise _no_answer(error) from error


def _trust_for(base_url: str) -> ssl.SSLContext:
    """Whom to trust. Plain text is a local Mono: 150 authorities need not be read for it, and none is trusted."""
    if base_url.startswith("https:"):
        return httpx.create_ssl_context(trust_env=False)
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _account_path(account_id: str) -> str:
    return f"/{parse_account_id(account_id)}"


def _no_answer(error: httpx.HTTPError) -> MonoUnreachable:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return MonoUntrusted(f"Mono's certificate is not trusted: {cause.verify_message}")
        cause = cause.__cause__ or cause.__context__
    return MonoUnreachable(f"Mono gave no answer: {type(error).__name__}")
