"""What the client asks, and what it makes of every answer."""

from __future__ import annotations

import gzip
import json
import logging
import zlib
from datetime import date
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from mono_pipeline.adapters.mono_client import MonoClient
from mono_pipeline.core import errors
from mono_pipeline.core.booking import DateWindow
from mono_pipeline.core.deadline import Deadline
from mono_pipeline.core.secret import Secret
from mono_pipeline.core.wire import JobState, RealtimeJob

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KEY = "test_sk_0123456789abcdef"
ACCOUNT = "686265c6c41fad92985e806c"
TODAY = date(2026, 11, 24)
BASE = "https://api.withmono.com/v2/accounts"
PAGE = {
    "status": "successful",
    "message": "x",
    "data": [{"id": "a", "amount": 1, "type": "debit", "date": "2026-11-01T00:00:00Z"}],
    "meta": {"total": 1, "page": 1, "previous": None, "next": None},
}
GZIPPED = gzip.compress(json.dumps(PAGE).encode(), mtime=0)  # with a time in it, each process would name its tests anew
MIB = 1024 * 1024


class Mono:
    """Stands where the network would be: answers with what it was given, and keeps what it was asked."""

    def __init__(self, answer: httpx.Response | Exception | None = None) -> None:
        self.asked: list[httpx.Request] = []
        self._answer = answer or httpx.Response(200, json=PAGE)
        self.client = MonoClient(
            base_url="https://api.withmono.com",
            secret_key=Secret(KEY),
            environment="prod",
            transport=httpx.MockTransport(self._respond),
        )

    def _respond(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if isinstance(self._answer, Exception):
            raise self._answer
        if self._answer.is_stream_consumed:  # made whole by the test; a network brings it while it is read
            return httpx.Response(
                self._answer.status_code, headers=self._answer.headers, content=iter([self._answer.content])
            )
        return self._answer


def soon() -> Deadline:
    """Time enough."""
    return Deadline.after(30)


def read_page(mono: Mono, *, deadline: Deadline | None = None) -> Any:
    """Page 1 of the account."""
    return mono.client.transactions(ACCOUNT, window=None, page=1, limit=100, deadline=deadline or soon(), today=TODAY)


def error_of(answer: httpx.Response | Exception) -> errors.MonoError:
    """What a page ends in when Mono answers so."""
    with pytest.raises(errors.MonoError) as raised:
        read_page(Mono(answer))
    return raised.value


def as_json(payload: Any, **headers: str) -> httpx.Response:
    """A successful answer."""
    return httpx.Response(200, json={"status": "successful", "data": payload}, headers=headers)


def streamed(*pieces: bytes, **headers: str) -> httpx.Response:
    """An answer that arrives in pieces, just as they are."""
    return httpx.Response(200, headers={"content-type": "application/json"} | headers, content=iter(pieces))


# --- what is asked


def test_a_page_is_asked_for_by_number_with_the_days_as_mono_reads_them() -> None:
    """Mono contract 2.1; the key is in its header and nowhere else."""
    mono = Mono(httpx.Response(200, json=PAGE | {"meta": {"total": 1, "page": 3}}))
    window = DateWindow(start=date(2026, 2, 1), end=date(2026, 11, 25))
    page = mono.client.transactions(ACCOUNT, window=window, page=3, limit=50, deadline=soon(), today=TODAY)
    (asked,) = mono.asked
    assert asked.method == "GET"
    assert str(asked.url.copy_with(query=None)) == f"{BASE}/{ACCOUNT}/transactions"
    assert dict(asked.url.params) == {"page": "3", "limit": "50", "start": "01-02-2026", "end": "25-11-2026"}
    assert asked.headers["mono-sec-key"] == KEY
    assert asked.headers["accept-encoding"] == "gzip"  # the one encoding whose bombs are defused
    assert KEY not in str(asked.url)
    assert (page.number, page.row_count) == (3, 1)


def test_without_a_window_no_days_are_asked_for() -> None:
    """All that Mono has."""
    mono = Mono()
    read_page(mono)
    assert dict(mono.asked[0].url.params) == {"page": "1", "limit": "100"}


def test_a_plain_read_never_starts_a_paid_refresh() -> None:
    """Neither spelling of the header is sent."""
    mono = Mono()
    read_page(mono)
    assert not {"x-realtime", "x-real-time"} & set(mono.asked[0].headers)


def test_a_real_time_call_asks_in_both_spellings_and_brings_the_job() -> None:
    """Mono's guide and its reference differ; header names count in any letter case."""
    headers = {"X-Job-Id": "66f3d5c1a2b3c4d5e6f70819", "X-JOB-STATUS": "Processing", "x-Has-New-Data": "true"}
    mono = Mono(httpx.Response(200, json=PAGE, headers=headers))
    job = mono.client.start_realtime(ACCOUNT, deadline=soon())
    assert len(mono.asked) == 1
    assert (mono.asked[0].headers["x-realtime"], mono.asked[0].headers["x-real-time"]) == ("true", "true")
    assert job == RealtimeJob(id="66f3d5c1a2b3c4d5e6f70819", state=JobState.PROCESSING, has_new_data=True)


def test_a_real_time_call_wants_no_rows() -> None:
    """The job is all it is for: `data: null` and rows that nobody could read are as good."""
    headers = {"x-job-id": "66f3d5c1a2b3c4d5e6f70819", "x-job-status": "finished"}
    for body in ({"status": "successful", "data": None}, {"status": "successful", "data": [{"id": 1}]}):
        job = Mono(httpx.Response(200, json=body, headers=headers)).client.start_realtime(ACCOUNT, deadline=soon())
        assert job == RealtimeJob(id="66f3d5c1a2b3c4d5e6f70819", state=JobState.FINISHED, has_new_data=False)


def test_a_real_time_call_without_job_headers_has_no_job() -> None:
    """Some banks have none."""
    assert Mono().client.start_realtime(ACCOUNT, deadline=soon()) is None


def test_an_account_is_asked_for_by_its_id() -> None:
    """Mono contract 3."""
    mono = Mono(as_json({"account": {"id": ACCOUNT, "balance": 5}}))
    assert mono.client.account(ACCOUNT, deadline=soon()).balance_minor == 5
    assert str(mono.asked[0].url) == f"{BASE}/{ACCOUNT}"


def test_the_account_list_is_asked_for_by_page() -> None:
    """Mono contract 4."""
    mono = Mono(httpx.Response(200, json={"status": "successful", "data": [], "meta": {"total": 0, "pages": 2}}))
    assert mono.client.accounts(page=2, deadline=soon()).total == 0
    assert str(mono.asked[0].url) == f"{BASE}?page=2"


def test_a_job_is_asked_for_below_its_account() -> None:
    """Mono contract 2.6."""
    mono = Mono(as_json({"id": "job-1", "status": "FINISHED", "account": ACCOUNT}))
    assert mono.client.job(ACCOUNT, "job-1", deadline=soon()).state is JobState.FINISHED
    assert str(mono.asked[0].url) == f"{BASE}/{ACCOUNT}/jobs/job-1"


def test_a_reauthorisation_link_is_asked_for_with_our_reference() -> None:
    """Mono contract 4: the same endpoint as the first link, with another scope."""
    mono = Mono(as_json({"mono_url": "https://link.mono.co/AL1", "account": ACCOUNT}))
    link = mono.client.reauthorisation_url(
        ACCOUNT, ref="4055877-T", redirect_url="https://app.example/back", deadline=soon()
    )
    (asked,) = mono.asked
    assert link == "https://link.mono.co/AL1"
    assert (asked.method, str(asked.url)) == ("POST", f"{BASE}/initiate")
    assert json.loads(asked.content) == {
        "scope": "reauth",
        "account": ACCOUNT,
        "meta": {"ref": "4055877-T"},
        "redirect_url": "https://app.example/back",
    }


@pytest.mark.parametrize(
    "account_id", ["", "../../x", ACCOUNT.upper(), f"{ACCOUNT}/..", f"{ACCOUNT}?x", f"{ACCOUNT}\r\n"]
)
def test_what_is_no_account_id_never_reaches_a_url(account_id: str) -> None:
    """No method sends anything for it."""
    mono = Mono()
    for call in _calls(mono.client, account_id):
        with pytest.raises(errors.InvalidInput) as refused:
            call()
        assert refused.value.field == "account_id"
    assert mono.asked == []


def _calls(client: MonoClient, account_id: str) -> Iterator[Callable[[], object]]:
    yield lambda: client.account(account_id, deadline=soon())
    yield lambda: client.job(account_id, "job", deadline=soon())
    yield lambda: client.transactions(account_id, window=None, page=1, limit=1, deadline=soon(), today=TODAY)
    yield lambda: client.start_realtime(account_id, deadline=soon())
    yield lambda: client.reauthorisation_url(account_id, ref="r", redirect_url="https://x", deadline=soon())


@pytest.mark.parametrize("job_id", ["", "..", "a/b", "a?b"])
def test_what_is_no_job_id_never_reaches_a_url(job_id: str) -> None:
    """It comes out of a header of Mono's."""
    mono = Mono()
    with pytest.raises(errors.InvalidInput):
        mono.client.job(ACCOUNT, job_id, deadline=soon())
    assert mono.asked == []


@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
def test_a_client_for_another_host_cannot_be_made(environment: str) -> None:
    """The key would leave with the first request."""
    with pytest.raises(errors.ConfigurationError):
        MonoClient(base_url="http://127.0.0.1:9001", secret_key=Secret(KEY), environment=environment)


def test_without_time_nothing_is_asked() -> None:
    """A call that cannot end is not begun."""
    mono = Mono()
    with pytest.raises(errors.MonoUnreachable):
        read_page(mono, deadline=Deadline.after(0))
    assert mono.asked == []


def test_no_wait_is_longer_than_what_is_left() -> None:
    """Not for a connection of the pool, nor for a single read."""
    mono = Mono()
    read_page(mono, deadline=Deadline.after(3))
    assert all(0 < seconds <= 3 for seconds in mono.asked[0].extensions["timeout"].values())
    read_page(mono, deadline=Deadline.after(3_000))
    assert all(0 < seconds <= 20 for seconds in mono.asked[1].extensions["timeout"].values())


def test_one_call_is_one_attempt() -> None:
    """Retrying is the caller's, who pays for each attempt."""
    mono = Mono(httpx.Response(503))
    with pytest.raises(errors.MonoServerError):
        read_page(mono)
    assert len(mono.asked) == 1


def test_a_cookie_is_not_kept_for_the_next_account() -> None:
    """Requests of many accounts share the client."""
    mono = Mono(httpx.Response(200, json=PAGE, headers={"set-cookie": "session=1; Path=/"}))
    read_page(mono)
    read_page(mono)
    assert "cookie" not in mono.asked[1].headers


# --- what becomes of the answer

STATUSES: list[tuple[int, type[errors.MonoError]]] = [
    *[(status, errors.MonoRefused) for status in (401, 402, 403)],
    *[(status, errors.MonoNotFound) for status in (404, 410)],
    (429, errors.MonoRateLimited),
    *[
        (status, errors.MonoRejected)
        for status in (300, 301, 302, 303, 304, 307, 308, 400, 405, 408, 409, 418, 422, 499)
    ],
    *[(status, errors.MonoServerError) for status in (500, 501, 502, 503, 504, 520, 599)],
    *[(status, errors.MonoUnintelligible) for status in (202, 203, 204, 205, 206, 299, 600, 999)],
]


@pytest.mark.parametrize(("status", "error"), STATUSES)
def test_a_status_is_an_error_of_the_tree(status: int, error: type[errors.MonoError]) -> None:
    """Whatever the body says, also when it would be a good page."""
    raised = error_of(httpx.Response(status, json=PAGE, headers={"location": "https://evil.example/"}))
    assert type(raised) is error
    assert getattr(raised, "status", status) == status


def test_a_status_counts_before_the_form_of_the_body() -> None:
    """A gateway's HTML with 502 is a server error, not an unintelligible page."""
    assert type(error_of(httpx.Response(502, html="<h1>Bad gateway</h1>"))) is errors.MonoServerError


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), ("-1", 0.0), ("1000000000", 900.0), ("soon", None), ("", None)]
)
def test_how_long_mono_asks_to_wait_is_in_the_error(header: str, seconds: float | None) -> None:
    """Every form is tested where it is read."""
    raised = error_of(httpx.Response(429, headers={"retry-after": header}))
    assert isinstance(raised, errors.MonoRateLimited)
    assert raised.retry_after == seconds


def test_a_date_to_wait_for_counts_from_the_answers_date() -> None:
    """Whatever our clock says."""
    headers = {"retry-after": "Tue, 01 Jan 2030 00:00:09 GMT", "date": "Tue, 01 Jan 2030 00:00:00 GMT"}
    raised = error_of(httpx.Response(429, headers=headers))
    assert isinstance(raised, errors.MonoRateLimited)
    assert raised.retry_after == 9.0


@pytest.mark.parametrize(
    "error",
    [
        httpx.ConnectError("x"),
        httpx.ConnectTimeout("x"),
        httpx.ReadError("x"),
        httpx.ReadTimeout("x"),
        httpx.WriteError("x"),
        httpx.PoolTimeout("x"),
        httpx.RemoteProtocolError("x"),
        httpx.DecodingError("x"),
        httpx.TooManyRedirects("x"),
    ],
)
def test_no_answer_is_an_error_with_its_cause(error: httpx.HTTPError) -> None:
    """Never an empty page."""
    raised = error_of(error)
    assert type(raised) is errors.MonoUnreachable
    assert raised.__cause__ is error


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/json; charset=utf-8", "Application/JSON", "application/problem+json"],
)
def test_an_answer_that_calls_itself_json_is_read(content_type: str) -> None:
    """With parameters and in any letter case."""
    answer = httpx.Response(200, content=json.dumps(PAGE).encode(), headers={"content-type": content_type})
    assert read_page(Mono(answer)).row_count == 1


@pytest.mark.parametrize("content_type", ["text/html", "text/plain", "", "application/jsonp", "text/json+x", "json"])
def test_an_answer_that_does_not_is_refused(content_type: str) -> None:
    """Even when its bytes would be a good page: somebody else is answering."""
    answer = httpx.Response(200, content=json.dumps(PAGE).encode(), headers={"content-type": content_type})
    raised = error_of(answer)
    assert isinstance(raised, errors.MonoUnintelligible)
    assert raised.reason == "not_json"


def test_an_answer_without_a_content_type_is_refused() -> None:
    """It does not call itself JSON."""
    raised = error_of(httpx.Response(200, content=json.dumps(PAGE).encode()))
    assert isinstance(raised, errors.MonoUnintelligible)
    assert raised.reason == "not_json"


@pytest.mark.parametrize("body", [b"", b"<html>", b"null", b"[]", json.dumps(PAGE).encode()[:-3]])
def test_a_body_that_cannot_be_trusted_is_refused(body: bytes) -> None:
    """Each form is tested where it is read."""
    assert isinstance(error_of(streamed(body)), errors.MonoUnintelligible)


def padded(size: int) -> bytes:
    """A good page of exactly `size` bytes."""
    body = json.dumps(PAGE).encode()
    return body + b" " * (size - len(body))


def split(body: bytes) -> list[bytes]:
    """The pieces in which a network would bring it."""
    return [body[start : start + 65_536] for start in range(0, len(body), 65_536)]


@pytest.mark.parametrize("encoding", ["identity", "gzip", "GZIP "])
def test_8_mib_is_a_body_and_a_byte_more_is_none(encoding: str) -> None:
    """Counted as decompressed."""
    pack = gzip.compress if "identity" not in encoding else bytes
    headers = {"content-encoding": encoding}
    assert read_page(Mono(streamed(*split(pack(padded(8 * MIB))), **headers))).row_count == 1
    raised = error_of(streamed(*split(pack(padded(8 * MIB + 1))), **headers))
    assert isinstance(raised, errors.MonoUnintelligible)
    assert raised.reason == "too_large"


def test_compressed_bytes_that_hold_nothing_are_counted_too() -> None:
    """A stream of empty blocks would never reach the limit of what comes out."""
    head = gzip.compress(b"", mtime=0)[:10]
    empty_blocks = b"\x00\x00\x00\xff\xff" * (8 * MIB // 5 + 1)
    raised = error_of(streamed(head, *split(empty_blocks), **{"content-encoding": "gzip"}))
    assert isinstance(raised, errors.MonoUnintelligible)
    assert raised.reason == "too_large"


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (GZIPPED[:-1], "gzip"),
        (GZIPPED + b"{}", "gzip"),
        (GZIPPED * 2, "gzip"),
        (json.dumps(PAGE).encode(), "gzip"),
        (b"", "gzip"),
        (zlib.compress(json.dumps(PAGE).encode()), "deflate"),
        (json.dumps(PAGE).encode(), "br"),
        (gzip.compress(GZIPPED, mtime=0), "gzip, gzip"),
    ],
)
def test_an_encoding_that_is_broken_or_was_not_asked_for_is_refused(body: bytes, encoding: str) -> None:
    """A body that was cut short is not a shorter body."""
    raised = error_of(streamed(body, **{"content-encoding": encoding}))
    assert isinstance(raised, errors.MonoUnintelligible)
    assert raised.reason == "undecodable"


def test_a_body_that_comes_after_the_deadline_is_no_answer() -> None:
    """Also over a transport that knows no deadline."""
    deadline = Deadline.after(0.2)

    def pieces() -> Iterator[bytes]:
        yield json.dumps(PAGE).encode()
        while not deadline.expired:
            pass
        yield b" "

    answer = httpx.Response(200, headers={"content-type": "application/json"}, content=pieces())
    with pytest.raises(errors.MonoUnreachable):
        read_page(Mono(answer), deadline=deadline)


# --- what is never shown


def test_the_key_is_in_no_repr_error_or_log(caplog: pytest.LogCaptureFixture) -> None:
    """At any level, whatever goes wrong, causes and contexts included."""
    caplog.set_level(logging.DEBUG)
    mono = Mono(httpx.ConnectError("x"))
    shown = repr(mono.client) + str(mono.client)
    with pytest.raises(errors.MonoError) as raised:
        read_page(mono)
    error: BaseException | None = raised.value
    while error is not None:
        shown += repr(error) + str(error)
        error = error.__cause__ or error.__context__
    assert KEY not in shown + caplog.text


def test_requests_leave_no_log_lines_of_httpx(caplog: pytest.LogCaptureFixture) -> None:
    """Each would be a line without our fields, with an account in its URL."""
    mono = Mono()
    caplog.set_level(logging.DEBUG)
    read_page(mono)
    assert caplog.records == []
