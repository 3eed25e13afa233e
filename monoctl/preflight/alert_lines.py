"""Prometheus: every alert of ours loaded, evaluated and silent; both exporters up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import httpx

from monoctl.preflight.line import Found, cannot_tell, failed, passed

if TYPE_CHECKING:
    from monoctl.preflight.grounds import Grounds

WATCHDOG: Final = "MonoWatchdog"  # always fires, and proves with it that rules are evaluated
ALERTS: Final = (
    "MonoPipelineHighFailureRate",
    "MonoPipelineLatencySLA",
    "MonoPipelineZeroTransactions",
    "MonoPipelineErrorRatioHigh",
    "MonoSLOFastBurn",
    "MonoSLOSlowBurn",
    "MonoProviderDown",
    "MonoPipelineZeroTransactionsBusinessHours",
    "MonoVerificationMismatch",
    "MonoAccountStale",
    "MonoReauthRequired",
    "MonoDeadLetters",
    "MonoPipelineNoData",
    "MonoExporterDown",
    "MonoExporterErrors",
    "MonoExporterLag",
    "MonoExporterCost",
    WATCHDOG,
)
EXPORTERS: Final = ("mono-pipeline-cloudwatch", "mono-pipeline-accounts")
_GIVE_IT: Final = "say where it is: --prometheus URL"


def rules(grounds: Grounds) -> Found:
    """The rules are loaded, evaluated without an error, and none but the watchdog is pending or fires."""
    if grounds.prometheus is None:
        return cannot_tell("no Prometheus is known", _GIVE_IT)
    groups = _asked(grounds, "/api/v1/rules", type="alert")["groups"]
    found = {rule["name"]: rule for group in groups for rule in group["rules"]}
    absent = [name for name in ALERTS if name not in found]
    if absent:
        return failed(f"not loaded: {', '.join(absent)}", "deploy monitoring/prometheus/, then reload Prometheus")
    broken = [name for name in ALERTS if found[name].get("health") != "ok"]
    if broken:
        return failed(f"not evaluated: {', '.join(broken)}", "read lastError at its /rules page")
    loud = [
        f"{name} {found[name]['state']}" for name in ALERTS if name != WATCHDOG and found[name]["state"] != "inactive"
    ]
    if loud:
        return failed(", ".join(loud), "docs/runbook.md has a section for each: settle it before the release")
    if found[WATCHDOG]["state"] != "firing":
        return failed(f"{WATCHDOG} does not fire", "rules have only just been loaded: wait a minute")
    return passed(f"{len(ALERTS) - 1} loaded and inactive")


def exporter(grounds: Grounds) -> Found:
    """Both exporters are scraped."""
    if grounds.prometheus is None:
        return cannot_tell("no Prometheus is known", _GIVE_IT)
    told = _asked(grounds, "/api/v1/query", query='up{job=~"mono-pipeline-.*"}')["result"]
    up = {each["metric"].get("job"): float(each["value"][1]) == 1.0 for each in told}
    down = [job for job in EXPORTERS if not up.get(job)]
    if down:
        return failed(f"down: {', '.join(down)}", "docs/runbook.md#monoexporterdown")
    return passed(f"up: {', '.join(EXPORTERS)}")


def _asked(grounds: Grounds, path: str, **parameters: str) -> dict[str, Any]:
    """Return Prometheus' data; raise httpx.HTTPError for anything that is none."""
    url = f"{(grounds.prometheus or '').rstrip('/')}{path}"
    with grounds.http(url) as client:
        answer = client.get(url, params=parameters).raise_for_status()
        try:
            data: dict[str, Any] = answer.json()["data"]
        except (ValueError, KeyError, TypeError) as error:
            raise httpx.DecodingError("Prometheus' answer is not its own", request=answer.request) from error
    return data
