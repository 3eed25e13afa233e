"""Words and lengths at the edge of what an event's fields take."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from mono_pipeline.core.webhook_event import WebhookEvent, WebhookKind, read_webhook_event

if TYPE_CHECKING:
    from collections.abc import Iterator


def read(told: Any) -> WebhookEvent:
    """The event in a body."""
    return read_webhook_event(json.dumps(told).encode())


def updated(**meta: Any) -> WebhookEvent:
    """An account_updated with this for `data.meta`."""
    return read({"event": "mono.events.account_updated", "data": {"meta": meta}})


@pytest.mark.parametrize("word", ["REAUTHORISATION_REQUIRED", "reauthorization_required", "Reauthorization_Required"])
def test_either_spelling_of_signing_in_again_is_one_word(word: str) -> None:
    """Documents and captures differ in case and spelling (Mono contract 7.12)."""
    assert updated(sync_status=word).sync_status == "REAUTHORISATION_REQUIRED"


@pytest.mark.parametrize("word", [7, "", [], "XXXX", "PENDING"])
def test_a_status_of_another_form_is_an_unknown_one(word: Any) -> None:
    """Told, and not understood: not the same as not told."""
    assert updated(sync_status=word).sync_status == "UNKNOWN"


@pytest.mark.parametrize(("more", "known"), [(0, True), (1, False)])
def test_an_event_s_name_has_64_characters_at_the_most(more: int, *, known: bool) -> None:
    """What is longer is no name."""
    name = "mono." + "a" * (59 + more)

    assert read({"event": name}).name == (name if known else None)


@pytest.mark.parametrize(("more", "known"), [(0, True), (1, False)])
def test_a_timestamp_has_40_characters_at_the_most(more: int, *, known: bool) -> None:
    """A date, a time and a zone fit: what is longer is something else."""
    instant = f"2026-11-24T12:00:00.{'1' * (14 + more)}+01:00"

    happened = read({"event": "mono.events.account_updated", "timestamp": instant}).happened_at

    assert (happened is not None) is known


@pytest.fixture
def in_new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process is in another zone."""
    with monkeypatch.context() as moved:
        moved.setenv("TZ", "America/New_York")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("in_new_york")
def test_a_moment_is_told_in_utc() -> None:
    """Wherever it was written, and wherever this runs."""
    told = read({"event": "mono.events.account_updated", "timestamp": "2026-11-24T01:30:00+03:00"})

    assert told.happened_at == "2026-11-23T22:30:00+00:00"


def test_only_a_job_has_a_job_s_status() -> None:
    """`data.status` of any other event is something else."""
    named = {"data": {"status": "finished"}}

    assert read({"event": "mono.accounts.jobs.update", **named}).job_status == "FINISHED"
    assert read({"event": "mono.events.account_updated", **named}).job_status is None


def test_an_event_within_an_event_is_data_and_not_the_event() -> None:
    """Enrichment's events are wrapped once more; one that has its own name is not wrapped."""
    inner = {"event": "mono.events.account_unlinked", "data": {}}

    assert read({"data": inner}).kind is WebhookKind.UNLINKED
    assert read({"event": "mono.events.account_synced", "data": inner}).kind is WebhookKind.SYNCED
    assert read({"data": {}}).kind is WebhookKind.UNKNOWN
