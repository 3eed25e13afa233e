"""What metrics cost a month, by accounts and ACCOUNT_METRICS_MODE: the table of docs/metrics.md.

python -m bench.metric_costs
"""

from __future__ import annotations

from typing import Final

from mono_pipeline.adapters import emf, metric_words
from mono_pipeline.core.account_metrics import MAX_CHOSEN
from mono_pipeline.core.webhook_outcome import WebhookReason

# CloudWatch, us-east-1, list prices as known in November 2026. Up to so many custom metrics, USD a metric and month.
PRICES: Final = ((10_000, 0.30), (250_000, 0.10), (1_000_000, 0.05), (float("inf"), 0.02))
PER_1000_ASKED: Final = 0.01  # USD, of GetMetricData; up to five statistics of a metric are one
HOURS: Final = 730.0  # a month
LOOP: Final = 60  # seconds: in each of its loops the exporter asks for every series, whatever the period of its job
ACCOUNTS: Final = (100, 10_000, 100_000)
HEALTHY: Final = 4  # series of an account: sync, transform and persist that went well, and the zero
FAILING: Final = 4  # besides: the same stages that ended in an error, and the error
FAILING_SHARE: Final = 0.02
ACTIVE_SHARE: Final = 2 / 24  # of all hours an account is synced in two a day; a metric is charged by such hours
LISTED_SHARE: Final = 2 * 4 / 24  # a series is asked for while CloudWatch lists it as active: three hours and its own


def fleet_series() -> int:
    """Every series without an account that there can be: the closed lists, multiplied out as they can meet."""
    return (
        4 * 2  # stages by outcome
        + len(metric_words.error_pairs())
        + len(metric_words.STATUSES)
        + len(metric_words.VERDICT_REASONS) + 1  # each reason goes with one verdict, `none` and unexpected with more
        + len(metric_words.FLAG_REASONS)
        + len(metric_words.REJECTIONS)
        + len(WebhookReason)
        + len(metric_words.EFFECTS)
        + sum(not metric.dimensions for metric in emf.METRICS)
    )  # fmt: skip


def account_series(accounts: int, mode: str) -> float:
    """How many series of single accounts a mode lets through."""
    failing = accounts * FAILING_SHARE * FAILING
    return {
        "all": accounts * HEALTHY + failing,
        "failing": failing,
        "allowlist": min(accounts, MAX_CHOSEN) * (HEALTHY + FAILING),
        "off": 0,
    }[mode]


def metrics_usd(series: float) -> float:
    """What so many custom metrics cost a month, each with a value in every hour."""
    cost, below = 0.0, 0.0
    for up_to, price in PRICES:
        cost += max(0.0, min(series, up_to) - below) * price
        below = up_to
    return cost


def asked_usd(series: float) -> float:
    """What the exporter costs a month that asks for so many series in each loop."""
    return series * HOURS * 3600 / LOOP / 1000 * PER_1000_ASKED


def costs(accounts: int, mode: str) -> tuple[float, float, float]:
    """Series; USD a month at two syncs a day; USD a month if every account were active in every hour."""
    fleet, own = fleet_series(), account_series(accounts, mode)
    asked_fleet = asked_usd(fleet + 8)  # ten statistics of eight latency series count as two
    usual = metrics_usd(fleet + own * ACTIVE_SHARE) + asked_fleet + asked_usd(own * LISTED_SHARE)
    return fleet + own, usual, metrics_usd(fleet + own) + asked_fleet + asked_usd(own)


def table() -> str:
    """The rows of the table, in Markdown."""
    rows = ["| accounts | mode | series | USD a month | at most |", "|---|---|---|---|---|"]
    for accounts in ACCOUNTS:
        for mode in ("all", "failing", "allowlist", "off"):
            series, usual, most = costs(accounts, mode)
            rows.append(f"| {accounts:,} | `{mode}` | {series:,.0f} | {usual:,.0f} | {most:,.0f} |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(table())
