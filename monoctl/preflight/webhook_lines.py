"""The webhook's door: shut without the secret, open with it, all the way to the tables; and the URL that Mono has."""

from __future__ import annotations

import secrets
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from mono_pipeline.adapters.parameters import parameter_name
from monoctl.preflight.line import Found, cannot_tell, failed, passed

if TYPE_CHECKING:
    import httpx

    from monoctl.preflight.grounds import Grounds

ARRIVAL_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 1.0


def refuses(grounds: Grounds) -> Found:
    """Without the secret it answers 401."""
    answer = _post(grounds, {"event": "mono.events.account_updated"}, secret=None)
    if answer.status_code == HTTPStatus.UNAUTHORIZED:
        return passed("401 without the secret")
    says = f"{answer.status_code} without the secret"
    if answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
        return failed(says, "the function cannot read MONO_WEBHOOK_SECRET: see its line above, and `monoctl logs`")
    return failed(says, f"is {grounds.deployment.webhook_url} this stack's? `monoctl logs --all` says more")


def arrives(grounds: Grounds) -> Found:
    """A wake-up with the secret goes through door, queue and worker. It is of an account that nobody has."""
    where = parameter_name(grounds.environment, "MONO_WEBHOOK_SECRET")
    secret = grounds.parameters.get(where).value
    event_id = f"preflight-{secrets.token_hex(12)}"
    answer = _post(grounds, _wake_up(grounds, event_id), secret=secret)
    if answer.status_code != HTTPStatus.OK or answer.json().get("status") != "accepted":
        fix = "`monoctl logs` says why: mono.webhook.refused, .ignored or .unavailable with its reason"
        return failed(f"{answer.status_code} with the secret", fix)
    give_up = grounds.monotonic() + ARRIVAL_SECONDS
    while not (told := grounds.ops.ask("preflight.arrival", event_id=event_id))["arrived"]:
        if grounds.monotonic() >= give_up:
            fix = "is the daily queue worked off? `monoctl logs` and the queue's age of its oldest message"
            return failed(f"accepted, and not in the tables after {ARRIVAL_SECONDS:.0f} s", fix)
        grounds.pause(_LOOK_SECONDS)
    return passed(f"accepted, and written down {told['seconds']:.1f} s later")


def registration(grounds: Grounds) -> Found:
    """Mono's dashboard has exactly our URL: no API says so, a person does."""
    url = grounds.deployment.webhook_url
    if grounds.confirmed_url is None:
        return cannot_tell(f"Mono's dashboard must have {url}", f"look there, then: --confirm-webhook-url {url}")
    if grounds.confirmed_url != url:
        return failed(f"Mono's dashboard must have {url}, not {grounds.confirmed_url}", "change it in the dashboard")
    return passed(f"confirmed: {url}")


def _wake_up(grounds: Grounds, event_id: str) -> dict[str, Any]:
    """An account that nobody has ends its link: that asks nothing of Mono and changes nothing here."""
    app = grounds.ops.ask("preflight.settings")["mono_app_id"]
    about = {"account": {"_id": f"feed{secrets.token_hex(10)}"}, **({"app": app} if app else {})}
    return {"event": "mono.events.account_unlinked", "event_id": event_id, "data": about}


def _post(grounds: Grounds, body: dict[str, Any], *, secret: str | None) -> httpx.Response:
    url = grounds.deployment.webhook_url
    with grounds.http(url) as client:
        return client.post(url, json=body, headers={"mono-webhook-secret": secret} if secret else {})
