"""Every setting of the sync and ops functions, checked once, when a function starts.

Settings come from the function's environment (template.yaml). Those in `OVERRIDABLE` may also be set, without a
deployment, by the SSM parameter `/mono-pipeline/{env}/NAME`, which goes before the environment. Secrets come from
SecureString parameters alone, and from the environment only when ENVIRONMENT=local. One `get_parameters` call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from mono_pipeline.adapters.setting_source import SettingSource, WholeNumber, fetch_settings
from mono_pipeline.core.account_metrics import MAX_CHOSEN, AccountMetricsMode
from mono_pipeline.core.errors import InvalidInput
from mono_pipeline.core.identity import parse_account_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mono_pipeline.adapters.parameters import ReadsParameters
    from mono_pipeline.core.secret import Secret

DEFAULT_MONO_BASE_URL: Final = "https://api.withmono.com"
ACCOUNT_METRICS_MODES: Final = tuple(AccountMetricsMode)

SECRETS: Final = ("MONO_SECRET_KEY", "DATABASE_PASSWORD")
# With the secrets these are ten names, which is what one GetParameters call takes.
OVERRIDABLE: Final = (
    "MONO_BASE_URL",
    "MONO_APP_ID",
    "MONO_OVERLAP_DAYS",
    "MONO_RATE_LIMIT_PER_MINUTE",
    "SYNC_INTERVAL_HOURS",
    "DEEP_READ_DAYS",
    "REMOVAL_EVIDENCE_HOURS",
    "ACCOUNT_METRICS_MODE",
)

WHOLE_NUMBERS: Final = (
    WholeNumber(name="MONO_PAGE_LIMIT", default=100, low=1, high=1_000, unit="rows a page"),
    WholeNumber(name="MONO_OVERLAP_DAYS", default=7, low=1, high=90, unit="days"),
    WholeNumber(name="MONO_RATE_LIMIT_PER_MINUTE", default=600, low=1, high=100_000, unit="requests a minute"),
    WholeNumber(name="SYNC_INTERVAL_HOURS", default=12, low=1, high=168, unit="hours"),
    WholeNumber(name="DEEP_READ_DAYS", default=7, low=1, high=365, unit="days"),
    WholeNumber(name="REMOVAL_EVIDENCE_HOURS", default=24, low=1, high=720, unit="hours"),
    WholeNumber(name="FRESHNESS_SLO_HOURS", default=26, low=1, high=8_784, unit="hours"),
    # Nobody has said how much may be spent: nothing.
    WholeNumber(name="REALTIME_MONTHLY_CAP_NGN", default=0, low=0, high=100_000_000, unit="NGN a month"),
    # As long as a tick takes to come. 0 is no interval: every event of an account may start a run.
    WholeNumber(name="WEBHOOK_INTERVAL_SECONDS", default=300, low=0, high=3_600, unit="seconds"),
    # Between two backfills of an account. 0 is no interval, and any number of them may wait.
    WholeNumber(name="BACKFILL_INTERVAL_SECONDS", default=5, low=0, high=600, unit="seconds"),
    WholeNumber(name="LEASE_SECONDS", default=90, low=5, high=900, unit="seconds"),
    WholeNumber(name="FLUSH_ROWS", default=1_000, low=1, high=10_000, unit="rows"),
    WholeNumber(name="PAGES_IN_FLIGHT", default=4, low=1, high=16, unit="requests at once"),
    WholeNumber(name="DATABASE_PORT", default=5432, low=1, high=65_535, unit="TCP port numbers"),
)


class Settings(Struct, frozen=True, kw_only=True):
    """Each field is the setting of the same name in capitals; units as in `WHOLE_NUMBERS`.

    `database_password` None means a token of AWS IAM at each connect; `mono_app_id` None means that the app in
    webhooks is not checked.
    """

    environment: str
    mono_base_url: str
    mono_secret_key: Secret
    mono_app_id: str | None
    mono_page_limit: int
    mono_overlap_days: int
    mono_rate_limit_per_minute: int
    sync_interval_hours: int
    deep_read_days: int
    removal_evidence_hours: int
    freshness_slo_hours: int
    realtime_monthly_cap_ngn: int
    lease_seconds: int
    flush_rows: int
    pages_in_flight: int
    account_metrics_mode: str
    database_host: str
    database_port: int
    database_name: str
    database_user: str
    database_sslmode: str
    database_password: Secret | None
    queue_url: str
    backfill_queue_url: str
    dead_letter_queue_url: str
    account_metrics_allowlist: frozenset[str] = frozenset()
    webhook_interval_seconds: int = 300
    backfill_interval_seconds: int = 5

    @property
    def is_local(self) -> bool:
        """Whether this is the embedded stack of one machine."""
        return self.environment == "local"


def load_settings(environ: Mapping[str, str], parameters: ReadsParameters) -> Settings:
    """Return every setting, checked.

    Raises ConfigurationError for the first one that is missing or wrong, naming it and how to put it right;
    ParametersUnavailable where SSM does not answer.
    """
    source = fetch_settings(environ, parameters, (*OVERRIDABLE, *SECRETS))
    return Settings(
        environment=source.environment,
        mono_base_url=source.base_url("MONO_BASE_URL", DEFAULT_MONO_BASE_URL),
        mono_secret_key=source.secret("MONO_SECRET_KEY"),
        mono_app_id=source.text("MONO_APP_ID", "") or None,
        account_metrics_mode=source.one_of("ACCOUNT_METRICS_MODE", ACCOUNT_METRICS_MODES, "all"),
        account_metrics_allowlist=_chosen_accounts(source),
        database_host=source.text("DATABASE_HOST"),
        database_name=source.text("DATABASE_NAME"),
        database_user=source.text("DATABASE_USER"),
        database_sslmode=_sslmode(source),
        database_password=source.optional_secret("DATABASE_PASSWORD"),
        queue_url=source.text("QUEUE_URL"),
        backfill_queue_url=source.text("BACKFILL_QUEUE_URL"),
        dead_letter_queue_url=source.text("DEAD_LETTER_QUEUE_URL"),
        **{number.name.lower(): source.whole(number) for number in WHOLE_NUMBERS},
    )


def _chosen_accounts(source: SettingSource) -> frozenset[str]:
    """The accounts of mode `allowlist`: Mono ids, with commas or spaces between them."""
    name = "ACCOUNT_METRICS_ALLOWLIST"
    chosen = source.text(name, "").replace(",", " ").split()
    if len(chosen) > MAX_CHOSEN:
        raise source.wrong(name, f"has {len(chosen)} accounts", f"use at most {MAX_CHOSEN}: each is paid for")
    try:
        return frozenset(map(parse_account_id, chosen))
    except InvalidInput as error:
        raise source.wrong(name, "holds what is no account id", "use ids of 24 hexadecimal digits") from error


def _sslmode(source: SettingSource) -> str:
    mode = source.one_of("DATABASE_SSLMODE", ("verify-full", "disable"), "verify-full")
    if mode == "disable" and not source.is_local:
        raise source.wrong("DATABASE_SSLMODE", "is 'disable'", "use verify-full: plain text is for ENVIRONMENT=local")
    return mode
