"""What an embedded stack is made of: ports, Mono, and the settings that the environment of `make up` may give."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlsplit

from local.ports import LOOPBACK, free_port

if TYPE_CHECKING:
    from collections.abc import Mapping

STATE: Final = Path(__file__).resolve().parent.parent / ".local"
HTTP_PORT: Final = 3000
# Below what Linux gives to any connection that asks for no port in particular: one of those may be held at any time.
POSTGRES_PORT: Final = 15_432
SECRETS: Final = ("MONO_SECRET_KEY", "MONO_WEBHOOK_SECRET", "MONO_WEBHOOK_SECRET_PREVIOUS", "DATABASE_PASSWORD")
# Function variables that are parameters of the template and may be given; a test holds the list equal to the template.
VARIABLES: Final = (
    "DATABASE_NAME",
    "DATABASE_USER",
    "MONO_APP_ID",
    "MONO_PAGE_LIMIT",
    "MONO_OVERLAP_DAYS",
    "MONO_RATE_LIMIT_PER_MINUTE",
    "SYNC_INTERVAL_HOURS",
    "DEEP_READ_DAYS",
    "REMOVAL_EVIDENCE_HOURS",
    "FRESHNESS_SLO_HOURS",
    "REALTIME_MONTHLY_CAP_NGN",
    "WEBHOOK_INTERVAL_SECONDS",
    "BACKFILL_INTERVAL_SECONDS",
    "LEASE_SECONDS",
    "ACCOUNT_METRICS_MODE",
    "ACCOUNT_METRICS_ALLOWLIST",
)
# Those that the stack decides itself.
OWN_VARIABLES: Final = (
    "ENVIRONMENT",
    "DATABASE_HOST",
    "DATABASE_PORT",
    "DATABASE_SSLMODE",
    "DATABASE_CA_FILE",
    "MONO_BASE_URL",
)
_SANDBOX_VARIABLES: Final = {
    "seed": "SANDBOX_SEED",
    "accounts": "SANDBOX_ACCOUNTS",
    "transactions": "SANDBOX_TRANSACTIONS",
    "replay": "SANDBOX_REPLAY",
}
# Made-up values of the sandbox; against another Mono, its key must be given.
SANDBOX_KEY: Final = "test_sk_embedded_stack_0000"
WEBHOOK_SECRET: Final = "embedded-stack-webhook-secret-0123456789"  # noqa: S105 - not a secret: loopback only
SANDBOX_APP: Final = "60cc8f95ba1772018c5c8df1"
_HIGHEST_PORT: Final = 65_535
_LOOPBACK_NAMES: Final = (LOOPBACK, "localhost")


class Refused(Exception):
    """The stack cannot be started as asked; the message says what to change."""


@dataclass(frozen=True, kw_only=True)
class Ports:
    """Loopback TCP ports."""

    http: int
    postgres: int
    aws: int
    sandbox: int

    @classmethod
    def free(cls) -> Self:
        """Four that nobody uses now, for stacks that run beside each other."""
        return cls(http=free_port(), postgres=free_port(), aws=free_port(), sandbox=free_port())


@dataclass(frozen=True, kw_only=True)
class StackSettings:
    """One stack.

    Attributes:
        state_dir: where its data, logs and `stack.json` are.
        ports: where it listens.
        mono_base_url: another Mono; None starts the sandbox.
        secrets: settings that go to SSM as SecureStrings, by name.
        variables: of the functions (`VARIABLES`), where they differ from the template's defaults.
        tick_seconds: between two ticks of every schedule; None: as the template says.
        visibility_seconds: of the work queues; None: as the template says.
        concurrency: execution environments per function at most.
        sandbox: options of `python -m local.sandbox` (`accounts`, `transactions`, `seed`, `replay`, ...).
        monitoring: also start the monitoring chain, where its programs are installed.
        postgres: server settings by name.
        platform: what the functions' processes find in their environment beside the template's variables: AWS's own
            names, such as a service's endpoint, and `MONOTONIC_AHEAD_FILE` (`local/runtime_boot.py`).
    """

    state_dir: Path
    ports: Ports
    mono_base_url: str | None = None
    secrets: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    tick_seconds: float | None = None
    visibility_seconds: int | None = None
    concurrency: int = 4
    sandbox: Mapping[str, str] = field(default_factory=dict)
    monitoring: bool = False
    postgres: Mapping[str, str] = field(default_factory=dict)
    platform: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], *, state_dir: Path = STATE) -> Self:
        """The stack of `make up`: every setting of the product may be given in the environment.

        Raises:
            Refused: a setting asks for something that is not embedded.
        """
        _refuse_what_is_not_embedded(environ)
        other_mono = environ.get("MONO_BASE_URL")
        if other_mono and not environ.get("MONO_SECRET_KEY"):
            raise Refused("MONO_BASE_URL points at another Mono: give its MONO_SECRET_KEY too")
        return cls(
            state_dir=state_dir,
            ports=Ports(
                http=_port(environ, "STACK_HTTP_PORT", HTTP_PORT),
                postgres=_port(environ, "DATABASE_PORT", POSTGRES_PORT),
                aws=_port_of_url(environ.get("AWS_ENDPOINT_URL"), default=4566),
                sandbox=_port(environ, "STACK_SANDBOX_PORT", 3010),
            ),
            mono_base_url=other_mono or None,
            secrets={name: environ[name] for name in SECRETS if environ.get(name)},
            variables={name: environ[name] for name in VARIABLES if environ.get(name)},
            tick_seconds=_tick_seconds(environ),
            monitoring=True,
            sandbox={name: environ[variable] for name, variable in _SANDBOX_VARIABLES.items() if environ.get(variable)},
        )

    @property
    def logs(self) -> Path:
        """The folder of the logs, one file per process and function."""
        return self.state_dir / "logs"

    @property
    def record(self) -> Path:
        """The file that says where the stack answers."""
        return self.state_dir / "stack.json"

    def all_secrets(self) -> dict[str, str]:
        """The secrets with what the sandbox needs where nothing was given."""
        made_up = {"MONO_SECRET_KEY": SANDBOX_KEY, "MONO_WEBHOOK_SECRET": WEBHOOK_SECRET, "DATABASE_PASSWORD": "local"}
        return {**made_up, **self.secrets}

    def to_json(self) -> str:
        """For the supervisor's process."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What `to_json` wrote."""
        fields: dict[str, Any] = json.loads(text)
        return cls(**{**fields, "state_dir": Path(fields["state_dir"]), "ports": Ports(**fields["ports"])})


def _refuse_what_is_not_embedded(environ: Mapping[str, str]) -> None:
    if environ.get("ENVIRONMENT", "local") != "local":
        raise Refused(f"ENVIRONMENT={environ['ENVIRONMENT']}: the embedded stack is always local; unset it")
    if environ.get("DATABASE_HOST", LOOPBACK) not in _LOOPBACK_NAMES:
        raise Refused("DATABASE_HOST names another server: the embedded stack brings its own PostgreSQL; unset it")
    if environ.get("DATABASE_SSLMODE", "disable") != "disable":
        raise Refused("DATABASE_SSLMODE: the embedded PostgreSQL speaks plain text on loopback; unset it")


def _port(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name) or str(default)
    if not (text.isdigit() and 0 < int(text) <= _HIGHEST_PORT):
        raise Refused(f"{name}={text}: give a TCP port")
    return int(text)


def _port_of_url(url: str | None, *, default: int) -> int:
    if not url:
        return default
    parts = urlsplit(url)
    if parts.hostname not in _LOOPBACK_NAMES or parts.port is None:
        raise Refused(f"AWS_ENDPOINT_URL={url}: the embedded stack brings its own; unset it or give a loopback port")
    return parts.port


def _tick_seconds(environ: Mapping[str, str]) -> float | None:
    text = environ.get("STACK_TICK_SECONDS")
    if text and not text.isdigit():
        raise Refused(f"STACK_TICK_SECONDS={text}: give whole seconds")
    return float(text) if text else None
