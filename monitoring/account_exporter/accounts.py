"""How each account stands, as Prometheus metrics: one query of the view `monitored_accounts` a scrape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prometheus_client.core import Metric

PREFIX: Final = "taxpoynt_mono_pipeline_"
STATUSES: Final = ("completed", "incomplete", "failed", "stopped")
CHANGES: Final = ("inserted", "updated", "quarantined")
LINK_STATUSES: Final = ("linked", "reauth_required", "unlinked", "refused")
VERDICTS: Final = ("verified", "unverifiable", "mismatch")
QUERY: Final = "SELECT * FROM monitored_accounts"


class Rows(Protocol):
    """Something that answers a query: `mono_pipeline.adapters.postgres.Database`."""

    def rows(self, statement: str, /) -> list[dict[str, Any]]:
        """The rows of a statement."""


class AccountCollector:
    """Reads the database when Prometheus asks. A database that is down fails the scrape."""

    def __init__(self, database: Rows) -> None:
        self._database = database

    def collect(self) -> Iterator[Metric]:
        """Every metric family, from one query."""
        return families(self._database.rows(QUERY))


def families(accounts: Iterable[dict[str, Any]]) -> Iterator[Metric]:
    """The metric families of these rows of `monitored_accounts`."""
    rows = list(accounts)
    yield _instant("account_last_success_seconds", "When the account was last synced whole", rows, "last_success_at")
    yield _instant("account_fresh_as_of_seconds", "How fresh the bank's data are known to be", rows, "fresh_as_of")
    yield _state("account_verdict", "The verdict of the account's newest run", rows, "verdict")
    yield _state("account_link_status", "How the account's link stands", rows, "link_status")
    yield _counter("account_runs", "Runs that ended so", rows, "status", {status: status for status in STATUSES})
    yield _counter(
        "account_rows", "Rows that runs changed", rows, "change", {change: f"rows_{change}" for change in CHANGES}
    )
    yield _count("accounts", "Accounts whose link stands so", rows, "link_status", LINK_STATUSES)
    yield _count("accounts_by_verdict", "Accounts whose newest run said so", rows, "verdict", VERDICTS)


def _instant(name: str, help_text: str, rows: list[dict[str, Any]], column: str) -> Metric:
    family = GaugeMetricFamily(PREFIX + name, help_text, labels=["account_id"])
    for row in rows:
        if row[column] is not None:
            family.add_metric([row["account_id"]], row[column].timestamp())
    return family


def _state(name: str, help_text: str, rows: list[dict[str, Any]], column: str) -> Metric:
    family = GaugeMetricFamily(PREFIX + name, help_text, labels=["account_id", column])
    for row in rows:
        if row[column] is not None:
            family.add_metric([row["account_id"], row[column]], 1)
    return family


def _counter(name: str, help_text: str, rows: list[dict[str, Any]], label: str, columns: dict[str, str]) -> Metric:
    family = CounterMetricFamily(PREFIX + name, help_text, labels=["account_id", label])
    for row in rows:
        for value, column in columns.items():
            family.add_metric([row["account_id"], value], row[column])
    return family


def _count(name: str, help_text: str, rows: list[dict[str, Any]], column: str, values: tuple[str, ...]) -> Metric:
    """Every value is there, also with nobody: an alert needs the 0 to end on."""
    family = GaugeMetricFamily(PREFIX + name, help_text, labels=[column])
    for value in values:
        family.add_metric([value], sum(row[column] == value for row in rows))
    return family
