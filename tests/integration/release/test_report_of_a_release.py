"""The report of a release that really was: its commands, real runs on a real PostgreSQL, then the page and the JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from local.sandbox.effects import Status
from local.sandbox.faults import Fault
from tests.unit.monoctl.report_world import Queue
from tests.unit.monoctl.stand_ins import FakeReach

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.release.town import Town

pytestmark = pytest.mark.integration

WAIVED = ("--without-alerts", "no Prometheus in this process")


@pytest.fixture(autouse=True)
def queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment has a queue of dead letters."""
    monkeypatch.setattr(FakeReach, "deployment", Queue(), raising=False)


def test_a_release_is_reported_by_what_its_accounts_did(town: Town, tmp_path: Path) -> None:
    """The canary's runs are its own, another account's failure is told by its reason, and nothing is untold."""
    canary, other = town.known(), town.known()
    began = town.monoctl("canary", "start", "--account", canary, "--reason", "launch <b>", *WAIVED)
    town.pipeline.sandbox.inject(Fault(effect=Status(status=404), account=other, path="*/transactions", times=None))
    town.pipeline.sync(other)
    signed = town.monoctl("release", "sign-off", "totals spot-checked")
    page = tmp_path / "launch.html"

    ended = town.monoctl("report", "--output", str(page))

    assert (began.exit_code, signed.exit_code, ended.exit_code) == (0, 0, 0)
    told = ended.end
    assert (told["untold"], told["outcome"]["word"]) == ([], "Open")
    assert told["outcome"]["sentence"].startswith("Not finished. Last gate, canary: promote (healthy)")
    rows = {row["account_id"]: row for row in told["verdicts"]["rows"]}
    assert set(rows) == {canary, other}
    assert (rows[canary]["canary"], rows[canary]["verified"]) == (True, rows[canary]["runs"])
    assert rows[canary]["runs"] == told["gates"][0]["completed"] >= 4
    assert (rows[other]["failed"], rows[other]["cells"][-1]["word"]) == (1, "failed")
    whole = told["runs"]["whole"]
    assert (whole["runs"], whole["failed"], whole["accounts"]) == (rows[canary]["runs"] + 1, 1, 2)
    assert sum(count for slot in told["runs"]["slots"] for count in slot["errors"].values()) == 1
    fetched = [(slot["p95_canary"], slot["p95_rest"]) for slot in told["runs"]["slots"]]
    assert any(canary_waited for canary_waited, _ in fetched)
    assert not any(others_waited for _, others_waited in fetched)
    (step,) = told["flag"]["steps"]
    assert (step["in_trail"], step["allowed"], told["flag"]["percent_before"]) == (True, 1, 0.0)
    checked = {item["name"]: item["state"] for item in told["checklist"]}
    assert (checked["Canary"], checked["totals spot-checked"]) == ("done", "signed off")
    assert told["dead_letters"]["waiting"] == 3
    assert "launch &lt;b&gt;" in page.read_text()
