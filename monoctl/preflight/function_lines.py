"""What the functions themselves see: their settings, the flag, Mono, the database and its schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mono_pipeline.core.errors import ConfigurationError
from monoctl.errors import OpsRefused
from monoctl.preflight.line import Found, failed, passed

if TYPE_CHECKING:
    from monoctl.preflight.grounds import Grounds

_DEPLOY = "deploy template.yaml with"


def settings(grounds: Grounds) -> Found:
    """Every setting of the functions is of its form: they load them all or none."""
    try:
        told = grounds.ops.ask("preflight.settings")
    except OpsRefused as refused:
        if refused.code != ConfigurationError.__name__:
            raise
        return failed(str(refused), "the sentence says what to set; then deploy or wait for new environments")
    if told["environment"] != grounds.environment:
        return failed(f"the functions run as {told['environment']}", f"{_DEPLOY} Environment={grounds.environment}")
    return passed(f"all of their form; Mono at {told['mono_base_url']}")


def app_id(grounds: Grounds) -> Found:
    """`MONO_APP_ID`: without it webhooks of any app are taken."""
    told = grounds.ops.ask("preflight.settings")["mono_app_id"]
    if not told:
        return failed("is not set: webhooks of other apps are not told apart", f"{_DEPLOY} MonoAppId=<your app's id>")
    return passed(str(told))


def flag(grounds: Grounds) -> Found:
    """The flag can be read, and what it says."""
    told = grounds.ops.ask("preflight.flag")
    if told["problem"]:
        fix = f"monoctl --env {grounds.environment} flag set --raw false"
        return failed(f"{told['problem']}: {told['detail']}", fix)
    on = "off for everyone" if told["off_for_everyone"] else "on for some"
    return passed(f"version {told['version']}, {on}: {told['rule']}")


def mono(grounds: Grounds) -> Found:
    """Mono serves us with the key."""
    told = grounds.ops.ask("preflight.mono")
    if not told["reached"]:
        fix = (
            "MonoRefused: the key (secrets set MONO_SECRET_KEY) or the wallet; else Mono's status page and the way out"
        )
        return failed(told["problem"], fix)
    return passed(f"answers; {told['accounts']:,} accounts in its list")


def database(grounds: Grounds) -> Found:
    """PostgreSQL answers over TLS that was verified; on this machine plain text is right."""
    told = grounds.ops.ask("preflight.database")
    who = f"PostgreSQL {told['server']} as {told['role']}"
    if told["sslmode"] == "verify-full" and (told["tls"] or not grounds.is_local):
        # without TLS that was verified there is no connection; behind a proxy PostgreSQL sees the proxy's own
        return passed(f"{who}, verify-full{', ' + told['tls_version'] if told['tls'] else ''}")
    if grounds.is_local:
        return passed(f"{who}, plain text (sslmode disable: loopback only)")
    return failed(f"{who}, sslmode {told['sslmode']}", f"{_DEPLOY} DatabaseSslMode=verify-full")


def migrations(grounds: Grounds) -> Found:
    """The schema is what the deployed code brings."""
    pending = grounds.ops.ask("migrations.pending")["pending"]
    if pending:
        fix = f'invoke mono-pipeline-{grounds.environment}-ops with {{"action": "migrate"}}'
        return failed(f"{len(pending)} pending, first {pending[0]}", fix)
    return passed("at head")
