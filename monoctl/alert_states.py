"""Which of the three required alerts fire, by Prometheus: of all accounts, and of a few by their own series."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mono_pipeline.core.release_gate import HIGH_FAILURE_RATE, LATENCY_SLA, REQUIRED_ALERTS, ZERO_TRANSACTIONS
from monoctl.prometheus import Prometheus, PrometheusUnread

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import httpx

_SECONDS: Final = 10.0
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


class AlertStates:
    """Asks one Prometheus. What it does not say is None, with the reason in `problem`: never "inactive"."""

    def __init__(self, url: str | None, *, transport: httpx.BaseTransport | None = None) -> None:
        """`url` None: nobody has said where it is."""
        self.problem: str | None = None if url else "no Prometheus is known here: --prometheus URL"
        self._prometheus = Prometheus(url, seconds=_SECONDS, transport=transport) if url else None

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
        if self._prometheus is None:
            return None
        try:
            told = ask()
        except PrometheusUnread as error:
            self.problem = f"Prometheus does not tell: {error}"
            return None
        self.problem = None
        return told

    def _firing(self) -> frozenset[str]:
        groups = self._get("/api/v1/rules", type="alert").get("groups", [])
        rules = {rule["name"]: rule for group in groups for rule in group["rules"] if rule["name"] in REQUIRED_ALERTS}
        for name in REQUIRED_ALERTS:
            if name not in rules:
                raise PrometheusUnread(f"it has no rule {name}")
            if rules[name].get("health") != "ok":
                raise PrometheusUnread(f"it could not evaluate {name} ({rules[name].get('health')})")
        return frozenset(name for name, rule in rules.items() if rule["state"] == "firing")

    def _firing_of(self, accounts: Sequence[str]) -> frozenset[str]:
        fleet = self._firing()
        scope = f'scope="account",account_id=~"{"|".join(accounts)}"'
        asked = {LATENCY_SLA, *fleet}  # a p95 of all hides a slow one
        if fleet and not self._query(_ANY_SERIES.format(accounts=scope)):
            raise PrometheusUnread(f"{', '.join(sorted(fleet))} fires, and the accounts have no series of their own")
        return frozenset(name for name in asked if self._query(_OF_ACCOUNTS[name].format(accounts=scope)))

    def _query(self, expression: str) -> list[Any]:
        found: list[Any] = self._get("/api/v1/query", query=expression).get("result", [])
        return found

    def _get(self, path: str, **parameters: str) -> dict[str, Any]:
        if self._prometheus is None:
            raise PrometheusUnread("nobody has said where it is")
        return self._prometheus.ask(path, **parameters)
