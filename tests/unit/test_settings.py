"""Settings: where each comes from, what is refused and with which advice, and that secrets stay hidden."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import asdict

import mono_pipeline
from mono_pipeline.adapters.parameters import Parameter
from mono_pipeline.adapters.settings import OVERRIDABLE, SECRETS, WHOLE_NUMBERS, Settings, load_settings
from mono_pipeline.adapters.webhook_settings import load_webhook_settings
from mono_pipeline.core.errors import ConfigurationError, ParametersUnavailable
from mono_pipeline.core.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterable

ENVIRON = {
    "ENVIRONMENT": "prod",
    "DATABASE_HOST": "db.internal",
    "DATABASE_NAME": "mono",
    "DATABASE_USER": "sync",
    "QUEUE_URL": "https://sqs/daily",
    "BACKFILL_QUEUE_URL": "https://sqs/backfill",
    "DEAD_LETTER_QUEUE_URL": "https://sqs/dead",
}
KEY = "live_sk_0123456789"
LONG = "0123456789abcdef0123456789abcdef"


class Ssm:
    """SSM with the given values under one environment; a name in `clear` is a plain String."""

    def __init__(self, environment: str = "prod", clear: Iterable[str] = (), **values: str) -> None:
        self.asked: list[list[str]] = []
        self._found = {
            f"/mono-pipeline/{environment}/{name}": Parameter(
                name=f"/mono-pipeline/{environment}/{name}",
                value=value,
                version=1,
                kind="SecureString" if name not in clear and ("SECRET" in name or "PASSWORD" in name) else "String",
            )
            for name, value in values.items()
        }

    def get_many(self, names: Iterable[str]) -> dict[str, Parameter]:
        """Answer as SSM would."""
        self.asked.append(list(names))
        return {name: self._found[name] for name in self.asked[-1] if name in self._found}


def load(environ: dict[str, str] | None = None, *, without: str = "", **parameters: str) -> Settings:
    """Load for prod with a key in SSM, the environment changed by `environ`."""
    merged = {**ENVIRON, **(environ or {})}
    merged.pop(without, None)
    return load_settings(merged, Ssm(merged.get("ENVIRONMENT", ""), **{"MONO_SECRET_KEY": KEY, **parameters}))


def local(**environ: str) -> Settings:
    """Load for the embedded stack, with everything in the environment."""
    return load_settings({**ENVIRON, "ENVIRONMENT": "local", "MONO_SECRET_KEY": "test_sk_1", **environ}, Ssm("local"))


def test_the_defaults_are_those_of_the_design() -> None:
    """Nothing but the environment's own addresses and the key has to be set."""
    settings = load()

    assert settings.mono_base_url == "https://api.withmono.com"
    assert {number.name: getattr(settings, number.name.lower()) for number in WHOLE_NUMBERS} == {
        "MONO_PAGE_LIMIT": 100,
        "MONO_OVERLAP_DAYS": 7,
        "MONO_RATE_LIMIT_PER_MINUTE": 600,
        "SYNC_INTERVAL_HOURS": 12,
        "DEEP_READ_DAYS": 7,
        "REMOVAL_EVIDENCE_HOURS": 24,
        "FRESHNESS_SLO_HOURS": 26,
        "REALTIME_MONTHLY_CAP_NGN": 0,
        "WEBHOOK_INTERVAL_SECONDS": 300,
        "BACKFILL_INTERVAL_SECONDS": 5,
        "LEASE_SECONDS": 90,
        "FLUSH_ROWS": 1000,
        "PAGES_IN_FLIGHT": 4,
        "DATABASE_PORT": 5432,
    }
    assert (settings.account_metrics_mode, settings.database_sslmode) == ("all", "verify-full")
    assert (settings.database_password, settings.mono_app_id) == (None, None)
    assert settings.mono_secret_key.reveal() == KEY


def test_ssm_is_asked_once_for_at_most_ten_names() -> None:
    """One GetParameters call takes ten: a cold start waits for one answer."""
    ssm = Ssm(MONO_SECRET_KEY=KEY)
    load_settings(ENVIRON, ssm)

    assert ssm.asked == [[f"/mono-pipeline/prod/{name}" for name in (*OVERRIDABLE, *SECRETS)]]
    assert len(ssm.asked[0]) <= 10


def test_a_parameter_goes_before_the_environment_for_those_in_the_list() -> None:
    """An operator slows the whole fleet down without a deployment."""
    settings = load(
        {"MONO_RATE_LIMIT_PER_MINUTE": "600", "SYNC_INTERVAL_HOURS": "6"}, MONO_RATE_LIMIT_PER_MINUTE=" 60\n"
    )

    assert (settings.mono_rate_limit_per_minute, settings.sync_interval_hours) == (60, 6)


def test_a_setting_outside_the_list_comes_from_the_environment_alone() -> None:
    """What the template ties to a function's size is not changed behind its back."""
    assert "LEASE_SECONDS" not in OVERRIDABLE
    assert load({"LEASE_SECONDS": "120"}, LEASE_SECONDS="10").lease_seconds == 120


@pytest.mark.parametrize("number", WHOLE_NUMBERS, ids=lambda number: number.name)
def test_a_number_is_taken_within_its_bounds_and_refused_with_them(number: object) -> None:
    """The message names the setting, what it is and what it may be."""
    name, low, high = (getattr(number, part) for part in ("name", "low", "high"))
    for good in (low, high):
        assert getattr(load({name: str(good)}), name.lower()) == good
    for bad in (str(low - 1), str(high + 1), "x", "1.5", "1_0", "-1", "+1", "\u0661", "9" * 5000):
        with pytest.raises(ConfigurationError, match=rf"^{name}: .* from {low} to {high}$"):
            load({name: bad})


@pytest.mark.parametrize(
    "name",
    ["DATABASE_HOST", "DATABASE_NAME", "DATABASE_USER", "QUEUE_URL", "BACKFILL_QUEUE_URL", "DEAD_LETTER_QUEUE_URL"],
)
def test_what_must_be_set_is_named_when_it_is_not(name: str) -> None:
    """Not there and blank are the same."""
    for environ in ({name: ""}, {name: "  "}):
        with pytest.raises(ConfigurationError, match=rf"^{name}: is not set; set it in"):
            load(environ)
    with pytest.raises(ConfigurationError, match=rf"^{name}: is not set"):
        load(without=name)


@pytest.mark.parametrize("environment", ["", "production", "Local", "prod "])
def test_the_environment_must_be_one_that_exists(environment: str) -> None:
    """It decides where secrets may come from, so it is never guessed."""
    with pytest.raises(ConfigurationError, match=r"^ENVIRONMENT: .*local, dev, staging, prod"):
        load({"ENVIRONMENT": environment})


def test_accounts_with_metrics_of_their_own_are_few_and_well_formed() -> None:
    """Each is paid for, and a mistyped one would be silently without."""
    one, two = "64779d900000000000ab0001", "64779d900000000000ab0002"
    assert load({}).account_metrics_allowlist == frozenset()
    assert load({"ACCOUNT_METRICS_ALLOWLIST": f"{one}, {two}"}).account_metrics_allowlist == {one, two}
    with pytest.raises(ConfigurationError, match=r"^ACCOUNT_METRICS_ALLOWLIST: holds what is no account id"):
        load({"ACCOUNT_METRICS_ALLOWLIST": f"{one},{two[:-1]}"})
    with pytest.raises(ConfigurationError, match=r"^ACCOUNT_METRICS_ALLOWLIST: has 51 accounts"):
        load({"ACCOUNT_METRICS_ALLOWLIST": " ".join(f"{number:024x}" for number in range(51))})


def test_a_word_out_of_a_list_must_be_in_the_list() -> None:
    """Neither a cost surprise nor plain text by a typo."""
    assert load({"ACCOUNT_METRICS_MODE": "off"}).account_metrics_mode == "off"
    with pytest.raises(ConfigurationError, match=r"^ACCOUNT_METRICS_MODE: is 'none'; use one of all, failing"):
        load({"ACCOUNT_METRICS_MODE": "none"})
    with pytest.raises(ConfigurationError, match=r"^DATABASE_SSLMODE"):
        load({"DATABASE_SSLMODE": "require"})


def test_a_database_in_plain_text_is_for_the_local_stack_alone() -> None:
    """Bank data travels over verified TLS."""
    assert local(DATABASE_SSLMODE="disable").database_sslmode == "disable"
    with pytest.raises(ConfigurationError, match=r"^DATABASE_SSLMODE: is 'disable'"):
        load({"DATABASE_SSLMODE": "disable"})


@pytest.mark.parametrize(
    "url",
    [
        "http://api.withmono.com",
        "http://127.0.0.1:9000",
        "https://127.0.0.1",
        "https://localhost",
        "https://LOCALHOST.:8443",
        "https://mono.localhost",
        "https://[::1]",
        "https://[::ffff:127.0.0.1]",
        "https://0.0.0.0",
        "https://127.1",
        "https://2130706433",
        "https://169.254.169.254",
    ],
)
def test_http_and_this_machine_are_no_place_to_send_the_key_to_outside_local(url: str) -> None:
    """From the environment and from SSM alike; locally the sandbox is just that."""
    for environ, parameters in (({"MONO_BASE_URL": url}, {}), ({}, {"MONO_BASE_URL": url})):
        with pytest.raises(ConfigurationError, match=r"^MONO_BASE_URL: .* only when ENVIRONMENT=local"):
            load(environ, **parameters)
    assert local(MONO_BASE_URL=url).mono_base_url == url


@pytest.mark.parametrize(
    "url",
    [
        "api.withmono.com",
        "ftp://x",
        "https://",
        "https://u:p@api.withmono.com",
        "https://x?y=1",
        "https://x#y",
        "https://x:port",
        "https://[",
        "https://x y",
        "javascript:alert(1)",
    ],
)
def test_what_is_no_plain_base_url_is_refused_everywhere(url: str) -> None:
    """Every URL is built from it, so it holds a host, perhaps a path, and nothing else."""
    with pytest.raises(ConfigurationError, match=r"^MONO_BASE_URL: is no"):
        load({"MONO_BASE_URL": url})
    with pytest.raises(ConfigurationError, match=r"^MONO_BASE_URL: is no"):
        local(MONO_BASE_URL=url)


def test_a_slash_at_the_end_of_the_base_url_is_taken_off() -> None:
    """So that a path can be put behind it."""
    assert load({"MONO_BASE_URL": "https://api.withmono.com/"}).mono_base_url == "https://api.withmono.com"


def test_a_missing_secret_is_named_with_the_command_that_writes_it() -> None:
    """The operator's next step is in the message."""
    with pytest.raises(
        ConfigurationError, match=r"^MONO_SECRET_KEY: is not set; .*monoctl --env prod secrets set MONO_SECRET_KEY"
    ):
        load_settings(ENVIRON, Ssm())


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_in_the_environment_is_refused_outside_local(name: str) -> None:
    """A function's environment is read by everyone who may list functions."""
    with pytest.raises(ConfigurationError, match=rf"^{name}: is in the function's environment"):
        load({name: KEY})


def test_locally_a_secret_may_come_from_the_environment_and_ssm_goes_before_it() -> None:
    """One machine, one engineer; `monoctl secrets set` still has the last word."""
    environ = {**ENVIRON, "ENVIRONMENT": "local", "MONO_SECRET_KEY": "test_sk_1", "DATABASE_PASSWORD": "pw"}

    settings = load_settings(environ, Ssm("local", MONO_SECRET_KEY="test_sk_2"))

    assert settings.mono_secret_key.reveal() == "test_sk_2"
    assert settings.database_password is not None
    assert settings.database_password.reveal() == "pw"


def test_a_secret_stored_in_clear_is_refused() -> None:
    """A String parameter shows in the console and in its history."""
    with pytest.raises(ConfigurationError, match=r"^MONO_SECRET_KEY: is stored in clear"):
        load_settings(ENVIRON, Ssm(clear=["MONO_SECRET_KEY"], MONO_SECRET_KEY=KEY))


@pytest.mark.parametrize("bad", ["", " ", f"{KEY}\n", f" {KEY}", "live sk", "clé", "please-CHANGEME-now"])
def test_a_bad_secret_is_refused_without_being_shown(bad: str) -> None:
    """L13: empty, white space, a newline from `echo`, a placeholder."""
    with pytest.raises(ConfigurationError, match=r"^MONO_SECRET_KEY: .*secrets set MONO_SECRET_KEY") as refused:
        load_settings(ENVIRON, Ssm(MONO_SECRET_KEY=bad))

    shown = "".join(traceback.format_exception(refused.value))
    assert not bad.strip() or bad.strip() not in shown


def test_ssm_down_is_parameters_unavailable_not_a_default() -> None:
    """Starting with the environment alone would undo an operator's override."""

    class Down:
        """SSM that does not answer."""

        def get_many(self, names: Iterable[str]) -> dict[str, Parameter]:
            """Fail."""
            raise ParametersUnavailable(f"SSM GetParameters {next(iter(names))}: ReadTimeoutError")

    with pytest.raises(ParametersUnavailable):
        load_settings(ENVIRON, Down())


def test_a_secret_is_seen_by_reveal_alone() -> None:
    """Not by repr, format, asdict, a copy's repr or pickle."""
    settings = load(DATABASE_PASSWORD="db-password-1")

    shown = f"{settings} {settings!r} {asdict(settings)} {copy.deepcopy(settings)} {settings.mono_secret_key:}"
    assert KEY not in shown
    assert "db-password-1" not in shown
    assert "Secret(hidden)" in shown
    with pytest.raises(TypeError):
        pickle.dumps(Secret("x"))


WEBHOOK = {"ENVIRONMENT": "prod", "QUEUE_URL": "https://sqs/daily"}


def test_the_webhook_loads_its_own_settings_alone() -> None:
    """It has no right to the Mono key or the database, and asks for neither."""
    ssm = Ssm(MONO_WEBHOOK_SECRET=LONG, MONO_WEBHOOK_SECRET_PREVIOUS=LONG[::-1], MONO_APP_ID="app")

    settings = load_webhook_settings(WEBHOOK, ssm)

    assert settings.mono_webhook_secret.reveal() == LONG
    assert settings.mono_webhook_secret_previous is not None
    assert settings.mono_webhook_secret_previous.reveal() == LONG[::-1]
    assert (settings.mono_app_id, settings.queue_url, settings.environment) == ("app", "https://sqs/daily", "prod")
    assert ssm.asked == [
        [
            f"/mono-pipeline/prod/{name}"
            for name in ("MONO_WEBHOOK_SECRET", "MONO_WEBHOOK_SECRET_PREVIOUS", "MONO_APP_ID")
        ]
    ]


def test_without_a_rotation_there_is_no_previous_secret() -> None:
    """None is not an empty secret that an empty header would match."""
    assert load_webhook_settings(WEBHOOK, Ssm(MONO_WEBHOOK_SECRET=LONG)).mono_webhook_secret_previous is None


@pytest.mark.parametrize("name", ["MONO_WEBHOOK_SECRET", "MONO_WEBHOOK_SECRET_PREVIOUS"])
def test_a_short_or_empty_webhook_secret_is_refused(name: str) -> None:
    """W5: both secrets open the door, so both have the length."""
    for bad in ("", LONG[:31]):
        with pytest.raises(ConfigurationError, match=rf"^{name}: "):
            load_webhook_settings(WEBHOOK, Ssm(**{"MONO_WEBHOOK_SECRET": LONG, name: bad}))


def test_a_webhook_without_a_secret_does_not_start() -> None:
    """A missing secret is never "accept"."""
    with pytest.raises(ConfigurationError, match=r"^MONO_WEBHOOK_SECRET: is not set"):
        load_webhook_settings(WEBHOOK, Ssm())


@pytest.mark.parametrize("module", ["settings", "webhook_settings", "flag_reader"])
def test_loading_settings_imports_neither_pydantic_nor_httpx_nor_pg8000(module: str) -> None:
    """The webhook function's cold start pays for none of them."""
    program = (
        f"import sys, mono_pipeline.adapters.{module}; "
        "print(sorted({'pydantic', 'httpx', 'pg8000', 'aws_lambda_powertools'} & set(sys.modules)))"
    )
    layer = str(Path(mono_pipeline.__file__).parents[1])

    run = subprocess.run(  # noqa: S603 - our own interpreter and program
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": layer},
    )

    assert run.stdout == "[]\n"
