"""Mono's API as a pure function of the world and a request (Mono contract 2 to 4)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from local.sandbox.bank import Link, hexadecimal
from local.sandbox.clock import wire_instant
from local.sandbox.message import RequestParts, ResponseParts, json_response
from local.sandbox.pages import BadParameter, Page, Query, page_of
from local.sandbox.realtime import Job
from local.sandbox.wire import (
    BASE_URL,
    account_document,
    balance_document,
    failure,
    listed_account_document,
    success,
)
from local.sandbox.world import Session, World

ACCOUNTS_A_PAGE = 10
CODE_LIFETIME = timedelta(minutes=10)
ENQUEUED = "Account transaction sync is enqueued, please try again once notified via webhook"

type Answer = ResponseParts | Page
type Route = Callable[[World, RequestParts, re.Match[str]], Answer]
type LinkRoute = Callable[[World, RequestParts, Link], Answer]


def answer(world: World, request: RequestParts) -> Answer:
    """What Mono answers to `request`; a page of transactions comes unwritten, so that faults can reach its rows."""
    if not has_key(world, request):
        return failure(401, now=world.clock.now())
    world.settle()
    for method, pattern, route in ROUTES:
        found = pattern.fullmatch(request.path)
        if found and method == request.method:
            try:
                return route(world, request, found)
            except BadParameter as problem:
                return failure(400, now=world.clock.now(), message=str(problem))
    return failure(404, now=world.clock.now(), message="Resource not found")


def has_key(world: World, request: RequestParts) -> bool:
    """Whether the request carries the secret key."""
    return request.headers.get("mono-sec-key") == world.secret_key


def _of_link(route: LinkRoute) -> Route:
    """A route below `/v2/accounts/{id}`: of a known, linked account, or the refusal."""

    def routed(world: World, request: RequestParts, found: re.Match[str]) -> Answer:
        link = world.links.get(found["account"])
        if link is None:
            replay = world.replays.get(found["account"])
            refusal = failure(404, now=world.clock.now())
            return refusal if replay is None else replay.answer(request) or refusal
        if link.state == "unlinked":
            return failure(world.switches.unlinked_read, now=world.clock.now())
        return route(world, request, link)

    return routed


def _accounts(world: World, request: RequestParts, found: re.Match[str]) -> ResponseParts:
    del found
    listed = [replay.listed() for replay in world.replays.values()]
    listed += [listed_account_document(link) for link in world.links.values() if link.state != "unlinked"]
    page, pages = Query.of(request).page, max(-(-len(listed) // ACCOUNTS_A_PAGE), 1)
    meta = {
        "total": len(listed),
        "pages": pages,
        "previous": f"{BASE_URL}/accounts/?page={page - 1}" if page > 1 else None,
        "next": f"{BASE_URL}/accounts/?page={page + 1}" if page < pages else None,
    }
    rows = listed[(page - 1) * ACCOUNTS_A_PAGE : page * ACCOUNTS_A_PAGE]
    return success(rows, now=world.clock.now(), message="Data retrieved successfully", meta=meta)


def _account(world: World, request: RequestParts, link: Link) -> ResponseParts:
    del request
    # Misspelt by Mono itself (captured).
    return success(account_document(link), now=world.clock.now(), message="Request was succesfully completed")


def _transactions(world: World, request: RequestParts, link: Link) -> Answer:
    # The body is what was cached before the job: whoever wants what it brought reads again (Mono contract 2.6).
    page = page_of(link, Query.of(request), world.switches, world.selections)
    headers = _realtime(world, request, link, "jobs.accounts.sync_statement")
    if isinstance(headers, ResponseParts):
        return headers
    page.headers = headers
    if link.data_is_null or (headers and world.switches.realtime_body == "null"):
        page.is_null, page.message = True, ENQUEUED
    return page


def _balance(world: World, request: RequestParts, link: Link) -> ResponseParts:
    document = balance_document(link)
    headers = _realtime(world, request, link, "jobs.accounts.sync_balance")
    if isinstance(headers, ResponseParts):
        return headers
    envelope = {"status": "successful", "message": "Data retrieved successfully"}
    return json_response(200, {**envelope, "timestamp": wire_instant(world.clock.now()), "data": document}, headers)


def _realtime(world: World, request: RequestParts, link: Link, name: str) -> dict[str, str] | ResponseParts:
    """Start a real-time job when it is asked for; inside the five minutes nothing starts."""
    # The guide writes x-realtime, the reference x-real-time; clients send both.
    if "true" not in {request.headers.get("x-realtime", "").lower(), request.headers.get("x-real-time", "").lower()}:
        return {}
    last, now = world.last_job(link.id), world.clock.now()
    if last is not None and last.is_recent(now):
        refuses = world.switches.realtime_window == "too_many_requests"
        return failure(429, now=now) if refuses else last.headers()
    job = Job(id=hexadecimal(24, link.id, "job", len(world.jobs)), account=link.id, name=name, started_at=now)
    world.jobs[job.id] = job
    if world.switches.realtime_job == "finished":
        world.end_job(job)
    elif world.switches.realtime_seconds is not None:
        job.ends_at = now + timedelta(seconds=world.switches.realtime_seconds)
    return job.headers()


def _job(world: World, request: RequestParts, found: re.Match[str]) -> ResponseParts:
    del request
    job = world.jobs.get(found["job"])
    if job is None or job.account != found["account"]:
        return failure(404, now=world.clock.now(), message="Job not found")
    document = job.document(app=world.app, business=world.business)
    return success(document, now=world.clock.now(), message="Job execution completed")


def _unlink(world: World, request: RequestParts, link: Link) -> ResponseParts:
    del request
    link.become("unlinked")
    world.announce("account_unlinked", link)
    return success(None, now=world.clock.now(), message="Account successfully unlinked")


def _initiate(world: World, request: RequestParts, found: re.Match[str]) -> ResponseParts:
    del found
    asked, now = request.document(), world.clock.now()
    scope = asked.get("scope")
    account = asked.get("account") if scope == "reauth" else None
    if scope not in {"auth", "reauth"} or (scope == "auth" and not isinstance(asked.get("customer"), dict)):
        return failure(400, now=now, message="Invalid scope or customer")
    if scope == "reauth" and account not in world.links:
        return failure(404, now=now)
    reference = (asked.get("meta") or {}).get("ref")
    token = "AL" + hexadecimal(12, world.seed, "session", len(world.sessions)).upper()
    session = Session(
        token=token,
        scope=str(scope),
        customer=asked.get("customer") or {},
        account=account,
        reference=reference,
        created_at=now,
    )
    world.sessions[token] = session
    document = _session_document(world, session, redirect_url=asked.get("redirect_url"))
    return success(document, now=now, message="Account linking initiated successfully")


def _session_document(world: World, session: Session, *, redirect_url: Any) -> dict[str, Any]:
    document: dict[str, Any] = {
        "mono_url": f"https://link.mono.co/{session.token}",
        "customer": session.customer.get("id") or hexadecimal(24, world.seed, "session", session.token),
        "meta": {"ref": session.reference},
        "scope": session.scope,
        "redirect_url": redirect_url,
        "created_at": wire_instant(session.created_at),
    }
    if session.account is None:
        return document
    link = world.links[session.account]
    institution = {"id": link.bank_account.institution.id, "name": link.bank_account.institution.name}
    known = {"customer": link.customer.id, "account": link.id, "institution": institution}
    return {**document, **known, "auth_method": link.auth_method}


def _exchange(world: World, request: RequestParts, found: re.Match[str]) -> ResponseParts:
    del found
    now = world.clock.now()
    account, issued_at = world.codes.get(str(request.document().get("code")), (None, now))
    if account is None or now > issued_at + CODE_LIFETIME:
        return failure(400, now=now, message="Invalid or expired code")
    if world.switches.exchange == "flat":
        return json_response(200, {"id": account})
    return success({"id": account}, now=now, message="Request completed successfully")


ACCOUNT = r"/v2/accounts/(?P<account>[^/]+)"
ROUTES: tuple[tuple[str, re.Pattern[str], Route], ...] = (
    ("GET", re.compile(ACCOUNT + "/transactions"), _of_link(_transactions)),
    ("GET", re.compile(r"/v2/accounts/?"), _accounts),
    ("POST", re.compile(r"/v2/accounts/initiate"), _initiate),
    ("POST", re.compile(r"/v2/accounts/auth"), _exchange),
    ("GET", re.compile(ACCOUNT), _of_link(_account)),
    ("GET", re.compile(ACCOUNT + "/balance"), _of_link(_balance)),
    ("GET", re.compile(ACCOUNT + r"/jobs/(?P<job>[^/]+)"), _job),
    ("POST", re.compile(ACCOUNT + "/unlink"), _of_link(_unlink)),
)
