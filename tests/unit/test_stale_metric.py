"""The gauge of stale accounts as CloudWatch reads it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mono_pipeline.adapters.telemetry import Telemetry

if TYPE_CHECKING:
    import pytest

NAME = "taxpoynt_mono_pipeline_stale_accounts"


def emitted(printed: str) -> list[dict[str, Any]]:
    """Return the documents of the gauge among what was printed."""
    documents = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    return [document for document in documents if NAME in document]


def test_the_gauge_has_the_service_alone_and_an_account_s_its_id(capsys: pytest.CaptureFixture[str]) -> None:
    """Zero is a value too; an id is a dimension only where it is meant to be one."""
    telemetry = Telemetry()

    telemetry.stale_accounts(0)
    telemetry.stale_accounts(1, account_id="686265c6c41fad92985e806c")

    total, own = emitted(capsys.readouterr().out)
    assert (total[NAME], total["service"], total.get("account_id")) == (0, "mono-pipeline", None)
    assert (own[NAME], own["account_id"]) == (1, "686265c6c41fad92985e806c")
    for document, dimensions in ((total, {"service"}), (own, {"service", "account_id"})):
        (metric,) = document["_aws"]["CloudWatchMetrics"]
        assert metric["Namespace"] == "TaxPoynt"
        assert any(set(each) == dimensions for each in metric["Dimensions"])
