"""Builds the adapters of one environment, each when it is first needed and then kept while the environment is warm."""

from __future__ import annotations

import os
import ssl
from concurrent.futures import ThreadPoolExecutor
from functools import cache, cached_property, partial
from typing import TYPE_CHECKING

from mono_pipeline.adapters.account_store import AccountStore
from mono_pipeline.adapters.aws import aws_client
from mono_pipeline.adapters.dead_letter_queue import DeadLetterQueue
from mono_pipeline.adapters.evidence_store import EvidenceStore
from mono_pipeline.adapters.flag_reader import FlagReader
from mono_pipeline.adapters.mono_client import MonoClient
from mono_pipeline.adapters.parameters import ParameterStore, parameter_name
from mono_pipeline.adapters.postgres import Database, DatabaseAddress
from mono_pipeline.adapters.queue import WorkQueue
from mono_pipeline.adapters.rate_budget import RateBudget
from mono_pipeline.adapters.run_store import RunStore
from mono_pipeline.adapters.settings import Settings, load_settings
from mono_pipeline.adapters.telemetry import Telemetry
from mono_pipeline.adapters.transaction_store import TransactionStore
from mono_pipeline.core.account_metrics import AccountMetrics, AccountMetricsMode
from mono_pipeline.core.flag import FLAG_NAME
from mono_pipeline.usecases.collaborators import Collaborators
from mono_pipeline.usecases.patience import Patience

if TYPE_CHECKING:
    from collections.abc import Mapping


class Environment:
    """What one warm Lambda environment shares between invocations."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.parameters = ParameterStore()
        self.observer = Telemetry()
        self.name = environ.get("ENVIRONMENT", "")
        self.flag = FlagReader(
            self.parameters, parameter_name(self.name, FLAG_NAME), alarm=self.observer.flag_out_of_order
        )

    @cached_property
    def settings(self) -> Settings:
        """Every setting, checked at first use."""
        return load_settings(self._environ, self.parameters)

    @cached_property
    def address(self) -> DatabaseAddress:
        """Where PostgreSQL is: over verified TLS, but for the embedded stack's own server."""
        return self._address_as(self.settings.database_user)

    @cached_property
    def owner_address(self) -> DatabaseAddress:
        """The same as the owner of the tables, `DATABASE_OWNER`: who migrates them, and nobody else.

        Without that variable it is the functions' own role.
        """
        return self._address_as(self._environ.get("DATABASE_OWNER") or self.settings.database_user)

    @cached_property
    def database(self) -> Database:
        """The one connection of this environment."""
        return Database(self.address)

    @cached_property
    def collaborators(self) -> Collaborators:
        """Everything a use case talks to."""
        settings = self.settings
        self.observer.accounts = AccountMetrics(
            mode=AccountMetricsMode(settings.account_metrics_mode), chosen=settings.account_metrics_allowlist
        )
        runs = RunStore(self.database, lease_seconds=settings.lease_seconds, overlap_days=settings.mono_overlap_days)
        return Collaborators(
            database=self.database,
            accounts=AccountStore(self.database),
            runs=runs,
            transactions=TransactionStore(self.database, runs),
            evidence=EvidenceStore(self.database),
            budget=RateBudget(self.database, per_minute=settings.mono_rate_limit_per_minute),
            mono=MonoClient(
                base_url=settings.mono_base_url,
                secret_key=settings.mono_secret_key,
                environment=settings.environment,
            ),
            flag=self.flag,
            daily=WorkQueue(settings.queue_url),
            backfill=WorkQueue(settings.backfill_queue_url),
            dead_letters=DeadLetterQueue(settings.dead_letter_queue_url),
            settings=settings,
            observer=self.observer,
            executor=ThreadPoolExecutor(max_workers=settings.pages_in_flight, thread_name_prefix="mono"),
            patience=Patience,
        )

    def _address_as(self, user: str) -> DatabaseAddress:
        settings = self.settings
        return DatabaseAddress(
            host=settings.database_host,
            port=settings.database_port,
            database=settings.database_name,
            user=user,
            password=partial(self._password, user),
            ssl_context=_verifying_context(self._environ) if settings.database_sslmode == "verify-full" else None,
        )

    def _password(self, user: str) -> str:
        settings = self.settings
        if settings.database_password is not None:
            return settings.database_password.reveal()
        # signed on this machine, needed only at connect, and good for 15 minutes
        rds = aws_client("rds", connect_seconds=1, read_seconds=3, attempts=3)
        token = rds.generate_db_auth_token(
            DBHostname=settings.database_host, Port=settings.database_port, DBUsername=user
        )
        return str(token)


@cache
def environment() -> Environment:
    """The environment of this process."""
    return Environment(os.environ)


def _verifying_context(environ: Mapping[str, str]) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=environ.get("DATABASE_CA_FILE") or None)
