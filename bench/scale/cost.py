"""What a month costs: the model's seconds and messages times the dated price table."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from bench.scale.fleet import DAY, MEMORY_MIB

if TYPE_CHECKING:
    from bench.scale.fleet import Fleet
    from bench.scale.service_times import ServiceTimes

FILE: Final = Path(__file__).with_name("prices.json")
MONTH_DAYS: Final = 30
_HOURS: Final = 24 * MONTH_DAYS
_GIB: Final = 1024**3
_REQUESTS_A_MESSAGE: Final = 3  # sent, received, deleted
_POLLERS: Final = 2 * 5  # Lambda keeps five long polls of 20 s a queue
_PAGE_BYTES: Final = 30_000  # a page of a hundred rows as it comes from Mono
_NEW_ROWS_A_MONTH: Final = 60  # transactions of one account


@dataclass(frozen=True, kw_only=True)
class Prices:
    """USD by item, and databases by class: USD an hour, processors."""

    dated: str
    region: str
    price: dict[str, float]
    databases: dict[str, dict[str, float]]

    @classmethod
    def read(cls, file: Path = FILE) -> Self:
        """What the file says."""
        told: dict[str, Any] = json.loads(file.read_text())
        price = {name: row["price"] for name, row in told["prices"].items()}
        return cls(dated=told["dated"], region=told["region"], price=price, databases=told["databases"])


@dataclass(frozen=True, kw_only=True)
class Day:
    """What one day of a fleet used: seconds in workers and at the door, messages, and requests to Mono."""

    lambda_seconds: float
    messages: int
    webhooks: int
    calls: int


def month(fleet: Fleet, day: Day, times: ServiceTimes, prices: Prices, *, database: str) -> dict[str, float]:
    """USD a month by item, metrics by account off (they are an item of their own in docs/metrics.md)."""
    price, rows = prices.price, fleet.accounts * fleet.transactions
    invocations = (day.messages + day.webhooks) * MONTH_DAYS
    gigabytes_in = day.calls * MONTH_DAYS * _PAGE_BYTES / _GIB
    return {
        "Lambda, seconds": day.lambda_seconds * MONTH_DAYS * MEMORY_MIB / 1024 * price["lambda_gb_second_arm64"],
        "Lambda, requests": invocations * price["lambda_request"],
        "SQS": (day.messages * _REQUESTS_A_MESSAGE + _POLLERS * DAY / 20) * MONTH_DAYS * price["sqs_request"],
        "API Gateway": day.webhooks * MONTH_DAYS * price["api_gateway_rest_request"],
        "logs": day.messages * MONTH_DAYS * times.log_bytes / _GIB * price["logs_ingested_gb"],
        "NAT gateway": _HOURS * price["nat_gateway_hour"] + gigabytes_in * price["nat_gateway_gb"],
        "database": _HOURS * prices.databases[database]["hour"],
        "storage": 1.3 * rows * times.row_bytes / _GIB * price["storage_gb_month"],
    }


def per_million_transactions(total: float, fleet: Fleet) -> float:
    """USD of a month for each million of the transactions that are new in it."""
    return total / (fleet.accounts * _NEW_ROWS_A_MONTH / 1e6)
