"""A link to sign in again: asked of Mono with the platform's reference, used, and the account is whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mono_pipeline.core.deadline import Deadline
from mono_pipeline.usecases.operations import Operations
from tests.webhook_life import hear, hear_all, status

if TYPE_CHECKING:
    from tests.harness import Pipeline

pytestmark = pytest.mark.integration


def ask(pipeline: Pipeline, account: str, **arguments: Any) -> dict[str, Any]:
    """Ask as the ops function is asked."""
    event = {"action": "accounts.reauth_link", "account_id": account, **arguments}
    return Operations(pipeline.worker).perform(event, Deadline.after(30))


def test_the_customer_signs_in_under_the_link_and_the_account_is_whole(pipeline: Pipeline) -> None:
    """From `reauth_required` to `linked`, through Mono's own page and its webhooks."""
    account = pipeline.sandbox.link_account(transactions=10, ready=True, reference="TP-9")["id"]
    hear_all(pipeline)
    since = len(pipeline.sandbox.webhooks())
    hear(pipeline, pipeline.sandbox.fire_webhook(event="reauthorisation_required", account=account)[0]["body"])
    assert status(pipeline, account) == "reauth_required"

    told = ask(pipeline, account, redirect_url="https://taxpoynt.example/back")

    assert told == {"account_id": account, "link_status": "reauth_required", "url": told["url"]}
    (session,) = pipeline.sandbox.session_list()
    assert (session["scope"], session["account"], session["reference"]) == ("reauth", account, "TP-9")
    assert told["url"].endswith(session["token"])
    pipeline.sandbox.complete_session(session["token"])
    hear_all(pipeline, since + 1)
    assert status(pipeline, account) == "linked"


def test_nobody_signs_in_to_an_account_that_is_unlinked_or_unknown(pipeline: Pipeline) -> None:
    """Mono is not asked."""
    account = pipeline.link(transactions=1)
    pipeline.sandbox.unlink(account)
    hear_all(pipeline)

    assert ask(pipeline, account)["error"]["code"] == "AccountBlocked"
    assert ask(pipeline, "f" * 24)["error"]["code"] == "AccountUnknown"
    assert pipeline.sandbox.session_list() == []


@pytest.mark.parametrize(
    "url", ["http://x.example", "https://", "ftp://x", "https://x .example", 7, "https://x/" + "a" * 2_000]
)
def test_owners_are_led_to_https_alone(pipeline: Pipeline, url: object) -> None:
    """What is no such address never reaches Mono."""
    account = pipeline.link(transactions=1)

    assert ask(pipeline, account, redirect_url=url)["error"]["code"] == "InvalidInput"
    assert pipeline.sandbox.session_list() == []
