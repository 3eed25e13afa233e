"""Per-account truth: read as the role that may read nothing else, and equal to what the runs did."""

from __future__ import annotations

from copy import replace
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from local.sandbox.effects import Status
from local.sandbox.faults import Fault
from monitoring.account_exporter.__main__ import address as address_of
from monitoring.account_exporter.accounts import PREFIX, AccountCollector
from mono_pipeline.adapters.postgres import Database, StatementRefused
from tests.integration.conftest import address, new_pipeline, pipeline, server, template  # noqa: F401 - fixtures

if TYPE_CHECKING:
    from mono_pipeline.adapters.postgres import DatabaseAddress
    from tests.harness import Pipeline

pytestmark = pytest.mark.integration


def scrape(address: DatabaseAddress) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:  # noqa: F811 - the fixture's value
    """What Prometheus would read, through the text format."""
    database = Database(replace(address, user="monitor"))
    registry = CollectorRegistry(auto_describe=False)
    registry.register(AccountCollector(database))
    text = generate_latest(registry).decode()
    database.close()
    return {
        (sample.name.removeprefix(PREFIX), frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def of(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    """A key of `scrape`."""
    return name, frozenset(labels.items())


def test_counters_are_what_the_runs_did(pipeline: Pipeline, address: DatabaseAddress) -> None:  # noqa: F811
    """A good run, another one, and a failed one."""
    account = pipeline.link(transactions=20)
    other = pipeline.link(transactions=5)
    for _ in range(2):
        pipeline.sync(account)
    pipeline.sandbox.inject(Fault(effect=Status(status=422), path="*/transactions", times=None))
    pipeline.sync(account)

    seen = scrape(address)

    assert seen[of("account_runs_total", account_id=account, status="completed")] == 2
    assert seen[of("account_runs_total", account_id=account, status="failed")] == 1
    assert seen[of("account_rows_total", account_id=account, change="inserted")] == 20
    assert seen[of("account_runs_total", account_id=other, status="completed")] == 0
    assert seen[of("account_verdict", account_id=account, verdict="verified")] == 1
    assert seen[of("accounts", link_status="linked")] == 2
    assert seen[of("accounts", link_status="refused")] == 0
    assert seen[of("accounts_by_verdict", verdict="mismatch")] == 0
    assert seen[of("account_last_success_seconds", account_id=account)] == pytest.approx(
        float(pipeline.rows("SELECT extract(epoch FROM max(last_success_at))::float AS at FROM bank_accounts")[0]["at"])
    )
    assert of("account_last_success_seconds", account_id=other) not in seen


def test_an_account_that_is_not_linked_is_not_stale(pipeline: Pipeline, address: DatabaseAddress) -> None:  # noqa: F811
    """Nobody waits for it."""
    account = pipeline.link(transactions=5)
    pipeline.sync(account)
    pipeline.rows("UPDATE bank_accounts SET link_status = 'unlinked' RETURNING id")

    assert of("account_last_success_seconds", account_id=account) not in scrape(address)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT FROM bank_transactions",
        "SELECT FROM bank_accounts",
        "SELECT FROM account_counters",
        "CREATE TABLE mine ()",
    ],
)
def test_the_role_can_read_nothing_else(pipeline: Pipeline, address: DatabaseAddress, statement: str) -> None:  # noqa: F811
    """No transaction, no balance, no account number."""
    del pipeline
    database = Database(replace(address, user="monitor"))
    with pytest.raises(StatementRefused, match="42501"):
        database.rows(statement)
    database.close()


def test_the_password_is_never_in_the_url() -> None:
    """It would be in the list of processes. Anything but loopback is TLS, verified."""
    with pytest.raises(ValueError, match="DATABASE_PASSWORD"):
        address_of("postgresql://monitor:secret@db/mono_pipeline", {})
    remote = address_of("postgresql://monitor@db.example:5433/mono_pipeline", {"DATABASE_PASSWORD": "secret"})
    assert (remote.port, remote.ssl_context is not None, remote.password is not None) == (5433, True, True)
    assert remote.ssl_context is not None
    assert remote.ssl_context.check_hostname


def test_a_token_of_iam_is_made_at_each_connect(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is good for 15 minutes, and a connection that was lost is made again long after."""
    for name, value in (("ACCESS_KEY_ID", "a"), ("SECRET_ACCESS_KEY", "b"), ("EC2_METADATA_DISABLED", "true")):
        monkeypatch.setenv(f"AWS_{name}", value)
    url = "postgresql://monitor@db.example/mono_pipeline"
    remote = address_of(url, {"AWS_REGION": "eu-west-1"}, iam=True)
    assert remote.password is not None
    token = remote.password()
    assert token.startswith("db.example:5432/?Action=connect&DBUser=monitor&")
    assert "eu-west-1%2Frds-db" in token
    assert remote.ssl_context is not None
