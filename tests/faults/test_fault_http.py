"""Answers of Mono's that are refusals, or do not arrive: statuses, silence, drips, resets, bombs, detours."""

from __future__ import annotations

import gc
import gzip
import re
import socket
import ssl
import time
from copy import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from local.sandbox.effects import Body, Headers, Html, RateLimited, Redirect, Status, Truncate
from local.sandbox.effects.contents import Meta
from local.sandbox.faults import Fault
from mono_pipeline.adapters.mono_client import MonoClient
from mono_pipeline.adapters.mono_transport import DeadlineTransport
from mono_pipeline.core import errors
from mono_pipeline.core.deadline import Deadline
from mono_pipeline.core.mono_address import MONO_BASE_URL
from mono_pipeline.core.run import LinkStatus, RunStatus
from mono_pipeline.core.secret import Secret
from mono_pipeline.core.verdict import VERIFIED
from tests.faults.certificates import make_authority
from tests.faults.hostile import HostileBank, Listener, free_of_listeners
from tests.faults.recovery import counts, recover, serve, sound, told

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.sandbox.effects.base import BaseEffect
    from mono_pipeline.usecases.account_sync import RunEnd
    from tests.faults.hostile import Conversation, Twist
    from tests.harness import Pipeline

pytestmark = pytest.mark.integration

ROWS = 250
PAGE_3 = 3
ANSWERED, SOON = "Tue, 24 Nov 2026 10:00:00 GMT", "Tue, 24 Nov 2026 10:00:45 GMT"
FAR_AWAY = "Fri, 31 Dec 2100 23:59:59 GMT"
# Each such answer ends its connection. Unless it says so, the next attempt may go out on it and find it closed.
JSON = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/json\r\n"


def strike(pipeline: Pipeline, account: str, effect: BaseEffect, *, page: int | None = PAGE_3) -> RunEnd:
    """Sync while every request for a page (None: for any) is answered by `effect`."""
    pipeline.sandbox.clear_requests()
    pipeline.sandbox.inject(Fault(effect=effect, path="*/transactions", page=page, times=None))
    return pipeline.sync(account)


def asked_for(pipeline: Pipeline, account: str, page: int = PAGE_3) -> int:
    """How often a page was asked for."""
    return [query["page"] for query in pipeline.page_requests(account)].count(str(page))


def nothing_of_it(pipeline: Pipeline, account: str, end: RunEnd, error_code: str) -> None:
    """The run failed by this code, wrote at most whole flushes of honest pages, and moved no watermark."""
    assert (end.status, end.error_code) == (RunStatus.FAILED, error_code)
    assert pipeline.watermark(account) is None
    assert counts(pipeline)["rows"] % 100 == 0
    assert ("backfill", error_code) in pipeline.witness.errors
    stored, truth = pipeline.stored(account), pipeline.truth(account)
    assert stored.items() <= truth.items()
    sound(pipeline)


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [("30", 30), (None, 60), ("1000000000", 900), ("soon", 60), (FAR_AWAY, 900), (SOON, 45)],
    ids=["seconds", "absent", "10^9", "garbage", "a far date", "a near date"],
)
def test_H01_429(pipeline: Pipeline, seen: Callable[[str], None], retry_after: str | None, seconds: int) -> None:
    """Another account's worker is held back too, until the pause is over by the database's clock."""
    account, other = pipeline.link(transactions=60), pipeline.link(transactions=20)
    headers = {"date": ANSWERED} | ({} if retry_after is None else {"retry-after": retry_after})
    end = strike(pipeline, account, Status(status=429, headers=headers), page=2)
    refused = asked_for(pipeline, account, 2)
    pipeline.sandbox.clear_requests()
    held_back = pipeline.sync(other)
    pipeline.let_pass(seconds=seconds - 5)
    pipeline.request(other)
    serve(pipeline)
    calls = len(pipeline.sandbox.requests())
    recovered = recover(pipeline, account)
    recover(pipeline, other)

    assert end.paused is not None
    assert held_back.paused is not None
    assert abs(end.paused.seconds - seconds) <= 1
    assert (refused, calls) == (1, 0)
    seen(f"{(retry_after or 'absent')[:16]}: {end.paused.seconds:.0f} s, {calls} calls, {recovered.ticks} tick")


@pytest.mark.parametrize("retry_after", ["0", "-5"])
def test_H01_429_without_a_wait(pipeline: Pipeline, seen: Callable[[str], None], retry_after: str) -> None:
    """No wait is asked for: the run is given up at once all the same, and the next tick goes on with it."""
    account = pipeline.link(transactions=60)
    end = strike(pipeline, account, RateLimited(retry_after=retry_after), page=2)
    refused = asked_for(pipeline, account, 2)
    recovered = recover(pipeline, account)

    assert end.paused is not None
    assert (end.paused.seconds, refused) == (0, 1)
    seen(f"{retry_after}: {refused} call, then {recovered.ticks} tick")


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_H02_server_errors(pipeline: Pipeline, seen: Callable[[str], None], status: int) -> None:
    """One page keeps failing: five attempts, then the run fails; no later page stands in for it."""
    account = pipeline.link(transactions=ROWS)
    end = strike(pipeline, account, Status(status=status))
    attempts = asked_for(pipeline, account)
    nothing_of_it(pipeline, account, end, "mono_server_error")
    slept = sum(pipeline.slept)
    recovered = recover(pipeline, account)

    assert attempts == 5
    assert slept <= 10
    seen(f"{status}: {attempts} attempts, {slept:.1f} s of sleep, then {recovered.rows} after {recovered.ticks} tick")


@pytest.mark.parametrize("status", [401, 403])
def test_H03_key_refused(pipeline: Pipeline, seen: Callable[[str], None], status: int) -> None:
    """The account list is refused too, so nobody calls for a minute; another account makes no call at all."""
    account, other = pipeline.link(transactions=40), pipeline.link(transactions=20)
    pipeline.sandbox.clear_requests()
    pipeline.sandbox.inject(Fault(effect=Status(status=status), times=None))
    end = pipeline.sync(account)
    calls = len(pipeline.sandbox.requests())
    held_back = pipeline.sync(other)
    more = len(pipeline.sandbox.requests()) - calls
    recovered = recover(pipeline, account)
    recover(pipeline, other)

    assert end.paused is not None
    assert held_back.paused is not None
    assert (calls, more) == (2, 0)
    seen(f"{status}: {told(end)} after {calls} calls, 0 by others; then {recovered.rows} after {recovered.ticks} tick")


def test_H04_account_not_found(pipeline: Pipeline, seen: Callable[[str], None]) -> None:
    """Mono does not know the account for a while: nothing disappears, an hour passes, it is read again."""
    account = pipeline.link(transactions=60)
    pipeline.sync(account)
    pipeline.sandbox.inject(Fault(effect=Status(status=404), account=account, times=None))
    served = pipeline.wake(account)
    row = pipeline.account_row(account)
    again = pipeline.seconds_to_next_attempt(account)
    kept = len(pipeline.stored(account))
    recovered = recover(pipeline, account)

    assert (served, row["link_status"], kept) == ("done", LinkStatus.REFUSED, 60)
    assert 3500 < again <= 3600
    seen(
        f"message {served}, link {row['link_status']}, {kept} rows kept, again in {again:.0f} s; {recovered.ticks} tick"
    )


def test_H05_slow_loris(pipeline: Pipeline, seen: Callable[[str], None]) -> None:
    """A byte every 50 ms is never over a read timeout; the total of each attempt ends it, here half a second."""
    account = pipeline.link(transactions=ROWS)
    with HostileBank(pipeline.sandbox) as bank:
        bank.twist(lambda talk: talk.drip(talk.head + talk.body), page=PAGE_3)
        began = time.monotonic()
        end = pipeline.sync(account, worker=bank.worker(pipeline, answer_seconds=0.5))
        seconds = time.monotonic() - began
    nothing_of_it(pipeline, account, end, "mono_unreachable")
    recovered = recover(pipeline, account)

    assert bank.twisted == 5
    assert seconds < 5 * 0.5 + 5
    seen(f"{bank.twisted} attempts of 0.5 s in {seconds:.1f} s: {told(end)}; then {recovered.rows}")


def test_H05_slow_loris_ends_with_the_invocation(pipeline: Pipeline, seen: Callable[[str], None]) -> None:
    """When the invocation's own time is up, the run goes on later: it has not failed."""
    account = pipeline.link(transactions=ROWS)
    with HostileBank(pipeline.sandbox) as bank:
        bank.twist(lambda talk: talk.drip(talk.head + talk.body), page=6)
        began = time.monotonic()
        end = pipeline.sync(account, worker=bank.worker(pipeline), seconds=0.5)
        seconds = time.monotonic() - began
    sound(pipeline)
    recovered = recover(pipeline, account)

    assert end.status is RunStatus.RUNNING
    assert seconds < 0.5 + 5 + 2
    seen(f"deadline 0.5 s + 5 s of grace: {told(end)} after {seconds:.1f} s, then {recovered.rows}")


def _silence(talk: Conversation) -> None:
    talk.ended.wait(30)


def _reset_in_the_body(talk: Conversation) -> None:
    talk.client.sendall(talk.head + talk.body[:200])
    talk.reset()


@pytest.mark.parametrize(("how", "twist"), [("never answers", _silence), ("RST mid-body", _reset_in_the_body)])
def test_H06_no_answer(pipeline: Pipeline, seen: Callable[[str], None], how: str, twist: Twist) -> None:
    """Five attempts, the run fails, later it goes well."""
    account = pipeline.link(transactions=ROWS)
    with HostileBank(pipeline.sandbox) as bank:
        bank.twist(twist, page=PAGE_3)
        end = pipeline.sync(account, worker=bank.worker(pipeline, answer_seconds=0.3))
    nothing_of_it(pipeline, account, end, "mono_unreachable")
    recovered = recover(pipeline, account)

    assert bank.twisted == 5
    seen(f"{how}: {bank.twisted} attempts, {told(end)}, then {recovered.rows} rows")


@pytest.mark.parametrize("where", ["nobody listens", "no such host"])
def test_H06_nobody_there(pipeline: Pipeline, seen: Callable[[str], None], where: str) -> None:
    """No connection at all."""
    account = pipeline.link(transactions=40)
    host = "localhost" if where == "nobody listens" else "no-such-host.localhost.invalid"
    transport = _Elsewhere(host, free_of_listeners())
    client = MonoClient(
        base_url="https://api.withmono.com",
        secret_key=Secret("test_sk_made_up"),
        environment="local",
        transport=transport,
        answer_seconds=2.0,
    )
    end = pipeline.sync(account, worker=replace(pipeline.worker, mono=client))
    client.close()
    nothing_of_it(pipeline, account, end, "mono_unreachable")
    recovered = recover(pipeline, account)

    assert transport.requests == 5
    seen(f"{where}: {transport.requests} attempts, {told(end)}, then {recovered.rows} rows")


def test_H06_untrusted_certificate(pipeline: Pipeline, tmp_path: Path, seen: Callable[[str], None]) -> None:
    """Not Mono: it never gets the key, is tried once with its probe, and everybody waits."""
    ours, theirs = make_authority(tmp_path, "ours"), make_authority(tmp_path, "theirs")
    account = pipeline.link(transactions=40)
    with HostileBank(pipeline.sandbox, ours.serving("localhost")) as bank:
        end = pipeline.sync(account, worker=bank.worker(pipeline, trust=theirs.trusting()))
        keys = bank.keys_received
        pipeline.let_pass(minutes=2)
        pipeline.rows("UPDATE provider_budget SET paused_until = NULL, pause_reason = NULL")
        trusted = pipeline.wake(account, worker=bank.worker(pipeline, trust=ours.trusting()))
    recovered = recover(pipeline, account)

    assert end.paused is not None
    assert (end.paused.reason, keys) == ("mono_untrusted", 0)
    assert bank.keys_received > 0
    seen(f"untrusted: {told(end)}, {keys} keys sent; trusted: {trusted}, {recovered.rows} rows")


def _cut_short(talk: Conversation) -> None:
    talk.client.sendall(JSON + b"content-length: %d\r\n\r\n" % (len(talk.body) - 40) + talk.body[:-40])


def _longer_than_the_body(talk: Conversation) -> None:
    talk.client.sendall(JSON + b"content-length: %d\r\n\r\n" % (len(talk.body) + 40) + talk.body)


def _shorter_than_the_body(talk: Conversation) -> None:
    announced = b"connection: close\r\ncontent-length: %d\r\n\r\n" % (len(talk.body) - 40)
    talk.client.sendall(JSON + announced + talk.body)


@pytest.mark.parametrize(
    ("how", "twist", "code"),
    [
        ("JSON cut short", _cut_short, "mono_unintelligible"),
        ("length too long", _longer_than_the_body, "mono_unreachable"),
        ("length too short", _shorter_than_the_body, "mono_unintelligible"),
    ],
)
def test_H07_half_an_answer(pipeline: Pipeline, seen: Callable[[str], None], how: str, twist: Twist, code: str) -> None:
    """None of the rows that did arrive is used."""
    # only what never comes is waited for in vain; a whole answer may take its time on a busy machine
    patience = 1.0 if twist is _longer_than_the_body else 20.0
    account = pipeline.link(transactions=ROWS)
    with HostileBank(pipeline.sandbox) as bank:
        bank.twist(twist, page=1)
        end = pipeline.sync(account, worker=bank.worker(pipeline, answer_seconds=patience))
    nothing_of_it(pipeline, account, end, code)
    kept = counts(pipeline)["rows"]
    recovered = recover(pipeline, account)

    assert kept == 0
    seen(f"{how}: {told(end)}, {kept} rows of it, then {recovered.rows}")


@pytest.mark.parametrize(
    ("what", "effect"),
    [
        ("HTML", Html()),
        ("nothing", Body(text="")),
        ("null", Body(document=None)),
        ("[]", Body(text="[]")),
        ("a BOM", Body(text='\ufeff{"status":"successful","data":[],"meta":{"total":0,"page":3}}')),
        ("no UTF-8", Body(base64="eyJzdGF0dXMiOiL//iJ9")),
        ("cut JSON", Truncate(after_bytes=300)),
        ("text", Body(text="try again later")),
    ],
)
def test_H08_not_an_answer(pipeline: Pipeline, seen: Callable[[str], None], what: str, effect: BaseEffect) -> None:
    """200, and no page of transactions: never taken for an empty one."""
    account = pipeline.link(transactions=ROWS)
    end = strike(pipeline, account, effect)
    nothing_of_it(pipeline, account, end, "mono_unintelligible")
    attempts = asked_for(pipeline, account)
    recovered = recover(pipeline, account)

    seen(f"{what}: {attempts} attempts, {told(end)}; then {recovered.rows}")


def test_H09_wrong_content_type(pipeline: Pipeline, seen: Callable[[str], None]) -> None:
    """The very page that would be good, called text."""
    account = pipeline.link(transactions=ROWS)
    with HostileBank(pipeline.sandbox) as bank:
        bank.twist(
            lambda talk: talk.client.sendall(talk.head.replace(b"application/json", b"text/plain") + talk.body),
            page=PAGE_3,
        )
        end = pipeline.sync(account, worker=bank.worker(pipeline))
    nothing_of_it(pipeline, account, end, "mono_unintelligible")
    recovered = recover(pipeline, account)

    seen(f"text/plain: {told(end)} after {bank.twisted} attempts, then {recovered.rows}")


def _endless_body(talk: Conversation) -> None:
    talk.client.sendall(JSON + b'content-length: 200000000\r\n\r\n{"data":[')
    for _ in range(3200):
        talk.client.sendall(b" " * 65536)


@pytest.mark.parametrize(
    ("what", "answer"),
    [
        ("a million rows", b'{"status":"successful","data":[' + b"{}," * 999_999 + b"{}]}"),
        ("100,000 deep", b'{"status":"successful","data":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
        ("5,000 digits", b'{"status":"successful","data":[],"meta":{"total":' + b"9" * 5000 + b"}}"),
        ("gzip bomb, 200 MB", None),
        ("200 MB", b""),
    ],
    # never the answers themselves: pytest puts an id in the environment, and with megabytes there no program starts
    ids=["rows", "depth", "digits", "bomb", "endless"],
)
def test_H10_excess(pipeline: Pipeline, seen: Callable[[str], None], what: str, answer: bytes | None) -> None:
    """Refused in little memory, whoever sends it."""
    account = pipeline.link(transactions=40)
    with HostileBank(pipeline.sandbox) as bank:
        if answer:
            whole = JSON + b"content-length: %d\r\n\r\n" % len(answer) + answer
            bank.twist(lambda talk: talk.client.sendall(whole), page=1)
        else:
            bank.twist(_bomb_once() if answer is None else _endless_body, page=1)
        worker = bank.worker(pipeline)
        _forget_the_peak()
        before = _peak_kib()
        end = pipeline.sync(account, worker=worker)
        grown = (_peak_kib() - before) / 1024
    nothing_of_it(pipeline, account, end, "mono_unintelligible")
    recovered = recover(pipeline, account)

    assert grown <= 64
    seen(f"{what}: {told(end)}, +{grown:.0f} MB; then {recovered.rows}")


def test_H19_next_in_a_circle(pipeline: Pipeline, seen: Callable[[str], None]) -> None:
    """Every page names page 1 as its next, the last one too: pages are asked for by number, and end."""
    account = pipeline.link(transactions=60)
    circle = f"https://api.withmono.com/v2/accounts/{account}/transactions?page=1"
    end = strike(pipeline, account, Meta(meta={"next": circle}), page=None)
    asked = [int(query["page"]) for query in pipeline.page_requests(account)]
    recovered = recover(pipeline, account)

    assert end.verdict == VERIFIED
    assert len(asked) == len(set(asked)) <= 5
    seen(f"circle: {len(asked)} requests, none twice; {told(end)}, {recovered.rows} rows")


ELSEWHERE = [
    "http://{host}:{port}/v2/accounts/{account}/transactions?page=2",
    "https://{host}:{port}/v2/accounts/{account}/transactions?page=2",
    "//{host}:{port}/{account}",
    "http://api.withmono.com@{host}:{port}/",
    "http://[::1]:{port6}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://LOCALHOST:{port}/",
    "http://localhost.:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f.1:{port}/",
    "http://127.1:{port}/",
    "http://0:{port}/",
    "http://127.0.0.1:9001/2018-06-01/runtime/invocation/next",
    "http://169.254.169.254/latest/meta-data/iam/",
    "http://169.254.170.2/v2/credentials",
    "file:///proc/self/environ",
    "gopher://{host}:{port}/_x",
    "https://api.withm\u043eno.com/v2",
    "https://api.withmono.com.evil.example/",
    "https://api.withmono.com:8080/",
    "https://api.withmono.com./v2/accounts",
    "HTTPS://API.WITHMONO.COM/%2e%2e/%2e%2e/{host}:{port}",
    "https://api.withmono.com/\r\nHost: {host}:{port}\r\n\r\n",
    "https://api.withmono.com\\@{host}:{port}/",
    "?page=2#@{host}:{port}",
    "../../../../{host}:{port}",
    "javascript:fetch('http://{host}:{port}')",
]


def test_H20_next_to_another_host(pipeline: Pipeline, seen: Callable[[str], None]) -> None:
    """Whatever `next` says, the next request goes to the bank's own address; two listeners hear nothing."""
    ends: list[str] = []
    with Listener() as stranger, Listener("::1") as stranger6, HostileBank(pipeline.sandbox) as bank:
        for link in ELSEWHERE:
            account = pipeline.link(transactions=45)
            led = link.format(host="127.0.0.1", port=stranger.port, port6=stranger6.port, account=account)
            pipeline.sandbox.inject(Fault(effect=Meta(meta={"next": led}), path="*/transactions", page=1, times=None))
            ends.append(told(pipeline.sync(account, worker=bank.worker(pipeline))))
            pipeline.sandbox.clear_faults()
            assert pipeline.stored(account) == pipeline.truth(account), led
        sound(pipeline)
        heard = (stranger.connections + stranger6.connections, stranger.octets + stranger6.octets)

    assert heard == (0, 0)
    assert set(ends) == {"verified"}
    seen(f"{len(ends)} forms of link: {heard[1]} bytes in {heard[0]} connections elsewhere; all verified")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_H21_redirect(pipeline: Pipeline, seen: Callable[[str], None], status: int) -> None:
    """The key goes nowhere."""
    account = pipeline.link(transactions=60)
    with Listener() as stranger, HostileBank(pipeline.sandbox) as bank:
        target = f"http://127.0.0.1:{stranger.port}/v2/accounts/{account}/transactions?page=2"
        effect = Redirect(location=target, status=status)
        pipeline.sandbox.inject(Fault(effect=effect, path="*/transactions", page=2, times=None))
        end = pipeline.sync(account, worker=bank.worker(pipeline))
        heard = stranger.octets
    nothing_of_it(pipeline, account, end, "mono_rejected")
    recovered = recover(pipeline, account)

    assert (stranger.connections, heard) == (0, 0)
    seen(f"{status}: {told(end)}, {heard} bytes elsewhere, then {recovered.rows}")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_H22_a_name_that_leads_to_a_private_address(
    seen: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    """Mono's own name, pointed at an address that is not the internet's: hung up on before the handshake."""
    with Listener(host) as stranger:
        there = (socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, stranger.port))
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_options: [there])
        client = MonoClient(base_url=MONO_BASE_URL, secret_key=Secret("live_key"), environment="prod")
        with pytest.raises(errors.MonoUnreachable):
            client.accounts(page=1, deadline=Deadline.after(5))
        client.close()
        heard = stranger.heard()

    assert heard == (1, 0)
    seen(f"{host}: {heard[1]} bytes, then hung up on")


@pytest.mark.parametrize("days", [-1, 1])
def test_H32_date_header_a_day_off(pipeline: Pipeline, seen: Callable[[str], None], days: int) -> None:
    """Booking days, watermark and due time are what they are without it."""
    skewed, honest = pipeline.link(transactions=60, seed="same"), pipeline.link(transactions=60, seed="same")
    date = format_datetime(datetime.now(UTC) + timedelta(days=days), usegmt=True)
    pipeline.sandbox.inject(Fault(effect=Headers(headers={"date": date}), account=skewed, times=None))
    end = pipeline.sync(skewed)
    pipeline.sync(honest)
    recovered = recover(pipeline, skewed)

    assert end.verdict == VERIFIED
    assert pipeline.watermark(skewed) == max(row[-1] for row in pipeline.truth(skewed).values())
    assert pipeline.account_row(skewed)["last_success_at"] < pipeline.account_row(skewed)["next_attempt_at"]
    seen(f"{days:+d} day: {told(end)}, {recovered.rows} rows, watermark the newest booking day")


def _pipelined(talk: Conversation) -> None:
    talk.client.sendall(b"garbage\r\n\r\n" + talk.head + talk.body)


def _two_answers(talk: Conversation) -> None:
    forged = b'{"status":"successful","data":[],"meta":{"total":0,"page":3}}'
    talk.client.sendall(talk.head + talk.body + JSON + b"content-length: %d\r\n\r\n" % len(forged) + forged)


def _only_continue(talk: Conversation) -> None:
    talk.client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 3)


@pytest.mark.parametrize(("how", "twist"), [("garbage before", _pipelined), ("100 and no more", _only_continue)])
def test_H33_not_http(pipeline: Pipeline, seen: Callable[[str], None], how: str, twist: Twist) -> None:
    """Not an answer."""
    account = pipeline.link(transactions=ROWS)
    with HostileBank(pipeline.sandbox) as bank:
        bank.twist(twist, page=PAGE_3)
        end = pipeline.sync(account, worker=bank.worker(pipeline))
    nothing_of_it(pipeline, account, end, "mono_unreachable")
    recovered = recover(pipeline, account)

    seen(f"{how}: {told(end)}, then {recovered.rows}")


def test_H33_an_answer_nobody_asked_for(pipeline: Pipeline, seen: Callable[[str], None]) -> None:
    """A second answer on the wire is not taken for the next request's."""
    account = pipeline.link(transactions=ROWS)
    with HostileBank(pipeline.sandbox) as bank:
        bank.twist(_two_answers)
        end = pipeline.sync(account, worker=bank.worker(pipeline))
    assert end.verdict == VERIFIED
    recovered = recover(pipeline, account)

    assert bank.twisted >= 13
    seen(f"a forged second answer to each of {bank.twisted}: {told(end)}, {recovered.rows} rows")


@pytest.mark.parametrize("status", [202, 204, 205, 206, 304, 418])
def test_H33_other_statuses(pipeline: Pipeline, seen: Callable[[str], None], status: int) -> None:
    """No whole answer, so none at all."""
    account = pipeline.link(transactions=ROWS)
    with HostileBank(pipeline.sandbox) as bank:
        bank.twist(
            lambda talk: talk.client.sendall(b"HTTP/1.1 %d X\r\ncontent-length: 0\r\n\r\n" % status), page=PAGE_3
        )
        end = pipeline.sync(account, worker=bank.worker(pipeline))
    code = "mono_rejected" if status >= 300 else "mono_unintelligible"
    nothing_of_it(pipeline, account, end, code)
    recovered = recover(pipeline, account)

    seen(f"{status}: {told(end)}, then {recovered.rows}")


class _Elsewhere(DeadlineTransport):
    """Goes to another address than the URL's, which a test may not choose for itself."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(tls=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), connections=4)
        self._host, self._port = host, port
        self.requests = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Ask the other address."""
        self.requests += 1
        url = request.url.copy_with(scheme="http", host=self._host, port=self._port)
        return super().handle_request(
            httpx.Request(request.method, url, headers=request.headers, extensions=request.extensions)
        )


def _bomb_once() -> Twist:
    """The bomb, made before anybody measures."""
    bomb = gzip.compress(b'{"status":"successful","data":[' + b" " * (200 << 20) + b"]}", compresslevel=1)
    whole = JSON + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(bomb) + bomb
    return lambda talk: talk.client.sendall(whole)


def _forget_the_peak() -> None:
    """Let the kernel take the memory that is in use now for the most that ever was."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")


def _peak_kib() -> int:
    status = Path("/proc/self/status").read_text()
    return int(re.findall(r"^VmHWM:\s+([0-9]+) kB", status, re.MULTILINE)[0])
