"""What the functions tell CloudWatch, as a table: names, units and dimension sets that the whole chain is built on.

`monitoring/README.md` says the same to people, and `monitoring/yace.yml` to the exporter; tests hold them equal.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMESPACE: Final = "TaxPoynt"
PREFIX: Final = "taxpoynt_mono_pipeline_"
SERVICE: Final = "mono-pipeline"


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric: its dimensions besides `service`, and whether it is there by account too (ACCOUNT_METRICS_MODE)."""

    name: str
    unit: str
    dimensions: tuple[str, ...]
    by_account: bool = False

    @property
    def full_name(self) -> str:
        """The name in EMF, and in Prometheus (a histogram's series have their suffixes)."""
        return PREFIX + self.name

    def line(self, *, at: int, value: float, account_id: str | None = None, **dimensions: str) -> str:
        """An EMF line as the contract wants it: the fleet's set, and the account's where an account is given.

        `at` is in milliseconds since 1970.
        """
        if set(dimensions) != set(self.dimensions):
            raise ValueError(f"{self.name} has the dimensions {self.dimensions}")
        fleet = ["service", *self.dimensions]
        sets = [fleet, *([[*fleet, "account_id"]] if account_id else [])]
        directive = {
            "Namespace": NAMESPACE,
            "Dimensions": sets,
            "Metrics": [{"Name": self.full_name, "Unit": self.unit}],
        }
        members: Mapping[str, object] = {
            "service": SERVICE,
            **dimensions,
            **({"account_id": account_id} if account_id else {}),
        }
        meta = {"Timestamp": at, "CloudWatchMetrics": [directive]}
        return json.dumps({"_aws": meta, **members, self.full_name: value})


def queue_depth(queue: str, *, at: int, value: float) -> str:
    """How many messages wait in `mono-pipeline-…`, as SQS tells CloudWatch; `at` in milliseconds."""
    name = "ApproximateNumberOfMessagesVisible"
    directive = {"Namespace": "AWS/SQS", "Dimensions": [["QueueName"]], "Metrics": [{"Name": name, "Unit": "Count"}]}
    meta = {"Timestamp": at, "CloudWatchMetrics": [directive]}
    return json.dumps({"_aws": meta, "QueueName": f"mono-pipeline-{queue}", name: value})


STAGE_SECONDS: Final = Metric(name="stage_seconds", unit="Seconds", dimensions=("stage", "outcome"), by_account=True)
ERRORS: Final = Metric(name="errors_total", unit="Count", dimensions=("stage", "reason"), by_account=True)
ZERO: Final = Metric(name="zero_transactions_total", unit="Count", dimensions=(), by_account=True)
TICKS: Final = Metric(name="ticks_total", unit="Count", dimensions=())
STALE: Final = Metric(name="stale_accounts", unit="Count", dimensions=(), by_account=True)
RUNS: Final = Metric(name="runs_total", unit="Count", dimensions=("status",))
VERDICTS: Final = Metric(name="verdicts_total", unit="Count", dimensions=("verdict", "reason"))
DECISIONS: Final = Metric(name="flag_decisions_total", unit="Count", dimensions=("reason",))
QUARANTINED: Final = Metric(name="quarantined_rows_total", unit="Count", dimensions=("reason",))
DEAD_LETTERS: Final = Metric(name="dead_letters_total", unit="Count", dimensions=())
RATE_WAIT: Final = Metric(name="rate_wait_seconds_total", unit="Seconds", dimensions=())
PROVIDER_DOWN: Final = Metric(name="provider_down_total", unit="Count", dimensions=())
WEBHOOKS: Final = Metric(name="webhooks_total", unit="Count", dimensions=("outcome", "reason"))
WEBHOOK_EFFECTS: Final = Metric(name="webhook_effects_total", unit="Count", dimensions=("effect",))
METRICS: Final = (
    STAGE_SECONDS,
    ERRORS,
    ZERO,
    TICKS,
    STALE,
    RUNS,
    VERDICTS,
    DECISIONS,
    QUARANTINED,
    DEAD_LETTERS,
    RATE_WAIT,
    PROVIDER_DOWN,
    WEBHOOKS,
    WEBHOOK_EFFECTS,
)
