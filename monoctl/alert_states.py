"""Which of the three required alerts fire, by Prometheus: of all accounts, and of a few by their own series."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import httpx

from mono_pipeline.core.release_gate import HIGH_FAILURE_RATE, LATENCY_SLA, REQUIRED_ALERTS, ZERO_TRANSACTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_TIMEOUT: Final = httpx.Timeout(10.0, connect=3.0)
# The expressions of monitoring/prometheus/alerts.yml, over the series of the accounts that are judged.
_OF_ACCOUNTS: Final = {
    HIGH_FAILURE_RATE: "sum(sum_over_time(taxpoynt_mono_pipeline_errors_total{{{accounts}}}[5m] offset 5m)) >= 5",
    LATENCY_SLA: (
        'max(max_over_time(taxpoynt_mono_pipeline_stage_seconds_p95{{{accounts},stage="sync"}}[10m] offset 5m)) > 2'
    ),
    ZERO_TRANSACTIONS: (
        "sum(sum_over_time(taxpoynt_mono_pipeline_zero_transactions_total{{{accounts}}}[1h] offset 5m)) > 0"
    ),
}
_ANY_SERIES: Final = "count(last_over_time(taxpoynt_mono_pipeline_stage_seconds_p95{{{accounts}}}[1h]))"


class AlertsUnread(Exception):
    """Prometheus gave no answer that says which alerts fire."""


class AlertStates:
    """Asks one Prometheus. What it does not say is None, with the reason in `problem`: never "inactive"."""

    def __init__(self, url: str | None, *, transport: httpx.BaseTransport | None = None) -> None:
        """`url` None: nobody has said where it is."""
        self.problem: str | None = None if url else "no Prometheus is known here: --prometheus URL"
        self._client = (
            httpx.Client(base_url=url.rstrip("/"), timeout=_TIMEOUT, transport=transport, trust_env=False)
            if url
            else None
        )

    def fleet(self) -> frozenset[str] | None:
        """Which fire for all accounts together."""
        return self._told(self._firing)

    def of_accounts(self, accounts: Sequence[str]) -> frozenset[str] | None:
        """Which would fire for these accounts alone.

        Their errors and empty runs are part of the fleet's: what is silent for all is silent for them. Where it is not,
        their own series tell, if they have any (ACCOUNT_METRICS_MODE).
        """
        return self._told(lambda: self._firing_of(accounts))

    def _told(self, ask: Callable[[], frozenset[str]]) -> frozenset[str] | None:
        if self._client is None:
            return None
        try:
            told = ask()
        except (httpx.HTTPError, AlertsUnread) as error:
            self.problem = f"Prometheus does not tell: {str(error) or type(error).__name__}"
            return None
        self.problem = None
        return told

    def _firing(self) -> frozenset[str]:
        groups = self._get("/api/v1/rules", type="alert").get("groups", [])
        rules = {rule["name"]: rule for group in groups for rule in group["rules"] if rule["name"] in REQUIRED_ALERTS}
        for name in REQUIRED_ALERTS:
            if name not in rules:
                raise AlertsUnread(f"it has no rule {name}")
            if rules[name].get("health") != "ok":
                raise AlertsUnread(f"it could not evaluate {name} ({rules[name].get('health')})")
        return frozenset(name for name, rule in rules.items() if rule["state"] == "firing")

    def _firing_of(self, accounts: Sequence[str]) -> frozenset[str]:
        fleet = self._firing()
        scope = f'scope="account",account_id=~"{"|".join(accounts)}"'
        asked = {LATENCY_SLA, *fleet}  # a p95 of all hides a slow one
        if fleet and not self._query(_ANY_SERIES.format(accounts=scope)):
            raise AlertsUnread(f"{', '.join(sorted(fleet))} fires, and the accounts have no series of their own")
        return frozenset(name for name in asked if self._query(_OF_ACCOUNTS[name].format(accounts=scope)))

    def _query(self, expression: str) -> list[Any]:
        found: list[Any] = self._get("/api/v1/query", query=expression).get("result", [])
        return found

    def _get(self, path: str, **parameters: str) -> dict[str, Any]:
        if self._client is None:
            raise AlertsUnread("nobody has said where it is")
        response = self._client.get(path, params=parameters)
        try:
            document = response.json()
        except ValueError:
            raise AlertsUnread(f"it answered {response.status_code} without JSON") from None
        if response.is_error or not isinstance(document, dict) or document.get("status") != "success":
            said = document.get("error") if isinstance(document, dict) else ""
            raise AlertsUnread(f"it answered {response.status_code} {said or ''}".rstrip())
        found: dict[str, Any] = document["data"]
        return found
