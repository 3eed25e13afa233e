"""What a deferred caller is told: what the flag is, where it is set, how to turn it on for this account."""

from __future__ import annotations

from msgspec import Struct

from mono_pipeline.core.flag.decision import Decision, FlagProblem, Reason
from mono_pipeline.core.flag.rule import FLAG_NAME, check_account_id

_MEANWHILE = (
    "Nothing is lost: no new sync starts, a running one stops at its next flush, webhooks are still recorded, "
    "and once the flag is on the sync goes on from the account's watermark. A change takes effect within 15 seconds."
)

_EXPLANATIONS = {
    Reason.OFF: "The flag's kill switch is off: no account is synced.",
    Reason.DENY: "The flag's deny list holds this account.",
    Reason.ROLLOUT: "The flag is on for some accounts: this one is neither allowed nor within the percentage.",
    Reason.ERROR: "The flag cannot be read, and what cannot be read is off",
    Reason.STALE: "SSM does not answer; by the flag's last good value this account is off.",
}


class Guidance(Struct, frozen=True, kw_only=True):
    """The `guidance` of a deferred answer, for people and for programs.

    Attributes:
        flag: the flag's name.
        parameter: the SSM parameter that holds it.
        reason: the deciding step (see `Reason`).
        explanation: the reason in one sentence.
        enable: shell commands; the first is monoctl's, a later one does the same with AWS's own command line (and jq).
        meanwhile: what becomes of this account until then.
    """

    flag: str
    parameter: str
    reason: str
    explanation: str
    enable: tuple[str, ...]
    meanwhile: str


def guidance(decision: Decision, parameter_name: str, account_id: str) -> Guidance:
    """Return what to tell a caller whose account is off; raise InvalidInput for an account id that is none.

    Args:
        decision: the decision that deferred the call.
        parameter_name: the flag's SSM parameter, `/mono-pipeline/{env}/MONO_TRANSACTIONS_ENABLED`.
        account_id: Mono's 24-hex id; it is put into shell commands, so it is checked.
    """
    check_account_id(account_id)
    return Guidance(
        flag=FLAG_NAME,
        parameter=parameter_name,
        reason=decision.reason,
        explanation=_explanation(decision),
        enable=_commands(decision, parameter_name, account_id),
        meanwhile=_MEANWHILE,
    )


def _explanation(decision: Decision) -> str:
    sentence = _EXPLANATIONS.get(decision.reason, "The flag is on for this account; ask again.")
    return f"{sentence}: {decision.detail or 'unknown'}." if decision.reason is Reason.ERROR else sentence


def _commands(decision: Decision, parameter: str, account_id: str) -> tuple[str, ...]:
    monoctl = f"monoctl --env {parameter.split('/')[2]} flag"
    if decision.problem is FlagProblem.UNREADABLE:
        return (f"{monoctl} show", f"aws ssm get-parameter --name {parameter}")
    if decision.problem is FlagProblem.MALFORMED:
        return (f"{monoctl} history", f'{monoctl} restore VERSION --reason "…"')
    if decision.problem is FlagProblem.MISSING:
        return (f'{monoctl} set --allow {account_id} --reason "…"', _create(parameter, account_id))
    undeny = f" --undeny {account_id}" if Reason.DENY in (decision.reason, decision.step) else ""
    return (f'{monoctl} set --allow {account_id}{undeny} --reason "…"', _allow(parameter, account_id))


def _create(parameter: str, account_id: str) -> str:
    value = f'{{"enabled": true, "percentage": 0, "allow": ["{account_id}"]}}'
    return f"aws ssm put-parameter --name {parameter} --type String --value '{value}'"


def _allow(parameter: str, account_id: str) -> str:
    """The command reads the value and adds to it: a ready-made one would throw away the other accounts' entries."""
    edit = (
        'if type == "object" then . else {enabled: ., percentage: (if . then 100 else 0 end)} | .enabled = true end'
        f' | .allow = ((.allow // []) + ["{account_id}"] | unique) | .deny = ((.deny // []) - ["{account_id}"])'
    )
    value = f"aws ssm get-parameter --name {parameter} --query Parameter.Value --output text | jq -c '{edit}'"
    return f'aws ssm put-parameter --name {parameter} --overwrite --value "$({value})"'
