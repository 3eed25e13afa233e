"""docs/webhooks.md names what the door can say."""

from __future__ import annotations

from pathlib import Path

from mono_pipeline.adapters.emf import WEBHOOKS
from mono_pipeline.core.webhook_outcome import WebhookConclusion, WebhookReason
from mono_pipeline.http.webhook_call import LARGEST_BODY

PAGE = (Path(__file__).parents[3] / "docs" / "webhooks.md").read_text(encoding="utf-8")


def test_every_reason_stands_beside_its_outcome() -> None:
    """A line of the table for each outcome, and all its reasons in it."""
    for reason in WebhookReason:
        outcome = WebhookConclusion(reason=reason).outcome
        (row,) = (line for line in PAGE.splitlines() if line.startswith(f"| `{outcome}` |"))
        assert f"`{reason}`" in row
    assert WEBHOOKS.name in PAGE
    assert f"{LARGEST_BODY:,} bytes" in PAGE
