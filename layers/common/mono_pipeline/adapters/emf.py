"""EMF: metrics that CloudWatch reads out of log lines. The one place that builds them, for every function.

Names, units and dimensions are the contract of `monitoring/README.md`. Loads nothing but the standard library: the
webhook's cold start pays for it. Rules of the format: "Specification: Embedded metric format", CloudWatch user guide.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct, field

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMESPACE: Final = "TaxPoynt"
SERVICE: Final = "mono-pipeline"
PREFIX: Final = "taxpoynt_mono_pipeline_"
IDS: Final = frozenset({"account_id", "run_id", "correlation_id"})
_ACCOUNT: Final = "account_id"


class Metric(Struct, frozen=True, kw_only=True):
    """A metric and its dimensions besides `service`. `by_account` ones may be there by account too."""

    name: str
    unit: str = "Count"
    dimensions: tuple[str, ...] = ()
    by_account: bool = False


STAGE_SECONDS: Final = Metric(
    name=f"{PREFIX}stage_seconds", unit="Seconds", dimensions=("stage", "outcome"), by_account=True
)
ERRORS: Final = Metric(name=f"{PREFIX}errors_total", dimensions=("stage", "reason"), by_account=True)
ZERO: Final = Metric(name=f"{PREFIX}zero_transactions_total", by_account=True)
STALE: Final = Metric(name=f"{PREFIX}stale_accounts", by_account=True)
RUNS: Final = Metric(name=f"{PREFIX}runs_total", dimensions=("status",))
VERDICTS: Final = Metric(name=f"{PREFIX}verdicts_total", dimensions=("verdict", "reason"))
DECISIONS: Final = Metric(name=f"{PREFIX}flag_decisions_total", dimensions=("reason",))
QUARANTINED: Final = Metric(name=f"{PREFIX}quarantined_rows_total", dimensions=("reason",))
DEAD_LETTERS: Final = Metric(name=f"{PREFIX}dead_letters_total")
RATE_WAIT: Final = Metric(name=f"{PREFIX}rate_wait_seconds_total", unit="Seconds")
PROVIDER_DOWN: Final = Metric(name=f"{PREFIX}provider_down_total")
TICKS: Final = Metric(name=f"{PREFIX}ticks_total")
WEBHOOKS: Final = Metric(name=f"{PREFIX}webhooks_total", dimensions=("outcome", "reason"))
WEBHOOK_EFFECTS: Final = Metric(name=f"{PREFIX}webhook_effects_total", dimensions=("effect",))
METRICS: Final = (
    STAGE_SECONDS,
    ERRORS,
    ZERO,
    STALE,
    RUNS,
    VERDICTS,
    DECISIONS,
    QUARANTINED,
    DEAD_LETTERS,
    RATE_WAIT,
    PROVIDER_DOWN,
    TICKS,
    WEBHOOKS,
    WEBHOOK_EFFECTS,
)


class Sample(Struct, frozen=True, kw_only=True):
    """One value of a metric, with a word for each of its dimensions.

    It counts for the `fleet`, for the account (`account`), or for both.
    """

    metric: Metric
    value: float
    words: Mapping[str, str] = field(default_factory=dict)
    fleet: bool = True
    account: bool = False


def emf_record(*samples: Sample, at: float, ids: Mapping[str, str | None]) -> dict[str, Any]:
    """The members of one log line that CloudWatch reads `samples` from.

    `at` is in Unix seconds. `ids` are members of the line, to be searched for; none of them is a dimension, but for
    the `account_id` of samples that count for their account. Every call builds a new line out of its arguments: there
    is no state that could go from one account to the next.

    Raises:
        ValueError: a dimension that the metric does not have, or lacks; two samples that need one member for two
            values; an id that is none of `IDS`; an account's metric without an account.
    """
    if unknown := ids.keys() - IDS:
        raise ValueError(f"no ids: {sorted(unknown)}")
    record: dict[str, Any] = {"service": SERVICE, **{name: text for name, text in ids.items() if text}}
    for sample in samples:
        _add(record, sample)
    record["_aws"] = {"Timestamp": int(at * 1000), "CloudWatchMetrics": [_directive(sample) for sample in samples]}
    return record


def write_line(record: Mapping[str, Any]) -> None:
    """Write one line of JSON to standard output, which Lambda hands to CloudWatch.

    A line that cannot be written is lost: what it tells of has been done, and must not fail for it.
    """
    with suppress(OSError, ValueError):  # a full or broken pipe; a closed stream, or a number that JSON does not have
        sys.stdout.write(json.dumps(record, allow_nan=False) + "\n")


def _add(record: dict[str, Any], sample: Sample) -> None:
    metric = sample.metric
    if sample.words.keys() != set(metric.dimensions):
        raise ValueError(f"{metric.name} has the dimensions {metric.dimensions}")
    if sample.account and not (metric.by_account and record.get(_ACCOUNT)):
        raise ValueError(f"{metric.name} has no metric of this account")
    for name, value in {**sample.words, metric.name: sample.value}.items():
        if name in record and record[name] != value:
            raise ValueError(f"{name} cannot be {record[name]} and {value} in one line")
        record[name] = value


def _directive(sample: Sample) -> dict[str, Any]:
    fleet = ["service", *sample.metric.dimensions]
    sets = [*([fleet] if sample.fleet else []), *([[*fleet, _ACCOUNT]] if sample.account else [])]
    return {
        "Namespace": NAMESPACE,
        "Dimensions": sets,
        "Metrics": [{"Name": sample.metric.name, "Unit": sample.metric.unit}],
    }
