"""How long each stage of a sync takes (p95), by Prometheus: of all accounts, and of a few by their own series."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from monoctl.prometheus import Prometheus, PrometheusUnread

if TYPE_CHECKING:
    from collections.abc import Sequence

    import httpx

_SECONDS: Final = 10.0
# As monitoring/prometheus/recording.yml has it; of single accounts there is a p95 of each minute and no histogram.
_OF_ALL: Final = "max by (stage) (last_over_time(mono_pipeline:stage_seconds:p95_10m[10m]))"
_OF_ACCOUNTS: Final = (
    "max by (stage) (max_over_time("
    'taxpoynt_mono_pipeline_stage_seconds_p95{{scope="account",account_id=~"{accounts}"}}[10m] offset 5m))'
)


class StageLatency:
    """Asks one Prometheus. What it does not say is None, and of a stage that nobody went through there is nothing."""

    def __init__(self, url: str | None, *, transport: httpx.BaseTransport | None = None) -> None:
        """`url` None: nobody has said where it is."""
        self._prometheus = Prometheus(url, seconds=_SECONDS, transport=transport) if url else None

    def of_all(self) -> dict[str, float] | None:
        """Seconds by stage, of all accounts together."""
        return self._told(_OF_ALL)

    def of_accounts(self, accounts: Sequence[str]) -> dict[str, float] | None:
        """Seconds by stage, of the slowest minute of these accounts."""
        return self._told(_OF_ACCOUNTS.format(accounts="|".join(accounts)))

    def _told(self, expression: str) -> dict[str, float] | None:
        if self._prometheus is None:
            return None
        try:
            series = self._prometheus.ask("/api/v1/query", query=expression).get("result", [])
        except PrometheusUnread:  # the alerts are asked of it too, and say why
            return None
        told = {str(each["metric"].get("stage")): float(each["value"][1]) for each in series}
        return {stage: seconds for stage, seconds in sorted(told.items()) if math.isfinite(seconds)}
